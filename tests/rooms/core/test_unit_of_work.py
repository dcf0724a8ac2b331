"""One way to write: all or nothing, announced after the commit, never nested."""

from __future__ import annotations

from datetime import datetime

import pytest
from sqlalchemy import func, select
from sqlalchemy.exc import StatementError

from app.accounts.models import Person
from app.core.unit_of_work import after_commit, end_reads, transaction
from app.extensions import db
from tests.support.app import Shop, together


def newcomer(name: str = "njeri") -> Person:
    return Person(email=f"{name}@example.com", name=name, password_hash="x")


def people() -> int:
    return int(db.session.scalar(select(func.count(Person.id))) or 0)


def test_a_block_that_raises_leaves_nothing_behind_and_announces_nothing(shop: Shop) -> None:
    announced: list[str] = []

    def write_and_fail() -> None:
        with transaction() as session:
            session.add(newcomer())
            session.flush()
            after_commit(lambda: announced.append("news"))
            raise ZeroDivisionError

    with shop.app.app_context():
        with pytest.raises(ZeroDivisionError):
            write_and_fail()
        assert (people(), announced) == (0, [])


def test_news_goes_out_after_the_commit_and_in_order(shop: Shop) -> None:
    seen: list[tuple[str, int]] = []
    with shop.app.app_context():
        with transaction() as session:
            after_commit(lambda: seen.append(("first", people())))
            after_commit(lambda: seen.append(("second", people())))
            session.add(newcomer())
        assert seen == [("first", 1), ("second", 1)]


def test_an_announcement_that_fails_undoes_nothing_and_stops_no_other(shop: Shop) -> None:
    seen: list[str] = []
    with shop.app.app_context():
        with transaction() as session:
            session.add(newcomer())
            after_commit(lambda: 1 / 0)
            after_commit(lambda: seen.append("second"))
        assert (people(), seen) == (1, ["second"])


def test_transactions_do_not_nest_and_nobody_calls_out_inside_one(shop: Shop) -> None:
    with shop.app.app_context(), transaction():
        with pytest.raises(RuntimeError, match="do not nest"), transaction():
            pass
        with pytest.raises(RuntimeError, match="inside a transaction"):
            end_reads()


def test_a_write_outside_a_block_is_refused(shop: Shop) -> None:
    with shop.app.app_context():
        db.session.add(newcomer())
        with pytest.raises(RuntimeError, match="with transaction"):
            db.session.flush()
        db.session.rollback()
        with pytest.raises(RuntimeError, match="open transaction"):
            after_commit(lambda: None)


def test_a_crowd_of_writers_all_get_their_turn(shop: Shop) -> None:
    def write(number: int) -> None:
        with shop.app.app_context(), transaction() as session:
            session.add(newcomer(f"writer{number}"))

    together(20, write)
    with shop.app.app_context():
        assert people() == 20


def test_a_moment_without_a_zone_cannot_be_stored(shop: Shop) -> None:
    person = newcomer()
    person.created_at = datetime(2026, 11, 21)  # noqa: DTZ001

    def store() -> None:
        with transaction() as session:
            session.add(person)

    with shop.app.app_context(), pytest.raises(StatementError, match="without a zone"):
        store()
