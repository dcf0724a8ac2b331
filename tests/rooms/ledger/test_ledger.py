"""The books: two accounts to each movement, never rewritten, and nothing at the bottom line."""

from __future__ import annotations

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, IntegrityError

from app.core.unit_of_work import transaction
from app.disbursements.states import OUT_EDGES, SENT, OutStatus
from app.extensions import db
from app.ledger import service as ledger
from app.ledger.models import Account as Books
from app.ledger.models import Transfer
from tests.support import results
from tests.support.app import Account, Shop, later, together
from tests.support.daraja import html

CENTS = 500_000
#: What the books hold while money out stands so: where it is, and who has it.
HELD = {
    **dict.fromkeys(set(OutStatus) - SENT - {OutStatus.COMPLETED}, {}),
    **dict.fromkeys(SENT, {Books.MPESA: -CENTS, Books.IN_TRANSIT: CENTS}),
    OutStatus.COMPLETED: {Books.MPESA: -CENTS, Books.SUPPLIERS: CENTS},
}


def post(key: str, cents: int = 100, debit: Books = Books.MPESA, credit: Books = Books.SALES):
    with transaction() as session:
        return ledger.post(
            session, key, debit=debit, credit=credit, cents=cents, subject="TXN1", what="a test"
        )


def test_every_road_through_the_states_leaves_the_books_as_its_end_says(shop: Shop) -> None:
    """I9: at each step of it, and there is no edge that none of them takes."""
    walked = set()
    for events in ROADS:
        shop.empty()
        road = Road(shop, shop.person("achieng", admin=True))
        road.walk(events)
        walked |= {(line.from_status, line.event) for line in shop.out_timeline(road.record)}
        assert shop.violations() == [], events
    assert walked >= {(str(source), str(event)) for source, event in OUT_EDGES}


class Road:
    """One payout, taken through what happens to it."""

    def __init__(self, shop: Shop, admin: Account) -> None:
        self.shop, self.second = shop, shop.person("kamau", admin=True)
        shop.set(payout_approval_above=0)
        shop.daraja.out_answer = shop.daraja.accept_out
        self.record = shop.payout(admin)
        self.hours = 0.0

    def walk(self, events: str) -> None:
        for event in events.split():
            getattr(self, event)()
            status = self.shop.out(self.record).status
            assert self.shop.balances() == HELD[OutStatus(status)], f"{event} of {events}"

    def approved(self) -> None:
        """Agreed to, and turned away by the gateway so that it waits."""
        self.shop.daraja.out_answer = html(403)
        assert self.shop.decide(self.second, self.record, "approve").status_code == 202

    def called_off(self) -> None:
        assert self.shop.decide(self.second, self.record, "cancel").status_code == 200

    def lapsed(self) -> None:
        with later(25 * 3600):
            self.shop.sweep_out()

    def sent(self) -> None:
        self.shop.daraja.out_answer = self.shop.daraja.accept_out
        self._sweep()

    def not_sent(self) -> None:
        self.shop.daraja.out_answer = html(403)
        self._sweep()

    def refused(self) -> None:
        self._answered(400)

    def unanswered(self) -> None:
        self._answered(502)

    def silent(self) -> None:
        self._sweep()

    def timed_out(self) -> None:
        path = "/api/payments/b2c/timeout"
        self.shop.result({}, token=self.shop.out(self.record).token, path=path)

    def paid(self) -> None:
        record = self.shop.out(self.record)
        self.shop.proven(record, results.paid_out(record))

    def declined(self) -> None:
        self.shop.declined(self.shop.out(self.record))

    def _answered(self, status: int) -> None:
        self.shop.daraja.out_answer = html(status)
        self._sweep()

    def _sweep(self) -> None:
        self.hours += 1.5
        with later(self.hours * 3600):
            self.shop.sweep_out()


ROADS = (
    "approved sent paid",
    "approved sent declined",
    "approved sent declined paid",
    "approved sent silent paid",
    "approved sent silent declined paid paid",
    "approved sent timed_out declined",
    "approved unanswered paid declined",
    "approved refused",
    "approved refused paid",
    "approved not_sent not_sent sent paid",
    "approved not_sent paid",
    "approved called_off",
    "approved called_off paid",
    "called_off",
    "lapsed",
)


