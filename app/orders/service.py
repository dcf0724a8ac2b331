"""Placing, finding, cancelling and fulfilling orders."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

from flask import current_app
from sqlalchemy import bindparam, func, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session, lazyload, selectinload

from app.accounts.models import Person
from app.core.clock import now
from app.core.errors import NotFound, OutOfStock, ValidationError
from app.core.money import Kes
from app.core.statements import insert_or_nothing, rows_changed
from app.core.texts import marked, said
from app.core.unit_of_work import transaction
from app.extensions import db
from app.orders.models import Enrolment, Kind, Order, OrderEntry, OrderLine, Product
from app.orders.states import OrderEvent, OrderStatus, order_target

MAX_LINES = 50
MAX_QUANTITY = 99
#: Letters and digits that nobody confuses when reading aloud or typing on a keypad.
_REFERENCE_ALPHABET = "23456789ABCDEFGHJKMNPQRSTUVWXYZ"
_REFERENCE_LENGTH = 8
_MAX_INTEGER_ID = 2**63 - 1


def list_products(page: int = 1, per_page: int = 20) -> tuple[Sequence[Product], int]:
    """Return one page of what is for sale, and how many products there are in all."""
    on_sale = select(Product).where(Product.active)
    total = db.session.scalar(select(func.count()).select_from(on_sale.subquery())) or 0
    shelf = on_sale.options(selectinload(Product.photo)).order_by(Product.id)
    rows = db.session.scalars(shelf.limit(per_page).offset((page - 1) * per_page))
    return rows.all(), total


def find_product(product_id: int) -> Product:
    """Return a product that is for sale. Raises NotFound."""
    product = db.session.get(Product, product_id) if product_id <= _MAX_INTEGER_ID else None
    if product is None or not product.active:
        raise NotFound(marked("There is no such product."))
    return product


def products_by_id(ids: Iterable[int]) -> dict[int, Product]:
    """Return the products for sale among these ids."""
    wanted = [number for number in ids if 0 < number <= _MAX_INTEGER_ID][: MAX_LINES * 2]
    on_sale = select(Product).where(Product.id.in_(wanted), Product.active)
    rows = db.session.scalars(on_sale.options(selectinload(Product.photo)))
    return {product.id: product for product in rows}


def place_order(person: Person, items: Sequence[tuple[int, int]], key: str | None = None) -> Order:
    """Order ``items``, pairs of product id and quantity, at the shop's own prices.

    The goods are set aside until the order's ``held_until``. The same person and ``key`` give
    the same order again, so that two tabs or a double click make one. Raises ValidationError,
    NotFound or OutOfStock.
    """
    quantities = _readable_items(items)
    person_id = person.id
    if key and (known := order_by_key(person, key)):
        return known
    for last_try in (False, False, True):
        try:
            with transaction() as session:
                return _write_order(session, person_id, quantities, key)
        except IntegrityError:
            # The other tab was first with this key, or, hardly ever, the reference is taken.
            known = order_by_key(person, key) if key else None
            if known is not None:
                return known
            if last_try:
                raise
    raise AssertionError("unreachable")


def order_by_key(person: Person, key: str) -> Order | None:
    """Return the order that a person placed from the cart with this key."""
    return db.session.scalar(
        select(Order).where(Order.person_id == person.id, Order.cart_key == key)
    )


def any_order(ref: object) -> Order:
    """Return anybody's order by its number or UUID, for the back office. Raises NotFound."""
    order = db.session.scalar(select(Order).where(_named(ref)))
    if order is None:
        raise NotFound(marked("There is no such order."))
    return order


def find_order(ref: object, person: Person) -> Order:
    """Return an order by its number or UUID. Raises NotFound, also for somebody else's.

    Its lines are read when somebody looks at them.
    """
    order = db.session.scalar(select(Order).where(_named(ref)).options(lazyload(Order.lines)))
    if order is None or (order.person_id != person.id and not person.is_admin):
        raise NotFound(marked("There is no such order, or it is not yours."))
    return order


