"""The cases use the rooms' own fixtures."""

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
