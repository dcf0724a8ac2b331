"""Every page and query that a person waits for, with a thousand payments and with a million.

Both shops sell as much a day (see history.py), so a page of today shows the same; what lies behind
it is a thousand times as much. A figure is the median of fifteen requests to the live server after
three that warm it, without background work beside it. Less than NOISE_MS of difference is noise.
"""

from __future__ import annotations

import json
import re
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import NamedTuple

import requests
from sqlalchemy import create_engine
from sqlalchemy import text as sql
from sqlalchemy.engine import make_url

from scripts.bench.addresses import NOT_ASKED, addresses, rules_of
from scripts.bench.figures import Figure
from scripts.bench.ground import ROOT, Ground
from scripts.bench.history import fill_history
from tests.services.launch import ServiceFailedError
from tests.support.live_shop import ADMIN, SHOPPER

SMALL, LARGE = 1_000, 1_000_000
#: Not more than this many times as slow in the large shop.
MOST = 1.5
#: A difference in milliseconds that a second run would not show again.
NOISE_MS = 5.0
WARM, TIMES = 3, 15


class Took(NamedTuple):
    """What a person, or the sweep, waited for: milliseconds, and whether it was answered."""

    milliseconds: float
    is_answered: bool


def growth(ground: Ground, large: int = LARGE) -> Iterator[Figure]:
    """Compare both sizes; the worst comes first."""
    before = _measured(ground, SMALL)
    after = _measured(_second_shop(ground), large)
    figures = [_figure(ground, name, before[name], took) for name, took in after.items()]
    yield from sorted(figures, key=lambda figure: -figure.value)
    unanswered = [name for name, took in (before | after).items() if not took.is_answered]
    what = "not answered 200" + "".join(f" {name}" for name in unanswered)
    yield Figure("growth", ground.engine, what, len(unanswered), "", most=0)


def _figure(ground: Ground, name: str, small: Took, large: Took) -> Figure:
    ratio = large.milliseconds / small.milliseconds
    is_noise = large.milliseconds - small.milliseconds < NOISE_MS
    what = f"{name} {small.milliseconds:.1f} -> {large.milliseconds:.1f} ms"
    return Figure("growth", ground.engine, what, min(ratio, MOST) if is_noise else ratio, "x",
                  most=MOST)  # fmt: skip


def _measured(ground: Ground, count: int) -> dict[str, Took]:
    fill_history(ground.env["DATABASE_URL"], count)
    _nothing_is_forgotten(ground)
    with ground.serving(EMBEDDED_WORKER="false"):
        people = {
            "admin": _signed_in(ground, ADMIN),
            "shopper": _signed_in(ground, SHOPPER),
            "stranger": requests.Session(),
        }
        found = {
            name: _took(people[who], ground.base_url + path)
            for name, (who, path) in addresses(ground, people["shopper"]).items()
        }
    return found | _sweeps(ground)


def _took(session: requests.Session, url: str) -> Took:
    times, statuses = [], set()
    for _ in range(WARM + TIMES):
        began = time.perf_counter()
        statuses.add(session.get(url, timeout=120, allow_redirects=False).status_code)
        times.append((time.perf_counter() - began) * 1000)
    return Took(statistics.median(times[WARM:]), statuses == {200})


def _signed_in(ground: Ground, email: str) -> requests.Session:
    """Sign somebody in, once for the pages and once for the API."""
    session = requests.Session()
    session.trust_env = False
    session.headers["Origin"] = ground.base_url
    account = {"email": email, "password": ground.env["DEMO_PASSWORD"]}
    answer = session.post(f"{ground.base_url}/api/auth/login", json=account, timeout=20)
    answer.raise_for_status()
    session.post(f"{ground.base_url}/sign-in", data=account, timeout=20).raise_for_status()
    session.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"
    return session


def _second_shop(ground: Ground) -> Ground:
    """Make another empty shop beside the first one."""
    url = make_url(ground.env["DATABASE_URL"])
    if ground.engine == "sqlite":
        other = url.set(database=f"{url.database}-large")
    else:
        other = url.set(database="bench_large")
        engine = create_engine(url, isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.execute(sql("CREATE DATABASE bench_large"))
        engine.dispose()
    address = other.render_as_string(hide_password=False)
    made = replace(ground, env=ground.env | {"DATABASE_URL": address})
    made.flask("prepare")
    return made


def _nothing_is_forgotten(ground: Ground) -> None:
    """Raise ServiceFailedError for a rule of the url map that is neither asked nor left out."""
    told = ground.flask("routes")
    rules = set(re.findall(r"\S*GET\S*\s+(/\S*)", told))
    missing = rules - rules_of() - set(NOT_ASKED)
    if missing:
        raise ServiceFailedError(f"growth has no example of {sorted(missing)}")


def _sweeps(ground: Ground) -> dict[str, Took]:
    """Time what the background looks for again and again, in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-m", "scripts.bench.sweeps"],
        cwd=ROOT,
        env=ground.env | {"WEB_SERVER": "threads"},
        capture_output=True,
        text=True,
        timeout=600,
    )
    if done.returncode:
        raise ServiceFailedError(f"the sweeps: {done.stderr[-2000:]}")
    told = json.loads(done.stdout.splitlines()[-1])
    return {f"sweep {name}": Took(milliseconds, True) for name, milliseconds in told.items()}
