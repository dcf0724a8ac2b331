"""Lists ask the database as often for many rows as for few."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import event

from app.extensions import db
from tests.support.app import Account, Shop
from tests.support.paybill import Paybill


@contextmanager
def counted(shop: Shop) -> Iterator[list[str]]:
    seen: list[str] = []

    def note(_c: Any, _k: Any, statement: str, *_: Any) -> None:
        seen.append(statement)

    with shop.app.app_context():
        event.listen(db.engine, "before_cursor_execute", note)
        try:
            yield seen
        finally:
            event.remove(db.engine, "before_cursor_execute", note)


def asked(shop: Shop, who: Account, path: str) -> int:
    with counted(shop) as seen:
        assert shop.client().get(path, headers=who.headers).status_code == 200
        return len(seen)


@pytest.mark.parametrize("path", ["/api/orders", "/admin/paybill"])
def test_a_list_asks_no_more_for_many_than_for_few(
    shop: Shop, shopper: Account, admin: Account, path: str
) -> None:
    paybill = Paybill(shop)
    paybill.register()

    def fill(first: int, last: int) -> None:
        for number in range(first, last):
            order = shop.order(shopper)
            paybill.pay(order["reference"], 500, receipt=f"UKL7{number:06d}")
            shop.prompted(shopper, order)

    fill(0, 2)
    few = asked(shop, admin, path)
    fill(2, 8)
    assert asked(shop, admin, path) == few
    paybill.close()
