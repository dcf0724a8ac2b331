"""A shop that has been running is brought up to date with its data in place."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask_migrate import downgrade, upgrade
from sqlalchemy import text

from app import create_app
from app.config import ROOT
from app.extensions import db
from app.invariants import violations
from tests.support.app import explicit_settings

MIGRATIONS = str(ROOT / "migrations")
AT = "2026-11-20 10:00:00"


@pytest.fixture(params=["sqlite", "postgresql"])
def app(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Flask]:
    """An application whose database is at the first migration."""
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path / 'old.db'}"
    else:
        url = request.getfixturevalue("postgres_server").create_database("old")
    app = create_app(explicit_settings(database_url=url, secret_key="s" * 40))
    with app.app_context():
        upgrade(directory=MIGRATIONS, revision="0001")
        yield app
        db.session.remove()
        db.engine.dispose()


def write(table: str, **values: Any) -> None:
    names, marks = ", ".join(values), ", ".join(f":{name}" for name in values)
    with db.engine.begin() as connection:
        connection.execute(text(f"INSERT INTO {table} ({names}) VALUES ({marks})"), values)


def old_shop() -> None:
    """One person with a paid order, and one with less money than was asked for."""
    write(
        "people",
        id=1,
        uuid="0" * 31 + "1",
        email="a@example.com",
        name="A",
        password_hash="x",
        role="shopper",
        created_at=AT,
    )
    for number, status, received, payment_status in (
        (1, "paid", 150_000, "completed"),
        (2, "review", 100_000, "review"),
    ):
        write(
            "orders",
            id=number,
            uuid="0" * 31 + str(number),
            reference=f"REF{number}",
            person_id=1,
            status=status,
            total_cents=150_000,
            currency="KES",
            created_at=AT,
            held_until=AT,
        )
        write(
            "payments",
            id=number,
            uuid="0" * 31 + str(number),
            public_ref=f"TXN2026112010000000{number}",
            order_id=number,
            person_id=1,
            phone="254712345678",
            amount_cents=150_000,
            currency="KES",
            status=payment_status,
            callback_token=f"token{number}",
            mpesa_receipt=f"UKL4XX00X{number}",
            received_cents=received,
            evidence="query",
            created_at=AT,
            prompt_expires_at=AT,
            completed_at=AT,
            checks=0,
        )
        step = {"payment_id": number, "at": AT, "actor": "a", "why": "b"}
        write("payment_timeline", event="created", from_status="", to_status="created", **step)
        event = "payment_confirmed" if received == 150_000 else "amount_differs"
        write(
            "payment_timeline",
            event=event,
            from_status="created",
            to_status=payment_status,
            **step,
        )


def test_what_was_received_becomes_credits_and_the_books_are_sound(app: Flask) -> None:
    old_shop()
    upgrade(directory=MIGRATIONS)
    with db.engine.connect() as connection:
        rows = connection.execute(
            text("SELECT payment_id, amount_cents, standing, receipt FROM credits ORDER BY id")
        ).all()
    assert [tuple(row) for row in rows] == [
        (1, 150_000, "exact", "UKL4XX00X1"),
        (2, 100_000, "short", "UKL4XX00X2"),
    ]
    assert list(violations()) == []


def test_an_upgrade_can_be_taken_back_and_done_again(app: Flask) -> None:
    old_shop()
    upgrade(directory=MIGRATIONS)
    downgrade(directory=MIGRATIONS, revision="0001")
    with db.engine.connect() as connection:
        received = connection.execute(text("SELECT received_cents FROM payments ORDER BY id"))
        assert [row[0] for row in received] == [150_000, 100_000]
    upgrade(directory=MIGRATIONS)
    assert list(violations()) == []


def test_one_live_prompt_an_order_is_still_a_rule_of_the_database(app: Flask) -> None:
    upgrade(directory=MIGRATIONS)
    with db.engine.connect() as connection:
        table = "pg_indexes" if connection.dialect.name == "postgresql" else "sqlite_master"
        column = "indexdef" if connection.dialect.name == "postgresql" else "sql"
        found = connection.execute(
            text(f"SELECT {column} FROM {table} WHERE {column} LIKE '%one_live_per_order%'")
        ).scalar_one()
    assert "UNIQUE" in found
    assert "WHERE" in found
