"""money out"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "float_readings",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("shortcode", sa.String(length=12), nullable=False),
        sa.Column("token", sa.String(length=64), nullable=False),
        sa.Column("asked_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("answered_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column(
            "utility_cents", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True
        ),
        sa.Column(
            "working_cents", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True
        ),
        sa.Column(
            "charges_cents", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True
        ),
        sa.Column("source", sa.String(length=40), nullable=False),
        sa.Column("problem", sa.String(length=255), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_float_readings")),
        sa.UniqueConstraint("token", name=op.f("uq_float_readings_token")),
    )
    with op.batch_alter_table("float_readings", schema=None) as batch_op:
        batch_op.create_index(
            "ix_float_readings_newest", ["shortcode", "answered_at"], unique=False
        )

    op.create_table(
        "ledger_transfers",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("key", sa.String(length=80), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("debit", sa.String(length=16), nullable=False),
        sa.Column("credit", sa.String(length=16), nullable=False),
        sa.Column(
            "amount_cents", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column("subject", sa.String(length=40), nullable=False),
        sa.Column("what", sa.String(length=160), nullable=False),
        sa.CheckConstraint("amount_cents > 0", name=op.f("ck_ledger_transfers_some_money")),
        sa.CheckConstraint("debit != credit", name=op.f("ck_ledger_transfers_two_accounts")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_ledger_transfers")),
        sa.UniqueConstraint("key", name=op.f("uq_ledger_transfers_key")),
    )
    with op.batch_alter_table("ledger_transfers", schema=None) as batch_op:
        batch_op.create_index("ix_ledger_transfers_subject", ["subject"], unique=False)

    op.create_table(
        "payout_runs",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("uuid", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(length=120), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column(
            "total_cents", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column("rows", sa.Integer(), nullable=False),
        sa.Column("sheet", sa.JSON(), nullable=False),
        sa.Column("made_by", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("asked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("written_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("approval_why", sa.String(length=200), nullable=True),
        sa.Column(
            "approved_by", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True
        ),
        sa.Column("approved_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["approved_by"], ["people.id"], name=op.f("fk_payout_runs_approved_by_people")
        ),
        sa.ForeignKeyConstraint(
            ["made_by"], ["people.id"], name=op.f("fk_payout_runs_made_by_people")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_payout_runs")),
        sa.UniqueConstraint("uuid", name=op.f("uq_payout_runs_uuid")),
    )
    with op.batch_alter_table("payout_runs", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_payout_runs_digest"), ["digest"], unique=False)

    op.create_table(
        "suppliers",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("uuid", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(length=120), nullable=False),
        sa.Column("mpesa_number", sa.String(length=12), nullable=False),
        sa.Column("email", sa.String(length=254), nullable=True),
        sa.Column("notes", sa.Text(), nullable=False),
        sa.Column("is_active", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column(
            "created_by", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.ForeignKeyConstraint(
            ["created_by"], ["people.id"], name=op.f("fk_suppliers_created_by_people")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_suppliers")),
        sa.UniqueConstraint("uuid", name=op.f("uq_suppliers_uuid")),
    )
    with op.batch_alter_table("suppliers", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_suppliers_mpesa_number"), ["mpesa_number"], unique=False
        )

    op.create_table(
        "supplier_number_changes",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column(
            "supplier_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column("previous", sa.String(length=12), nullable=True),
        sa.Column("number", sa.String(length=12), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column(
            "changed_by", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("proved_by", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("proved_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["changed_by"], ["people.id"], name=op.f("fk_supplier_number_changes_changed_by_people")
        ),
        sa.ForeignKeyConstraint(
            ["proved_by"], ["people.id"], name=op.f("fk_supplier_number_changes_proved_by_people")
        ),
        sa.ForeignKeyConstraint(
            ["supplier_id"],
            ["suppliers.id"],
            name=op.f("fk_supplier_number_changes_supplier_id_suppliers"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_supplier_number_changes")),
    )
    with op.batch_alter_table("supplier_number_changes", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_supplier_number_changes_supplier_id"), ["supplier_id"], unique=False
        )

    op.create_table(
        "disbursements",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("uuid", sa.Uuid(), nullable=False),
        sa.Column("public_ref", sa.String(length=20), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column(
            "payment_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True
        ),
        sa.Column(
            "supplier_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True
        ),
        sa.Column("run_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column(
            "amount_cents", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column(
            "charge_cents", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True
        ),
        sa.Column("msisdn", sa.String(length=12), nullable=False),
        sa.Column("channel", sa.String(length=16), nullable=False),
        sa.Column("channel_why", sa.String(length=200), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("status", sa.String(length=24), nullable=False),
        sa.Column("held", sa.String(length=32), nullable=True),
        sa.Column("asked_by", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("approval_why", sa.String(length=200), nullable=True),
        sa.Column("approve_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column(
            "approved_by", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True
        ),
        sa.Column("approved_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("form_key", sa.String(length=64), nullable=True),
        sa.Column("token", sa.String(length=64), nullable=False),
        sa.Column("originator_id", sa.String(length=64), nullable=False),
        sa.Column("conversation_id", sa.String(length=128), nullable=True),
        sa.Column("daraja_originator_id", sa.String(length=128), nullable=True),
        sa.Column("receipt", sa.String(length=20), nullable=True),
        sa.Column("receiver_name", sa.String(length=160), nullable=True),
        sa.Column("result_code", sa.String(length=32), nullable=True),
        sa.Column("result_desc", sa.String(length=500), nullable=True),
        sa.Column("failure", sa.String(length=32), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("sends", sa.Integer(), nullable=False),
        sa.Column("sent_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("completed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("next_check_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("checks", sa.Integer(), nullable=False),
        sa.Column("last_asked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("query_token", sa.String(length=64), nullable=True),
        sa.Column("review_reason", sa.String(length=64), nullable=True),
        sa.Column("reviewed_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "(payment_id IS NULL) != (supplier_id IS NULL)",
            name=op.f("ck_disbursements_one_purpose"),
        ),
        sa.CheckConstraint("amount_cents > 0", name=op.f("ck_disbursements_some_money")),
        sa.ForeignKeyConstraint(
            ["approved_by"], ["people.id"], name=op.f("fk_disbursements_approved_by_people")
        ),
        sa.ForeignKeyConstraint(
            ["asked_by"], ["people.id"], name=op.f("fk_disbursements_asked_by_people")
        ),
        sa.ForeignKeyConstraint(
            ["payment_id"], ["payments.id"], name=op.f("fk_disbursements_payment_id_payments")
        ),
        sa.ForeignKeyConstraint(
            ["run_id"], ["payout_runs.id"], name=op.f("fk_disbursements_run_id_payout_runs")
        ),
        sa.ForeignKeyConstraint(
            ["supplier_id"], ["suppliers.id"], name=op.f("fk_disbursements_supplier_id_suppliers")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_disbursements")),
        sa.UniqueConstraint("form_key", name=op.f("uq_disbursements_form_key")),
        sa.UniqueConstraint("originator_id", name=op.f("uq_disbursements_originator_id")),
        sa.UniqueConstraint("public_ref", name=op.f("uq_disbursements_public_ref")),
        sa.UniqueConstraint("query_token", name=op.f("uq_disbursements_query_token")),
        sa.UniqueConstraint("receipt", name=op.f("uq_disbursements_receipt")),
        sa.UniqueConstraint("token", name=op.f("uq_disbursements_token")),
        sa.UniqueConstraint("uuid", name=op.f("uq_disbursements_uuid")),
    )
    with op.batch_alter_table("disbursements", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_disbursements_conversation_id"), ["conversation_id"], unique=False
        )
        batch_op.create_index("ix_disbursements_due", ["next_check_at"], unique=False)
        batch_op.create_index(
            batch_op.f("ix_disbursements_payment_id"), ["payment_id"], unique=False
        )
        batch_op.create_index(batch_op.f("ix_disbursements_run_id"), ["run_id"], unique=False)
        batch_op.create_index("ix_disbursements_status_newest", ["status", "id"], unique=False)
        batch_op.create_index(
            batch_op.f("ix_disbursements_supplier_id"), ["supplier_id"], unique=False
        )

    op.create_table(
        "disbursement_timeline",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column(
            "disbursement_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("event", sa.String(length=32), nullable=False),
        sa.Column("from_status", sa.String(length=24), nullable=False),
        sa.Column("to_status", sa.String(length=24), nullable=False),
        sa.Column("actor", sa.String(length=80), nullable=False),
        sa.Column("why", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["disbursement_id"],
            ["disbursements.id"],
            name=op.f("fk_disbursement_timeline_disbursement_id_disbursements"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_disbursement_timeline")),
    )
    with op.batch_alter_table("disbursement_timeline", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_disbursement_timeline_disbursement_id"),
            ["disbursement_id"],
            unique=False,
        )

    op.create_table(
        "result_inbox",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("natural_key", sa.String(length=64), nullable=False),
        sa.Column("path", sa.String(length=255), nullable=False),
        sa.Column("peer", sa.String(length=64), nullable=False),
        sa.Column("headers", sa.JSON(), nullable=False),
        sa.Column("raw", sa.LargeBinary(), nullable=False),
        sa.Column("origin_proven", sa.Boolean(), nullable=False),
        sa.Column("about", sa.String(length=16), nullable=False),
        sa.Column("token_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column(
            "disbursement_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True
        ),
        sa.Column("verdict", sa.String(length=255), nullable=True),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("handled_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("next_try_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["disbursement_id"],
            ["disbursements.id"],
            name=op.f("fk_result_inbox_disbursement_id_disbursements"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_result_inbox")),
        sa.UniqueConstraint("natural_key", name=op.f("uq_result_inbox_natural_key")),
    )
    with op.batch_alter_table("result_inbox", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_result_inbox_disbursement_id"), ["disbursement_id"], unique=False
        )
        batch_op.create_index("ix_result_inbox_unhandled", ["handled_at", "id"], unique=False)

    _post_what_came_in()
    _forbid_rewriting()


def _post_what_came_in() -> None:
    """Give the credits that stand already their place in the books."""
    op.execute(
        "INSERT INTO ledger_transfers (key, at, debit, credit, amount_cents, subject, what) "
        "SELECT 'credit:' || id, created_at, 'mpesa', "
        "CASE WHEN standing = 'exact' THEN 'sales' ELSE 'unplaced' END, "
        "amount_cents, 'credit ' || id, standing || ' money' FROM credits ORDER BY id"
    )
    op.execute(
        "INSERT INTO ledger_transfers (key, at, debit, credit, amount_cents, subject, what) "
        "SELECT 'credit:' || id || '\\:placed', decided_at, 'unplaced', 'sales', "
        "amount_cents, 'credit ' || id, decision FROM credits "
        "WHERE standing != 'exact' AND decision IN ('accepted', 'rest_asked', 'assigned') "
        "AND decided_at IS NOT NULL ORDER BY id"
    )


def _forbid_rewriting() -> None:
    """Have the database itself refuse to change or delete a line of the books."""
    if op.get_bind().dialect.name == "postgresql":
        op.execute(
            "CREATE FUNCTION ledger_is_append_only() RETURNS trigger LANGUAGE plpgsql AS "
            "$$ BEGIN RAISE EXCEPTION 'the ledger is append-only'; END $$"
        )
        op.execute(
            "CREATE TRIGGER ledger_append_only BEFORE UPDATE OR DELETE ON ledger_transfers "
            "FOR EACH ROW EXECUTE FUNCTION ledger_is_append_only()"
        )
        return
    for verb in ("UPDATE", "DELETE"):
        op.execute(
            f"CREATE TRIGGER ledger_no_{verb.lower()} BEFORE {verb} ON ledger_transfers "
            "BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END"
        )


def downgrade() -> None:
    with op.batch_alter_table("result_inbox", schema=None) as batch_op:
        batch_op.drop_index("ix_result_inbox_unhandled")
        batch_op.drop_index(batch_op.f("ix_result_inbox_disbursement_id"))

    op.drop_table("result_inbox")
    with op.batch_alter_table("disbursement_timeline", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_disbursement_timeline_disbursement_id"))

    op.drop_table("disbursement_timeline")
    with op.batch_alter_table("disbursements", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_disbursements_supplier_id"))
        batch_op.drop_index("ix_disbursements_status_newest")
        batch_op.drop_index(batch_op.f("ix_disbursements_run_id"))
        batch_op.drop_index(batch_op.f("ix_disbursements_payment_id"))
        batch_op.drop_index("ix_disbursements_due")
        batch_op.drop_index(batch_op.f("ix_disbursements_conversation_id"))

    op.drop_table("disbursements")
    with op.batch_alter_table("supplier_number_changes", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_supplier_number_changes_supplier_id"))

    op.drop_table("supplier_number_changes")
    with op.batch_alter_table("suppliers", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_suppliers_mpesa_number"))

    op.drop_table("suppliers")
    with op.batch_alter_table("payout_runs", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_payout_runs_digest"))

    op.drop_table("payout_runs")
    with op.batch_alter_table("ledger_transfers", schema=None) as batch_op:
        batch_op.drop_index("ix_ledger_transfers_subject")

    op.drop_table("ledger_transfers")
    with op.batch_alter_table("float_readings", schema=None) as batch_op:
        batch_op.drop_index("ix_float_readings_newest")

    op.drop_table("float_readings")
    if op.get_bind().dialect.name == "postgresql":
        op.execute("DROP FUNCTION ledger_is_append_only()")
