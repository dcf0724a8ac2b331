"""The cases use the rooms' own fixtures, on databases of their own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from flask import Flask

from tests.rooms.conftest import _daraja, admin, daraja, other_shopper, shop, shopper
from tests.support.app import application
from tests.support.daraja import FakeDaraja

__all__ = ["_daraja", "admin", "daraja", "other_shopper", "shop", "shopper"]


@pytest.fixture(scope="session", params=["sqlite", "postgresql"])
def _application(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    _daraja: FakeDaraja,
) -> Iterator[Flask]:
    folder = tmp_path_factory.mktemp(f"cases-{request.param}")
    url = f"sqlite:///{folder / 'lipa.db'}"
    if request.param == "postgresql":
        # A name of its own: making a database ends whoever uses one of the same name.
        url = request.getfixturevalue("postgres_server").create_database("cases")
    given = {"mpesa_base_url": _daraja.url, "public_url": "http://shop.test"}
    with application(url, folder, mpesa_timeout_seconds=2, **given) as app:
        yield app
