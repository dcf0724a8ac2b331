"""The balances that are kept: the plain sum of the transfers, whoever carries them forward."""

from __future__ import annotations

from datetime import timedelta
from itertools import permutations

import pytest
from sqlalchemy import insert, update

from app.core.clock import now
from app.core.unit_of_work import transaction
from app.ledger import service as ledger
from app.ledger.models import Account as Books
from app.ledger.models import Balance, Transfer
from tests.support.app import Shop, together

OLD = timedelta(days=1)


@pytest.fixture(autouse=True)
def small_rounds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ledger, "LEAST_CARRIED", 5)
    monkeypatch.setattr(ledger, "MOST_CARRIED", 40)


def book(shop: Shop, count: int, age: timedelta = OLD, first: int = 0) -> None:
    """Write transfers between all accounts, each of another sum."""
    sides = list(permutations(Books, 2))
    rows = [
        {
            "key": f"kept:{number}",
            "at": now() - age,
            "debit": sides[number % len(sides)][0],
            "credit": sides[number % len(sides)][1],
            "amount_cents": 1 + number * number,
            "subject": "TXN1",
            "what": "a test",
        }
        for number in range(first, first + count)
    ]
    shop.written_by_hand = True
    with shop.app.app_context(), transaction() as session:
        session.execute(insert(Transfer), rows)


def test_balances_are_the_plain_sum_at_every_step_of_carrying_forward(shop: Shop) -> None:
    book(shop, 100)
    with shop.app.app_context():
        for _ in range(4):
            ledger.carry_forward()
            assert ledger.balances() == ledger.summed()
        through, kept = ledger.kept_balances()
        assert through > 90
        assert kept == ledger.summed(through)
    book(shop, 60, first=100)
    with shop.app.app_context():
        ledger.carry_forward()
        assert ledger.kept_balances()[0] > through
        assert ledger.balances() == ledger.summed()
        assert any(ledger.balances().values())


def test_what_may_still_be_joined_by_an_earlier_number_is_not_kept(shop: Shop) -> None:
    """A transfer gets its number before it is committed."""
    book(shop, 30, age=timedelta(minutes=5))
    with shop.app.app_context():
        assert ledger.carry_forward() == 0
        assert ledger.kept_balances() == (0, dict.fromkeys(Books, 0))
        assert ledger.balances() == ledger.summed()


def test_two_who_carry_forward_at_once_count_nothing_twice(shop: Shop) -> None:
    book(shop, 100)

    def carry(_number: int) -> int:
        with shop.app.app_context():
            return ledger.carry_forward()

    for _ in range(3):
        together(4, carry)
        with shop.app.app_context():
            assert ledger.balances() == ledger.summed()


def test_a_kept_balance_that_is_wrong_is_a_violation(shop: Shop) -> None:
    """I9"""
    book(shop, 20)
    with shop.app.app_context():
        ledger.carry_forward()
        with transaction() as session:
            session.execute(
                update(Balance).where(Balance.account == "sales").values(cents=Balance.cents + 1)
            )
    assert any("is kept as" in str(violation) for violation in shop.violations())
