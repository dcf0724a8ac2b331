"""paybill"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "c2b_registrations",
        sa.Column("id", _ID, nullable=False),
        sa.Column("shortcode", sa.String(length=12), nullable=False),
        sa.Column("version", sa.String(length=4), nullable=False),
        sa.Column("response_type", sa.String(length=12), nullable=False),
        sa.Column("root", sa.String(length=255), nullable=False),
        sa.Column("sealed_token", sa.LargeBinary(), nullable=False),
        sa.Column("token_hash", sa.String(length=64), nullable=False),
        sa.Column("state", sa.String(length=12), nullable=False),
        sa.Column("told", sa.String(length=500), nullable=False),
        sa.Column("asked_by", sa.String(length=255), nullable=False),
        sa.Column("asked_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ends_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_c2b_registrations")),
        sa.UniqueConstraint("token_hash", name=op.f("uq_c2b_registrations_token_hash")),
    )
    op.create_table(
        "setting_proofs",
        sa.Column("id", _ID, nullable=False),
        sa.Column("name", sa.String(length=32), nullable=False),
        sa.Column("state", sa.String(length=12), nullable=False),
        sa.Column("told", sa.String(length=500), nullable=False),
        sa.Column("proven_by", sa.String(length=255), nullable=False),
        sa.Column("proven_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("environment", sa.String(length=12), nullable=False),
        sa.Column("fingerprint", sa.String(length=64), nullable=False),
        sa.Column("token", sa.String(length=64), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_setting_proofs")),
        sa.UniqueConstraint("name", name=op.f("uq_setting_proofs_name")),
        sa.UniqueConstraint("token", name=op.f("uq_setting_proofs_token")),
    )
    _create_notices()
    with op.batch_alter_table("credits", schema=None) as batch_op:
        batch_op.add_column(sa.Column("account", sa.String(length=64), nullable=True))


def _create_notices() -> None:
    op.create_table(
        "c2b_notices",
        sa.Column("id", _ID, nullable=False),
        sa.Column("natural_key", sa.String(length=64), nullable=False),
        sa.Column("kind", sa.String(length=12), nullable=False),
        sa.Column("peer", sa.String(length=64), nullable=False),
        sa.Column("headers", sa.JSON(), nullable=False),
        sa.Column("raw", sa.LargeBinary(), nullable=False),
        sa.Column("origin_proven", sa.Boolean(), nullable=False),
        sa.Column("registration_id", _ID, nullable=True),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("state", sa.String(length=12), nullable=False),
        sa.Column("verdict", sa.String(length=255), nullable=True),
        sa.Column("receipt", sa.String(length=20), nullable=True),
        sa.Column("amount_cents", _ID, nullable=True),
        sa.Column("account", sa.String(length=64), nullable=True),
        sa.Column("order_id", _ID, nullable=True),
        sa.Column("credit_id", _ID, nullable=True),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("next_try_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("evidence", sa.String(length=32), nullable=True),
        sa.Column("query_token", sa.String(length=64), nullable=True),
        sa.ForeignKeyConstraint(
            ["registration_id"],
            ["c2b_registrations.id"],
            name=op.f("fk_c2b_notices_registration_id_c2b_registrations"),
        ),
        sa.ForeignKeyConstraint(
            ["order_id"], ["orders.id"], name=op.f("fk_c2b_notices_order_id_orders")
        ),
        sa.ForeignKeyConstraint(
            ["credit_id"], ["credits.id"], name=op.f("fk_c2b_notices_credit_id_credits")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_c2b_notices")),
        sa.UniqueConstraint("natural_key", name=op.f("uq_c2b_notices_natural_key")),
        sa.UniqueConstraint("query_token", name=op.f("uq_c2b_notices_query_token")),
    )
    with op.batch_alter_table("c2b_notices", schema=None) as batch_op:
        batch_op.create_index("ix_c2b_notices_unhandled", ["state", "next_try_at"], unique=False)
        batch_op.create_index("ix_c2b_notices_receipt", ["receipt"], unique=False)
        batch_op.create_index(op.f("ix_c2b_notices_order_id"), ["order_id"], unique=False)


def downgrade() -> None:
    op.drop_table("c2b_notices")
    op.drop_table("setting_proofs")
    op.drop_table("c2b_registrations")
    with op.batch_alter_table("credits", schema=None) as batch_op:
        batch_op.drop_column("account")
