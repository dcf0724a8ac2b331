"""The figures: who may read them, that they are right, and that labels cannot be made up."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from prometheus_client.parser import text_string_to_metric_families

from app.monitoring import meters as figures
from app.monitoring.calls import kind_of
from app.payments import inbox
from tests.support.app import STRANGER, Account, Shop, later
from tests.support.daraja import html, unpaid

TOKEN = "a-long-enough-metrics-token"
Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


@pytest.fixture(autouse=True)
def _fresh() -> Iterator[None]:
    figures.meters.cache_clear()
    yield
    figures.meters.cache_clear()


def read(shop: Shop) -> Samples:
    shop.app.extensions["lipa_gauges"].forget()
    answer = shop.client().get("/metrics")
    assert answer.status_code == 200, answer.text
    assert answer.content_type.startswith("text/plain")
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }


def value(samples: Samples, name: str, **labels: str) -> float:
    return samples.get((name, frozenset(labels.items())), 0.0)


@pytest.mark.parametrize(
    ("peer", "headers", "status"),
    [
        ("127.0.0.1", {}, 200),
        ("::1", {}, 200),
        (STRANGER, {}, 401),
        ("10.0.0.1", {}, 401),
        ("127.0.0.1", {"X-Forwarded-For": "127.0.0.1"}, 401),
        ("127.0.0.1", {"Forwarded": "for=127.0.0.1"}, 401),
        (STRANGER, {"Authorization": f"Bearer {TOKEN}"}, 200),
        (STRANGER, {"Authorization": f"bearer {TOKEN}"}, 200),
        (STRANGER, {"Authorization": f"Bearer {TOKEN}x"}, 401),
        (STRANGER, {"Authorization": "Bearer "}, 401),
        (STRANGER, {"Authorization": f"Basic {TOKEN}"}, 401),
        (STRANGER, {"Authorization": "Bearer schlüssel"}, 401),
        ("", {}, 401),
    ],
)
def test_they_are_for_this_machine_and_for_bearers_of_the_token(
    shop: Shop, peer: str, headers: dict[str, str], status: int
) -> None:
    shop.set(metrics_token=TOKEN)
    answer = shop.client().get("/metrics", headers=headers, environ_overrides={"REMOTE_ADDR": peer})
    assert answer.status_code == status


@pytest.mark.parametrize("behind", [{"trusted_proxies": 1}, {"public_url": "auto"}])
def test_behind_a_proxy_being_here_is_not_enough(shop: Shop, behind: dict[str, object]) -> None:
    shop.set(**behind)
    assert shop.client().get("/metrics").status_code == 401
    bearer = {"Authorization": "Bearer "}
    assert shop.client().get("/metrics", headers=bearer).status_code == 401, "no token is set"


def test_requests_are_counted_by_route_and_what_people_make_up_is_one(shop: Shop) -> None:
    client = shop.client()
    for number in range(5):
        client.get(f"/api/orders/{number}")
        client.get(f"/made/up/{number}")
    client.open("/api/products", method="PROPFIND")
    samples = read(shop)
    name = "lipa_http_request_seconds_count"
    assert value(samples, name, method="GET", route="/api/orders/<order_id>", status="401") == 5
    assert value(samples, name, method="GET", route="(none)", status="404") == 5
    methods = {dict(labels).get("method") for family, labels in samples if family == name}
    assert methods == {"GET", "other"}


def test_a_payment_is_counted_with_its_call_its_callback_and_its_time(
    shop: Shop, shopper: Account
) -> None:
    shop.completed(shopper)
    failing = shop.prompted(shopper)
    shop.callback(unpaid(failing.checkout_request_id, 1032), token=failing.callback_token)
    shop.callback(b"{}")
    samples = read(shop)
    assert value(samples, "lipa_payment_events_total", event="pending") == 2
    assert value(samples, "lipa_payment_events_total", event="completed") == 1
    assert value(samples, "lipa_payment_events_total", event="cancelled") == 1
    assert value(samples, "lipa_prompt_to_result_seconds_count", status="completed") == 1
    assert value(samples, "lipa_prompt_to_result_seconds_sum", status="completed") < 60
    assert value(samples, "lipa_callbacks_total", verdict="acted_on") == 2
    assert value(samples, "lipa_callbacks_total", verdict="unreadable") == 1
    calls = "lipa_daraja_request_seconds_count"
    assert value(samples, calls, kind="push", outcome="2xx") == 2
    assert value(samples, calls, kind="token", outcome="2xx") == 1


def test_what_a_rehearsal_would_do_is_not_counted(shop: Shop, shopper: Account) -> None:
    shop.completed(shopper)
    before = value(read(shop), "lipa_callbacks_total", verdict="repeated")
    with shop.app.app_context():
        inbox.dry_run(shop.inbox()[0].id)
    assert value(read(shop), "lipa_callbacks_total", verdict="repeated") == before


def test_what_stands_in_the_books_is_told_with_its_age(shop: Shop, shopper: Account) -> None:
    shop.prompted(shopper)
    shop.unanswered(shopper)
    with later(40):
        samples = read(shop)
    assert value(samples, "lipa_payments_open", status="pending") == 1
    assert value(samples, "lipa_payments_open", status="unconfirmed") == 1
    assert value(samples, "lipa_payments_open", status="review") == 0
    assert 39 < value(samples, "lipa_payments_open_oldest_seconds", status="pending") < 60
    assert value(samples, "lipa_database_up") == 1
    assert value(samples, "lipa_webhooks_waiting") == 0
    assert {dict(labels)["road"] for name, labels in samples if name == "lipa_breaker_open"}


def test_however_often_one_asks_the_database_is_asked_seldom(
    shop: Shop, shopper: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    read(shop)
    shop.prompted(shopper)
    told = shop.client().get("/metrics").text
    assert 'lipa_payments_open{status="pending"} 0.0' in told
    monkeypatch.setattr("app.monitoring.gauges.CACHE_SECONDS", -1)
    assert 'lipa_payments_open{status="pending"} 1.0' in shop.client().get("/metrics").text


def test_daraja_s_failures_are_counted_by_how_they_ended(shop: Shop, shopper: Account) -> None:
    shop.daraja.push_answer = html(502)
    shop.pay(shopper, shop.order(shopper))
    calls = "lipa_daraja_request_seconds_count"
    assert value(read(shop), calls, kind="push", outcome="5xx") == 1


def test_a_figure_that_cannot_be_kept_costs_no_request(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full() -> None:
        raise OSError("no space left on device")

    monkeypatch.setattr(figures, "meters", full)
    assert shop.client().get("/api/products").status_code == 200


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/mpesa/stkpush/v1/processrequest", "push"),
        ("/mpesa/stkpushquery/v1/query", "push_query"),
        ("/oauth/v1/generate", "token"),
        ("/mpesa/b2c/v3/paymentrequest", "b2c"),
        ("/anything/else", "other"),
    ],
)
def test_kinds_of_calls_are_few_words(path: str, kind: str) -> None:
    assert kind_of(path) == kind


def test_no_figure_says_who(shop: Shop, shopper: Account) -> None:
    payment = shop.completed(shopper)
    told = shop.client().get("/metrics").text
    for secret in ("712345678", payment.public_ref, payment.callback_token, shopper.email):
        assert secret not in told
    assert not re.search(r"[0-9a-f]{8}-[0-9a-f]{4}-", told)
