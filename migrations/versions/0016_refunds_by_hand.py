"""refunds of money that no payment of ours brought"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

ONE_OF_TWO = "(payment_id IS NULL) != (supplier_id IS NULL)"
ONE_OF_THREE = (
    "(CASE WHEN payment_id IS NULL THEN 0 ELSE 1 END)"
    " + (CASE WHEN credit_id IS NULL THEN 0 ELSE 1 END)"
    " + (CASE WHEN supplier_id IS NULL THEN 0 ELSE 1 END) = 1"
)


def upgrade() -> None:
    with op.batch_alter_table("disbursements", schema=None) as batch_op:
        batch_op.add_column(
            sa.Column(
                "credit_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True
            )
        )
        batch_op.create_index(batch_op.f("ix_disbursements_credit_id"), ["credit_id"], unique=False)
        batch_op.create_foreign_key(
            batch_op.f("fk_disbursements_credit_id_credits"), "credits", ["credit_id"], ["id"]
        )
        batch_op.drop_constraint(batch_op.f("ck_disbursements_one_purpose"), type_="check")
        batch_op.create_check_constraint(
            batch_op.f("ck_disbursements_one_purpose"), sa.text(ONE_OF_THREE)
        )
        batch_op.create_check_constraint(
            batch_op.f("ck_disbursements_some_number"),
            sa.text("msisdn != '' OR channel = 'reversal'"),
        )


def downgrade() -> None:
    with op.batch_alter_table("disbursements", schema=None) as batch_op:
        batch_op.drop_constraint(batch_op.f("ck_disbursements_some_number"), type_="check")
        batch_op.drop_constraint(batch_op.f("ck_disbursements_one_purpose"), type_="check")
        batch_op.create_check_constraint(
            batch_op.f("ck_disbursements_one_purpose"), sa.text(ONE_OF_TWO)
        )
        batch_op.drop_constraint(
            batch_op.f("fk_disbursements_credit_id_credits"), type_="foreignkey"
        )
        batch_op.drop_index(batch_op.f("ix_disbursements_credit_id"))
        batch_op.drop_column("credit_id")
