"""Every test that stores anything runs twice: on SQLite and on PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator
from unittest import mock

import pytest
from flask import Flask
from hypothesis import settings

from tests.support.app import Account, Shop, application
from tests.support.daraja import FakeDaraja

# How long an example takes says something about the machine, and nothing about the program.
settings.register_profile("rooms", deadline=None)
settings.load_profile("rooms")
#: Whoever asks for a refund waits no longer than this for a result that a test does not post.
RESULT_WAIT_SECONDS = 0.2


@pytest.fixture(scope="session")
def _daraja() -> Iterator[FakeDaraja]:
    daraja = FakeDaraja()
    yield daraja
    daraja.stop()


@pytest.fixture(scope="session", params=["sqlite", "postgresql"])
def _application(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    _daraja: FakeDaraja,
) -> Iterator[Flask]:
    # A new application for each file of tests; only the database, which tests empty, stays.
    folder = tmp_path_factory.mktemp(f"rooms-{request.param}")
    url = f"sqlite:///{folder / 'lipa.db'}"
    if request.param == "postgresql":
        url = request.getfixturevalue("rooms_database")
    given = {"mpesa_base_url": _daraja.url, "public_url": "http://shop.test"}
    with application(url, folder, mpesa_timeout_seconds=2, **given) as app:
        yield app


@pytest.fixture
def shop(_application: Flask, _daraja: FakeDaraja) -> Iterator[Shop]:
    """An application with an empty database; what its Daraja objects to fails the test, and so
    do books that contradict an invariant.
    """
    shop = Shop(_application, _daraja)
    shop.empty()
    with mock.patch("app.disbursements.engine.RESULT_WAIT_SECONDS", RESULT_WAIT_SECONDS):
        yield shop
    # Whatever a test did to them, the books must add up.
    violations = [] if shop.written_by_hand else shop.violations()
    undescribed = shop.undescribed_answers()
    shop.restore_settings()
    assert violations == []
    assert undescribed == [], "the document of the API does not tell of these answers"
    if _daraja.problems:
        raise _daraja.problems[0]


@pytest.fixture
def daraja(shop: Shop) -> FakeDaraja:
    """The Daraja that this test's shop talks to."""
    return shop.daraja


@pytest.fixture
def shopper(shop: Shop) -> Account:
    return shop.person("wanjiku")


@pytest.fixture
def other_shopper(shop: Shop) -> Account:
    return shop.person("otieno")


@pytest.fixture
def admin(shop: Shop) -> Account:
    return shop.person("achieng", admin=True)
