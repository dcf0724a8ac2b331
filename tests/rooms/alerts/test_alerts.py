"""Alerts open by themselves, once, and close by themselves; who sweeps is watched too."""

from __future__ import annotations

import logging

import pytest
from sqlalchemy import select, update

from app.accounts.models import Person
from app.alerts import checks, watch
from app.alerts.checks import Finding
from app.alerts.kinds import KINDS
from app.alerts.models import AlertRow, Heartbeat
from app.alerts.service import Alert, open_alerts
from app.core.clock import now
from app.core.unit_of_work import transaction
from app.disbursements.models import FloatReading
from app.disbursements.provider import shortcode
from app.extensions import db
from app.payments import provider
from app.payments.models import InboxMessage
from app.webhooks import endpoints
from app.webhooks.models import Delivery, DeliveryState
from tests.support.app import STRANGER, Account, Shop, later, together
from tests.support.daraja import paid


def look(shop: Shop) -> list[Alert]:
    with shop.app.app_context():
        watch.look()
        return open_alerts()


def kinds(shop: Shop) -> list[str]:
    return [alert.kind for alert in look(shop)]


def only(monkeypatch: pytest.MonkeyPatch, findings: list[Finding]) -> None:
    """Have nothing be wrong but what this list says at the moment."""
    monkeypatch.setattr(watch, "CHECKS", {"float_low": lambda: iter(findings)})


def test_a_shop_in_order_has_none(shop: Shop, shopper: Account) -> None:
    shop.completed(shopper)
    shop.prompted(shopper)
    assert look(shop) == []


def test_a_payment_that_stays_live_opens_one_and_its_end_closes_it(
    shop: Shop, shopper: Account
) -> None:
    payment = shop.prompted(shopper)
    with later(150):
        [alert] = look(shop)
        assert alert.kind == "payments_stuck"
        assert payment.public_ref in alert.detail
        assert alert.advice
        assert alert.link.startswith("/admin/payments")
        assert [again.since for again in look(shop)] == [alert.since], "it is one alert still"
        body = paid(payment.checkout_request_id, 1500, "UKL5ALERT1")
        shop.callback(body, token=payment.callback_token)
        assert look(shop) == []


def test_s4_108_callbacks_that_lack_a_proof_are_told(shop: Shop, shopper: Account) -> None:
    """S4-108: a suspicious pattern is not only logged, it stands before the owner."""
    for number in range(11):
        shop.callback(paid(f"ws_CO_{number}", 1, f"UKL5FORG{number}"), peer=STRANGER)
    [alert] = [found for found in look(shop) if found.kind == "suspicious"]
    assert alert.subject == STRANGER
    assert "callbacks that lack a proof" in alert.detail


def test_a_callback_that_cannot_be_acted_on_is_told(shop: Shop, shopper: Account) -> None:
    payment = shop.prompted(shopper)
    body = paid(payment.checkout_request_id, 1500, "UKL5ALERT2")
    shop.callback(body, token=payment.callback_token)
    with shop.app.app_context(), transaction() as session:
        session.execute(update(InboxMessage).values(handled_at=None, tries=3))
    assert "callbacks_failing" in kinds(shop)


