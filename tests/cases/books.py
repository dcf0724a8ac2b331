"""What the cases read in the books."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select

from app.core.outbox import Announcement
from app.extensions import db
from app.payments.models import Payment
from tests.support.app import Shop

Rows = list[tuple[Any, ...]]


def everything(shop: Shop, *, but: tuple[str, ...] = ("callback_inbox",)) -> dict[str, Rows]:
    """Every row of every table by the table's name.

    ``but`` names what is left out: a table, or ``table.column``.
    """
    with shop.app.app_context(), db.engine.connect() as connection:
        found = {}
        for table in db.metadata.sorted_tables:
            if table.name in but:
                continue
            columns = [column for column in table.c if f"{table.name}.{column.name}" not in but]
            rows = connection.execute(select(*columns).order_by(*table.primary_key))
            found[table.name] = [tuple(row) for row in rows]
        return found


def steps_offered(shop: Shop) -> dict[str, list[str]]:
    """The kinds of questions before a person, and the next steps that each offers."""
    return {
        question.kind: [step.action for step in question.steps] for question in shop.questions()
    }


def completions_announced(shop: Shop, payment: Payment) -> int:
    """How often the outbox is about to tell that a payment is completed."""
    with shop.app.app_context():
        told = [row.body["update"] for row in db.session.scalars(select(Announcement))]
    mine = [update for update in told if update["transaction_id"] == payment.public_ref]
    return [update["status"] for update in mine].count("completed")