def test_a_movement_is_written_down_once_under_its_key(shop: Shop) -> None:
    with shop.app.app_context():
        assert post("test:1") is True
        assert post("test:1", cents=999) is False
        assert ledger.balances()[Books.MPESA] == 100
        [line] = ledger.transfers_of("TXN1")
        assert (line.debit, line.credit, line.amount_cents) == ("mpesa", "sales", 100)
    shop.written_by_hand = True


def test_a_key_that_many_write_at_once_is_written_once(shop: Shop) -> None:
    def write(_: int) -> bool:
        with shop.app.app_context():
            return post("test:1")

    assert sorted(together(5, write)) == [False] * 4 + [True]
    assert shop.balances() == {Books.MPESA: 100, Books.SALES: -100}
    shop.written_by_hand = True


@pytest.mark.parametrize(
    ("cents", "debit", "credit"),
    [(0, Books.MPESA, Books.SALES), (-5, Books.MPESA, Books.SALES), (5, Books.FEES, Books.FEES)],
)
def test_a_movement_of_nothing_or_to_itself_is_none(
    shop: Shop, cents: int, debit: Books, credit: Books
) -> None:
    with shop.app.app_context(), pytest.raises(ValueError, match="test:1"):
        post("test:1", cents, debit, credit)


@pytest.mark.parametrize(
    ("cents", "debit", "credit"),
    [(0, "mpesa", "sales"), (-1, "mpesa", "sales"), (5, "fees", "fees")],
)
def test_the_database_itself_refuses_such_a_movement(
    shop: Shop, cents: int, debit: str, credit: str
) -> None:
    line = Transfer(
        key="test:1", debit=debit, credit=credit, amount_cents=cents, subject="x", what="x"
    )
    with shop.app.app_context(), pytest.raises(IntegrityError), transaction() as session:
        session.add(line)


@pytest.mark.parametrize(
    "rewriting",
    [
        "UPDATE ledger_transfers SET amount_cents = 1",
        "UPDATE ledger_transfers SET what = 'something else'",
        "DELETE FROM ledger_transfers",
    ],
)
def test_the_database_itself_refuses_to_rewrite_the_books(shop: Shop, rewriting: str) -> None:
    """I9: whoever gets at the database by another way than ours does not either."""
    with shop.app.app_context():
        post("test:1")
        with pytest.raises(DBAPIError, match="append-only"), db.engine.begin() as connection:
            connection.execute(text(rewriting))
        assert ledger.balances()[Books.MPESA] == 100
    shop.written_by_hand = True


def test_a_correction_is_a_movement_of_its_own(shop: Shop) -> None:
    with shop.app.app_context():
        post("test:1")
        post("test:1:corrected", debit=Books.SALES, credit=Books.MPESA)
        assert set(ledger.balances().values()) == {0}
        assert len(ledger.transfers_of("TXN1")) == 2
    shop.written_by_hand = True


def test_a_day_of_mixed_traffic_ends_with_a_trial_balance_of_zero(
    shop: Shop, shopper: Account, admin: Account
) -> None:
    """I9."""
    payments = [shop.completed(shopper) for _ in range(3)]
    whole, part = shop.refund(shopper, payments[0], 1500), shop.refund(shopper, payments[1], 500)
    payouts = [shop.payout(admin, amount=amount) for amount in (10, 1000, 2000)]
    shop.paid_out(whole)
    shop.declined(part)
    shop.paid_out(payouts[0])
    with later(60):
        shop.sweep_out()
    asked = shop.out(payouts[1])
    shop.result(results.status_told(asked), query=asked.query_token)
    with shop.app.app_context():
        assert sum(ledger.balances().values()) == 0
    assert shop.balances() == {
        Books.MPESA: 450_000 - 150_000 - 1000 - 100_000 - 2240 - 200_000,
        Books.SALES: -450_000,
        Books.REFUNDS: 150_000,
        Books.SUPPLIERS: 101_000,
        Books.FEES: 2240,
        Books.IN_TRANSIT: 200_000,
    }


def test_what_the_books_say_of_one_payout_is_told_in_order(shop: Shop, admin: Account) -> None:
    record = shop.payout(admin)
    shop.paid_out(record)
    lines = [(one.debit, one.credit, one.amount_cents, one.what) for one in shop.transfers(record)]
    assert lines == [
        ("in_transit", "mpesa", CENTS, "payout sent"),
        ("suppliers", "in_transit", CENTS, "payout arrived"),
    ]
    with shop.app.app_context():
        [newest] = ledger.latest(limit=1)
        assert newest.what == "payout arrived"
        assert ledger.latest(before_id=newest.id)[0].what == "payout sent"
