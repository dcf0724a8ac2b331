"""The cart lives in the signed session: which products, how many, and a key that names it.

The key is random and changes with every change of the cart, so it names exactly what a person
was looking at. An order placed twice with one key is one order; a checkout page that has gone
stale in another tab is noticed instead of charging for something else.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from app.core.errors import Conflict
from app.core.texts import marked, said

if TYPE_CHECKING:
    from app.orders.models import Product

#: A signed cookie holds about 4 KB, and nobody wants fifty-one different things at once.
MAX_LINES = 50
MAX_QUANTITY = 99
_SESSION_NAME = "cart"


class CartFull(Conflict):
    message = said(
        "The cart is full: {most} different things are the most for one order.", most=MAX_LINES
    )


@dataclass(frozen=True, slots=True)
class CartLine:
    """One product in the cart. ``problem`` says in words why it cannot be ordered like this."""

    product: Product
    quantity: int
    problem: str | None

    @property
    def total_cents(self) -> int:
        return self.product.price_cents * self.quantity


class Cart:
    """What a person means to buy; it belongs to one session and reserves nothing."""

    def __init__(self, session: MutableMapping[str, Any]) -> None:
        self._session = session
        stored = session.get(_SESSION_NAME)
        known = stored if isinstance(stored, dict) else {}
        self.key: str = str(known.get("key") or _new_key())
        self._items: dict[int, int] = {
            int(product_id): int(quantity)
            for product_id, quantity in known.get("items", {}).items()
        }

    @property
    def product_ids(self) -> list[int]:
        return list(self._items)

    @property
    def items(self) -> list[tuple[int, int]]:
        """Product ids with quantities, in the order they were put in."""
        return list(self._items.items())

    @property
    def is_empty(self) -> bool:
        return not self._items

    @property
    def count(self) -> int:
        """How many pieces there are, over all lines."""
        return sum(self._items.values())

    def add(self, product_id: int, quantity: int = 1) -> int:
        """Put more of a product in and return how many there are now, MAX_QUANTITY at most.

        Raises CartFull when the product would be one line too many.
        """
        return self.set(product_id, self._items.get(product_id, 0) + quantity)

    def set(self, product_id: int, quantity: int) -> int:
        """Make the quantity this; zero or less takes the product out. Raises CartFull."""
        if quantity < 1:
            self.remove(product_id)
            return 0
        if product_id not in self._items and len(self._items) >= MAX_LINES:
            raise CartFull()
        self._items[product_id] = min(quantity, MAX_QUANTITY)
        self._changed()
        return self._items[product_id]

    def remove(self, product_id: int) -> None:
        if self._items.pop(product_id, None) is not None:
            self._changed()

    def clear(self) -> None:
        """Empty the cart after its order was placed; the next cart has a key of its own."""
        self._items.clear()
        self._changed()

    def lines(self, products: Mapping[int, Product]) -> list[CartLine]:
        """Return the lines whose product the shop knows, each with its problem if it has one."""
        return [
            CartLine(products[product_id], quantity, _problem(products[product_id], quantity))
            for product_id, quantity in self._items.items()
            if product_id in products
        ]

    def drop_unknown(self, products: Mapping[int, Product]) -> bool:
        """Take out what the shop no longer sells; return whether there was any."""
        gone = [product_id for product_id in self._items if product_id not in products]
        for product_id in gone:
            self.remove(product_id)
        return bool(gone)

    def _changed(self) -> None:
        self.key = _new_key()
        # The session's JSON turns number keys into strings; they are written so from the start.
        items = {str(product_id): quantity for product_id, quantity in self._items.items()}
        self._session[_SESSION_NAME] = {"key": self.key, "items": items}


def total_cents(lines: list[CartLine]) -> int:
    """Add up the lines, in cents."""
    return sum(line.total_cents for line in lines)


def _problem(product: Product, quantity: int) -> str | None:
    if product.stock is None or product.stock >= quantity:
        return None
    if product.stock == 0:
        return marked("Sold out. Please remove it to go on.")
    return said("Only {count} left. Please take fewer.", count=product.stock)


def is_key(text: str) -> bool:
    """Tell whether a form's value can be a cart's key; anything else never reaches a query."""
    return bool(re.fullmatch(r"[A-Za-z0-9_-]{1,64}", text))


def _new_key() -> str:
    return secrets.token_urlsafe(12)
