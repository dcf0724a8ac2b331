"""An application with a real, migrated database, and short words for what tests do with it."""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeVar
from unittest import mock

import time_machine
from flask import Flask
from flask.testing import FlaskClient
from flask_migrate import upgrade
from sqlalchemy import Connection, event, select, text
from werkzeug.test import TestResponse

from app import assembly, create_app
from app.accounts import sign_ins
from app.accounts.models import Person
from app.accounts.passwords import hash_password
from app.accounts.roles import Role
from app.accounts.tokens import access_token, refresh_token
from app.config import ROOT, Settings
from app.core import outbox
from app.core.clock import now, steadiness
from app.core.unit_of_work import transaction
from app.disbursements.signals import turn_wanted
from app.extensions import db, limiter
from app.invariants import Violation, violations
from app.orders.models import Order, Product
from app.payments import engine, provider, questions
from app.payments.claims.signals import claim_due
from app.payments.models import Credit, InboxMessage, Payment, TimelineEntry
from app.payments.questions import Question
from app.payments.signals import check_wanted, payment_watched, repeat_wanted
from app.reconciliation.signals import work_wanted
from tests.support.daraja import FakeDaraja, html, paid
from tests.support.described import watch
from tests.support.money_out import SAFARICOM as SAFARICOM
from tests.support.money_out import MoneyOut

PASSWORD = "a long enough password"
PHONE = "0712345678"
CALLBACK_PATH = "/api/payments/mpesa/callback"
#: On nobody's list of Daraja's addresses.
STRANGER = "203.0.113.9"
_HASH = hash_password(PASSWORD)
#: While all of these are empty, there is nothing that the rules of the books could speak of.
MONEY = {"orders", "payments", "credits", "disbursements", "ledger_transfers"}
#: Nothing happens to a table whose ids come from no sequence.
_RESTART_NUMBERS = text(
    "SELECT setval(pg_get_serial_sequence(table_name, 'id'), 1, false) "
    "FROM information_schema.columns WHERE table_name = :name AND column_name = 'id'"
)
Result = TypeVar("Result")


@dataclass(frozen=True)
class Account:
    """Somebody who is signed in. ``headers`` are what their program sends."""

    id: int
    email: str
    access: str
    refresh: str

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.access}"}


def explicit_settings(**given: Any) -> Settings:
    """Settings made of these values and defaults only; no environment and no ``.env``."""
    with mock.patch.dict(os.environ, clear=True):
        return Settings(_env_file=None, **given)


@contextmanager
def application(database_url: str, folder: Path, **given: Any) -> Iterator[Flask]:
    """An application on a database that our own migrations have built."""
    file = _new_sqlite(database_url)
    if file is not None:
        file.write_bytes(_built_sqlite())
    app = _assembled(database_url, folder, **given)
    with app.app_context():
        if file is None:
            upgrade(directory=str(ROOT / "migrations"))
    yield app
    with app.app_context():
        db.engine.dispose()


def _assembled(database_url: str, folder: Path, **given: Any) -> Flask:
    settings = explicit_settings(
        database_url=database_url,
        secret_key="s" * 40,
        jwt_secret_key="j" * 40,
        **given,
    )
    with mock.patch.object(assembly, "queue_file", return_value=folder / "jobs.db"):
        app = create_app(settings)
    # Tests run the engine themselves: what a worker does in between cannot be told apart.
    check_wanted.disconnect(app.extensions["lipa_jobs"].wake)
    payment_watched.disconnect(app.extensions["lipa_jobs"].watch)
    repeat_wanted.disconnect(app.extensions["lipa_jobs"].repeat)
    claim_due.disconnect(app.extensions["lipa_jobs"].check_claim)
    turn_wanted.disconnect(app.extensions["lipa_jobs"].take_turn)
    work_wanted.disconnect(app.extensions["lipa_jobs"].read_statement)
    app.extensions["undescribed_answers"] = watch(app)
    with app.app_context():
        if db.engine.dialect.name == "sqlite":
            event.listen(db.engine, "connect", _do_not_wait_for_the_disk)
    return app


def _do_not_wait_for_the_disk(connection: sqlite3.Connection, _record: object) -> None:
    """As on the tests' PostgreSQL: nobody needs these data after a power cut."""
    connection.execute("PRAGMA synchronous = OFF")


def _new_sqlite(database_url: str) -> Path | None:
    """The file of a SQLite database that is not there yet."""
    scheme, _, path = database_url.partition(":///")
    return Path(path) if scheme == "sqlite" and not Path(path).exists() else None


@cache
def _built_sqlite() -> bytes:
    """An empty SQLite database as our migrations build it: once for all tests of a process."""
    with TemporaryDirectory() as name:
        file = Path(name) / "lipa.db"
        app = _assembled(f"sqlite:///{file}", file.parent)
        with app.app_context():
            upgrade(directory=str(ROOT / "migrations"))
            db.engine.dispose()
        with closing(sqlite3.connect(file)) as built:
            return built.serialize()


