"""An endpoint that listens, and a shop with a key to seal secrets with."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.rooms.webhooks.listening import Listening
from tests.support.app import Account, Shop

KEY = "k" * 40


@pytest.fixture
def listening() -> Iterator[Listening]:
    with Listening() as endpoint:
        yield endpoint


@pytest.fixture
def keyed(shop: Shop) -> Shop:
    shop.set(settings_encryption_key=KEY)
    return shop


@pytest.fixture
def owner(keyed: Shop) -> Account:
    return keyed.person("mumbi", admin=True)
