"""What the pages about reconciliation show."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import func, select

from app.core.errors import NotFound
from app.core.texts import marked
from app.extensions import db
from app.payments.models import Payment
from app.reconciliation.models import HARMLESS, Difference, DifferenceKind, Statement

PER_PAGE = 50


@dataclass(frozen=True)
class Tally:
    """How many differences of one kind there are, and what they come to: theirs less ours."""

    kind: DifferenceKind
    count: int
    open: int
    cents: int

    @property
    def is_harmless(self) -> bool:
        return self.kind in HARMLESS


def find(uuid: str) -> Statement:
    """Return a statement by its name in addresses. Raises NotFound."""
    try:
        wanted = UUID(uuid)
    except ValueError as error:
        raise NotFound(marked("There is no such statement.")) from error
    found = db.session.scalar(
        select(Statement).where(Statement.uuid == wanted).execution_options(populate_existing=True)
    )
    if found is None:
        raise NotFound(marked("There is no such statement."))
    return found


def statements(before: int | None, limit: int) -> Sequence[Statement]:
    """Return the newest statements, or those before one of them."""
    query = select(Statement).order_by(Statement.id.desc()).limit(limit)
    if before is not None:
        query = query.where(Statement.id < before)
    return db.session.scalars(query).all()


def open_counts(found: Sequence[Statement]) -> dict[int, int]:
    """Count what nobody has dealt with, for each of these statements."""
    query = (
        select(Difference.statement_id, func.count())
        .where(
            Difference.statement_id.in_([statement.id for statement in found]),
            Difference.resolved_at.is_(None),
            Difference.kind.not_in(HARMLESS),
        )
        .group_by(Difference.statement_id)
    )
    counted = {row[0]: int(row[1]) for row in db.session.execute(query)}
    return {statement.id: counted.get(statement.id, 0) for statement in found}


def tallies(statement: Statement) -> list[Tally]:
    """Count the differences of a statement by kind; what matters most comes first."""
    query = (
        select(
            Difference.kind,
            func.count(),
            func.count().filter(Difference.resolved_at.is_(None)),
            func.sum(Difference.theirs_cents - Difference.ours_cents),
        )
        .where(Difference.statement_id == statement.id)
        .group_by(Difference.kind)
    )
    rows = {row[0]: row for row in db.session.execute(query)}
    return [
        Tally(kind, int(rows[kind][1]), int(rows[kind][2]), int(rows[kind][3]))
        for kind in DifferenceKind
        if kind in rows
    ]


def differences(
    statement: Statement, kind: DifferenceKind | None, after: int | None, limit: int
) -> Sequence[Difference]:
    """Return a page of a statement's differences, in the order in which they were found."""
    query = select(Difference).where(Difference.statement_id == statement.id)
    if kind is not None:
        query = query.where(Difference.kind == kind)
    if after is not None:
        query = query.where(Difference.id > after)
    return db.session.scalars(query.order_by(Difference.id).limit(limit)).all()


def payments_of(found: Sequence[Difference]) -> dict[str, Payment]:
    """Return the payments that these differences are about, by their names."""
    names = {row.subject for row in found if (row.subject or "").startswith("TXN")}
    query = select(Payment).where(Payment.public_ref.in_(names)).limit(len(found))
    return {payment.public_ref: payment for payment in db.session.scalars(query)}
