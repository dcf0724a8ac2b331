"""Two admins at their desks."""

from __future__ import annotations

from typing import Any

import pytest

from tests.rooms.admin.desk import Desk
from tests.support.app import Account, Shop


@pytest.fixture
def other_admin(shop: Shop) -> Account:
    return shop.person("baraka", admin=True)


@pytest.fixture
def desk(shop: Shop, admin: Account) -> Desk:
    return Desk(shop, admin)


@pytest.fixture
def other_desk(shop: Shop, other_admin: Account) -> Desk:
    return Desk(shop, other_admin)


@pytest.fixture
def kamau(shop: Shop, admin: Account) -> dict[str, Any]:
    """The supplier Kamau, as the API tells it."""
    return shop.supplier(admin, "Kamau", "0722000111")


@pytest.fixture
def suppliers(shop: Shop, admin: Account, kamau: dict[str, Any]) -> None:
    """The two suppliers of the file GOOD."""
    shop.supplier(admin, "Otieno", "0722000222")
