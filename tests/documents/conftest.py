"""The documents are held against the same shop, people and Daraja as the rooms."""

from __future__ import annotations

from tests.rooms.conftest import (
    _application,
    _daraja,
    admin,
    daraja,
    other_shopper,
    shop,
    shopper,
)

__all__ = ["_application", "_daraja", "admin", "daraja", "other_shopper", "shop", "shopper"]
