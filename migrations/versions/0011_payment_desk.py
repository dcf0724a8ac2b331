"""payment desk"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_NEEDS_PERSON = sa.text("status = 'review' OR (review_reason IS NOT NULL AND reviewed_at IS NULL)")
_WAITING = sa.text("state = 'waiting'")
_NEWEST = {
    "ix_payments_newest": ["created_at", "id"],
    "ix_payments_phone_newest": ["phone", "created_at", "id"],
    "ix_payments_status_newest": ["status", "created_at", "id"],
    "ix_payments_amount_newest": ["amount_cents", "created_at", "id"],
}


def upgrade() -> None:
    op.create_table(
        "manual_settlements",
        sa.Column("id", _ID, nullable=False),
        sa.Column("payment_id", _ID, nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("receipt", sa.String(length=20), nullable=False),
        sa.Column("amount_cents", _ID, nullable=False),
        sa.Column("paid_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("seen", sa.Text(), nullable=False),
        sa.Column("proposed_by", _ID, nullable=False),
        sa.Column("proposed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("approve_until", sa.DateTime(timezone=True), nullable=False),
        sa.Column("decided_by", _ID, nullable=True),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("decided_why", sa.Text(), nullable=True),
        sa.CheckConstraint("amount_cents > 0", name=op.f("ck_manual_settlements_some_money")),
        sa.ForeignKeyConstraint(
            ["payment_id"], ["payments.id"], name=op.f("fk_manual_settlements_payment_id_payments")
        ),
        sa.ForeignKeyConstraint(
            ["proposed_by"], ["people.id"], name=op.f("fk_manual_settlements_proposed_by_people")
        ),
        sa.ForeignKeyConstraint(
            ["decided_by"], ["people.id"], name=op.f("fk_manual_settlements_decided_by_people")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_manual_settlements")),
    )
    with op.batch_alter_table("manual_settlements", schema=None) as batch_op:
        batch_op.create_index("ix_manual_settlements_payment", ["payment_id", "id"])
        batch_op.create_index("ix_manual_settlements_lapsing", ["state", "approve_until"])
        for name, column in (
            ("uq_manual_settlements_one_waiting", "payment_id"),
            ("uq_manual_settlements_receipt_waiting", "receipt"),
        ):
            batch_op.create_index(
                name, [column], unique=True, sqlite_where=_WAITING, postgresql_where=_WAITING
            )
    with op.batch_alter_table("payments", schema=None) as batch_op:
        for name, columns in _NEWEST.items():
            batch_op.create_index(name, columns)
        batch_op.create_index(
            "ix_payments_needs_person",
            ["created_at", "id"],
            sqlite_where=_NEEDS_PERSON,
            postgresql_where=_NEEDS_PERSON,
        )
    with op.batch_alter_table("callback_inbox", schema=None) as batch_op:
        batch_op.create_index("ix_callback_inbox_token_payment_id", ["token_payment_id"])


def downgrade() -> None:
    with op.batch_alter_table("callback_inbox", schema=None) as batch_op:
        batch_op.drop_index("ix_callback_inbox_token_payment_id")
    with op.batch_alter_table("payments", schema=None) as batch_op:
        for name in ("ix_payments_needs_person", *_NEWEST):
            batch_op.drop_index(name)
    op.drop_table("manual_settlements")
