"""The audit trail: nothing is rewritten in it without being noticed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from sqlalchemy import Connection, text
from sqlalchemy.exc import DatabaseError

from app.audit import service as audit
from app.core.unit_of_work import transaction
from app.extensions import db
from tests.support.app import Shop, together

WRITERS = 20


@pytest.fixture
def trail(shop: Shop) -> Shop:
    """A shop with five rows in its trail."""
    write(shop, 5)
    return shop


def write(shop: Shop, count: int, detail: str = "") -> None:
    with shop.app.app_context():
        for number in range(count):
            with transaction() as session:
                audit.record(session, "machine", "test.done", f"thing {number}", why=detail)


def faults(shop: Shop) -> list[str]:
    with shop.app.app_context():
        return list(audit.faults())


@contextmanager
def unlocked(shop: Shop) -> Iterator[Connection]:
    """Let SQL through to the rows, as for somebody who owns the database."""
    with shop.app.app_context(), db.engine.begin() as connection:
        if db.engine.dialect.name == "postgresql":
            trigger = "TRIGGER audit_append_only"
            connection.execute(text(f"ALTER TABLE audit_entries DISABLE {trigger}"))
            yield connection
            connection.execute(text(f"ALTER TABLE audit_entries ENABLE {trigger}"))
            return
        query = text("SELECT name, sql FROM sqlite_master WHERE tbl_name = 'audit_entries'")
        triggers = [row for row in connection.execute(query) if row.name.startswith("audit_no")]
        for row in triggers:
            connection.execute(text(f"DROP TRIGGER {row.name}"))
        yield connection
        for row in triggers:
            connection.exec_driver_sql(row.sql)


def test_what_was_written_holds(trail: Shop) -> None:
    assert faults(trail) == []
    with trail.app.app_context():
        rows, last = audit.head()
        assert (rows, len(last)) == (5, 64)
        assert [entry.id for entry in audit.newest(limit=2)] == [5, 4]


def test_an_empty_trail_holds(shop: Shop) -> None:
    assert faults(shop) == []


@pytest.mark.parametrize(
    ("tampering", "fault"),
    [
        ("UPDATE audit_entries SET actor = 'nobody' WHERE id = 3", "row 3 was changed"),
        ("UPDATE audit_entries SET actor_id = NULL, subject = '' WHERE id = 1", "row 1 was"),
        ("DELETE FROM audit_entries WHERE id = 3", "row 3 is missing"),
        ("DELETE FROM audit_entries WHERE id = 1", "row 1 is missing"),
        ("DELETE FROM audit_entries WHERE id = 5", "is to end with row 5, and ends with row 4"),
        ("DELETE FROM audit_entries", "is to end with row 5, and ends with row 0"),
        (
            "INSERT INTO audit_entries (id, at, actor, action, subject, detail, previous_hash, "
            "hash) SELECT 6, at, actor, action, subject, detail, hash, 'made up' "
            "FROM audit_entries WHERE id = 5",
            "row 6 was changed",
        ),
        ("UPDATE audit_head SET last_id = 4", "is to end with row 4"),
    ],
)
def test_what_is_rewritten_is_noticed(trail: Shop, tampering: str, fault: str) -> None:
    with unlocked(trail) as connection:
        connection.execute(text(tampering))
    assert any(fault in found for found in faults(trail)), faults(trail)


def test_a_row_put_in_between_is_noticed(trail: Shop) -> None:
    with unlocked(trail) as connection:
        for number in (5, 4):
            connection.execute(text(f"UPDATE audit_entries SET id = id + 1 WHERE id = {number}"))
        connection.execute(
            text(
                "INSERT INTO audit_entries (id, at, actor, action, subject, detail, "
                "previous_hash, hash) SELECT 4, at, actor, action, subject, detail, hash, 'new' "
                "FROM audit_entries WHERE id = 3"
            )
        )
    assert any("row 4" in found for found in faults(trail))


@pytest.mark.parametrize(
    "sql", ["UPDATE audit_entries SET actor = 'x'", "DELETE FROM audit_entries WHERE id = 2"]
)
def test_the_database_itself_refuses_to_rewrite(trail: Shop, sql: str) -> None:
    with (
        trail.app.app_context(),
        pytest.raises(DatabaseError, match="append-only"),
        db.engine.begin() as connection,
    ):
        connection.execute(text(sql))
    assert faults(trail) == []


def test_many_who_write_at_once_make_one_chain(shop: Shop) -> None:
    together(WRITERS, lambda _: write(shop, 3))
    assert faults(shop) == []
    with shop.app.app_context():
        assert audit.head()[0] == 3 * WRITERS


def test_what_is_rolled_back_leaves_no_row_and_no_gap(trail: Shop) -> None:
    def change_ones_mind() -> None:
        with transaction() as session:
            audit.record(session, "machine", "test.undone")
            raise RuntimeError("after all not")

    with trail.app.app_context():
        with pytest.raises(RuntimeError, match="after all"):
            change_ones_mind()
        assert audit.head()[0] == 5
    write(trail, 1)
    assert faults(trail) == []


def test_no_phone_number_stands_whole_in_it(shop: Shop) -> None:
    write(shop, 1, "call 0712345678 or 254712345678")
    with shop.app.app_context():
        assert audit.newest()[0].detail["why"] == "call 0712***678 or 254712***678"


def test_the_command_tells_the_last_hash_and_knows_one_noted_earlier(trail: Shop) -> None:
    runner = trail.app.test_cli_runner()
    told = runner.invoke(args=["check_audit"])
    noted = told.output.split()[-1]
    assert (told.exit_code, told.output) == (0, f"5 rows, chain holds, last {noted}\n")
    write(trail, 1)
    assert runner.invoke(args=["check_audit", "--expect", noted]).exit_code == 0
    unknown = runner.invoke(args=["check_audit", "--expect", "0123" * 16])
    assert unknown.exit_code == 1
    assert "noted down earlier" in unknown.output


def test_the_command_names_every_fault(trail: Shop) -> None:
    with unlocked(trail) as connection:
        connection.execute(text("UPDATE audit_entries SET action = 'x' WHERE id IN (2, 4)"))
    told = trail.app.test_cli_runner().invoke(args=["check_audit"])
    assert told.exit_code == 1
    assert "row 2 was changed" in told.output
    assert "row 4 was changed" in told.output


def test_a_chain_rewritten_whole_is_found_by_a_hash_noted_earlier(trail: Shop) -> None:
    with trail.app.app_context():
        noted = audit.head()[1]
    with unlocked(trail) as connection:
        connection.execute(text("DELETE FROM audit_entries"))
        connection.execute(text("DELETE FROM audit_head"))
    write(trail, 5, "another story")
    assert faults(trail) == []
    told = trail.app.test_cli_runner().invoke(args=["check_audit", "--expect", noted])
    assert told.exit_code == 1
