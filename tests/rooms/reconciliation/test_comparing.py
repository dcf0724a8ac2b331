"""A statement beside the books: whatever differs is found and named, and nothing else is."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import select, update

from app.accounts.roles import Role
from app.audit.models import AuditEntry
from app.core.clock import now
from app.core.unit_of_work import transaction
from app.disbursements.models import Disbursement
from app.extensions import db
from app.payments.models import Credit, Payment
from app.payments.states import Standing
from app.reconciliation.models import DifferenceKind, Resolution
from tests.rooms.admin.desk import Desk, flashed, title
from tests.support import results
from tests.support.app import Account, Shop
from tests.support.daraja import ended
from tests.support.staff import staff
from tests.support.statements import (
    Line,
    Paper,
    Shape,
    charge_of,
    differences,
    kinds,
    path_of,
    receipt,
    sent,
    totals,
    worked,
)

MINUTE = timedelta(minutes=1)


def booked(shop: Shop, count: int) -> list[Line]:
    """Money in the books that came by the paybill, and the rows that a statement has of it."""
    at = now()
    lines = [Line(receipt(), at - MINUTE, 100_00 + number * 100) for number in range(count)]
    with shop.app.app_context(), transaction() as session:
        for line in lines:
            session.add(_credit(line))
    shop.written_by_hand = True
    return lines


def _credit(line: Line) -> Credit:
    return Credit(
        amount_cents=line.cents,
        receipt=line.receipt,
        standing=Standing.UNMATCHED,
        evidence="callback and query",
        created_at=line.at,
    )


def line_of(payment: Payment) -> Line:
    """The row that a statement has of a payment that was made."""
    return Line(str(payment.mpesa_receipt), payment.created_at, payment.amount_cents)


def paid_out(shop: Shop, who: Account, amount: int = 5000, number: str = "1") -> Disbursement:
    supplier = shop.supplier(who, f"Supplier {number}")
    record = shop.payout(who, supplier, amount)
    return shop.proven(record, results.paid_out(record, receipt=f"UKP{int(number):07d}"))


def test_what_agrees_is_green_with_both_sums(shop: Shop, desk: Desk, shopper: Account) -> None:
    payments = [shop.completed(shopper, price=price) for price in (1500, 230)]
    charge = charge_of(line_of(payments[0]), 500)
    paper = Paper([line_of(payments[1]), charge, line_of(payments[0])])
    statement = sent(shop, desk, paper)
    assert statement.is_whole
    assert differences(shop, statement) == []
    page = desk.read(path_of(statement))
    assert title(page) == "Everything agrees: 2 movements, KES 1,730"
    assert totals(page) == {
        "The statement": ["KES 1,730", "KES 0"],
        "Our books": ["KES 1,730", "KES 0"],
        "Difference": ["KES 0", "KES 0"],
    }
    assert "KES 5 in charges" in page


@pytest.mark.parametrize(
    "shape",
    [
        Shape(),
        Shape(separator=";", bom=True, thousands=True, totals=True, moment="%Y-%m-%d %H:%M:%S"),
        Shape(separator="\t", minus=False, line_end="\n", moment="%d-%m-%Y %H:%M"),
        Shape(kind="old", thousands=True),
    ],
    ids=["2025", "2026", "2017", "2009"],
)
def test_every_shape_is_compared_alike(shop: Shop, desk: Desk, shape: Shape) -> None:
    lines = booked(shop, 3)
    stranger = Line(receipt(), now() - MINUTE, 1_234_00)
    statement = sent(shop, desk, Paper([stranger, *lines]), shape)
    assert statement.doubts == []
    assert kinds(differences(shop, statement)) == [("in_not_ours", stranger.receipt)]
    assert statement.in_cents - statement.our_in_cents == 1_234_00


def test_a_hundred_planted_differences_are_found_and_no_other(
    shop: Shop, desk: Desk, admin: Account
) -> None:
    """Of a thousand movements: money that one side lacks, other amounts, other ends, one receipt
    twice.
    """
    lines = booked(shop, 1000)
    since, until = now() - timedelta(hours=3), now() + timedelta(hours=1)
    # Their time is certain where it lies within the statement, and not at its edge.
    _age(shop, lines, timedelta(hours=1))
    missing, other_amount, ended = lines[:30], lines[30:60], lines[60:80]
    unknown = [Line(receipt(), now(), 77_00 + number) for number in range(10)]
    withdrawn = [Line(receipt(), now(), -9_000_00, "To bank", "Withdrawal") for _ in range(9)]
    twice = paid_out(shop, admin)
    _rename(shop, twice, lines[80].receipt)
    rows = [
        *(replace(line, cents=line.cents + 100) for line in other_amount),
        *(replace(line, status="Declined") for line in ended),
        *lines[80:],
        *unknown,
        *withdrawn,
    ]
    statement = sent(shop, desk, Paper(rows, since, until))
    found = differences(shop, statement)
    assert statement.doubts == []
    assert kinds(found) == sorted(
        [
            *(("not_theirs", line.receipt) for line in missing),
            *(("amount_differs", line.receipt) for line in other_amount),
            *(("status_differs", line.receipt) for line in ended),
            *(("in_not_ours", line.receipt) for line in unknown),
            *(("out_not_ours", line.receipt) for line in withdrawn),
            ("receipt_twice", lines[80].receipt),
        ]
    )
    assert len(found) == 100
    # To the cent: the sums differ by what the differences come to.
    in_gap = statement.in_cents - statement.our_in_cents
    out_gap = statement.out_cents - statement.our_out_cents
    assert in_gap - out_gap == sum(row.difference_cents for row in found)
    page = desk.read(path_of(statement))
    assert title(page) == "100 differences to look at"
    assert "after=" in page


def _age(shop: Shop, lines: list[Line], by: timedelta) -> None:
    with shop.app.app_context(), transaction() as session:
        receipts = [line.receipt for line in lines]
        session.execute(
            update(Credit).where(Credit.receipt.in_(receipts)).values(created_at=now() - by)
        )


def _rename(shop: Shop, record: Disbursement, name: str) -> None:
    """Write another receipt beside money out, as a fault of ours would."""
    with shop.app.app_context(), transaction() as session:
        session.get_one(Disbursement, record.id).receipt = name


def test_what_lies_at_the_edge_of_a_statement_is_no_difference(shop: Shop, desk: Desk) -> None:
    """Money may have moved before the statement begins, although we heard of it within it."""
    lines = booked(shop, 3)
    since = now() - timedelta(minutes=10)
    statement = sent(shop, desk, Paper([], since, now() + timedelta(hours=1)))
    assert differences(shop, statement) == []
    assert len(lines) == 3


def test_a_statement_of_the_charges_account_asks_for_no_payments(
    shop: Shop, desk: Desk, shopper: Account
) -> None:
    shop.completed(shopper)
    wide = (now() - timedelta(days=2), now() + timedelta(days=1))
    statement = sent(shop, desk, Paper([], *wide, account="Charges Paid Account"))
    assert differences(shop, statement) == []
    assert statement.is_whole


def test_payouts_and_refunds_are_compared_with_the_charge_that_m_pesa_told(
    shop: Shop, desk: Desk, admin: Account
) -> None:
    shop.set(mpesa_b2c_shortcode="600000")
    records = [paid_out(shop, admin, 5000 + number, str(number)) for number in range(1, 5)]
    with shop.app.app_context(), transaction() as session:
        for record in records:
            session.get_one(Disbursement, record.id).charge_cents = 22_40
    shop.written_by_hand = True
    rows = [
        Line(str(record.receipt), now(), -record.amount_cents, "Business Payment", "Business")
        for record in records
    ]
    fees = [charge_of(rows[0], 22_40), charge_of(rows[1], 33_00)]
    rows[2] = replace(rows[2], cents=rows[2].cents - 1)
    wide = (now() - timedelta(days=1), now() + timedelta(days=1))
    paper = Paper([*rows[:3], *fees], *wide, shortcode="600000", account="Utility Account")
    statement = sent(shop, desk, paper)
    assert kinds(differences(shop, statement)) == [
        ("amount_differs", records[2].receipt),
        ("charge_differs", records[1].receipt),
        ("not_theirs", records[3].receipt),
    ]
    assert statement.charges_cents == 55_40
    gap = statement.out_cents - statement.our_out_cents
    assert gap == 1 - records[3].amount_cents


def test_a_payment_that_ended_unpaid_here_and_was_paid_there_is_put_before_two_people(
    shop: Shop, desk: Desk, shopper: Account
) -> None:
    order = shop.order(shopper)
    payment = shop.prompted(shopper, order)
    with shop.app.app_context():
        reference = db.session.get_one(Payment, payment.id).order.reference
    cents = payment.amount_cents
    line = Line(receipt(), now(), cents, account=reference)
    statement = sent(shop, desk, Paper([line]))
    [row] = differences(shop, statement)
    assert (row.kind, row.subject) == (DifferenceKind.STATUS_DIFFERS, payment.public_ref)
    page = desk.read(path_of(statement))
    assert f"/admin/payments/{payment.public_ref}/settlements" in page
    asked = desk.told(f"{path_of(statement)}/differences/{row.id}/ask")
    assert "Daraja is asked." in flashed(asked)


def test_a_receipt_that_only_the_statement_tells_is_written_to_its_payment(
    shop: Shop, desk: Desk, shopper: Account
) -> None:
    """A query confirms a payment without naming its receipt."""
    payment = shop.prompted(shopper)
    shop.daraja.query_answer = ended("0", "Paid")
    with shop.app.app_context(), transaction() as session:
        session.get_one(Payment, payment.id).next_check_at = now()
    shop.ask(payment)
    assert shop.fresh(payment).is_completed
    line = Line(receipt(), now(), payment.amount_cents, party="0712****678 - JANE")
    statement = sent(shop, desk, Paper([line]))
    [row] = differences(shop, statement)
    assert row.kind == DifferenceKind.RECEIPT_MISSING
    # Both sides have the money, so it agrees all the same.
    assert title(desk.read(path_of(statement))).startswith("Everything agrees")
    desk.sent(f"{path_of(statement)}/differences/{row.id}/receipt")
    assert shop.fresh(payment).mpesa_receipt == line.receipt
    desk.sent(f"{path_of(statement)}/compare")
    assert differences(shop, worked(shop, path_of(statement))) == []


# What people do about it.


def test_money_that_only_the_statement_knows_is_given_to_an_order_once(
    shop: Shop, desk: Desk, shopper: Account
) -> None:
    order = shop.order(shopper)
    line = Line(receipt(), now(), order["total"] * 100)
    statement = sent(shop, desk, Paper([line]))
    [row] = differences(shop, statement)
    form = f"{path_of(statement)}/differences/{row.id}/assign"
    desk.sent(form, order=str(order["number"]), why="She showed the message")
    assert shop.order_now(shopper, order)["status"] == "paid"
    [credit] = shop.credits()
    assert (credit.receipt, credit.evidence) == (line.receipt, "statement")
    assert "Somebody has dealt with this already." in flashed(desk.told(form, order="1", why="x"))
    assert len(shop.credits()) == 1
    told = title(desk.read(path_of(statement)))
    assert told == "Nothing is left to look at: 1 difference was dealt with"
    desk.sent(f"{path_of(statement)}/compare")
    worked(shop, path_of(statement))
    assert title(desk.read(path_of(statement))).startswith("Everything agrees: 1 movement, ")
    # Another statement of the same days finds nothing new.
    again = sent(shop, desk, Paper([line], opening=5_00))
    assert differences(shop, again) == []
    actions = _actions(shop)
    assert "statement.uploaded" in actions
    assert "money.credited_by_statement" in actions
    assert "difference.assigned" in actions


def _actions(shop: Shop) -> list[str]:
    with shop.app.app_context():
        return list(db.session.scalars(select(AuditEntry.action)))


def test_an_explanation_holds_in_the_next_statement_too(shop: Shop, desk: Desk) -> None:
    line = Line(receipt(), now(), -40_000_00, "To bank", "Withdrawal")
    first = sent(shop, desk, Paper([line]))
    [row] = differences(shop, first)
    form = f"{path_of(first)}/differences/{row.id}/explain"
    assert "Say why, in 1 to 500 characters." in flashed(desk.told(form, why=" "))
    desk.sent(form, why="Taken to the bank by Achieng")
    second = sent(shop, desk, Paper([line], opening=5_00))
    [again] = differences(shop, second)
    assert (again.resolution, again.why) == (
        Resolution.EXPLAINED,
        "Taken to the bank by Achieng",
    )
    assert title(desk.read(path_of(second))).startswith("Nothing is left to look at: 1 ")


def test_a_viewer_sees_everything_and_changes_nothing(
    shop: Shop, desk: Desk, shopper: Account
) -> None:
    order = shop.order(shopper)
    statement = sent(shop, desk, Paper([Line(receipt(), now(), order["total"] * 100)]))
    [row] = differences(shop, statement)
    path, before = path_of(statement), _actions(shop)
    viewer = Desk(shop, staff(shop, "mwangi", Role.VIEWER))
    page = viewer.read(path)
    assert str(row.receipt) in page
    assert "<form" not in page.partition("<main")[2].partition("</main>")[0]
    for form in ("assign", "explain", "ask", "receipt"):
        address = f"{path}/differences/{row.id}/{form}"
        assert viewer.send(address, order=str(order["number"]), why="x").status_code == 403
    for address in (f"{path}/compare", "/admin/reconciliation", "/admin/reconciliation/pull"):
        assert viewer.send(address).status_code == 403
    yesterday = (now() - timedelta(days=1)).date()
    assert viewer.send(f"/admin/reconciliation/closes/{yesterday}").status_code == 403
    assert viewer.read(f"/admin/reconciliation/closes/{yesterday}")
    assert viewer.read("/admin/reconciliation/closes")
    assert shop.credits() == []
    assert _actions(shop) == before
