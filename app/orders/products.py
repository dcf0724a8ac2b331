"""What the people of the shop see of products, and change about them."""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from sqlalchemy import ColumnElement, or_, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session, selectinload

from app.accounts.models import Person
from app.audit.service import record
from app.core.errors import Conflict, NotFound
from app.core.money import kes
from app.core.statements import rows_changed
from app.core.texts import marked, said
from app.core.unit_of_work import transaction
from app.extensions import db
from app.orders.models import Product

PER_PAGE = 50
MOST_SEARCH = 100
_MAX_INTEGER_ID = 2**63 - 1
#: A trail says what was changed; it is no second copy of every text.
_MOST_TOLD = 120


@dataclass(frozen=True)
class Seen:
    """What stood there when a form was opened. ``stock`` None is unlimited."""

    version: int
    stock: int | None


class Shelf(StrEnum):
    """Which products a list is about."""

    ON_SALE = "on_sale"
    SOLD_OUT = "sold_out"
    RETIRED = "retired"


_SHELVES: dict[Shelf, tuple[ColumnElement[bool], ...]] = {
    Shelf.ON_SALE: (Product.active.is_(True),),
    Shelf.SOLD_OUT: (Product.active.is_(True), Product.stock == 0),
    Shelf.RETIRED: (Product.active.is_(False),),
}


class EditedMeanwhile(Conflict):
    message = marked(
        "Somebody else has changed this product since you opened it, so nothing was stored. What "
        "stands now is told beside what you typed. Look it over and store again."
    )


class SoldMeanwhile(Conflict):
    """The stock that a form was to change is not the one that it showed."""

    def __init__(self, seen: int | None, present: int | None) -> None:
        super().__init__(
            said(
                "The stock was {seen} when you opened this, and is {present} now, so nothing was "
                "stored. Look it over and store again.",
                seen=_stock_words(seen),
                present=_stock_words(present),
            ),
            details={"field": "stock"},
        )


def create(
    person: Person,
    *,
    name: str,
    kind: str,
    price_cents: int,
    stock: int | None,
    description: str,
    form_key: str = "",
) -> Product:
    """Put a product on the shelf. A course without a stock has places for everybody.

    A form sent twice, by its key, makes one product and returns it twice.
    """
    slug = _slug(name, form_key)
    product = Product(
        slug=slug,
        name=name,
        kind=kind,
        price_cents=price_cents,
        stock=stock,
        description=description,
    )
    told = {"name": name, "kind": kind, "price_cents": price_cents, "stock": stock}
    try:
        with transaction() as session:
            session.add(product)
            session.flush()
            record(session, person, "product.created", subject_of(product.id), **_told(told))
    except IntegrityError:
        made = db.session.scalar(select(Product).where(Product.slug == slug))
        if made is None or not form_key:
            raise
        return made
    return product


def change(
    product_id: int, changes: dict[str, Any], person: Person, seen: Seen | None = None
) -> Product:
    """Change some fields of a product. Orders already placed keep what they were placed at.

    With ``seen``, raises EditedMeanwhile where somebody else has changed the product since, and
    SoldMeanwhile where the stock is to be changed and is not what was seen. A stock that is left
    as it was seen is not written, so a sale in between stands. Raises NotFound.
    """
    if seen is not None and changes.get("stock") == seen.stock:
        changes = {name: value for name, value in changes.items() if name != "stock"}
    with transaction() as session:
        product = locked(session, product_id)
        before = {name: getattr(product, name) for name in changes}
        changed = {name: value for name, value in changes.items() if value != before[name]}
        if changed or seen is not None:
            _compare_and_set(session, product_id, changed, changes, seen)
        if changed:
            told = _told(changed) | _told({name: before[name] for name in changed}, "_was")
            record(session, person, "product.changed", subject_of(product_id), **told)
        session.refresh(product)
    return product


def set_active(product_id: int, active: bool, person: Person) -> bool:
    """Retire a product or bring it back; False where it is so already. Raises NotFound."""
    with transaction() as session:
        locked(session, product_id)
        turned = (
            update(Product)
            .where(Product.id == product_id, Product.active.is_(not active))
            .values(active=active, version=Product.version + 1)
        )
        if rows_changed(session, turned) != 1:
            return False
        action = "product.brought_back" if active else "product.retired"
        record(session, person, action, subject_of(product_id))
        return True


def find(product_id: int) -> Product:
    """Return a product, be it for sale or retired. Raises NotFound."""
    product = db.session.get(Product, product_id) if product_id <= _MAX_INTEGER_ID else None
    if product is None:
        raise NotFound(marked("There is no such product."))
    return product


def newest(
    before_id: int | None = None, search: str = "", shelf: Shelf | None = None
) -> Sequence[Product]:
    """Return the newest products, or those older than ``before_id``; one more than PER_PAGE, so
    that a page knows whether there are older ones. ``search`` is a part of a name or description.
    """
    query = select(Product).options(selectinload(Product.photo))
    query = query.order_by(Product.id.desc()).limit(PER_PAGE + 1)
    if before_id is not None:
        query = query.where(Product.id < before_id)
    if shelf is not None:
        query = query.where(*_SHELVES[shelf])
    if search:
        part = f"%{_escaped(search)}%"
        query = query.where(
            or_(
                Product.name.ilike(part, escape="\\"),
                Product.description.ilike(part, escape="\\"),
            )
        )
    return db.session.scalars(query).all()


def locked(session: Session, product_id: int) -> Product:
    """Return a product as it is now, its row locked until the transaction ends, so that what the
    trail says of before is what was there. Raises NotFound.
    """
    product = None
    if product_id <= _MAX_INTEGER_ID:
        product = session.get(Product, product_id, with_for_update=True, populate_existing=True)
    if product is None:
        raise NotFound(marked("There is no such product."))
    return product


def subject_of(product_id: int) -> str:
    """Return how the audit trail calls a product."""
    return f"product {product_id}"


def _compare_and_set(
    session: Session,
    product_id: int,
    changed: dict[str, Any],
    asked: dict[str, Any],
    seen: Seen | None,
) -> None:
    statement = update(Product).where(Product.id == product_id)
    if seen is not None:
        statement = statement.where(Product.version == seen.version)
        if "stock" in asked:
            statement = statement.where(Product.stock.is_not_distinct_from(seen.stock))
    step = 1 if changed else 0
    if rows_changed(session, statement.values(**changed, version=Product.version + step)) == 1:
        return
    present = session.get_one(Product, product_id, populate_existing=True)
    if seen is not None and present.version == seen.version:
        raise SoldMeanwhile(seen.stock, present.stock)
    raise EditedMeanwhile()


def _told(values: dict[str, Any], suffix: str = "") -> dict[str, str]:
    """Return fields of a product as the audit trail tells them."""
    told = {}
    for name, value in values.items():
        if name == "price_cents":
            told[f"price{suffix}"] = kes(value)
        elif name == "stock":
            told[f"stock{suffix}"] = _stock_words(value)
        else:
            told[f"{name}{suffix}"] = str(value)[:_MOST_TOLD]
    return told


def _stock_words(stock: int | None) -> str:
    return marked("unlimited") if stock is None else f"{stock:,}"


def _escaped(text: str) -> str:
    return text[:MOST_SEARCH].replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")


def _slug(name: str, form_key: str) -> str:
    words = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:60]
    # Of two that a form makes, the second finds the name taken: by the first.
    mark = hashlib.sha256(form_key.encode()).hexdigest()[:6] if form_key else secrets.token_hex(3)
    return f"{words or 'product'}-{mark}"