def list_orders(person: Person, page: int, per_page: int) -> tuple[Sequence[Order], int]:
    """Return one page of a person's orders, newest first; admins see everybody's."""
    orders = select(Order)
    if not person.is_admin:
        orders = orders.where(Order.person_id == person.id)
    total = db.session.scalar(select(func.count()).select_from(orders.subquery())) or 0
    rows = db.session.scalars(
        orders.order_by(Order.id.desc()).limit(per_page).offset((page - 1) * per_page)
    )
    return rows.all(), total


def move_order(
    session: Session, order: Order, event: OrderEvent, actor: str, why: str, **changes: Any
) -> bool:
    """Move an order along the edge that ``event`` names, by compare-and-set, with its timeline.

    For use inside a transaction that holds the order's lock. Returns False where the event
    changes nothing from the present status.
    """
    source, target = order.status, order_target(order.status, event)
    if target is None:
        return False
    compare_and_set = (
        update(Order)
        .where(Order.id == order.id, Order.status == source)
        .values(status=target, open_key=None, **changes)
    )
    if rows_changed(session, compare_and_set) != 1:
        return False
    note(session, order.id, event, source, target, actor, why)
    session.refresh(order)
    return True


def note(
    session: Session,
    order_id: int,
    event: str,
    source: str,
    target: str,
    actor: str,
    why: str,
) -> None:
    """Write a line of an order's timeline, in the caller's transaction."""
    session.add(
        OrderEntry(
            order_id=order_id,
            event=event,
            from_status=source,
            to_status=target,
            actor=actor[:80],
            why=why,
        )
    )


def close_order(session: Session, order: Order, event: OrderEvent, actor: str, why: str) -> bool:
    """Cancel or expire a pending order and release its goods; False if it is not pending any
    more. For use inside a transaction that holds the order's lock.
    """
    if not move_order(session, order, event, actor, why):
        return False
    for line in session.scalars(_lines_of(order.id).where(OrderLine.held)):
        _return_to_stock(session, line)
        line.held = False
    return True


def lock_order(session: Session, order_id: int) -> Order:
    """Return an order as it is now, with its row locked until the transaction ends.

    Whoever starts a payment, settles one or closes the order comes through here, one at a time.
    """
    return session.scalars(_LOCKED, {"order_id": order_id}).one()


#: Its lines are read when somebody looks at them.
_LOCKED = (
    select(Order)
    .where(Order.id == bindparam("order_id"))
    .options(lazyload(Order.lines))
    .with_for_update()
    .execution_options(populate_existing=True)
)


def fulfil(session: Session, order: Order) -> None:
    """Give what a paid order promises: goods kept, course places. Inside the settling
    transaction. Goods that are gone by now put the order before a person.
    """
    for line in session.scalars(_lines_of(order.id)):
        if not line.held:
            line.held = _take_from_stock(session, line.product_id, line.quantity)
            if not line.held:
                order.review_reason = "paid_but_out_of_stock"
        if line.kind == Kind.COURSE:
            _enrol(session, order, line.product_id)


def acknowledge(session: Session, order_id: int, actor: str, why: str) -> bool:
    """Note that a person has settled what was wrong with a paid order; False when nothing was.

    In the caller's transaction.
    """
    order = lock_order(session, order_id)
    if order.status != OrderStatus.PAID or order.review_reason is None:
        return False
    note(session, order.id, "acknowledged", order.status, order.status, actor, why)
    order.review_reason = None
    return True


def overdue_order_ids(limit: int) -> Sequence[int]:
    """Return pending orders whose goods have been held long enough."""
    return db.session.scalars(
        select(Order.id)
        .where(Order.status == OrderStatus.PENDING, Order.held_until < now())
        .order_by(Order.held_until)
        .limit(limit)
    ).all()


def courses_of(person: Person) -> Sequence[Enrolment]:
    """Return the courses a person has a place in, newest first."""
    return db.session.scalars(
        select(Enrolment).where(Enrolment.person_id == person.id).order_by(Enrolment.id.desc())
    ).all()


