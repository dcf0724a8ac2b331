"""S1, the STK push document: who may enter, what is refused, and that all of it is logged."""

from __future__ import annotations

import logging
from typing import Any

import pytest
import time_machine
from sqlalchemy import event
from sqlalchemy.exc import OperationalError

from app.config import Environment
from app.core.clock import now
from app.extensions import db
from app.monitoring import OneLine
from app.orders.models import Order
from app.payments.models import Payment
from tests.documents.s1 import (
    ASKED,
    CALLBACK,
    CHECKOUT,
    PHONE,
    QUERY,
    checkout,
    count,
    post,
    prompted,
    query,
)
from tests.services.launch import free_port
from tests.support.app import PASSWORD, SAFARICOM, STRANGER, Account, Shop, later, together
from tests.support.daraja import FakeDaraja, html, json_answer, paid, refuse, unpaid

KEYS = {"success", "status", "error", "message", "code", "details"}
SAME = {"Sec-Fetch-Site": "same-origin"}
ACCOUNT = {"mpesa_consumer_key": "k", "mpesa_consumer_secret": "s", "mpesa_passkey": "p"}


def is_refused(answer: Any, status: int, code: str) -> None:
    body = answer.get_json()
    assert (answer.status_code, body["code"]) == (status, code), answer.text
    assert set(body) == KEYS
    assert body["error"] == body["message"]


def written(caplog: pytest.LogCaptureFixture) -> list[str]:
    """The lines of the payments' own logger."""
    return [OneLine().format(row) for row in caplog.records if row.name == "payments.mpesa"]


# Who may enter.


def test_s1_31_s1_32_strangers_enter_where_the_checkout_is_open(shop: Shop) -> None:
    """S1-31, S1-32: C-2."""
    payment = prompted(shop)
    assert query(shop, payment.checkout_request_id).status_code == 200


def test_s1_01_s1_05_a_closed_checkout_serves_only_people_who_are_signed_in(
    shop: Shop, shopper: Account, admin: Account
) -> None:
    """S1-01, S1-05: C-2: the default in production."""
    before = prompted(shop, phone_number="0711222333")
    shop.set(open_checkout=False)
    is_refused(checkout(shop), 401, "UNAUTHORIZED")
    is_refused(query(shop, before.checkout_request_id), 401, "UNAUTHORIZED")
    payment = prompted(shop, shopper)
    assert query(shop, payment.checkout_request_id, shopper).status_code == 200
    assert query(shop, before.checkout_request_id, shopper).status_code == 404
    assert query(shop, before.checkout_request_id, admin).status_code == 200


@pytest.mark.parametrize(("environment", "is_open"), [("sandbox", True), ("production", False)])
def test_s1_01_the_checkout_is_closed_in_production_unless_it_is_opened(
    shop: Shop, environment: str, is_open: bool
) -> None:
    """S1-01."""
    shop.set(mpesa_environment=Environment(environment), open_checkout=None)
    configured = shop.app.extensions["lipa_settings"]
    assert configured.checkout_is_open is is_open
    shop.set(open_checkout=not is_open)
    assert shop.app.extensions["lipa_settings"].checkout_is_open is not is_open


@pytest.mark.parametrize("scheme", ["Bearer", "JWT"])
def test_s1_01_a_token_that_is_no_good_makes_nobody_a_stranger(shop: Shop, scheme: str) -> None:
    """S1-01: C-1: what its holder pays would not be theirs."""
    answer = post(shop, CHECKOUT, ASKED, None, Authorization=f"{scheme} made.up.token")
    is_refused(answer, 401, "UNAUTHORIZED")
    assert count(shop, Payment) == 0


def test_s1_06_only_its_owner_may_ask_about_a_persons_prompt(
    shop: Shop, shopper: Account, other_shopper: Account, admin: Account
) -> None:
    """S1-06: E1."""
    ours = [prompted(shop, shopper), shop.prompted(shopper)]
    for payment in ours:
        named = payment.checkout_request_id
        assert query(shop, named, shopper).status_code == 200
        assert query(shop, named, admin).status_code == 200
        is_refused(query(shop, named, other_shopper), 404, "NOT_FOUND")
        is_refused(query(shop, named), 404, "NOT_FOUND")


# S1-28: requests from foreign pages.


def signed_in_browser(shop: Shop, who: Account) -> Any:
    client = shop.client()
    client.post("/sign-in", data={"email": who.email, "password": PASSWORD}, headers=SAME)
    return client