def test_a_road_on_which_nothing_is_sent_is_told(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(provider, "breaker_states", lambda: {"daraja push": "open"})
    [alert] = look(shop)
    assert (alert.kind, alert.subject) == ("breaker_open", "daraja push")
    monkeypatch.setattr(provider, "breaker_states", lambda: {"daraja push": "closed"})
    assert look(shop) == []


def test_a_float_below_the_limit_is_told(shop: Shop) -> None:
    with shop.app.app_context(), transaction() as session:
        held = {"utility_cents": 49_900, "answered_at": now(), "source": "question"}
        session.add(FloatReading(shortcode=shortcode(), asked_at=now(), **held))
    assert look(shop) == [], "nobody asked to be told"
    shop.set(float_alert_below=499)
    assert look(shop) == []
    shop.set(float_alert_below=500)
    [alert] = look(shop)
    assert (alert.kind, alert.detail) == ("float_low", "KES 499, less than KES 500")


def test_an_endpoint_that_takes_nothing_is_told_and_named(shop: Shop, admin: Account) -> None:
    shop.set(settings_encryption_key="k" * 40)
    with shop.app.app_context():
        person = db.session.get_one(Person, admin.id)
        made, _ = endpoints.add("http://127.0.0.1:9/", ["alert.*"], person)
        number = made.id
        endpoints.send_test(number, person)
        with transaction() as session:
            session.execute(update(Delivery).values(state=DeliveryState.GIVEN_UP))
    [alert] = look(shop)
    assert (alert.kind, alert.link) == ("webhooks_given_up", f"/admin/webhooks/{number}")
    with shop.app.app_context():
        opened = db.session.scalars(select(Delivery).order_by(Delivery.id.desc())).first()
        assert opened is not None
        assert opened.type == "alert.opened"
        assert '"kind":"webhooks_given_up"' in opened.body


def test_it_is_logged_when_it_opens_and_when_it_closes_and_not_in_between(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    findings = [Finding("float_low", "600000", "KES 1")]
    only(monkeypatch, findings)
    with caplog.at_level(logging.WARNING, "lipa.alerts"):
        look(shop)
        findings[0] = Finding("float_low", "600000", "KES 0")
        assert [alert.detail for alert in look(shop)] == ["KES 0"]
        findings.clear()
        look(shop)
    assert [record.getMessage().partition(":")[0] for record in caplog.records] == [
        "alert opened",
        "alert closed",
    ]


def test_a_check_that_cannot_look_closes_nothing(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    only(monkeypatch, [Finding("float_low", "600000", "KES 1")])
    look(shop)

    def broken() -> None:
        raise OSError("away")

    monkeypatch.setattr(watch, "CHECKS", {"float_low": broken})
    assert kinds(shop) == ["float_low"]


def test_of_many_who_sweep_at_once_one_looks_and_the_clock_may_be_set_back(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks: list[int] = []
    monkeypatch.setattr(watch, "look", lambda: looks.append(1))

    def sweep(_: int) -> None:
        with shop.app.app_context():
            watch.sweep()
            db.session.remove()

    together(6, sweep)
    assert len(looks) == 1
    with later(61):
        together(6, sweep)
        assert len(looks) == 2
    sweep(0)
    assert len(looks) == 3, "the row says a minute ahead: the clock was set back"


def test_a_sweep_that_is_not_seen_for_five_minutes_is_an_alert_of_its_own(shop: Shop) -> None:
    with shop.app.app_context():
        watch.sweep()
        assert open_alerts() == []
        with later(301):
            [alert] = open_alerts()
            assert alert.kind == "sweep_quiet"
            assert open_alerts(limit=0) == []
            watch.sweep()
            assert open_alerts() == []


def test_two_alerts_of_one_kind_and_subject_are_never_open(shop: Shop) -> None:
    with shop.app.app_context():
        row = {"kind": "float_low", "subject": "600000", "detail": "x"}
        with transaction() as session:
            session.add(AlertRow(**row, closed_at=now()))
            session.add(AlertRow(**row))
        with pytest.raises(Exception, match="(?i)unique"), transaction() as session:
            session.add(AlertRow(**row))


def test_every_check_has_words() -> None:
    assert set(checks.CHECKS) < set(KINDS)
    assert all(kind.title and kind.advice for kind in KINDS.values())


def test_old_alerts_are_forgotten(shop: Shop) -> None:
    with shop.app.app_context():
        with transaction() as session:
            session.add(AlertRow(kind="float_low", subject="", detail="", closed_at=now()))
        with later(watch.KEPT.total_seconds() + 1):
            watch.sweep()
        assert db.session.scalars(select(AlertRow)).all() == []
        assert db.session.get(Heartbeat, "sweep") is not None
