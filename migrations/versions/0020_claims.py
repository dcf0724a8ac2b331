"""what shoppers say they have paid"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "claims",
        sa.Column("id", _ID, nullable=False),
        sa.Column("order_id", _ID, nullable=False),
        sa.Column("person_id", _ID, nullable=True),
        sa.Column("door", sa.String(length=16), nullable=False),
        sa.Column("code", sa.String(length=20), nullable=False),
        sa.Column("amount_cents", _ID, nullable=True),
        sa.Column("paid_at", _MOMENT, nullable=True),
        sa.Column("paid_to", sa.String(length=80), nullable=True),
        sa.Column("account", sa.String(length=40), nullable=True),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("state", sa.String(length=12), nullable=False),
        sa.Column("reason", sa.String(length=32), nullable=True),
        sa.Column("answer", sa.String(length=500), nullable=True),
        sa.Column("verdict", sa.String(length=255), nullable=True),
        sa.Column("found_cents", _ID, nullable=True),
        sa.Column("found_phone", sa.String(length=12), nullable=True),
        sa.Column("found_receiver", sa.String(length=80), nullable=True),
        sa.Column("found_at", _MOMENT, nullable=True),
        sa.Column("created_at", _MOMENT, nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("next_try_at", _MOMENT, nullable=True),
        sa.Column("query_token", sa.String(length=64), nullable=True),
        sa.Column("decided_at", _MOMENT, nullable=True),
        sa.Column("decided_by", sa.String(length=80), nullable=True),
        sa.ForeignKeyConstraint(["order_id"], ["orders.id"], name="fk_claims_order_id_orders"),
        sa.ForeignKeyConstraint(["person_id"], ["people.id"], name="fk_claims_person_id_people"),
        sa.PrimaryKeyConstraint("id", name="pk_claims"),
        sa.UniqueConstraint("query_token", name="uq_claims_query_token"),
    )
    _index("uq_claims_one_open_per_order", ["order_id"], "state IN ('checking', 'with_person')")
    _index("uq_claims_code_settled", ["code"], "state = 'settled'")
    op.create_index("ix_claims_order", "claims", ["order_id", "id"])
    _index("ix_claims_due", ["next_try_at"], "state = 'checking'", unique=False)
    _index("ix_claims_waiting", ["id"], "state = 'with_person'", unique=False)


def downgrade() -> None:
    op.drop_table("claims")


def _index(name: str, columns: list[str], where: str, *, unique: bool = True) -> None:
    op.create_index(
        name,
        "claims",
        columns,
        unique=unique,
        sqlite_where=sa.text(where),
        postgresql_where=sa.text(where),
    )
