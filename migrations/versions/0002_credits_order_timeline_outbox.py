"""credits, order timeline, outbox"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "outbox",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("topic", sa.String(length=32), nullable=False),
        sa.Column("body", sa.JSON(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_outbox")),
    )
    op.create_table(
        "order_timeline",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("order_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("event", sa.String(length=32), nullable=False),
        sa.Column("from_status", sa.String(length=16), nullable=False),
        sa.Column("to_status", sa.String(length=16), nullable=False),
        sa.Column("actor", sa.String(length=80), nullable=False),
        sa.Column("why", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["order_id"], ["orders.id"], name=op.f("fk_order_timeline_order_id_orders")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_order_timeline")),
    )
    with op.batch_alter_table("order_timeline", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_order_timeline_order_id"), ["order_id"], unique=False)

    op.create_table(
        "credits",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("order_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column(
            "payment_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True
        ),
        sa.Column(
            "amount_cents", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column("receipt", sa.String(length=20), nullable=True),
        sa.Column("phone", sa.String(length=64), nullable=True),
        sa.Column("standing", sa.String(length=16), nullable=False),
        sa.Column("evidence", sa.String(length=32), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("decision", sa.String(length=16), nullable=True),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("decided_by", sa.String(length=80), nullable=True),
        sa.Column("decided_why", sa.Text(), nullable=True),
        sa.CheckConstraint("amount_cents > 0", name=op.f("ck_credits_some_money")),
        sa.ForeignKeyConstraint(
            ["order_id"], ["orders.id"], name=op.f("fk_credits_order_id_orders")
        ),
        sa.ForeignKeyConstraint(
            ["payment_id"], ["payments.id"], name=op.f("fk_credits_payment_id_payments")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_credits")),
        sa.UniqueConstraint("payment_id", name=op.f("uq_credits_payment_id")),
        sa.UniqueConstraint("receipt", name=op.f("uq_credits_receipt")),
    )
    with op.batch_alter_table("credits", schema=None) as batch_op:
        batch_op.create_index(
            "ix_credits_open",
            ["id"],
            unique=False,
            sqlite_where=sa.text("standing != 'exact' AND decided_at IS NULL"),
            postgresql_where=sa.text("standing != 'exact' AND decided_at IS NULL"),
        )
        batch_op.create_index(batch_op.f("ix_credits_order_id"), ["order_id"], unique=False)

    op.add_column(
        "callback_inbox", sa.Column("tries", sa.Integer(), nullable=False, server_default="0")
    )
    op.add_column("callback_inbox", sa.Column("next_try_at", sa.DateTime(timezone=True)))
    op.create_index("ix_callback_inbox_due", "callback_inbox", ["next_try_at"])

    op.add_column("payments", sa.Column("reviewed_at", sa.DateTime(timezone=True), nullable=True))
    _carry_over()
    # Not in batch mode: SQLite would copy the table and drop the old one, which the rows that
    # refer to it forbid.
    op.drop_column("payments", "received_cents")


def _carry_over() -> None:
    """Make a credit of what each payment has received, and a first line for each order."""
    op.execute(
        """
        INSERT INTO credits
            (order_id, payment_id, amount_cents, receipt, phone, standing, evidence, created_at)
        SELECT p.order_id, p.id, p.received_cents, p.mpesa_receipt, p.phone,
            CASE
                WHEN p.status = 'completed' THEN 'exact'
                WHEN p.received_cents < p.amount_cents THEN 'short'
                WHEN p.received_cents > p.amount_cents THEN 'over'
                WHEN p.review_reason = 'order_was_paid' THEN 'second'
                ELSE 'late'
            END,
            COALESCE(p.evidence, 'query'), COALESCE(p.completed_at, p.created_at)
        FROM payments p WHERE p.received_cents > 0
        """
    )
    op.execute(
        """
        INSERT INTO order_timeline (order_id, at, event, from_status, to_status, actor, why)
        SELECT id, created_at, 'placed', '', status, 'migration', 'as it was before timelines'
        FROM orders
        """
    )


def downgrade() -> None:
    op.add_column("payments", sa.Column("received_cents", sa.BigInteger(), nullable=True))
    op.execute(
        """
        UPDATE payments SET received_cents =
            (SELECT amount_cents FROM credits WHERE credits.payment_id = payments.id)
        """
    )
    op.drop_column("payments", "reviewed_at")
    op.drop_index("ix_callback_inbox_due", "callback_inbox")
    op.drop_column("callback_inbox", "next_try_at")
    op.drop_column("callback_inbox", "tries")

    with op.batch_alter_table("credits", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_credits_order_id"))
        batch_op.drop_index(
            "ix_credits_open",
            sqlite_where=sa.text("standing != 'exact' AND decided_at IS NULL"),
            postgresql_where=sa.text("standing != 'exact' AND decided_at IS NULL"),
        )

    op.drop_table("credits")
    with op.batch_alter_table("order_timeline", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_order_timeline_order_id"))

    op.drop_table("order_timeline")
    op.drop_table("outbox")
