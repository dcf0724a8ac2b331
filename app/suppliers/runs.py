"""Payouts from a file: read in as a draft, looked at, and asked for together.

A draft is only cells, and is understood anew whenever somebody looks at it. Asking for it writes
down what each row pays; the payouts themselves are written by run_writing.py.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import delete, func, select, update
from sqlalchemy.orm import Session

from app.accounts.models import Person
from app.audit import service as audit
from app.core.clock import now
from app.core.errors import Conflict, Forbidden, NotFound, ValidationError
from app.core.money import CENTS, Kes, kes
from app.core.statements import rows_changed
from app.core.texts import marked, said
from app.core.unit_of_work import transaction
from app.disbursements.models import PayoutRun
from app.extensions import db
from app.settings.service import settings
from app.suppliers import run_files, run_rows
from app.suppliers.models import NumberChange
from app.suppliers.numbers import cooling_now
from app.suppliers.run_files import Line
from app.suppliers.run_rows import Judgement, Row
from app.suppliers.run_writing import write

#: So many drafts are kept; the oldest make room for new ones.
MOST_DRAFTS = 50
MOST_NAME = 120


@dataclass(frozen=True)
class Ticks:
    """What somebody has ticked beside a preview, and the seal of the preview that they saw."""

    seal: str
    leave_out: bool = False
    repeated: bool = False
    again: bool = False


@dataclass(frozen=True)
class Preview:
    """What a draft would do at this moment."""

    judgement: Judgement
    #: Runs with the very same rows that somebody has asked for, newest first.
    earlier: Sequence[PayoutRun]
    #: Why a second person will have to agree; None when nobody has to.
    approval_why: str | None


def upload(file_name: str, data: bytes, person: Person) -> PayoutRun:
    """Keep what a file holds as a draft. Raises UnreadableFile."""
    sheet = run_files.read_file(data)
    judgement = run_rows.judge(sheet.lines)
    run = PayoutRun(
        name=_name(file_name),
        digest=sheet.digest,
        total_cents=judgement.total_cents,
        rows=len(sheet.lines),
        sheet=[asdict(line) for line in sheet.lines],
        made_by=person.id,
    )
    with transaction() as session:
        session.add(run)
        session.flush()
        subject = f"run {run.uuid}"
        _forget_oldest_drafts(session)
        audit.record(session, person, "run.uploaded", subject, file=run.name, rows=run.rows)
    return run


def find(ref: str) -> PayoutRun:
    """Find a run by its UUID. Raises NotFound."""
    try:
        query = select(PayoutRun).where(PayoutRun.uuid == UUID(ref))
    except ValueError:
        raise NotFound(marked("There is no such run.")) from None
    run = db.session.scalar(query.execution_options(populate_existing=True))
    if run is None:
        raise NotFound(marked("There is no such run. Old drafts make room for new ones."))
    return run


def page_of_runs(page: int, per_page: int) -> tuple[Sequence[PayoutRun], int]:
    """Return one page of runs and drafts, newest first, and how many there are."""
    total = db.session.scalar(select(func.count(PayoutRun.id))) or 0
    newest = select(PayoutRun).order_by(PayoutRun.id.desc())
    return db.session.scalars(newest.offset((page - 1) * per_page).limit(per_page)).all(), total


def preview(run: PayoutRun) -> Preview:
    """Hold a draft against the suppliers and rules of the moment."""
    judgement = run_rows.judge([_line_of(cells) for cells in run.sheet])
    return Preview(judgement, _asked_earlier(run), _approval_why(judgement))


def _line_of(cells: Mapping[str, Any]) -> Line:
    """Take a row's cells as they were read in; somebody may have asked for the run meanwhile."""
    return Line(**{one.name: cells[one.name] for one in fields(Line)})


def ask(run: PayoutRun, person: Person, ticks: Ticks) -> None:
    """Ask for a draft's payouts. Asking again changes nothing, and goes on with what is missing.

    Raises Forbidden for anybody but its maker, Conflict when something has changed since the
    preview, and ValidationError where the preview asks for a tick that is not there.
    """
    if run.made_by != person.id:
        raise Forbidden(marked("Another admin has read this file in, and they ask for it."))
    run_id = run.id
    if run.asked_at is None:
        seen = preview(run)
        _require_ticks(seen, ticks)
        _claim(run_id, run.digest, seen, ticks, person)
    write(run_id)


