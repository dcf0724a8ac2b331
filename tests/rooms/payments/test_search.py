"""Finding payments: whatever is at hand, page by page, and never by reading the whole table."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import event, insert

from app.core.clock import now
from app.core.errors import ValidationError
from app.core.unit_of_work import transaction
from app.extensions import db
from app.orders.models import Order
from app.payments import search
from app.payments.models import Payment
from app.payments.search import Filters, Found, read_before, read_filters
from app.payments.states import Status
from tests.support.app import PHONE, Account, Shop, later
from tests.support.daraja import unpaid

MANY = 2_000


def find(shop: Shop, text: str = "", **more: str) -> Found:
    with shop.app.app_context():
        return search.search(read_filters({"q": text, **more}))


def names(found: Found) -> list[str]:
    return [payment.public_ref for payment in found.payments]


def test_a_payment_is_found_by_whatever_is_at_hand(
    shop: Shop, shopper: Account, other_shopper: Account
) -> None:
    wanted = shop.completed(shopper, price=1240)
    other = shop.prompted(other_shopper, phone_number=PHONE)
    with shop.app.app_context():
        order = db.session.get_one(Order, wanted.order_id)
        reference, uuid = order.reference, str(order.uuid)
    at_hand = (
        str(wanted.mpesa_receipt),
        str(wanted.mpesa_receipt).lower(),
        wanted.public_ref,
        wanted.public_ref.lower(),
        str(wanted.uuid),
        str(wanted.checkout_request_id),
        f"#{wanted.order_id}",
        reference,
        reference.lower(),
        uuid,
        "1240",
        "1,240",
        "KES 1,240",
        "1240.00",
        "1240/=",
    )
    for text in at_hand:
        assert names(find(shop, text)) == [wanted.public_ref], text
    for phone in ("0712345678", "712345678", "+254 712 345 678", "254712345678", "0712-345-678"):
        assert names(find(shop, phone)) == [other.public_ref, wanted.public_ref], phone
    for nothing in ("0799000111", "TXN20261121090000K7Q", "UKL5XXXXXX", "7777777", "'; --", "%"):
        assert names(find(shop, nothing)) == [], nothing
    assert find(shop, "sugar").read_as == ()
    assert set(find(shop, "712345678").read_as) >= {"a phone number", "an amount"}


def test_filters_narrow_what_is_found(shop: Shop, shopper: Account, other_shopper: Account) -> None:
    done, failed = shop.completed(shopper), shop.prompted(other_shopper, phone_number=PHONE)
    shop.callback(unpaid(failed.checkout_request_id), token=failed.callback_token)
    assert names(find(shop, status="completed")) == [done.public_ref]
    assert names(find(shop, "0712345678", status="cancelled")) == [failed.public_ref]
    assert names(find(shop, person="yes")) == []
    late = shop.prompted(other_shopper)
    shop.callback({"Body": {"stkCallback": {"CheckoutRequestID": "?"}}}, token=late.callback_token)
    with shop.app.app_context(), transaction() as session:
        session.get_one(Payment, late.id).review_reason = "amount_differs"
    assert names(find(shop, person="yes")) == [late.public_ref]
    assert names(find(shop, person="yes", status="completed")) == []


def test_a_day_is_nairobi_s(shop: Shop, shopper: Account) -> None:
    shop.written_by_hand = True
    payment = shop.prompted(shopper)
    with shop.app.app_context(), transaction() as session:
        # 22:30 of the 20th in UTC is 01:30 of the 21st in Nairobi.
        at = now().replace(year=2026, month=11, day=20, hour=22, minute=30)
        session.get_one(Payment, payment.id).created_at = at
    for days, count in (
        ({"from": "2026-11-21", "to": "2026-11-21"}, 1),
        ({"from": "2026-11-21"}, 1),
        ({"to": "2026-11-20"}, 0),
        ({"from": "2026-11-22"}, 0),
    ):
        assert len(find(shop, **days).payments) == count, days


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"status": "paid'; DROP TABLE payments; --"}, "status"),
        ({"from": "21.11.2026"}, "from"),
        ({"from": "2026-13-01"}, "from"),
        ({"from": "0001-01-01"}, "from"),
        ({"from": "2026-11-21", "to": "2026-11-20"}, "to"),
        ({"q": "x" * 129}, "q"),
    ],
)
def test_a_filter_that_means_nothing_is_refused(values: dict[str, str], field: str) -> None:
    with pytest.raises(ValidationError) as refused:
        read_filters(values)
    assert refused.value.details == {"field": field}


@pytest.mark.parametrize("text", ["0", "-1", "x", "1 OR 1=1", "9" * 30, "0" * 19 + "1" * 21, "٣"])
def test_a_page_begins_at_a_payment_or_is_refused(text: str) -> None:
    with pytest.raises(ValidationError):
        read_before({"before": text})


@pytest.fixture
def many(shop: Shop, shopper: Account) -> list[int]:
    """Payments of two years, by a few phones; their ids, oldest first."""
    shop.written_by_hand = True
    first = shop.completed(shopper)
    states = [Status.COMPLETED] * 8 + [Status.FAILED, Status.CANCELLED]
    at = now() - timedelta(days=700)
    rows = [
        {
            "public_ref": f"TXN{number:017d}",
            "order_id": first.order_id,
            "phone": f"2547{number % 500:08d}",
            "amount_cents": (number % 300 + 1) * 100,
            "status": str(states[number % 10]),
            "callback_token": f"token-{number}",
            "mpesa_receipt": f"R{number:09d}",
            # Every tenth shares its moment with the one before.
            "created_at": at + timedelta(minutes=number - (number % 10 == 0)),
            "prompt_expires_at": at,
        }
        for number in range(1, MANY)
    ]
    with shop.app.app_context():
        with transaction() as session:
            session.execute(insert(Payment), rows)
        with db.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.exec_driver_sql("ANALYZE")
        query = db.select(Payment.id).order_by(Payment.created_at, Payment.id)
        return list(db.session.scalars(query))


def test_pages_follow_each_other_without_gap_or_repetition(shop: Shop, many: list[int]) -> None:
    with shop.app.app_context():
        found = [row_id for page in search.id_pages(Filters(), 300) for row_id in page]
        assert found == many[::-1]
        failed = [
            row_id for page in search.id_pages(Filters(status=Status.FAILED), 37) for row_id in page
        ]
    assert len(failed) == len(set(failed)) == MANY // 10


@contextmanager
def asked() -> Iterator[list[tuple[str, Any]]]:
    """Note every question that goes to the database."""
    seen: list[tuple[str, Any]] = []

    def note(_c: Any, _k: Any, statement: str, parameters: Any, _x: Any, _m: Any) -> None:
        if statement.lstrip().upper().startswith("SELECT"):
            seen.append((statement, parameters))

    event.listen(db.engine, "before_cursor_execute", note)
    try:
        yield seen
    finally:
        event.remove(db.engine, "before_cursor_execute", note)


def plan_of(statement: str, parameters: Any) -> list[str]:
    """Return how the database would find the rows."""
    with db.engine.connect() as connection:
        if db.engine.dialect.name == "postgresql":
            # The planner may read a small table whole; here it says whether it has to.
            connection.exec_driver_sql("SET enable_seqscan = off")
            connection.exec_driver_sql("SET enable_bitmapscan = off")
            rows = connection.exec_driver_sql(f"EXPLAIN {statement}", parameters)
            return [row[0] for row in rows]
        rows = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)
        return [row[3] for row in rows]


def reads_everything(line: str) -> bool:
    return "Seq Scan" in line or (line.startswith("SCAN") and "INDEX" not in line)


KINDS: list[dict[str, str]] = [
    {},
    {"q": "0700000017"},
    {"q": "R000000017"},
    {"q": "TXN00000000000000017"},
    {"q": "#1"},
    {"q": "KES 17"},
    {"q": "ws_CO_1"},
    {"q": "ABCD2345"},
    {"q": "3f0f8f5e-7d0b-4f0e-9a53-2f6f1d7f6c11"},
    {"q": "712000017", "status": "failed"},
    {"status": "failed"},
    {"from": "2026-01-01", "to": "2026-01-31"},
    {"person": "yes"},
    {"person": "yes", "status": "failed", "from": "2026-01-01"},
]


def test_no_search_reads_the_whole_table(shop: Shop, many: list[int]) -> None:
    with shop.app.app_context():
        for values in KINDS:
            for before in (None, many[MANY // 2]):
                with asked() as questions:
                    search.search(read_filters(values), before)
                assert questions
                for statement, parameters in questions:
                    plan = plan_of(statement, parameters)
                    whole = [line for line in plan if reads_everything(line)]
                    assert not whole, (values, statement, plan)


def condition_of(plan: list[str]) -> str:
    """Return by what an index is entered: the rest of a question only sifts what it gives."""
    entered = [line for line in plan if "Index Cond" in line or line.startswith("SEARCH payments")]
    return " ".join(entered)


def test_newest_first_is_read_off_an_index_and_not_sorted(shop: Shop, many: list[int]) -> None:
    """What is sorted or sifted was read whole before: of a million rows, that is felt."""
    asks = {
        "phone": {"q": "0700000017"},
        "amount_cents": {"q": "KES 17"},
        "status": {"status": "failed"},
        "created_at": {},
    }
    with shop.app.app_context():
        for column, values in asks.items():
            with asked() as questions:
                search.search(read_filters(values), many[MANY // 2])
            plans = [
                plan_of(statement, parameters)
                for statement, parameters in questions
                if "ORDER BY payments.created_at" in statement and "order_id =" not in statement
            ]
            assert [plan for plan in plans if column in condition_of(plan)], (column, plans)
            told = str(plans)
            assert "Sort" not in told, told
            assert "TEMP B-TREE" not in told, told


def test_a_found_payment_is_shown_with_its_state_of_now(shop: Shop, shopper: Account) -> None:
    payment = shop.prompted(shopper)
    assert find(shop, payment.public_ref).payments[0].status == Status.PENDING
    with later(1):
        shop.callback(unpaid(payment.checkout_request_id), token=payment.callback_token)
    assert find(shop, payment.public_ref).payments[0].status == Status.CANCELLED
