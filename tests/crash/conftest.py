"""Shops that die, on both databases."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from tests.crash.paymaster import Paymaster
from tests.crash.shop import crashing_shop
from tests.crash.till import Till

Tills = Callable[[str, Callable[[], str | None]], Till]


@pytest.fixture(scope="session")
def tills() -> Iterator[Tills]:
    """One shop on each database for all deaths, opened when it is first needed."""
    opened: dict[str, Till] = {}
    with ExitStack() as until_the_end:

        def till_on(database: str, url: Callable[[], str | None]) -> Till:
            if database not in opened:
                opened[database] = Till(until_the_end.enter_context(crashing_shop(url())))
            return opened[database]

        yield till_on


@pytest.fixture(scope="session")
def paymasters() -> dict[Till, Paymaster]:
    """The admins of each shop: they sign in once."""
    return {}


@pytest.fixture(params=["sqlite", "postgresql"])
def till(request: pytest.FixtureRequest, tills: Tills) -> Iterator[Till]:
    """A shop that is open, whatever the test before has left behind, and dies of nothing yet."""

    def url() -> str | None:
        if request.param == "sqlite":
            return None
        created: str = request.getfixturevalue("postgres_server").create_database("crash")
        return created

    found = tills(request.param, url)
    found.shop.death.disarm()
    if found.shop.is_dead():
        found.shop.start()
    yield found
    found.shop.death.disarm()


@pytest.fixture
def paymaster(till: Till, paymasters: dict[Till, Paymaster]) -> Paymaster:
    """The admins of that shop, who pay out."""
    if till not in paymasters:
        paymasters[till] = Paymaster(till)
    return paymasters[till]
