"""Products with their pictures, orders with their lines and notes, and enrolments in courses."""

from __future__ import annotations

import re
from datetime import datetime
from enum import StrEnum
from uuid import UUID, uuid4

from sqlalchemy import (
    Boolean,
    CheckConstraint,
    ForeignKey,
    Index,
    LargeBinary,
    String,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.accounts.models import Person
from app.core.clock import now
from app.core.columns import BigId, UtcDateTime
from app.core.request_ids import current_request_id
from app.extensions import Model
from app.orders.states import OrderStatus

_REVIEWED_SQL = text("review_reason IS NOT NULL")


class Kind(StrEnum):
    GOODS = "goods"
    COURSE = "course"


class Product(Model):
    """Something for sale. ``stock`` counts what is free to sell; None means unlimited.

    ``picture`` is a path below ``static/``, as the demo's goods have; ``photo`` is what somebody
    has uploaded, and comes before it. One that is not ``active`` is retired: neither shown in the
    shop nor ordered any more.
    """

    __tablename__ = "products"
    __table_args__ = (
        CheckConstraint("price_cents >= 0 AND price_cents % 100 = 0", name="whole_price"),
        CheckConstraint("stock IS NULL OR stock >= 0", name="stock_not_negative"),
    )

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    slug: Mapped[str] = mapped_column(String(80), unique=True)
    name: Mapped[str] = mapped_column(String(120))
    kind: Mapped[str] = mapped_column(String(16), default=Kind.GOODS)
    price_cents: Mapped[int] = mapped_column(BigId)
    stock: Mapped[int | None] = mapped_column()
    description: Mapped[str] = mapped_column(Text, default="")
    picture: Mapped[str | None] = mapped_column(String(255))
    active: Mapped[bool] = mapped_column(Boolean, default=True)
    #: Goes up with every edit, and not with a sale: by it an edit notices another one.
    version: Mapped[int] = mapped_column(default=1, server_default="1")
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=now)

    photo: Mapped[ProductPhoto | None] = relationship()


class Picture(Model):
    """A WebP that this shop has made of an upload, named by the SHA-256 of its bytes. Kept for
    good: its address may stand in a page that somebody has open.
    """

    __tablename__ = "pictures"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    sha256: Mapped[str] = mapped_column(String(64), unique=True)
    width: Mapped[int] = mapped_column()
    height: Mapped[int] = mapped_column()
    data: Mapped[bytes] = mapped_column(LargeBinary, deferred=True)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=now)


class ProductPhoto(Model):
    """The picture of a product in two sizes. ``alt`` says what is to be seen on it."""

    __tablename__ = "product_photos"

    product_id: Mapped[int] = mapped_column(
        ForeignKey("products.id"), primary_key=True, autoincrement=False
    )
    large_id: Mapped[int] = mapped_column(ForeignKey("pictures.id"))
    small_id: Mapped[int] = mapped_column(ForeignKey("pictures.id"))
    alt: Mapped[str] = mapped_column(String(160))

    large: Mapped[Picture] = relationship(foreign_keys=large_id, lazy="joined", innerjoin=True)
    small: Mapped[Picture] = relationship(foreign_keys=small_id, lazy="joined", innerjoin=True)


