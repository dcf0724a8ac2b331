"""The database goes away between a view's last read and the end of its request."""

from __future__ import annotations

import pytest

from app.extensions import db
from tests.support.app import Account, Shop


def test_a7_an_answer_stands_although_the_connection_that_read_for_it_is_lost(
    shop: Shop, shopper: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A7: what was committed is told, and not made a 500 by a read that cannot be ended."""
    product = shop.product()
    with shop.app.app_context():
        dialect = db.engine.dialect

    def server_is_gone(_connection: object) -> None:
        raise dialect.loaded_dbapi.OperationalError("server closed the connection unexpectedly")

    client = shop.client()
    body = {"items": [{"product_id": product, "quantity": 1}]}
    with monkeypatch.context() as gone:
        gone.setattr(dialect, "do_rollback", server_is_gone)
        made = client.post("/api/orders", json=body, headers=shopper.headers)
    assert made.status_code == 201
    path = f"/api/orders/{made.get_json()['id']}"
    assert client.get(path, headers=shopper.headers).status_code == 200
