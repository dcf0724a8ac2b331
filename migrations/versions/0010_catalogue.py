"""catalogue"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "pictures",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("width", sa.Integer(), nullable=False),
        sa.Column("height", sa.Integer(), nullable=False),
        sa.Column("data", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_pictures")),
        sa.UniqueConstraint("sha256", name=op.f("uq_pictures_sha256")),
    )
    op.create_table(
        "product_photos",
        sa.Column(
            "product_id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=False,
            nullable=False,
        ),
        sa.Column("large_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("small_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("alt", sa.String(length=160), nullable=False),
        sa.ForeignKeyConstraint(
            ["large_id"], ["pictures.id"], name=op.f("fk_product_photos_large_id_pictures")
        ),
        sa.ForeignKeyConstraint(
            ["product_id"], ["products.id"], name=op.f("fk_product_photos_product_id_products")
        ),
        sa.ForeignKeyConstraint(
            ["small_id"], ["pictures.id"], name=op.f("fk_product_photos_small_id_pictures")
        ),
        sa.PrimaryKeyConstraint("product_id", name=op.f("pk_product_photos")),
    )
    op.create_table(
        "order_notes",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("order_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column(
            "person_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("form_key", sa.String(length=64), nullable=False),
        sa.ForeignKeyConstraint(
            ["order_id"], ["orders.id"], name=op.f("fk_order_notes_order_id_orders")
        ),
        sa.ForeignKeyConstraint(
            ["person_id"], ["people.id"], name=op.f("fk_order_notes_person_id_people")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_order_notes")),
        sa.UniqueConstraint("form_key", name=op.f("uq_order_notes_form_key")),
    )
    with op.batch_alter_table("order_notes", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_order_notes_order_id"), ["order_id"], unique=False)

    # Added in place: SQLite would otherwise copy the table, and lose what checks its prices.
    op.add_column(
        "products", sa.Column("version", sa.Integer(), server_default="1", nullable=False)
    )
    op.create_index("ix_orders_created_at", "orders", ["created_at"], unique=False)
    _forbid_rewriting()


def _forbid_rewriting() -> None:
    """Have the database itself refuse to change or delete a note."""
    if op.get_bind().dialect.name == "postgresql":
        op.execute(
            "CREATE FUNCTION notes_are_append_only() RETURNS trigger LANGUAGE plpgsql AS "
            "$$ BEGIN RAISE EXCEPTION 'notes are append-only'; END $$"
        )
        op.execute(
            "CREATE TRIGGER notes_append_only BEFORE UPDATE OR DELETE ON order_notes "
            "FOR EACH ROW EXECUTE FUNCTION notes_are_append_only()"
        )
        return
    for verb in ("UPDATE", "DELETE"):
        op.execute(
            f"CREATE TRIGGER notes_no_{verb.lower()} BEFORE {verb} ON order_notes "
            "BEGIN SELECT RAISE(ABORT, 'notes are append-only'); END"
        )


def downgrade() -> None:
    op.drop_index("ix_orders_created_at", table_name="orders")
    op.drop_column("products", "version")
    op.drop_table("order_notes")
    if op.get_bind().dialect.name == "postgresql":
        op.execute("DROP FUNCTION notes_are_append_only()")
    op.drop_table("product_photos")
    op.drop_table("pictures")
