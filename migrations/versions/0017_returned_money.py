"""what of each credit has gone back"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("credits", schema=None) as batch_op:
        batch_op.add_column(
            sa.Column(
                "returned_cents",
                sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
                server_default="0",
                nullable=False,
            )
        )
    op.execute(
        "UPDATE credits SET returned_cents = (SELECT COALESCE(SUM(d.amount_cents), 0) "
        "FROM disbursements d WHERE d.kind = 'refund' AND d.status = 'completed' "
        "AND (d.credit_id = credits.id OR d.payment_id = credits.payment_id))"
    )


def downgrade() -> None:
    with op.batch_alter_table("credits", schema=None) as batch_op:
        batch_op.drop_column("returned_cents")