def _require_ticks(seen: Preview, ticks: Ticks) -> None:
    judgement = seen.judgement
    if not judgement.payable:
        raise ValidationError(marked("No row of this file can be paid."))
    if judgement.seal != ticks.seal:
        raise Conflict(marked("Something has changed since you looked. Look at the rows again."))
    if judgement.wrong and not ticks.leave_out:
        raise ValidationError(
            marked("Mend the rows with problems, or tick that they are left out.")
        )
    if judgement.repeated and not ticks.repeated:
        raise ValidationError(marked("Tick that the rows which repeat a payment are meant."))
    if seen.earlier and not ticks.again:
        raise ValidationError(_SAME_ROWS)


_SAME_ROWS = marked(
    "The same rows have been asked for before. Tick that they are to be paid again."
)


def _claim(run_id: int, digest: str, seen: Preview, ticks: Ticks, person: Person) -> None:
    """Turn a draft into something asked for, once, with what each row pays written beside it."""
    values = {
        "asked_at": now(),
        "rows": len(seen.judgement.payable),
        "total_cents": seen.judgement.total_cents,
        "approval_why": seen.approval_why,
        "sheet": [_decided(row) for row in seen.judgement.rows],
    }
    alike = select(PayoutRun.id, PayoutRun.asked_at).where(PayoutRun.digest == digest)
    with transaction() as session:
        # Two who ask for the same rows at once come through here one after the other.
        found = session.execute(alike.order_by(PayoutRun.id).with_for_update()).all()
        others = [each for each in found if each.id != run_id and each.asked_at is not None]
        if others and not ticks.again:
            raise ValidationError(_SAME_ROWS)
        unasked = update(PayoutRun).where(PayoutRun.id == run_id, PayoutRun.asked_at.is_(None))
        statement = unasked.values(**values).execution_options(synchronize_session=False)
        if rows_changed(session, statement):
            subject = f"run {session.get_one(PayoutRun, run_id).uuid}"
            total, payouts = kes(seen.judgement.total_cents), len(seen.judgement.payable)
            audit.record(session, person, "run.asked", subject, total=total, payouts=payouts)


def _decided(row: Row) -> dict[str, Any]:
    """Return a row's cells with whom and how much it pays, or why it is left out."""
    decided: dict[str, Any] = asdict(row.line)
    decided["left_out"] = " ".join(row.problems)
    if row.supplier is not None and row.is_payable:
        decided |= {"to": row.supplier.id, "msisdn": row.supplier.number, "cents": row.cents}
    return decided


def _asked_earlier(run: PayoutRun) -> Sequence[PayoutRun]:
    query = select(PayoutRun).where(
        PayoutRun.digest == run.digest, PayoutRun.asked_at.is_not(None), PayoutRun.id != run.id
    )
    return db.session.scalars(query.order_by(PayoutRun.id.desc()).limit(5)).all()


def _approval_why(judgement: Judgement) -> str | None:
    limit = settings().payout_limit_shillings
    if limit is not None and judgement.total_cents > limit * CENTS:
        return said(
            "its total of {total} is above {limit}",
            total=Kes(judgement.total_cents),
            limit=Kes(limit * CENTS),
        )
    cooling = _cooling(judgement)
    if cooling:
        return said("numbers that changed lately are among those it pays ({count})", count=cooling)
    return None


def _cooling(judgement: Judgement) -> int:
    """Return how many of the suppliers have a number that is cooling off."""
    since = now() - timedelta(hours=settings().supplier_cooling_hours)
    changed = select(NumberChange.supplier_id).where(NumberChange.changed_at > since)
    lately = set(db.session.scalars(changed.where(NumberChange.previous.is_not(None))))
    paid = {row.supplier.id for row in judgement.payable if row.supplier}
    return sum(1 for supplier_id in paid & lately if cooling_now(supplier_id))


def _forget_oldest_drafts(session: Session) -> None:
    drafts = select(PayoutRun.id).where(PayoutRun.asked_at.is_(None)).order_by(PayoutRun.id.desc())
    surplus = list(session.scalars(drafts.offset(MOST_DRAFTS).limit(MOST_DRAFTS)))
    if surplus:
        session.execute(
            delete(PayoutRun).where(PayoutRun.id.in_(surplus), PayoutRun.asked_at.is_(None))
        )


def _name(file_name: str) -> str:
    """Return a file's name without its folders and without what cannot be shown."""
    bare = file_name.replace("\\", "/").rpartition("/")[2]
    shown = "".join(mark for mark in bare if mark.isprintable()).strip()
    return shown[:MOST_NAME] or "payouts.csv"