def test_s1_28_s1_33_a_page_of_the_shop_may_post_with_its_cookie(
    shop: Shop, shopper: Account
) -> None:
    """S1-28, S1-33: C-3."""
    client = signed_in_browser(shop, shopper)
    answer = client.post(CHECKOUT, json=ASKED, headers=SAME)
    assert answer.status_code == 200
    body = {"checkout_request_id": answer.get_json()["CheckoutRequestID"]}
    assert client.post(QUERY, json=body, headers=SAME).status_code == 200


@pytest.mark.parametrize(
    "headers", [{}, {"Origin": "http://evil.test"}, {"Sec-Fetch-Site": "cross-site"}]
)
def test_s1_28_a_foreign_page_cannot_borrow_a_cookie(
    shop: Shop, shopper: Account, daraja: FakeDaraja, headers: dict[str, str]
) -> None:
    """S1-28: C-3, E4."""
    client = signed_in_browser(shop, shopper)
    is_refused(client.post(CHECKOUT, json=ASKED, headers=headers), 403, "FORBIDDEN")
    is_refused(client.post(CHECKOUT, data=ASKED, headers=headers), 403, "FORBIDDEN")
    is_refused(client.post(QUERY, json={}, headers=headers), 403, "FORBIDDEN")
    assert daraja.pushes == []


def test_s1_28_a_form_of_a_foreign_page_is_not_read_without_a_cookie_either(shop: Shop) -> None:
    """S1-28: What a page may post elsewhere without asking first is never JSON by its type."""
    is_refused(shop.client().post(CHECKOUT, data=ASKED), 415, "UNSUPPORTED_MEDIA_TYPE")
    raw = shop.app.json.dumps(ASKED)
    answer = shop.client().post(CHECKOUT, data=raw, content_type="text/plain")
    is_refused(answer, 415, "UNSUPPORTED_MEDIA_TYPE")


# S1-29: every field.

WRONG: list[object] = [None, 7, 7.5, True, [], {}, ["x"]]
UNREADABLE: list[object] = [None, True, "", "abc", "1e3", "-1", -1, 10.5, [], {}]


@pytest.mark.parametrize("field", list(ASKED))
def test_s1_29_a_field_that_is_not_there_is_named(shop: Shop, field: str) -> None:
    """S1-29."""
    body = {name: value for name, value in ASKED.items() if name != field}
    answer = post(shop, CHECKOUT, body, None)
    is_refused(answer, 400, "VALIDATION_ERROR")
    assert field in answer.get_json()["details"]["fields"]


@pytest.mark.parametrize("field", ["phone_number", "reference", "description"])
def test_s1_29_a_text_of_another_type_is_refused(shop: Shop, field: str) -> None:
    """S1-29."""
    for value in WRONG:
        is_refused(checkout(shop, **{field: value}), 400, "VALIDATION_ERROR")
    assert count(shop, Order) == 0


@pytest.mark.parametrize("field", ["reference", "description"])
def test_s1_29_an_empty_too_long_or_unprintable_text_is_refused(shop: Shop, field: str) -> None:
    """S1-29."""
    for value in ("", "   ", "x" * 256, "two\nlines", "a\x1b[2Jb", "nul\x00", "\ud800"):
        is_refused(checkout(shop, **{field: value}), 400, "VALIDATION_ERROR")
    assert checkout(shop, **{field: "x" * 255}).status_code == 200


@pytest.mark.parametrize(
    "written_so",
    ["", "07186430", "07186430640", "+1 202 555 0100", "words", "0" * 65, "٠٧١٨٦٤٣٠٦٤"],
)
def test_s1_43_an_invalid_phone_is_told_and_logged(
    shop: Shop, written_so: str, caplog: pytest.LogCaptureFixture
) -> None:
    """S1-43."""
    with caplog.at_level(logging.INFO):
        answer = checkout(shop, phone_number=written_so)
    is_refused(answer, 400, "INVALID_PHONE")
    assert answer.get_json()["message"].startswith("Invalid phone number.")
    assert count(shop, Order) == 0
    assert any("INVALID_PHONE" in line for line in written(caplog)), "S1-48"


@pytest.mark.parametrize(
    ("amount", "code"),
    [
        *[(bad, "INVALID_AMOUNT") for bad in UNREADABLE],
        (0, "AMOUNT_TOO_LOW"),
        ("0.00", "AMOUNT_TOO_LOW"),
        (70_001, "AMOUNT_TOO_HIGH"),
    ],
)
def test_s1_29_an_amount_that_cannot_be_asked_for_makes_no_order(
    shop: Shop, amount: object, code: str
) -> None:
    """S1-29: C-23, C-39."""
    is_refused(checkout(shop, amount=amount), 400, code)
    assert count(shop, Order) == 0


