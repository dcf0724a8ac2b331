"""reconciliation"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def _big() -> sa.types.TypeEngine[int]:
    return sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    _statements()
    _rows()
    _differences()
    _closes()
    _forbid_rewriting()


def _statements() -> None:
    sums = ("in_cents", "out_cents", "charges_cents", "our_in_cents", "our_out_cents")
    counts = ("in_count", "out_count", "our_in_count", "our_out_count")
    op.create_table(
        "statements",
        sa.Column("id", _big(), nullable=False),
        sa.Column("uuid", sa.Uuid(), nullable=False),
        sa.Column("source", sa.String(length=8), nullable=False),
        sa.Column("name", sa.String(length=160), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=True),
        sa.Column("shortcode", sa.String(length=12), nullable=False),
        sa.Column("account", sa.String(length=60), nullable=True),
        sa.Column("uploaded_by", _big(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("phase", sa.String(length=16), nullable=False),
        sa.Column("claims", sa.Integer(), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("claimed_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("bytes_total", _big(), nullable=False),
        sa.Column("bytes_done", _big(), nullable=False),
        sa.Column("rows_read", sa.Integer(), nullable=False),
        sa.Column("problem", sa.Text(), nullable=True),
        sa.Column("doubts", sa.JSON(), nullable=False),
        sa.Column("period_from", sa.DateTime(timezone=True), nullable=True),
        sa.Column("period_to", sa.DateTime(timezone=True), nullable=True),
        sa.Column("opening_cents", _big(), nullable=True),
        sa.Column("closing_cents", _big(), nullable=True),
        *(sa.Column(name, sa.Integer(), nullable=False) for name in counts),
        *(sa.Column(name, _big(), nullable=False) for name in sums),
        sa.Column("cut_short", sa.Boolean(), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["uploaded_by"], ["people.id"], name=op.f("fk_statements_uploaded_by_people")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_statements")),
        sa.UniqueConstraint("digest", name=op.f("uq_statements_digest")),
        sa.UniqueConstraint("uuid", name=op.f("uq_statements_uuid")),
    )
    with op.batch_alter_table("statements", schema=None) as batch_op:
        batch_op.create_index("ix_statements_phase", ["phase", "claimed_until"], unique=False)


def _rows() -> None:
    op.create_table(
        "statement_rows",
        sa.Column("id", _big(), nullable=False),
        sa.Column("statement_id", _big(), nullable=False),
        sa.Column("line", sa.Integer(), nullable=False),
        sa.Column("receipt", sa.String(length=20), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("kind", sa.String(length=8), nullable=False),
        sa.Column("cents", _big(), nullable=False),
        sa.Column("completed", sa.Boolean(), nullable=False),
        sa.Column("details", sa.String(length=255), nullable=False),
        sa.Column("party", sa.String(length=160), nullable=False),
        sa.Column("account_ref", sa.String(length=40), nullable=False),
        sa.Column("linked", sa.String(length=20), nullable=False),
        sa.ForeignKeyConstraint(
            ["statement_id"],
            ["statements.id"],
            name=op.f("fk_statement_rows_statement_id_statements"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_statement_rows")),
    )
    with op.batch_alter_table("statement_rows", schema=None) as batch_op:
        batch_op.create_index(
            "ix_statement_rows_of", ["statement_id", "kind", "receipt"], unique=False
        )


def _differences() -> None:
    op.create_table(
        "statement_differences",
        sa.Column("id", _big(), nullable=False),
        sa.Column("statement_id", _big(), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("receipt", sa.String(length=20), nullable=True),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("theirs_cents", _big(), nullable=False),
        sa.Column("ours_cents", _big(), nullable=False),
        sa.Column("subject", sa.String(length=40), nullable=True),
        sa.Column("what", sa.String(length=400), nullable=False),
        sa.Column("resolution", sa.String(length=16), nullable=True),
        sa.Column("resolved_by", _big(), nullable=True),
        sa.Column("resolved_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("why", sa.Text(), nullable=True),
        sa.Column("credit_id", _big(), nullable=True),
        sa.ForeignKeyConstraint(
            ["credit_id"], ["credits.id"], name=op.f("fk_statement_differences_credit_id_credits")
        ),
        sa.ForeignKeyConstraint(
            ["resolved_by"], ["people.id"], name=op.f("fk_statement_differences_resolved_by_people")
        ),
        sa.ForeignKeyConstraint(
            ["statement_id"],
            ["statements.id"],
            name=op.f("fk_statement_differences_statement_id_statements"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_statement_differences")),
    )
    with op.batch_alter_table("statement_differences", schema=None) as batch_op:
        batch_op.create_index(
            "ix_statement_differences_of", ["statement_id", "kind", "id"], unique=False
        )
        batch_op.create_index(op.f("ix_statement_differences_receipt"), ["receipt"], unique=False)


def _closes() -> None:
    op.create_table(
        "daily_closes",
        sa.Column("id", _big(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("collected_count", sa.Integer(), nullable=False),
        sa.Column("collected_cents", _big(), nullable=False),
        sa.Column("refunded_cents", _big(), nullable=False),
        sa.Column("paid_out_cents", _big(), nullable=False),
        sa.Column("fees_cents", _big(), nullable=False),
        sa.Column("open_questions", sa.Integer(), nullable=False),
        sa.Column("statement_id", _big(), nullable=True),
        sa.Column("difference_cents", _big(), nullable=True),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("closed_by", _big(), nullable=False),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["closed_by"], ["people.id"], name=op.f("fk_daily_closes_closed_by_people")
        ),
        sa.ForeignKeyConstraint(
            ["statement_id"],
            ["statements.id"],
            name=op.f("fk_daily_closes_statement_id_statements"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_daily_closes")),
        sa.UniqueConstraint("day", name=op.f("uq_daily_closes_day")),
    )


def _forbid_rewriting() -> None:
    """Have the database itself refuse to change or delete a day that was closed."""
    if op.get_bind().dialect.name == "postgresql":
        op.execute(
            "CREATE FUNCTION daily_close_is_final() RETURNS trigger LANGUAGE plpgsql AS "
            "$$ BEGIN RAISE EXCEPTION 'a closed day is not changed'; END $$"
        )
        op.execute(
            "CREATE TRIGGER daily_close_final BEFORE UPDATE OR DELETE ON daily_closes "
            "FOR EACH ROW EXECUTE FUNCTION daily_close_is_final()"
        )
        return
    for verb in ("UPDATE", "DELETE"):
        op.execute(
            f"CREATE TRIGGER daily_close_no_{verb.lower()} BEFORE {verb} ON daily_closes "
            "BEGIN SELECT RAISE(ABORT, 'a closed day is not changed'); END"
        )


def downgrade() -> None:
    for table in ("daily_closes", "statement_differences", "statement_rows", "statements"):
        op.drop_table(table)
    if op.get_bind().dialect.name == "postgresql":
        op.execute("DROP FUNCTION daily_close_is_final()")
