"""A shop whose uploads lie in a folder of the test's own, and an owner at a desk."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.rooms.admin.desk import Desk
from tests.support.app import Account, Shop
from tests.support.statements import waits_in


@pytest.fixture
def uploads(shop: Shop, tmp_path: Path) -> Path:
    """Where files wait; empty when nothing is being read."""
    waits_in(shop, tmp_path / "uploads")
    return tmp_path / "uploads"


@pytest.fixture
def desk(shop: Shop, admin: Account, uploads: Path) -> Desk:
    return Desk(shop, admin)
