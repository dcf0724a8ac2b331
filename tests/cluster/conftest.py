"""One cluster for all that befalls it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.services.fixtures import required
from tests.support.cluster import Cluster, cluster, hasty

#: Nobody is turned away for having come too often: this is about money.
NO_LIMIT = "1000000/minute"
PROMPT_SECONDS = 10
#: The first question about a silent prompt is due after 15 seconds, divided by this.
PACE = 5


@pytest.fixture(scope="package")
def _running() -> Iterator[Cluster]:
    limits = {
        "RATE_LIMIT_SIGN_IN": NO_LIMIT,
        "RATE_LIMIT_INITIATE": NO_LIMIT,
        "RATE_LIMIT_STATUS": NO_LIMIT,
        "STK_PROMPT_SECONDS": str(PROMPT_SECONDS),
    }
    with required(), cluster(extra_env=limits, commands=hasty(PACE)) as found:
        yield found


@pytest.fixture
def running(_running: Cluster) -> Cluster:
    """The cluster, whole again whatever the test before has done to it."""
    _running.mend()
    return _running
