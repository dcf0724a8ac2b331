"""A shop that has outgrown its file takes its books along into PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from flask import Flask
from sqlalchemy import Connection, create_engine, select, text

from app.extensions import db
from tests.services.postgres import PostgresServer
from tests.support.app import Shop, application
from tests.support.daraja import FakeDaraja


@pytest.fixture(scope="module")
def daraja() -> Iterator[FakeDaraja]:
    fake = FakeDaraja()
    yield fake
    fake.stop()


@pytest.fixture
def file(tmp_path: Path, daraja: FakeDaraja) -> Iterator[str]:
    """The database of a shop that has sold something, with what was not paid, and was sent back."""
    url = f"sqlite:///{tmp_path / 'lipa.db'}"
    with _shop(url, tmp_path, daraja) as app:
        shop = Shop(app, daraja)
        buyer, admin = shop.person("wanjiku"), shop.person("achieng", admin=True)
        paid = [shop.completed(buyer) for _ in range(3)]
        shop.prompted(buyer)
        shop.unanswered(buyer)
        daraja.reset()
        refund = {"transaction_id": paid[0].public_ref, "amount": 500, "reason": "Torn"}
        path = "/api/payments/mpesa/b2c/refund"
        shop.client().post(path, json=refund, headers=admin.headers)
        photo = {"name": "Kikoi", "price": 900, "stock": 3, "description": "Pamba – tupu"}
        assert shop.client().post("/api/products", json=photo, headers=admin.headers).status_code
        yield url


def _shop(url: str, folder: Path, daraja: FakeDaraja) -> AbstractContextManager[Flask]:
    return application(url, folder, mpesa_base_url=daraja.url)


def _run(app: Flask, *arguments: str) -> Result:
    with app.app_context():
        return app.test_cli_runner().invoke(args=list(arguments))


def _rows(connection: Connection) -> dict[str, list[tuple[Any, ...]]]:
    found = {}
    for table in db.metadata.sorted_tables:
        query = select(table).order_by(*table.primary_key)
        found[table.name] = [tuple(row) for row in connection.execute(query)]
    return found


def _books(url: str) -> dict[str, list[tuple[Any, ...]]]:
    engine = create_engine(url.replace("postgresql://", "postgresql+psycopg://"))
    with engine.connect() as connection:
        found = _rows(connection)
    engine.dispose()
    return found


def test_every_row_arrives_and_the_shop_sells_on_in_postgresql(
    file: str, tmp_path: Path, daraja: FakeDaraja, postgres_server: PostgresServer
) -> None:
    url = postgres_server.create_database("moved")
    with _shop(url, tmp_path, daraja) as app:
        done = _run(app, "database", "move", file)
        assert done.exit_code == 0, done.output
        before, after = _books(file), _books(url)
        assert after == before
        assert sum(map(len, before.values())) > 50
        assert f"{len(before['payments']):>10,}  payments" in done.output
        for command in ("check_invariants", "check_audit"):
            checked = _run(app, command)
            assert checked.exit_code == 0, checked.output
        shop = Shop(app, daraja)
        sold = shop.completed(shop.person("otieno"))
        assert sold.status == "completed"
        assert sold.id == max(row[0] for row in before["payments"]) + 1
        again = _run(app, "database", "move", file)
    assert again.exit_code == 1
    assert "There are rows already" in again.output


def test_a_move_that_cannot_be_finished_leaves_nothing_behind(
    file: str, tmp_path: Path, daraja: FakeDaraja, postgres_server: PostgresServer
) -> None:
    engine = create_engine(file)
    with engine.begin() as connection:
        # SQLite takes texts of any length, and PostgreSQL does not.
        longer = text("UPDATE orders SET reference = :it WHERE id = 1")
        connection.execute(longer, {"it": "x" * 5000})
    engine.dispose()
    url = postgres_server.create_database("half")
    with _shop(url, tmp_path, daraja) as app:
        done = _run(app, "database", "move", file)
    assert done.exit_code == 1
    assert "Nothing was moved" in done.output
    assert not any(_books(url).values())


def test_a_move_says_what_is_wrong_with_where_it_comes_from(
    file: str, tmp_path: Path, daraja: FakeDaraja, postgres_server: PostgresServer
) -> None:
    engine = create_engine(file)
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '0001'"))
    engine.dispose()
    with _shop(postgres_server.create_database("nothing"), tmp_path, daraja) as app:
        assert "`flask prepare`" in _run(app, "database", "move", file).output
        missing = _run(app, "database", "move", f"sqlite:///{tmp_path}/other.db")
    assert missing.exit_code == 1
    assert "There is no file" in missing.output
    assert not (tmp_path / "other.db").exists()
