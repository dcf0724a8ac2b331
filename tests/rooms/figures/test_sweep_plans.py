"""What is asked every few seconds, or by each visit of the back office, has an index of its own."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date

import pytest
from sqlalchemy import text

from app.accounts import people
from app.disbursements import questions as out_questions
from app.disbursements import results
from app.extensions import db
from app.payments import engine, keeping, questions
from app.reconciliation import closing
from tests.rooms.figures.test_plans import _listening as listening
from tests.rooms.figures.test_plans import _plan as plan
from tests.support.app import Shop

#: By the index that only the few rows of such a question stand in.
ASKED: dict[str, Callable[[], object]] = {
    "ix_payments_to_be_asked": engine._due_ids,
    "ix_callback_inbox_unproven": keeping.prune,
    "ix_result_inbox_unproven": results.prune,
    "ix_orders_reviewed": questions.open_questions,
    "ix_disbursements_flagged": out_questions.open_questions,
    "ix_payout_runs_unwritten": out_questions.open_questions,
    "ix_credits_to_send_back": out_questions.to_send_back,
    "ix_ledger_transfers_fees": lambda: closing.figures(date(2026, 11, 20)),
    "ix_people_role": people.staff,
}


@pytest.mark.parametrize("index", ASKED)
def test_it_reads_no_more_than_the_rows_that_it_is_about(shop: Shop, index: str) -> None:
    with shop.app.app_context():
        with listening() as asked:
            ASKED[index]()
        db.session.rollback()
        with db.engine.connect() as connection:
            if connection.dialect.name == "postgresql":
                # A table this small is read whole unless that is made dear.
                connection.execute(text("SET LOCAL enable_seqscan = off"))
            reads = [it for it in asked if it[0].startswith("SELECT")]
            plans = [line for each in reads for line in plan(connection, *each)]
    assert any(index in line for line in plans), plans
