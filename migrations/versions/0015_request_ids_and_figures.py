"""request ids in the timelines, and what the dashboard looks credits up by"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

TIMELINES = ("payment_timeline", "order_timeline", "disbursement_timeline")
ASIDE = sa.text("decision = 'set_aside'")


def upgrade() -> None:
    for name in TIMELINES:
        with op.batch_alter_table(name, schema=None) as batch_op:
            batch_op.add_column(sa.Column("request_id", sa.String(length=64), nullable=True))
    with op.batch_alter_table("credits", schema=None) as batch_op:
        batch_op.create_index("ix_credits_created_at", ["created_at"], unique=False)
        batch_op.create_index(
            "ix_credits_aside", ["id"], unique=False, sqlite_where=ASIDE, postgresql_where=ASIDE
        )


def downgrade() -> None:
    with op.batch_alter_table("credits", schema=None) as batch_op:
        batch_op.drop_index("ix_credits_aside", sqlite_where=ASIDE, postgresql_where=ASIDE)
        batch_op.drop_index("ix_credits_created_at")
    for name in reversed(TIMELINES):
        with op.batch_alter_table(name, schema=None) as batch_op:
            batch_op.drop_column("request_id")
