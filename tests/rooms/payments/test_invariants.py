"""The invariants find what they are for: each is broken by hand once, and named."""

from __future__ import annotations

from typing import Any

import pytest
from flask.testing import FlaskCliRunner
from requests_mock import Mocker
from sqlalchemy import delete, insert, update

from app.core.clock import now
from app.extensions import db
from app.orders.models import Order, OrderEntry
from app.payments.models import Credit, InboxMessage, Payment, TimelineEntry
from tests.support.app import Account, Shop, later
from tests.support.daraja import paid


@pytest.fixture
def payment(shop: Shop, shopper: Account) -> Payment:
    """A completed payment of a paid order."""
    found = shop.prompted(shopper)
    shop.callback(paid(found.checkout_request_id), token=found.callback_token)
    return shop.fresh(found)


@pytest.fixture
def flask(shop: Shop) -> FlaskCliRunner:
    return shop.app.test_cli_runner()


def by_hand(shop: Shop, statement: Any) -> None:
    """Write past the house, as a faulty program or a hand in the database would."""
    shop.written_by_hand = True
    with shop.app.app_context(), db.engine.begin() as connection:
        connection.execute(statement)


def broken_rules(shop: Shop) -> set[str]:
    return {violation.rule.partition(" ")[0] for violation in shop.violations()}


def test_sound_books_break_no_rule(shop: Shop, payment: Payment, flask: FlaskCliRunner) -> None:
    done = flask.invoke(args=["check_invariants"])
    assert (done.exit_code, done.output.strip()) == (0, "Every invariant holds.")


@pytest.mark.parametrize(
    ("rules", "statement"),
    [
        ({"I1", "I3", "I9"}, delete(Credit)),
        ({"I1", "I9"}, update(Credit).values(amount_cents=200_000)),
        ({"I1", "I3", "I9"}, update(Credit).values(amount_cents=100_000)),
        ({"I2"}, update(Credit).values(receipt="UKL4OTHER1")),
        ({"I3", "I8"}, update(Order).values(status="pending")),
        ({"I3", "I8"}, update(Order).values(status="cancelled")),
        ({"I4", "I8"}, delete(TimelineEntry).where(TimelineEntry.event == "created")),
        ({"I1", "I6", "I8"}, update(Payment).values(status="failed")),
        ({"I8"}, delete(TimelineEntry).where(TimelineEntry.event == "push_accepted")),
        ({"I8"}, delete(OrderEntry)),
        ({"I8"}, update(TimelineEntry).values(actor="")),
        ({"I10"}, update(TimelineEntry).values(why="paid by 254712345678")),
        ({"I10"}, update(InboxMessage).values(verdict="from 0712345678")),
    ],
)
def test_books_that_were_tampered_with_are_named(
    shop: Shop, payment: Payment, flask: FlaskCliRunner, rules: set[str], statement: Any
) -> None:
    by_hand(shop, statement)
    assert broken_rules(shop) == rules
    done = flask.invoke(args=["check_invariants"])
    assert done.exit_code == 1
    assert payment.public_ref in done.output or " 1 " in done.output


def test_a_callback_that_nobody_acted_on_is_named_after_a_while(
    shop: Shop, payment: Payment
) -> None:
    by_hand(shop, update(InboxMessage).values(handled_at=None))
    assert broken_rules(shop) == set()
    with later(3600):
        assert broken_rules(shop) == {"I5"}


def test_a_step_that_no_edge_allows_is_named(shop: Shop, payment: Payment) -> None:
    step = {"payment_id": payment.id, "at": now(), "actor": "ghost", "why": "because"}
    back = step | {"event": "revived", "from_status": "completed", "to_status": "pending"}
    again = step | {
        "event": "payment_confirmed",
        "from_status": "pending",
        "to_status": "completed",
    }
    by_hand(shop, insert(TimelineEntry).values([back, again]))
    assert broken_rules(shop) == {"I8"}


def ledger(requests_mock: Mocker, *entries: tuple[str | None, int]) -> None:
    rows = [{"checkout_request_id": name, "amount": amount} for name, amount in entries]
    page = {"entries": rows, "total": len(rows)}
    requests_mock.get("http://ledger.test/simulator/api/ledger", json=page)


@pytest.mark.parametrize("moved", [1500, 1499, 0])
def test_the_books_are_held_against_a_ledger(
    shop: Shop, payment: Payment, flask: FlaskCliRunner, requests_mock: Mocker, moved: int
) -> None:
    ledger(requests_mock, *([(payment.checkout_request_id, moved)] if moved else []))
    done = flask.invoke(args=["check_invariants", "--ledger", "http://ledger.test"])
    assert (done.exit_code == 0) == (moved == 1500)
    assert (payment.public_ref in done.output) == (moved != 1500)


def test_money_in_the_ledger_that_nobody_is_credited_is_named(
    shop: Shop, payment: Payment, flask: FlaskCliRunner, requests_mock: Mocker
) -> None:
    ledger(requests_mock, (payment.checkout_request_id, 1500), ("ws_CO_lost", 70))
    done = flask.invoke(args=["check_invariants", "--ledger", "http://ledger.test"])
    assert done.exit_code == 1
    assert "ws_CO_lost moved KES 70" in done.output


def test_a_ledger_that_cannot_be_read_is_said_in_words(
    shop: Shop, flask: FlaskCliRunner, requests_mock: Mocker
) -> None:
    requests_mock.get("http://ledger.test/simulator/api/ledger", text="<html>")
    done = flask.invoke(args=["check_invariants", "--ledger", "http://ledger.test"])
    assert "cannot be read" in done.output
    assert done.exit_code == 1
