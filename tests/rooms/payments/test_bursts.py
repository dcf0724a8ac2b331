"""Many callbacks at once: each is kept before it is acknowledged, and acted on in its turn."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest

from app.payments import afterwards, inbox
from app.payments.afterwards import Afterwards
from app.payments.models import Payment
from tests.support.app import STRANGER, Account, Shop, later, together
from tests.support.daraja import FakeDaraja, ended, paid

SOON_SECONDS = 30
BURST = 12


@pytest.fixture
def burst(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> Iterator[Afterwards]:
    """A server's thread for what is acted on later, and no callback that is acted on at once."""
    monkeypatch.setattr(afterwards, "HANDLED_AT_ONCE", 0)
    found = Afterwards(shop.app)
    monkeypatch.setitem(shop.app.extensions, "lipa_afterwards", found)
    found.start()
    yield found
    found.stop()


def _until_all_end(shop: Shop, payments: list[Payment]) -> list[str]:
    deadline = time.monotonic() + SOON_SECONDS
    while True:
        statuses = [shop.fresh(payment).status for payment in payments]
        if "pending" not in statuses or time.monotonic() > deadline:
            return statuses
        time.sleep(0.05)


def _post(shop: Shop, payment: Payment, number: int = 0, **more: Any) -> int:
    body = paid(payment.checkout_request_id, receipt=f"UKL4BURS{number:02d}")
    return shop.callback(body, token=payment.callback_token, **more).status_code


def test_a_burst_is_acknowledged_when_it_is_kept_and_settles_by_itself(
    shop: Shop, shopper: Account, daraja: FakeDaraja, burst: Afterwards
) -> None:
    payments = [shop.prompted(shopper) for _ in range(BURST)]
    answers = together(BURST, lambda number: _post(shop, payments[number], number))
    assert answers == [200] * BURST
    assert len(shop.inbox()) == BURST
    assert _until_all_end(shop, payments) == ["completed"] * BURST
    assert daraja.queries == []
    assert shop.violations() == []


def test_the_same_callback_twelve_times_at_once_is_kept_and_counted_once(
    shop: Shop, shopper: Account, burst: Afterwards
) -> None:
    payment = shop.prompted(shopper)
    assert together(BURST, lambda _: _post(shop, payment)) == [200] * BURST
    assert len(shop.inbox()) == 1
    assert _until_all_end(shop, [payment]) == ["completed"]
    assert [credit.amount_cents for credit in shop.credits()] == [150_000]


def test_proofs_are_each_callback_s_own_in_a_burst(
    shop: Shop, shopper: Account, burst: Afterwards
) -> None:
    payments = [shop.prompted(shopper) for _ in range(BURST)]
    foreign = payments[1:] + payments[:1]

    def post(number: int) -> int:
        body = paid(payments[number].checkout_request_id, receipt=f"UKL4BURS{number:02d}")
        token = (foreign if number % 2 else payments)[number].callback_token
        return shop.callback(body, token=token).status_code

    assert together(BURST, post) == [200] * BURST
    honest = payments[::2]
    assert _until_all_end(shop, honest) == ["completed"] * len(honest)
    shop.sweep()
    assert {shop.fresh(payment).status for payment in payments[1::2]} == {"pending"}


def test_what_the_thread_did_not_reach_is_found_by_the_sweep(
    shop: Shop, shopper: Account, burst: Afterwards, monkeypatch: pytest.MonkeyPatch
) -> None:
    payment = shop.prompted(shopper)
    monkeypatch.setattr(burst, "take", lambda _inbox_id: None)
    assert _post(shop, payment) == 200
    assert shop.fresh(payment).status == "pending"
    with later(inbox.HANDLING_SECONDS + 1):
        shop.sweep()
    assert shop.fresh(payment).status == "completed"


def test_daraja_is_not_asked_about_what_it_has_said_already(
    shop: Shop,
    shopper: Account,
    daraja: FakeDaraja,
    burst: Afterwards,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    payment = shop.prompted(shopper)
    monkeypatch.setattr(burst, "take", lambda _inbox_id: None)
    assert _post(shop, payment) == 200
    with later(16):
        shop.ask(payment)
    assert shop.fresh(payment).status == "completed"
    assert daraja.queries == []


def test_one_proof_in_the_queue_is_still_a_reason_to_ask(
    shop: Shop, shopper: Account, daraja: FakeDaraja, burst: Afterwards
) -> None:
    payment = shop.prompted(shopper)
    daraja.query_answer = ended("0")
    assert _post(shop, payment, peer=STRANGER) == 200
    with later(60):
        shop.sweep()
    assert shop.fresh(payment).status == "completed"
    assert len(daraja.queries) == 1
