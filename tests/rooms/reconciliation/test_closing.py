"""The daily close: each shilling in one day, kept as a person saw it."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from sqlalchemy import delete, select, update
from sqlalchemy.exc import DBAPIError

from app.audit.models import AuditEntry
from app.core.clock import NAIROBI, nairobi, now
from app.core.unit_of_work import transaction
from app.extensions import db
from app.payments.models import Credit, Payment
from app.reconciliation.models import DailyClose
from tests.rooms.admin.desk import Desk, flashed, title
from tests.support import results
from tests.support.app import Account, Shop
from tests.support.statements import Line, Paper, receipt, sent

ROOM = "/admin/reconciliation/closes"
YESTERDAY = (nairobi(now()) - timedelta(days=1)).date()
NOON = datetime.combine(YESTERDAY, datetime.min.time(), NAIROBI) + timedelta(hours=12)
PATH = f"{ROOM}/{YESTERDAY.isoformat()}"


def yesterday(shop: Shop, payment: Payment, moment: datetime = NOON) -> None:
    """Let a payment have been made and credited then."""
    with shop.app.app_context(), transaction() as session:
        before = moment - timedelta(seconds=30)
        session.execute(update(Payment).where(Payment.id == payment.id).values(created_at=before))
        session.execute(
            update(Credit).where(Credit.payment_id == payment.id).values(created_at=moment)
        )


def closes(shop: Shop) -> list[DailyClose]:
    with shop.app.app_context():
        return list(db.session.scalars(select(DailyClose)))


def test_a_day_is_closed_once_and_kept_as_it_was(shop: Shop, desk: Desk, shopper: Account) -> None:
    first = shop.completed(shopper, price=1500)
    yesterday(shop, first)
    page = desk.read(PATH)
    assert title(page) == "Not closed yet"
    assert "KES 1,500 in 1 payment" in page
    assert "not been compared with a statement" in page
    desk.sent(PATH, note="Till counted")
    assert "Somebody has closed that day already." in flashed(desk.told(PATH, note="again"))
    [close] = closes(shop)
    assert (close.collected_cents, close.collected_count) == (1_500_00, 1)
    assert (close.difference_cents, close.note) == (None, "Till counted")
    assert title(desk.read(PATH)).startswith("Closed by Achieng")
    assert "KES 1,500" in desk.read(ROOM)
    with shop.app.app_context():
        entry = db.session.scalars(
            select(AuditEntry).where(AuditEntry.action == "day.closed")
        ).one()
        assert entry.subject == f"day {YESTERDAY.isoformat()}"


def test_the_database_refuses_to_change_a_closed_day(shop: Shop, desk: Desk) -> None:
    desk.sent(PATH, note="")
    for statement in (update(DailyClose).values(collected_cents=1), delete(DailyClose)):
        with (
            shop.app.app_context(),
            pytest.raises(DBAPIError, match="a closed day is not changed"),
            transaction() as session,
        ):
            session.execute(statement)
    assert len(closes(shop)) == 1


def test_money_that_comes_after_the_close_is_told_beside_it(
    shop: Shop, desk: Desk, shopper: Account
) -> None:
    payment = shop.prompted(shopper)
    with shop.app.app_context(), transaction() as session:
        session.get_one(Payment, payment.id).created_at = NOON
    desk.sent(PATH, note="")
    assert "After the close" not in desk.read(PATH)
    from tests.support.daraja import paid

    shop.callback(paid(payment.checkout_request_id, 1500, receipt()), token=payment.callback_token)
    page = desk.read(PATH)
    assert "After the close" in page
    assert payment.public_ref in page
    # It counts on the day on which it came, and not twice.
    today = desk.read(f"{ROOM}/{nairobi(now()).date().isoformat()}")
    assert "KES 1,500 in 1 payment" in today
    assert closes(shop)[0].collected_cents == 0


def test_a_close_says_which_statement_it_was_compared_with(
    shop: Shop, desk: Desk, shopper: Account
) -> None:
    payment = shop.completed(shopper, price=1500)
    yesterday(shop, payment)
    begins = NOON - timedelta(hours=12)
    whole_day = (begins, begins + timedelta(days=1, seconds=-1))
    rows = [Line(str(payment.mpesa_receipt), NOON, 1_500_00), Line(receipt(), NOON, 40_00)]
    half = sent(shop, desk, Paper(rows, begins, NOON + timedelta(minutes=1)))
    assert "no statement that covers the whole day" in desk.read(PATH)
    assert half.is_whole
    statement = sent(shop, desk, Paper(rows, *whole_day))
    page = desk.read(PATH)
    assert f"/admin/reconciliation/{statement.uuid}" in page
    assert "+KES 40 are not explained" in page
    desk.sent(PATH, note="")
    [close] = closes(shop)
    assert (close.statement_id, close.difference_cents) == (statement.id, 40_00)


def test_what_went_out_stands_in_the_close(shop: Shop, desk: Desk, admin: Account) -> None:
    record = shop.payout(admin, shop.supplier(admin), 5000)
    shop.proven(record, results.paid_out(record))
    today = desk.read(f"{ROOM}/{nairobi(now()).date().isoformat()}")
    assert title(today) == "Not over yet"
    assert "KES 5,000" in today


@pytest.mark.parametrize("day", ["today", "2999-01-01", "20261121x", "2026-13-01", "0001-01-01"])
def test_what_is_no_day_that_is_over_is_not_closed(shop: Shop, desk: Desk, day: str) -> None:
    named = nairobi(now()).date().isoformat() if day == "today" else day
    answer = desk.send(f"{ROOM}/{named}", note="")
    assert answer.status_code in (303, 404)
    assert closes(shop) == []
