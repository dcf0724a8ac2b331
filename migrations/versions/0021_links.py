"""links to an order and to a receipt"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None


def upgrade() -> None:
    big_id = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    moment = sa.DateTime(timezone=True)
    op.create_table(
        "shared_links",
        sa.Column("id", big_id, nullable=False),
        sa.Column("order_id", big_id, nullable=False),
        sa.Column("opens", sa.String(length=16), nullable=False),
        sa.Column("seed", sa.String(length=64), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("made_by", big_id, nullable=False),
        sa.Column("made_at", moment, nullable=False),
        sa.Column("ended_at", moment, nullable=True),
        sa.ForeignKeyConstraint(
            ["order_id"], ["orders.id"], name=op.f("fk_shared_links_order_id_orders")
        ),
        sa.ForeignKeyConstraint(
            ["made_by"], ["people.id"], name=op.f("fk_shared_links_made_by_people")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_shared_links")),
        sa.UniqueConstraint("digest", name=op.f("uq_shared_links_digest")),
    )
    with op.batch_alter_table("shared_links", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_shared_links_order_id"), ["order_id"], unique=False)
        batch_op.create_index(
            "uq_shared_links_one_open",
            ["order_id", "opens"],
            unique=True,
            sqlite_where=sa.text("ended_at IS NULL"),
            postgresql_where=sa.text("ended_at IS NULL"),
        )
    op.create_table(
        "order_qrs",
        sa.Column("id", big_id, nullable=False),
        sa.Column("order_id", big_id, nullable=False),
        sa.Column("amount_cents", big_id, nullable=False),
        sa.Column("asked_at", moment, nullable=False),
        sa.Column("png", sa.LargeBinary(), nullable=True),
        sa.ForeignKeyConstraint(
            ["order_id"], ["orders.id"], name=op.f("fk_order_qrs_order_id_orders")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_order_qrs")),
        sa.UniqueConstraint(
            "order_id", "amount_cents", name=op.f("uq_order_qrs_order_id_amount_cents")
        ),
    )


def downgrade() -> None:
    op.drop_table("order_qrs")
    op.drop_table("shared_links")
