"""What tests of "I have paid" share: shoppers who claim, and a paybill that has been registered."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.app import Shop
from tests.support.claims import Claims
from tests.support.paybill import Paybill


@pytest.fixture
def claims(shop: Shop) -> Claims:
    return Claims(shop)


@pytest.fixture
def paybill(shop: Shop) -> Iterator[Paybill]:
    paybill = Paybill(shop)
    paybill.register()
    yield paybill
    paybill.close()
