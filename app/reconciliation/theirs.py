"""Safaricom's side of a comparison, as questions to the database."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Subquery, exists, func, select
from sqlalchemy.orm import aliased

from app.reconciliation.drafts import Told
from app.reconciliation.models import RowKind, Statement, StatementRow
from app.reconciliation.pairing import SKEW

#: So many differences of one kind are kept; a statement with more of them is another shop's.
MOST_OF_A_KIND = 2_000


def sums(statement_id: int, kind: RowKind) -> Subquery:
    """Take together what a statement says of each receipt: ``receipt`` and ``cents``.

    A receipt is not unique in a statement. The very same row twice is one; others add up.
    """
    cents = func.sum(StatementRow.cents.distinct()).label("cents")
    return _of_each_receipt(statement_id, kind, StatementRow.receipt, cents).subquery()


def lines(statement_id: int, kind: RowKind, among: Any) -> Subquery:
    """Take together everything that a statement says of some receipts, as ``told`` reads it.

    ``among`` is the condition on a row that names them: of all of them it would take long.
    """
    row = StatementRow
    texts = (row.details, row.party, row.account_ref, row.linked)
    query = _of_each_receipt(
        statement_id,
        kind,
        row.receipt,
        func.min(row.at).label("at"),
        func.sum(row.cents.distinct()).label("cents"),
        *(func.max(text).label(text.key) for text in texts),
    )
    return query.where(among).subquery()


def _of_each_receipt(statement_id: int, kind: RowKind, *wanted: Any) -> Any:
    row = StatementRow
    return (
        select(*wanted)
        .where(row.statement_id == statement_id, row.kind == kind, row.completed.is_(True))
        .group_by(row.receipt)
    )


def another_amount(statement_id: int, kind: RowKind, record: Any, cents: Any) -> Any:
    """Return the condition that a record of ours has a row's receipt and not its amount.

    It is on the receipt, so that all rows of it are then taken together.
    """
    row = aliased(StatementRow)
    return StatementRow.receipt.in_(
        select(row.receipt)
        .join(record, record.receipt == row.receipt)
        .where(
            row.statement_id == statement_id,
            row.kind == kind,
            row.completed.is_(True),
            cents != row.cents,
        )
    )


def known_as(record: Any, *conditions: Any) -> Any:
    """Return the condition that a record of ours has a row's receipt."""
    return exists().where(record.receipt == StatementRow.receipt, *conditions)


def columns(theirs: Subquery) -> list[Any]:
    """Return the columns of ``lines`` in the order in which ``told`` reads them."""
    return [theirs.c[name] for name in Told._fields]


def told(row: Sequence[Any]) -> Told:
    """Read one of ``lines``."""
    values = list(row[: len(Told._fields)])
    values[2] = int(values[2])
    return Told(*values)


def bounded(query: Any) -> Any:
    """Ask for one more than is kept: that there is one says that there are more."""
    return query.limit(MOST_OF_A_KIND + 1)


def says(statement_id: int, kind: RowKind, receipt: Any) -> Any:
    """Return the condition that a statement has a row of this receipt, completed or not."""
    row = aliased(StatementRow)
    return exists().where(
        row.statement_id == statement_id, row.kind == kind, row.receipt == receipt
    )


def completes(statement_id: int, kind: RowKind, receipt: Any) -> Any:
    """Return the condition that a statement calls a row of this receipt completed."""
    row = aliased(StatementRow)
    return exists().where(
        row.statement_id == statement_id,
        row.kind == kind,
        row.receipt == receipt,
        row.completed.is_(True),
    )


def certain_time(statement: Statement) -> tuple[datetime, datetime] | None:
    """Return between which moments a movement certainly belongs into this statement.

    Their clock and ours differ a little, so nothing is judged at the very edges.
    """
    if statement.period_from is None or statement.period_to is None:
        return None
    since, until = statement.period_from + SKEW, statement.period_to - SKEW
    return (since, until) if since < until else None