class Order(Model):
    """What somebody wants and has promised to pay.

    One without lines and perhaps without a person is an invoice: a caller's own amount under the
    caller's own reference. ``id`` is the number people see. ``reference``, at most 12 letters and
    digits, is the account number for whoever pays the paybill by hand.
    """

    __tablename__ = "orders"
    __table_args__ = (
        UniqueConstraint("person_id", "cart_key"),
        Index("ix_orders_person_newest", "person_id", "id"),
        Index("ix_orders_held", "status", "held_until"),
        Index("ix_orders_created_at", "created_at"),
        Index("ix_orders_status_newest", "status", "id"),
        Index(
            "ix_orders_reviewed", "id", sqlite_where=_REVIEWED_SQL, postgresql_where=_REVIEWED_SQL
        ),
    )

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    uuid: Mapped[UUID] = mapped_column(default=uuid4, unique=True)
    reference: Mapped[str] = mapped_column(String(12), unique=True)
    person_id: Mapped[int | None] = mapped_column(ForeignKey("people.id"))
    status: Mapped[str] = mapped_column(String(16), default=OrderStatus.PENDING)
    #: What a caller who brings an amount of their own calls it, and what it is for.
    external_reference: Mapped[str | None] = mapped_column(String(255), index=True)
    description: Mapped[str | None] = mapped_column(String(255))
    #: Held while the order is pending: asking for the same thing again finds this order.
    open_key: Mapped[str | None] = mapped_column(String(64), unique=True)
    total_cents: Mapped[int] = mapped_column(BigId)
    currency: Mapped[str] = mapped_column(String(3), default="KES")
    cart_key: Mapped[str | None] = mapped_column(String(64))
    review_reason: Mapped[str | None] = mapped_column(String(64))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=now)
    held_until: Mapped[datetime] = mapped_column(UtcDateTime)
    paid_at: Mapped[datetime | None] = mapped_column(UtcDateTime)

    person: Mapped[Person | None] = relationship()
    lines: Mapped[list[OrderLine]] = relationship(order_by="OrderLine.id", lazy="selectin")

    @property
    def number(self) -> int:
        return self.id

    @property
    def account_reference(self) -> str:
        """Return what M-Pesa shows as the account: the caller's own reference where it has one.

        Daraja takes at most 12 characters; odd ones are taken out of the copy that goes there.
        """
        own = re.sub(r"[^A-Za-z0-9-]", "", self.external_reference or "")
        return own[:12] or self.reference


class OrderEntry(Model):
    """One thing that happened to an order: who, what, when and why. Never changed."""

    __tablename__ = "order_timeline"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    order_id: Mapped[int] = mapped_column(ForeignKey("orders.id"), index=True)
    at: Mapped[datetime] = mapped_column(UtcDateTime, default=now)
    event: Mapped[str] = mapped_column(String(32))
    from_status: Mapped[str] = mapped_column(String(16))
    to_status: Mapped[str] = mapped_column(String(16))
    actor: Mapped[str] = mapped_column(String(80))
    why: Mapped[str] = mapped_column(Text)
    #: The request that did it, by which the log's lines are found; None for the background.
    request_id: Mapped[str | None] = mapped_column(String(64), default=current_request_id)


class OrderNote(Model):
    """What somebody of the shop has written down about an order. Never changed.

    ``form_key`` belongs to the form that it was written in: sent twice, it is one note.
    """

    __tablename__ = "order_notes"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    order_id: Mapped[int] = mapped_column(ForeignKey("orders.id"), index=True)
    at: Mapped[datetime] = mapped_column(UtcDateTime, default=now)
    person_id: Mapped[int] = mapped_column(ForeignKey("people.id"))
    text: Mapped[str] = mapped_column(Text)
    form_key: Mapped[str] = mapped_column(String(64), unique=True)

    person: Mapped[Person] = relationship()


class OrderLine(Model):
    """A product as it was when it was ordered: later price changes do not reach it.

    ``held`` says that the goods are set aside: taken from the stock when the order was placed,
    given back when it is cancelled or expires, kept for good when it is paid.
    """

    __tablename__ = "order_lines"
    __table_args__ = (CheckConstraint("quantity > 0", name="some_quantity"),)

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    order_id: Mapped[int] = mapped_column(ForeignKey("orders.id"), index=True)
    product_id: Mapped[int] = mapped_column(ForeignKey("products.id"))
    name: Mapped[str] = mapped_column(String(120))
    kind: Mapped[str] = mapped_column(String(16))
    unit_price_cents: Mapped[int] = mapped_column(BigId)
    quantity: Mapped[int] = mapped_column()
    held: Mapped[bool] = mapped_column(Boolean, default=True)

    @property
    def total_cents(self) -> int:
        return self.unit_price_cents * self.quantity


class Enrolment(Model):
    """A person's place in a course, given when the order is paid."""

    __tablename__ = "enrolments"
    __table_args__ = (UniqueConstraint("person_id", "product_id"),)

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    person_id: Mapped[int] = mapped_column(ForeignKey("people.id"))
    product_id: Mapped[int] = mapped_column(ForeignKey("products.id"))
    order_id: Mapped[int] = mapped_column(ForeignKey("orders.id"))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=now)

    course: Mapped[Product] = relationship()
