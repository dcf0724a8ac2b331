"""The background's share: a statement is read into rows, and then compared.

Each piece is a transaction of its own, which also says how far it has come and that somebody is
at it. A worker that died is noticed when its time is over; whoever follows counts one further, and
the first one, should it wake, finds that it has been overtaken and writes no more.
"""

from __future__ import annotations

import itertools
import logging
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import delete, insert, or_, select, text, update
from sqlalchemy.orm import Session

from app.core.clock import now
from app.core.money import Kes
from app.core.statements import rows_changed
from app.core.texts import marked, said
from app.core.unit_of_work import end_reads, transaction
from app.extensions import db
from app.mpesa.pull import PullRefused
from app.reconciliation import comparing, pulling
from app.reconciliation.models import UNFINISHED, Phase, RowKind, Source, Statement, StatementRow
from app.reconciliation.parsing import Row, Totals, open_statement, rows_of
from app.reconciliation.signals import work_wanted
from app.reconciliation.tables import Meter, UnreadableStatement
from app.reconciliation.uploads import file_of, sweep_files

logger = logging.getLogger(__name__)

#: So many rows are written at a time: SQLite's other writers wait no longer than that takes.
CHUNK = 2_000
LEASE = timedelta(minutes=2)
#: A comparison says nothing on the way; that of a million rows takes a minute.
COMPARING_LEASE = timedelta(minutes=20)
#: A statement on which workers die again and again is given up.
MOST_TRIES = 5
_SWEEP_LIMIT = 20


class Overtaken(Exception):
    """Somebody else has taken this statement up since."""


@dataclass
class Claim:
    """The right to work on a statement, and what came to light of it so far."""

    statement_id: int
    number: int

    def hold(self, session: Session, lease: timedelta = LEASE, **values: Any) -> None:
        """Write progress in the caller's transaction. Raises Overtaken."""
        held = (
            update(Statement)
            .where(Statement.id == self.statement_id, Statement.claims == self.number)
            .values(claimed_until=now() + lease, **values)
        )
        if rows_changed(session, held) != 1:
            raise Overtaken


def work(statement_id: int) -> str:
    """Do what is left to do on a statement; return in a few words what came of it."""
    claim = _claim(statement_id)
    if claim is None:
        return "somebody is at it, or nothing is left to do"
    try:
        return _carry_out(claim)
    except (UnreadableStatement, PullRefused) as refusal:
        return _refuse(claim, str(refusal))
    except Overtaken:
        return "somebody else has taken over"


def sweep() -> int:
    """Have everything taken up again that a crash has left; return how much that was."""
    waiting = list(db.session.scalars(select(Statement.id).where(_is_due()).limit(_SWEEP_LIMIT)))
    for statement_id in waiting:
        work_wanted.send(statement_id=statement_id)
    sweep_files()
    return len(waiting)


def _is_due() -> Any:
    free = or_(Statement.claimed_until.is_(None), Statement.claimed_until < now())
    return Statement.phase.in_(UNFINISHED) & free


def _claim(statement_id: int) -> Claim | None:
    """Take a statement up, unless somebody else is at it."""
    with transaction() as session:
        taken = (
            update(Statement)
            .where(Statement.id == statement_id, _is_due())
            .values(
                claims=Statement.claims + 1,
                tries=Statement.tries + 1,
                claimed_until=now() + LEASE,
            )
        )
        if rows_changed(session, taken) != 1:
            return None
        return Claim(statement_id, session.get_one(Statement, statement_id).claims)


def _carry_out(claim: Claim) -> str:
    statement = db.session.get_one(Statement, claim.statement_id, populate_existing=True)
    if statement.tries > MOST_TRIES:
        raise UnreadableStatement(marked("Reading it was broken off again and again. See the log."))
    if statement.phase != Phase.COMPARING:
        _forget_rows(claim)
        values = _read_pull(claim) if statement.source == Source.PULL else _read_file(claim)
        with transaction() as session:
            claim.hold(session, phase=Phase.COMPARING, **values)
            # A planner that knows the table as it was before takes the slowest road through it.
            session.execute(text("ANALYZE statement_rows"))
    with transaction() as session:
        claim.hold(session, COMPARING_LEASE)
    end_reads()
    found = comparing.compare(claim.statement_id)
    with transaction() as session:
        sums = comparing.write(session, claim.statement_id, found)
        done: dict[str, Any] = {"phase": Phase.DONE, "finished_at": now(), "tries": 0}
        claim.hold(session, **sums, **done)
    file_of(statement.uuid).unlink(missing_ok=True)
    return f"done: {len(found.drafts)} differences"


