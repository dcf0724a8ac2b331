"""indexes for a large shop, and how far the books are summed up"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None

_PLAIN = (
    ("ix_people_role", "people", ["role"]),
    ("ix_people_phone", "people", ["phone"]),
    ("ix_orders_status_newest", "orders", ["status", "id"]),
    ("ix_disbursements_kind_newest", "disbursements", ["kind", "id"]),
    ("ix_disbursements_kind_status", "disbursements", ["kind", "status", "id", "amount_cents"]),
    ("ix_disbursements_status_age", "disbursements", ["status", "created_at"]),
    ("ix_disbursements_completed", "disbursements", ["status", "completed_at"]),
    ("ix_disbursements_kind_completed", "disbursements", ["kind", "status", "completed_at"]),
    ("ix_float_readings_asked", "float_readings", ["shortcode", "asked_at"]),
    ("ix_audit_entries_actor_name", "audit_entries", ["actor", "id"]),
    ("ix_audit_entries_at", "audit_entries", ["at"]),
    ("ix_webhook_deliveries_state", "webhook_deliveries", ["endpoint_id", "state", "id"]),
    ("ix_webhook_deliveries_created_at", "webhook_deliveries", ["created_at"]),
)
#: Only the rows that somebody looks for, with the words for SQLite and for PostgreSQL.
_PARTIAL = (
    (
        "ix_payments_to_be_asked",
        "payments",
        "next_check_at",
        "next_check_at IS NOT NULL",
        "next_check_at IS NOT NULL",
    ),
    (
        "ix_callback_inbox_unproven",
        "callback_inbox",
        "id",
        "origin_proven IS 0 AND token_payment_id IS NULL",
        "origin_proven IS false AND token_payment_id IS NULL",
    ),
    (
        "ix_result_inbox_unproven",
        "result_inbox",
        "id",
        "origin_proven IS 0 AND token_id IS NULL",
        "origin_proven IS false AND token_id IS NULL",
    ),
    (
        "ix_credits_to_send_back",
        "credits",
        "id",
        "decision = 'set_aside' AND returned_cents < amount_cents",
        "decision = 'set_aside' AND returned_cents < amount_cents",
    ),
    (
        "ix_orders_reviewed",
        "orders",
        "id",
        "review_reason IS NOT NULL",
        "review_reason IS NOT NULL",
    ),
    (
        "ix_disbursements_flagged",
        "disbursements",
        "id",
        "review_reason IS NOT NULL AND reviewed_at IS NULL",
        "review_reason IS NOT NULL AND reviewed_at IS NULL",
    ),
    (
        "ix_payout_runs_unwritten",
        "payout_runs",
        "id",
        "written_at IS NULL",
        "written_at IS NULL",
    ),
    (
        "ix_ledger_transfers_fees",
        "ledger_transfers",
        "at",
        "debit = 'fees'",
        "debit = 'fees'",
    ),
)


def upgrade() -> None:
    op.create_table(
        "ledger_balances",
        sa.Column("account", sa.String(length=16), nullable=False),
        sa.Column("through_id", _big_id(), nullable=False),
        sa.Column("cents", _big_id(), nullable=False),
        sa.PrimaryKeyConstraint("account", name=op.f("pk_ledger_balances")),
    )
    for name, table, columns in _PLAIN:
        op.create_index(name, table, columns)
    op.create_index(
        "ix_audit_entries_action",
        "audit_entries",
        ["action", "id"],
        postgresql_ops={"action": "varchar_pattern_ops"},
    )
    for name, table, column, on_sqlite, on_postgresql in _PARTIAL:
        op.create_index(
            name,
            table,
            [column],
            sqlite_where=sa.text(on_sqlite),
            postgresql_where=sa.text(on_postgresql),
        )
    op.drop_index("ix_payments_due", "payments")
    op.drop_index("ix_credits_aside", "credits")


def downgrade() -> None:
    aside = sa.text("decision = 'set_aside'")
    op.create_index(
        "ix_credits_aside", "credits", ["id"], sqlite_where=aside, postgresql_where=aside
    )
    op.create_index("ix_payments_due", "payments", ["status", "next_check_at"])
    op.drop_index("ix_audit_entries_action", "audit_entries")
    for name, table, *_ in (*_PARTIAL, *_PLAIN):
        op.drop_index(name, table)
    op.drop_table("ledger_balances")


def _big_id() -> sa.types.TypeEngine[int]:
    return sa.BigInteger().with_variant(sa.Integer(), "sqlite")
