"""No claim waits for ever: not for a clock, and not for a row that somebody else has locked."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import event

from app.extensions import db
from app.payments.claims import service
from tests.support.app import Account, Shop, later
from tests.support.claims import Claims


def test_a_clock_that_is_set_back_keeps_no_claim_waiting(
    shop: Shop, claims: Claims, shopper: Account
) -> None:
    order = shop.order(shopper)
    with later(1800):
        claims.claimed(shopper, order)
        claims.sweep()
    claims.sweep()
    assert len(shop.daraja.status_questions) == 2


def test_a_second_code_never_waits_for_the_end_of_the_first(
    shop: Shop, claims: Claims, shopper: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    # PostgreSQL would let its row wait for whoever ends the first claim, while that one waits for
    # the order, which is locked: so where one is open, no row is written.
    order = shop.order(shopper)
    claims.claimed(shopper, order)
    monkeypatch.setattr(service, "_opened", lambda *_: None)
    written: list[str] = []

    def hear(*told: Any) -> None:
        written.append(told[2])

    with shop.app.app_context():
        engine = db.engine
    event.listen(engine, "before_cursor_execute", hear)
    try:
        assert claims.send(shopper, order, "UKL7AB12CX").status_code == 409
    finally:
        event.remove(engine, "before_cursor_execute", hear)
    assert [line for line in written if line.startswith("INSERT INTO claims")] == []
