"""How a run stands: counts while it goes, and every row with what became of it as a CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import joinedload

from app.core.money import shillings_number
from app.disbursements.models import Disbursement, PayoutRun
from app.disbursements.states import NOT_PAID, SENT, OutStatus
from app.extensions import db
from app.mpesa.phone import masked
from app.suppliers import runs
from app.suppliers.run_files import FORMULA_MARKS
from app.suppliers.run_writing import key_of

_HEADINGS = (
    "row",
    "supplier",
    "mpesa number",
    "amount",
    "notes",
    "payout",
    "status",
    "mpesa receipt",
    "what is wrong",
)
_BYTE_ORDER_MARK = "\ufeff"


@dataclass(frozen=True)
class Tally:
    """How many payouts of a run stand how, and how much they come to in cents."""

    counts: dict[OutStatus, int]
    cents: dict[OutStatus, int]
    #: Rows that were asked for, written or not.
    rows: int

    @property
    def written(self) -> int:
        return sum(self.counts.values())

    @property
    def over(self) -> int:
        """How many have come to an end, paid or not."""
        return sum(self.counts[status] for status in (OutStatus.COMPLETED, *NOT_PAID))

    @property
    def moving(self) -> int:
        """How many the machine is working on."""
        return sum(self.counts[status] for status in (OutStatus.QUEUED, *SENT))


def tally(run: PayoutRun) -> Tally:
    """Count the payouts of a run by how they stand."""
    amounts = func.sum(Disbursement.amount_cents)
    query = select(Disbursement.status, func.count(), amounts).where(Disbursement.run_id == run.id)
    found = {
        OutStatus(status): (count, int(cents))
        for status, count, cents in db.session.execute(query.group_by(Disbursement.status))
    }
    return Tally(
        counts={status: found.get(status, (0, 0))[0] for status in OutStatus},
        cents={status: found.get(status, (0, 0))[1] for status in OutStatus},
        rows=run.rows,
    )


def as_csv(run: PayoutRun) -> str:
    """Return every row of a run, or of a draft, as a CSV that no spreadsheet carries out."""
    paper = io.StringIO()
    writer = csv.writer(paper, quoting=csv.QUOTE_ALL)
    writer.writerow(_HEADINGS)
    told = _draft_rows(run) if run.asked_at is None else _run_rows(run)
    for row in told:
        writer.writerow([_harmless(cell) for cell in row])
    return _BYTE_ORDER_MARK + paper.getvalue()


def _draft_rows(run: PayoutRun) -> Iterator[tuple[object, ...]]:
    for row in runs.preview(run).judgement.rows:
        line, supplier = row.line, row.supplier
        named = supplier.name if supplier else line.supplier or line.name or line.supplier_id
        number = masked(supplier.number) if supplier else ""
        amount = line.amount if row.cents is None else shillings_number(row.cents)
        problem = " ".join(row.problems)
        yield line.row, named, number, amount, line.notes, "", "draft", "", problem


def _run_rows(run: PayoutRun) -> Iterator[tuple[object, ...]]:
    query = select(Disbursement).where(Disbursement.run_id == run.id)
    query = query.options(joinedload(Disbursement.supplier))
    written = {record.form_key: record for record in db.session.scalars(query)}
    for row in run.sheet:
        yield _run_row(row, written.get(key_of(run.id, row)))


def _run_row(row: dict[str, Any], record: Disbursement | None) -> tuple[object, ...]:
    if record is None:
        named = row["supplier"] or row["name"] or row["supplier_id"]
        status = "left out" if row["left_out"] else "not written"
        return (row["row"], named, "", row["amount"], row["notes"], "", status, "", row["left_out"])
    problem = "" if record.is_completed else record.result_desc or record.failure or record.held
    return (
        row["row"],
        record.supplier.name if record.supplier else "",
        masked(record.msisdn),
        shillings_number(record.amount_cents),
        record.reason,
        record.public_ref,
        record.status,
        record.receipt or "",
        problem or "",
    )


def _harmless(cell: object) -> str:
    """Return a cell that a spreadsheet shows as it is, whoever wrote it."""
    text = " ".join(str(cell).split())
    return f"'{text}" if text.startswith(FORMULA_MARKS) else text