def _tables_with_rows(connection: Connection) -> list[str]:
    """Name the tables that a test has left rows in, those that refer to others first."""
    names = [table.name for table in reversed(db.metadata.sorted_tables)]
    looks = (f"SELECT '{name}' WHERE EXISTS (SELECT 1 FROM {name})" for name in names)
    full = set(connection.scalars(text(" UNION ALL ".join(looks))))
    return [name for name in names if name in full]


@contextmanager
def _without_triggers(connection: Connection, tables: list[str]) -> Iterator[None]:
    """Let a test's own broom through where the database keeps the books from being rewritten."""
    if connection.dialect.name == "postgresql":
        # Many times as fast as TRUNCATE, which makes every table and index a new file.
        connection.execute(text("SET LOCAL session_replication_role = replica"))
        yield
        for name in tables:
            connection.execute(_RESTART_NUMBERS, {"name": name})
        return
    query = text("SELECT name, tbl_name, sql FROM sqlite_master WHERE type = 'trigger'")
    triggers = [row for row in connection.execute(query).all() if row.tbl_name in tables]
    for trigger in triggers:
        connection.execute(text(f"DROP TRIGGER {trigger.name}"))
    yield
    for trigger in triggers:
        connection.exec_driver_sql(trigger.sql)


def together(count: int, work: Callable[[int], Result]) -> list[Result]:
    """Do the same work in so many threads, all let go at the same moment."""
    barrier = threading.Barrier(count)

    def run(number: int) -> Result:
        barrier.wait(10)
        return work(number)

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(run, range(count)))


@contextmanager
def later(seconds: float) -> Iterator[None]:
    """Let the clock stand so much further on, and run from there."""
    with time_machine.travel(now() + timedelta(seconds=seconds), tick=True):
        # Time has passed, by this fiction: nobody has set the clock.
        steadiness.forget()
        try:
            yield
        finally:
            steadiness.forget()


def standing() -> time_machine.travel:
    """Let the clock stand: what is counted by the minute is, however slow the machine."""
    return time_machine.travel(now(), tick=False)