def test_s1_29_the_highest_and_the_lowest_amount(shop: Shop) -> None:
    """S1-29: C-39."""
    assert prompted(shop, amount=70_000).amount_cents == 7_000_000
    assert prompted(shop, amount=1, phone_number="0711222333").amount_cents == 100


def test_s1_29_keys_that_nobody_asked_for_change_nothing(shop: Shop, shopper: Account) -> None:
    """S1-29: E7."""
    payment = prompted(
        shop, status="completed", person_id=shopper.id, is_admin=True, total_cents=1, id=7
    )
    assert (payment.person_id, payment.amount_cents, payment.status) == (None, 10_000, "pending")


@pytest.mark.parametrize("value", [None, 7, True, "", [], {}, "x" * 129])
def test_s1_29_a_checkout_request_id_of_the_wrong_kind_is_refused(
    shop: Shop, value: object
) -> None:
    """S1-29."""
    is_refused(query(shop, value), 400, "VALIDATION_ERROR")


def test_s1_29_a_query_needs_its_one_field_and_takes_no_other(shop: Shop) -> None:
    """S1-29."""
    is_refused(post(shop, QUERY, {}, None), 400, "VALIDATION_ERROR")
    payment = prompted(shop)
    body = {"checkout_request_id": payment.checkout_request_id, "status": "0", "person_id": 1}
    told = post(shop, QUERY, body, None).get_json()["local_transaction"]
    assert told["status"] == "1"


# The phones of others.


def test_s1_29_one_stranger_at_a_time_asks_a_phone(
    shop: Shop, shopper: Account, daraja: FakeDaraja
) -> None:
    """S1-29: C-38: people who are signed in are held up by nothing but a prompt on that phone."""
    payment = prompted(shop)
    for changes in ({"reference": "INV-2"}, {"amount": 101}):
        answer = checkout(shop, **changes)
        is_refused(answer, 409, "PAYMENT_IN_PROGRESS")
        assert 0 < int(answer.headers["Retry-After"]) <= 120
    assert count(shop, Order) == 1, "who is refused leaves nothing behind"
    answer = checkout(shop, shopper, reference="INV-2")
    is_refused(answer, 409, "PAYMENT_IN_PROGRESS")
    assert answer.get_json()["details"]["reason"] == "phone_busy", "the phone bears one prompt"
    assert checkout(shop, phone_number="0711222333").status_code == 200
    shop.callback(unpaid(payment.checkout_request_id), token=payment.callback_token, path=CALLBACK)
    assert checkout(shop, reference="INV-2").status_code == 200
    assert len(daraja.pushes) == 3


def test_s1_29_a_prompt_that_has_long_left_the_phone_blocks_nobody(
    shop: Shop, daraja: FakeDaraja
) -> None:
    """S1-29: Nobody knows how it ended; the phone's owner shall be able to pay something else."""
    daraja.push_answer = html(502)
    assert checkout(shop).status_code == 202
    daraja.push_answer = daraja.accept
    assert checkout(shop, reference="INV-2").status_code == 409
    with later(125):
        assert checkout(shop, reference="INV-2").status_code == 200


def test_s1_29_of_ten_strangers_at_once_one_gets_through_to_a_phone(
    shop: Shop, daraja: FakeDaraja
) -> None:
    """S1-29."""
    answers = together(10, lambda number: checkout(shop, reference=f"INV-{number}").status_code)
    assert sorted(answers) == [200] + [409] * 9
    assert len(daraja.pushes) == 1


def test_s1_29_strangers_may_not_make_a_phone_ring_all_day(
    shop: Shop, shopper: Account, daraja: FakeDaraja
) -> None:
    """S1-29."""
    shop.set(mpesa_environment=Environment.SANDBOX, **ACCOUNT)
    daraja.push_answer = refuse("Unable to lock subscriber, a transaction is already in process")
    moment = now()
    for number in range(5):
        with time_machine.travel(moment.timestamp() + number * 30):
            assert checkout(shop).status_code == 502
    with time_machine.travel(moment.timestamp() + 200):
        limited = checkout(shop)
        is_refused(limited, 429, "RATE_LIMITED")
        assert int(limited.headers["Retry-After"]) > 0
        assert checkout(shop, shopper).status_code == 502, "this is for strangers only"
        assert checkout(shop, phone_number="0711222333").status_code == 502
    assert len(daraja.pushes) == 7


