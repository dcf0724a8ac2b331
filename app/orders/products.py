"""What admins change about products."""

from __future__ import annotations

import re
import secrets
from typing import Any

from app.core.errors import NotFound
from app.core.unit_of_work import transaction
from app.orders.models import Product

_MAX_INTEGER_ID = 2**63 - 1


def create(
    *, name: str, kind: str, price_cents: int, stock: int | None, description: str
) -> Product:
    """Put a product on the shelf. A course without a stock has places for everybody."""
    product = Product(
        slug=_slug(name),
        name=name,
        kind=kind,
        price_cents=price_cents,
        stock=stock,
        description=description,
    )
    with transaction() as session:
        session.add(product)
    return product


def change(product_id: int, changes: dict[str, Any]) -> Product:
    """Change some fields of a product. Orders already placed keep what they were placed at."""
    with transaction() as session:
        product = session.get(Product, product_id) if product_id <= _MAX_INTEGER_ID else None
        if product is None:
            raise NotFound("There is no such product.")
        for name, value in changes.items():
            setattr(product, name, value)
    return product


def _slug(name: str) -> str:
    words = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:60]
    return f"{words or 'product'}-{secrets.token_hex(3)}"