class Shop(MoneyOut):
    """One application, its database and its Daraja."""

    def __init__(self, app: Flask, daraja: FakeDaraja) -> None:
        self.app = app
        self.daraja = daraja
        self._settings = app.extensions["lipa_settings"]
        #: A test that writes rows by hand cannot ask that they explain themselves.
        self.written_by_hand = False
        self._numbers: dict[Any, str] = {}
        self._numbering = threading.Lock()

    def empty(self) -> None:
        """Leave nothing of an earlier test: no rows, limits or tokens."""
        self.app.extensions["lipa_daraja"][0].close()
        provider.prepare(self.app)
        steadiness.forget()
        self.daraja.reset()
        with self.app.app_context(), db.engine.begin() as connection:
            limiter.reset()
            full = _tables_with_rows(connection)
            with _without_triggers(connection, full):
                for name in full:
                    connection.execute(text(f"DELETE FROM {name}"))

    def set(self, **changes: Any) -> None:
        """Change settings for the rest of this test."""
        present = self.app.extensions["lipa_settings"]
        self.app.extensions["lipa_settings"] = present.model_copy(update=changes)

    def restore_settings(self) -> None:
        self.app.extensions["lipa_settings"] = self._settings

    def undescribed_answers(self) -> list[str]:
        """Answers of which the API's own document does not tell, since this was last asked."""
        complaints: list[str] = self.app.extensions["undescribed_answers"]
        told, complaints[:] = complaints[:], []
        return told

    def client(self) -> FlaskClient:
        return self.app.test_client()

    # People and goods.

    def person(self, name: str = "wanjiku", *, admin: bool = False) -> Account:
        role = Role.ADMIN if admin else Role.SHOPPER
        email = f"{name}@example.com"
        with self.app.app_context():
            person = Person(email=email, name=name.title(), password_hash=_HASH, role=role)
            with transaction() as session:
                session.add(person)
            person_id, uuid = person.id, person.uuid
            # They have shown a code, so that production's rules let those of the staff move money.
            sign_in = sign_ins.start(person_id, "127.0.0.1", "tests", second_factor=True).uuid
            access, refresh = access_token(sign_in, uuid), refresh_token(sign_in, uuid)
            return Account(person_id, email, access, refresh)

    def product(
        self,
        *,
        price: int = 1500,
        stock: int | None = None,
        kind: str = "goods",
        name: str = "Kiondo",
    ) -> int:
        with self.app.app_context():
            slug = f"{name.lower()}-{os.urandom(4).hex()}"
            cents = price * 100
            product = Product(slug=slug, name=name, kind=kind, price_cents=cents, stock=stock)
            with transaction() as session:
                session.add(product)
            return product.id

    def stock(self, product_id: int) -> int | None:
        with self.app.app_context():
            return db.session.get_one(Product, product_id).stock

    # Orders and payments, over HTTP as any program would.

    def order(
        self, who: Account, product_id: int | None = None, quantity: int = 1
    ) -> dict[str, Any]:
        item = {"product_id": product_id or self.product(), "quantity": quantity}
        answer = self.client().post("/api/orders", json={"items": [item]}, headers=who.headers)
        assert answer.status_code == 201, answer.text
        body: dict[str, Any] = answer.get_json()
        return body

    def order_now(self, who: Account, order: dict[str, Any]) -> dict[str, Any]:
        answer = self.client().get(f"/api/orders/{order['id']}", headers=who.headers)
        assert answer.status_code == 200, answer.text
        body: dict[str, Any] = answer.get_json()
        return body

    def pay(self, who: Account, order: dict[str, Any], **more: Any) -> TestResponse:
        body = {"order_id": order["id"], "phone_number": self.number_for(order["id"])} | more
        return self.client().post("/api/payments/mpesa/initiate", json=body, headers=who.headers)

    def number_for(self, name: object, first: str = PHONE) -> str:
        """A number of its own for each order and the like: a phone bears one prompt at a time.

        The first to be asked for gets ``first``, in whose form all of them are written.
        """
        with self._numbering:
            number = str(int(first) + len(self._numbers)).zfill(len(first))
            return self._numbers.setdefault(name, number)

    def status(self, who: Account, order: dict[str, Any]) -> dict[str, Any]:
        body = {"order_id": order["id"]}
        answer = self.client().post("/api/payments/mpesa/query", json=body, headers=who.headers)
        assert answer.status_code == 200, answer.text
        data: dict[str, Any] = answer.get_json()["data"]
        return data

    def prompted(self, who: Account, order: dict[str, Any] | None = None, **more: Any) -> Payment:
        """A payment whose prompt was accepted."""
        order = order or self.order(who)
        answer = self.pay(who, order, **more)
        assert answer.status_code == 200, answer.text
        return self.payment(order)

    def completed(self, who: Account, *, price: int = 1500) -> Payment:
        """A payment that was paid, with a receipt of its own."""
        payment = self.prompted(who, self.order(who, self.product(price=price)))
        body = paid(payment.checkout_request_id, price, f"UKL5{payment.id:06d}")
        self.callback(body, token=payment.callback_token)
        return self.fresh(payment)

    def unanswered(self, who: Account, order: dict[str, Any] | None = None) -> Payment:
        """An attempt whose push got no readable answer: nobody knows whether it was sent."""
        order = order or self.order(who)
        self.daraja.push_answer = html(502)
        self.pay(who, order)
        return self.payment(order)

    def callback(
        self,
        body: object,
        *,
        token: str | None = None,
        peer: str = SAFARICOM,
        path: str = CALLBACK_PATH,
        content_type: str = "application/json",
    ) -> TestResponse:
        """Post a callback as Daraja would; bytes go as they are."""
        raw = body if isinstance(body, bytes) else self.app.json.dumps(body).encode()
        return self.client().post(
            path,
            data=raw,
            content_type=content_type,
            query_string={"token": token} if token else None,
            environ_overrides={"REMOTE_ADDR": peer},
        )

    def sweep(self) -> int:
        with self.app.app_context():
            return engine.sweep()

    def ask(self, payment: Payment) -> str:
        with self.app.app_context():
            return engine.ask(payment.id)

    def announce(self, deliver: outbox.Deliver = lambda *_: None) -> int:
        """Send all news that is staged, as the look of a moment later would; return how many."""
        soon = now() + timedelta(seconds=outbox.LEFT_SECONDS + 1)
        with time_machine.travel(soon, tick=True), self.app.app_context():
            return outbox.send_left(deliver)

    # What the books say.

    def payments(self, order: dict[str, Any]) -> list[Payment]:
        """Every attempt for an order, oldest first, as committed at this moment."""
        with self.app.app_context():
            query = select(Payment).join(Order).where(Order.id == order["number"])
            return list(db.session.scalars(query.order_by(Payment.id)))

    def payment(self, order: dict[str, Any]) -> Payment:
        return self.payments(order)[-1]

    def fresh(self, payment: Payment) -> Payment:
        with self.app.app_context():
            return db.session.get_one(Payment, payment.id)

    def timeline(self, payment: Payment) -> list[TimelineEntry]:
        with self.app.app_context():
            query = select(TimelineEntry).where(TimelineEntry.payment_id == payment.id)
            return list(db.session.scalars(query.order_by(TimelineEntry.id)))

    def asked_about(self) -> list[int]:
        """The payments that stand before a person."""
        with self.app.app_context():
            asked = [question.payment for question in questions.open_questions()]
            return [payment.id for payment in asked if payment]

    def questions(self) -> list[Question]:
        with self.app.app_context():
            return questions.open_questions()

    def credits(self) -> list[Credit]:
        with self.app.app_context():
            return list(db.session.scalars(select(Credit).order_by(Credit.id)))

    def violations(self) -> list[Violation]:
        """Everything in the books that contradicts an invariant."""
        with self.app.app_context():
            with db.engine.connect() as connection:
                if MONEY.isdisjoint(_tables_with_rows(connection)):
                    return []
            return list(violations())

    def inbox(self) -> list[InboxMessage]:
        with self.app.app_context():
            return list(db.session.scalars(select(InboxMessage).order_by(InboxMessage.id)))