def test_s1_29_repeats_are_counted_for_their_caller_and_never_for_the_phone(shop: Shop) -> None:
    """S1-29: C-38, S0-49."""
    with time_machine.travel(now(), tick=False):
        assert {checkout(shop).status_code for _ in range(100)} == {200}
        is_refused(checkout(shop), 429, "RATE_LIMITED")


def test_s1_01_a_strangers_request_with_a_key_is_carried_out_once(
    shop: Shop, daraja: FakeDaraja
) -> None:
    """S1-01."""
    first = post(shop, CHECKOUT, ASKED, None, **{"Idempotency-Key": "one"})
    again = post(shop, CHECKOUT, ASKED, None, **{"Idempotency-Key": "one"})
    other = post(shop, CHECKOUT, ASKED | {"amount": 5}, None, **{"Idempotency-Key": "one"})
    assert again.headers["Idempotency-Replayed"] == "true"
    assert first.data == again.data
    is_refused(other, 422, "IDEMPOTENCY_MISMATCH")
    assert len(daraja.pushes) == 1


# S1-43 to S1-48: errors, handled and logged.


def test_s1_45_a_refused_access_token_is_told_and_logged(
    shop: Shop, daraja: FakeDaraja, caplog: pytest.LogCaptureFixture
) -> None:
    """S1-45."""
    daraja.push_answer = refuse("Invalid Access Token", "404.001.03", 404)
    with caplog.at_level(logging.INFO):
        answer = checkout(shop)
    is_refused(answer, 502, "PROVIDER_REFUSED")
    assert answer.get_json()["message"].startswith("Invalid access token.")
    assert any("PROVIDER_REFUSED" in line for line in written(caplog)), "S1-48"


def test_s1_44_a_daraja_that_is_not_there_is_503_and_logged(
    shop: Shop, caplog: pytest.LogCaptureFixture
) -> None:
    """S1-44."""
    shop.set(mpesa_base_url=f"http://127.0.0.1:{free_port()}")
    with caplog.at_level(logging.INFO):
        answer = checkout(shop)
    is_refused(answer, 503, "PROVIDER_UNAVAILABLE")
    assert int(answer.headers["Retry-After"]) > 0
    assert any("PROVIDER_UNAVAILABLE" in line for line in written(caplog)), "S1-48"


def test_s1_44_a_push_that_times_out_is_202_and_logged(
    shop: Shop, daraja: FakeDaraja, caplog: pytest.LogCaptureFixture
) -> None:
    """S1-44."""
    shop.set(mpesa_timeout_seconds=0.2)
    daraja.push_answer = lambda _: json_answer({}, delay_seconds=0.5)
    with caplog.at_level(logging.INFO):
        assert checkout(shop).status_code == 202
    assert any("no answer (ReadTimeout)" in line for line in written(caplog)), "S1-48"


def test_s1_47_a_database_that_fails_is_told_and_logged(
    shop: Shop, daraja: FakeDaraja, caplog: pytest.LogCaptureFixture
) -> None:
    """S1-47."""

    def fail(*_: object) -> None:
        raise OperationalError("SELECT", {}, Exception("gone"))

    with shop.app.app_context():
        engine = db.engine
    event.listen(engine, "before_cursor_execute", fail)
    try:
        with caplog.at_level(logging.INFO):
            answer = checkout(shop)
    finally:
        event.remove(engine, "before_cursor_execute", fail)
    assert answer.status_code == 503
    assert set(answer.get_json()) == KEYS
    assert daraja.pushes == []
    assert any(line for line in written(caplog) if "503" in line), "S1-48"


def test_s1_30_s1_48_no_log_line_has_a_whole_phone_or_a_token(
    shop: Shop, caplog: pytest.LogCaptureFixture
) -> None:
    """S1-30, S1-48: I10."""
    with caplog.at_level(logging.DEBUG):
        payment = prompted(shop)
        query(shop, payment.checkout_request_id)
        body = paid(payment.checkout_request_id, 100, phone=int(PHONE))
        shop.callback(body, token=payment.callback_token, path=CALLBACK, peer=SAFARICOM)
        shop.callback(body, token=payment.callback_token, path=CALLBACK, peer=STRANGER)
    lines = "\n".join(OneLine().format(row) for row in caplog.records)
    for secret in (PHONE, "0718643064", payment.callback_token):
        assert secret not in lines
