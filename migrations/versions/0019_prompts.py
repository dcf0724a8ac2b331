"""one prompt per phone, and asking again"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None

BIG_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
PLANNED = sa.text("ask_again_at IS NOT NULL")


def upgrade() -> None:
    op.create_table(
        "phone_prompts",
        sa.Column("phone", sa.String(length=12), nullable=False),
        sa.Column("payment_id", BIG_ID, nullable=False),
        sa.Column("busy_until", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["payment_id"], ["payments.id"], name=op.f("fk_phone_prompts_payment_id_payments")
        ),
        sa.PrimaryKeyConstraint("phone", name=op.f("pk_phone_prompts")),
        sa.UniqueConstraint("payment_id", name=op.f("uq_phone_prompts_payment_id")),
    )
    with op.batch_alter_table("payments", schema=None) as batch_op:
        batch_op.add_column(
            sa.Column("may_ask_again", sa.Boolean(), server_default=sa.false(), nullable=False)
        )
        batch_op.add_column(sa.Column("ask_again_at", sa.DateTime(timezone=True), nullable=True))
        batch_op.create_index(
            "ix_payments_ask_again",
            ["ask_again_at"],
            unique=False,
            sqlite_where=PLANNED,
            postgresql_where=PLANNED,
        )


def downgrade() -> None:
    with op.batch_alter_table("payments", schema=None) as batch_op:
        batch_op.drop_index("ix_payments_ask_again", sqlite_where=PLANNED, postgresql_where=PLANNED)
        batch_op.drop_column("ask_again_at")
        batch_op.drop_column("may_ask_again")
    op.drop_table("phone_prompts")
