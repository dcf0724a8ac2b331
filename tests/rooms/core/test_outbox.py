"""Announcements: staged with the change, sent after its commit, never lost and never early."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import func, select

from app.core import outbox
from app.core.unit_of_work import transaction
from app.extensions import db
from tests.support.app import Account, Shop, later
from tests.support.daraja import paid


def staged(shop: Shop) -> int:
    with shop.app.app_context():
        return db.session.scalar(select(func.count(outbox.Announcement.id))) or 0


def test_a_paid_payment_leaves_one_announcement_of_it(shop: Shop, shopper: Account) -> None:
    payment = shop.prompted(shopper)
    shop.announce()
    for _ in range(3):
        shop.callback(paid(payment.checkout_request_id), token=payment.callback_token)
    told: list[tuple[str, dict[str, Any]]] = []
    assert shop.announce(lambda topic, body: told.append((topic, body))) == 1
    [(topic, body)] = told
    assert (topic, body["update"]["status"]) == ("payment_update", "completed")
    assert body["update"]["transaction_id"] == payment.public_ref


def test_what_was_sent_is_forgotten(shop: Shop, shopper: Account) -> None:
    shop.prompted(shopper)
    assert staged(shop) > 0
    shop.announce()
    assert staged(shop) == 0
    assert shop.announce() == 0


def test_what_could_not_be_sent_is_sent_the_next_time(shop: Shop, shopper: Account) -> None:
    def broken(topic: str, body: dict[str, Any]) -> None:
        raise ConnectionError(topic)

    shop.prompted(shopper)
    waiting = staged(shop)
    assert shop.announce(broken) == 0
    assert staged(shop) == waiting
    assert shop.announce() == waiting


def test_news_that_is_too_old_to_matter_is_dropped(shop: Shop, shopper: Account) -> None:
    def broken(topic: str, body: dict[str, Any]) -> None:
        raise ConnectionError(topic)

    shop.prompted(shopper)
    with later(outbox.KEPT_MINUTES * 60 + 1):
        shop.announce(broken)
        assert staged(shop) == 0


def test_what_is_rolled_back_is_not_announced(shop: Shop) -> None:
    woken: list[bool] = []

    def change_and_fail() -> None:
        with transaction() as session:
            outbox.stage(session, "payment_update", {}, lambda: woken.append(True))
            raise KeyError("changed its mind")

    with shop.app.app_context(), pytest.raises(KeyError):
        change_and_fail()
    assert (staged(shop), woken) == (0, [])


def test_the_sender_is_woken_after_the_commit(shop: Shop) -> None:
    seen: list[int] = []
    with shop.app.app_context():
        with transaction() as session:
            outbox.stage(session, "payment_update", {}, lambda: seen.append(staged(shop)))
            assert seen == []
        assert seen == [1]