def _named(ref: object):  # type: ignore[no-untyped-def]
    """Return the condition for an order's number or UUID. Raises NotFound for neither."""
    text = str(ref).strip() if isinstance(ref, (str, int, UUID)) else ""
    if text.isascii() and text.isdigit() and len(text) < 19:
        return Order.id == int(text)
    try:
        return Order.uuid == UUID(text)
    except ValueError as error:
        raise NotFound(marked("There is no such order, or it is not yours.")) from error


def _readable_items(items: Sequence[tuple[int, int]]) -> dict[int, int]:
    quantities: dict[int, int] = {}
    for product_id, quantity in items:
        quantities[product_id] = quantities.get(product_id, 0) + quantity
    if not quantities:
        raise ValidationError(marked("The order is empty. Put something in the cart first."))
    if len(quantities) > MAX_LINES:
        raise ValidationError(
            said("An order has at most {most} different products.", most=MAX_LINES)
        )
    for product_id, quantity in quantities.items():
        if not 1 <= quantity <= MAX_QUANTITY:
            raise ValidationError(
                said("A quantity is between 1 and {most}.", most=MAX_QUANTITY),
                details={"product_id": product_id, "quantity": quantity},
            )
    return quantities


def _write_order(
    session: Session, person_id: int, quantities: Mapping[int, int], key: str | None
) -> Order:
    products = products_by_id(quantities)
    lines = [
        _held_line(session, products, product_id, quantity)
        # Stock is always taken in the same order, so that two orders cannot wait for each other.
        for product_id, quantity in sorted(quantities.items())
    ]
    minutes = current_app.extensions["lipa_settings"].order_hold_minutes
    order = Order(
        reference=new_reference(),
        person_id=person_id,
        total_cents=sum(line.total_cents for line in lines),
        cart_key=key,
        held_until=now() + timedelta(minutes=minutes),
        lines=lines,
    )
    session.add(order)
    session.flush()
    placed = _placed_words(order.total_cents, len(lines))
    note(session, order.id, OrderEvent.PLACED, "", order.status, f"person {person_id}", placed)
    return order


def _placed_words(total_cents: int, count: int) -> str:
    if count == 1:
        return said("{amount} for {count} line", amount=Kes(total_cents), count=count)
    return said("{amount} for {count} lines", amount=Kes(total_cents), count=count)


def _held_line(
    session: Session, products: Mapping[int, Product], product_id: int, quantity: int
) -> OrderLine:
    product = products.get(product_id)
    if product is None:
        raise NotFound(marked("There is no such product."), details={"product_id": product_id})
    if not _take_from_stock(session, product_id, quantity):
        session.refresh(product)
        raise OutOfStock(product_id, product.name, product.stock or 0)
    return OrderLine(
        product_id=product_id,
        name=product.name,
        kind=product.kind,
        unit_price_cents=product.price_cents,
        quantity=quantity,
    )


def _take_from_stock(session: Session, product_id: int, quantity: int) -> bool:
    """Take goods if there are enough, in one statement: nobody can sell the last one twice."""
    enough = (Product.stock.is_(None)) | (Product.stock >= quantity)
    statement = (
        update(Product)
        .where(Product.id == product_id, enough)
        .values(stock=Product.stock - quantity)
    )
    return rows_changed(session, statement) == 1


def _return_to_stock(session: Session, line: OrderLine) -> None:
    session.execute(
        update(Product)
        .where(Product.id == line.product_id)
        .values(stock=Product.stock + line.quantity)
    )


def _enrol(session: Session, order: Order, product_id: int) -> None:
    place = {"person_id": order.person_id, "product_id": product_id}
    row = place | {"order_id": order.id, "created_at": now()}
    insert_or_nothing(session, Enrolment, row, key=list(place))


def _lines_of(order_id: int):  # type: ignore[no-untyped-def]
    return select(OrderLine).where(OrderLine.order_id == order_id).order_by(OrderLine.product_id)


def new_reference() -> str:
    return "".join(secrets.choice(_REFERENCE_ALPHABET) for _ in range(_REFERENCE_LENGTH))
