"""From a callback to the browser: a thousand open sockets, each of a shopper of its own."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

from flask import Flask
from flask_jwt_extended import JWTManager
from sqlalchemy import Connection, create_engine, insert, select, text

from app.accounts import tokens
from app.accounts.models import Person, SignIn
from app.core.clock import now
from scripts.bench.figures import Figure
from scripts.bench.ground import ROOT, Ground
from scripts.bench.initiations import percentile
from scripts.bench.news import callback_of
from scripts.bench.seed import fill
from scripts.bench.several import shop

SOCKETS = 1_000
CALLBACKS = 400
PER_SECOND = 20
MOST_MEDIAN_MS = 100
MOST_P99_MS = 300
MOST_SECONDS = 300
NAME = "Asha of the benchmark"


def sockets(ground: Ground) -> Iterator[Figure]:
    """Callbacks come at a steady pace; each is told to the one socket that waits for it."""
    lines = _shoppers(ground)
    file = ground.folder / "listeners.txt"
    file.write_text("\n".join(json.dumps(line) for line in lines))
    command = [sys.executable, "-m", "scripts.bench.listeners", ground.base_url, str(file)]
    with shop(ground):
        done = subprocess.run(
            [*command, str(CALLBACKS), str(PER_SECOND)],
            cwd=ROOT,
            env=ground.env,
            capture_output=True,
            check=True,
            timeout=MOST_SECONDS,
        )
    told: dict[str, Any] = json.loads(done.stdout)
    if told["wrong"]:
        print(f"    {told['wrong']}", file=sys.stderr)
    took, missed = told["took_ms"], CALLBACKS - len(told["took_ms"])

    def figure(what: str, value: float, unit: str = "", **target: float | None) -> Figure:
        return Figure("sockets", ground.engine, what, value, unit, **target)

    yield figure("sockets open", told["open"], least=SOCKETS)
    yield figure("callback to browser, median", percentile(took, 0.5), "ms", most=MOST_MEDIAN_MS)
    yield figure("callback to browser, p99", percentile(took, 0.99), "ms", most=MOST_P99_MS)
    yield figure("callbacks that no browser heard of", missed, most=0)


def _shoppers(ground: Ground) -> list[dict[str, Any]]:
    """Give each of so many pending payments a shopper who has signed in."""
    rows = fill(ground.env["DATABASE_URL"], SOCKETS, status="pending")
    engine = create_engine(ground.env["DATABASE_URL"])
    with engine.begin() as connection:
        signed_in = _sign_in(connection)
        for row, (person_id, _, _) in zip(rows, signed_in, strict=True):
            for table, key in (("orders", "order_id"), ("payments", "payment_id")):
                statement = f"UPDATE {table} SET person_id = :person WHERE id = :id"  # noqa: S608
                connection.execute(text(statement), {"person": person_id, "id": row[key]})
    engine.dispose()
    minting = Flask("tokens")
    JWTManager(minting)
    tokens.configure(minting, ground.env["JWT_SECRET_KEY"], secure_cookies=False)
    lines = []
    for row, (_, person, sign_in) in zip(rows, signed_in, strict=True):
        with minting.app_context():
            token = tokens.access_token(sign_in, person)
        request = callback_of(row)
        line = {"access_token": token, "order_id": str(row["order_uuid"])}
        lines.append(line | {"path": request.path, "body": request.body})
    return lines


def _sign_in(connection: Connection) -> list[tuple[int, UUID, UUID]]:
    """Add the shoppers; return the id and UUID of each, and their sign-in's UUID."""
    uuids = [uuid4() for _ in range(SOCKETS)]
    people = [
        {"uuid": uuid, "email": f"s{n}@example.com", "name": NAME, "password_hash": ""}
        for n, uuid in enumerate(uuids)
    ]
    connection.execute(insert(Person), people)
    found = select(Person.uuid, Person.id).where(Person.name == NAME)
    ids = dict(connection.execute(found).tuples().all())
    rows = [(ids[uuid], uuid, uuid4()) for uuid in uuids]
    month = now() + timedelta(days=30)
    signs = [{"uuid": sign_in, "person_id": n, "expires_at": month} for n, _, sign_in in rows]
    connection.execute(insert(SignIn), signs)
    return rows