def _refuse(claim: Claim, why: str) -> str:
    _forget_rows(claim)
    with transaction() as session:
        # The same file may be sent again, once what was wrong has been mended.
        claim.hold(session, phase=Phase.REFUSED, problem=why, digest=None, finished_at=now())
        uuid = session.get_one(Statement, claim.statement_id).uuid
    file_of(uuid).unlink(missing_ok=True)
    logger.warning("statement %s is refused: %s", claim.statement_id, why)
    return f"refused: {why}"


def _forget_rows(claim: Claim) -> None:
    """Take away what an earlier try has read, a piece at a time."""
    some = (
        select(StatementRow.id)
        .where(StatementRow.statement_id == claim.statement_id)
        .limit(5 * CHUNK)
    )
    while True:
        with transaction() as session:
            claim.hold(session, phase=Phase.READING, bytes_done=0, rows_read=0)
            gone = rows_changed(session, delete(StatementRow).where(StatementRow.id.in_(some)))
        if gone == 0:
            return


def _read_file(claim: Claim) -> dict[str, Any]:
    """Read a file into rows; return what it says of itself in sum."""
    statement = db.session.get_one(Statement, claim.statement_id)
    path, meter, totals = file_of(statement.uuid), Meter(), Totals()
    if not path.exists():
        raise UnreadableStatement(marked("The file is gone. Send it again."))
    heading = open_statement(path, statement.name)
    end_reads()
    tally = _write_rows(claim, rows_of(path, heading, meter, totals), meter)
    facts = heading.facts
    return {
        "bytes_done": statement.bytes_total,
        "period_from": facts.period_from or tally.first,
        "period_to": facts.period_to or tally.last,
        "doubts": [
            *_doubts_of_reading(meter),
            *_doubts_of_sums(tally, totals, facts.opening_cents, facts.closing_cents),
        ],
    }


def _read_pull(claim: Claim) -> dict[str, Any]:
    """Ask Daraja for what customers paid, and write that down as rows."""
    statement = db.session.get_one(Statement, claim.statement_id)
    since, until = statement.period_from, statement.period_to
    if since is None or until is None:
        raise PullRefused(marked("The question names no period."))
    end_reads()
    meter = Meter()
    _write_rows(claim, pulling.rows(statement.shortcode, since, until, meter), meter)
    return {"doubts": _doubts_of_reading(meter)}


@dataclass
class Tally:
    """What has been read so far, in cents and rows."""

    rows: int = 0
    paid_in: int = 0
    withdrawn: int = 0
    first: Any = None
    last: Any = None

    def add(self, row: Row) -> None:
        self.rows += 1
        self.first = min(self.first or row.at, row.at)
        self.last = max(self.last or row.at, row.at)
        if not row.completed:
            return
        if row.kind is RowKind.IN:
            self.paid_in += row.cents
        else:
            self.withdrawn += row.cents


def _write_rows(claim: Claim, rows: Iterator[Row], meter: Meter) -> Tally:
    tally = Tally()
    while chunk := list(itertools.islice(rows, CHUNK)):
        for row in chunk:
            tally.add(row)
        values = [{"statement_id": claim.statement_id, **row._asdict()} for row in chunk]
        with transaction() as session:
            claim.hold(session, bytes_done=meter.bytes_done, rows_read=tally.rows)
            session.execute(insert(StatementRow), values)
    return tally


def _doubts_of_reading(meter: Meter) -> list[str]:
    doubts = list(meter.faults)
    if meter.fault_count > len(doubts):
        more = meter.fault_count - len(doubts)
        doubts.append(said("{count:,} more rows cannot be read", count=more))
    if meter.is_cut:
        doubts.append(
            marked("the file ends in the middle of a row: it is only a part of the statement")
        )
    return doubts


def _doubts_of_sums(
    tally: Tally, totals: Totals, opening: int | None, closing: int | None
) -> Iterator[str]:
    """Hold what was read against what the statement says of itself."""
    if opening is not None and closing is not None:
        reached = opening + tally.paid_in - tally.withdrawn
        if reached != closing:
            yield said(
                "it opens with {opening}, and its rows lead to {reached}, but it closes with "
                "{closing}: rows are missing, or stand there twice",
                opening=Kes(opening),
                reached=Kes(reached),
                closing=Kes(closing),
            )
    if totals.paid_in is not None and abs(totals.paid_in) != tally.paid_in:
        yield said(
            "its totals say {told} paid in, and its rows add up to {read}",
            told=Kes(abs(totals.paid_in)),
            read=Kes(tally.paid_in),
        )
    if totals.withdrawn is not None and abs(totals.withdrawn) != tally.withdrawn:
        yield said(
            "its totals say {told} withdrawn, and its rows add up to {read}",
            told=Kes(abs(totals.withdrawn)),
            read=Kes(tally.withdrawn),
        )
