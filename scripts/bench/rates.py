"""Callbacks kept and polls answered a second, beside the bare insert and the bare read."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator

import requests
from sqlalchemy import Engine, create_engine, func, select

from app.payments.models import InboxMessage
from scripts.bench.figures import Figure
from scripts.bench.ground import Ground
from scripts.bench.load import Rate, Request, rate_of
from scripts.bench.news import callback_of
from scripts.bench.seed import fill
from tests.support.live_shop import SHOPPER

PENDING = 1_000
#: So long pages poll: each begins, and asks again and again, as pages do that wait for a PIN.
POLLING_SECONDS = 30
#: Not less than 60 % of the bare reference.
LEAST = 0.6
CALLBACKS = 12_000
#: After the burst it is looked for so long how many are acted on.
AFTER_SECONDS = 10


def callbacks(ground: Ground) -> Iterator[Figure]:
    """Distinct callbacks and repeated ones, each with both proofs, as in a promotion's burst."""
    rows = fill(ground.env["DATABASE_URL"], CALLBACKS, status="pending")
    requests_ = [callback_of(row) for row in rows]
    with ground.serving("bare"):
        insert = Request("POST", "/insert", requests_[0].headers, requests_[0].body)
        bare = rate_of(ground.folder, ground.base_url, [insert])
    with ground.working(), ground.serving():
        distinct = rate_of(ground.folder, ground.base_url, requests_, once=True)
        kept, acted_on = _afterwards(ground.env["DATABASE_URL"])
        repeated = rate_of(ground.folder, ground.base_url, requests_[:200])
    yield _told("callbacks", ground, "bare insert and commit", bare)
    yield _told("callbacks", ground, "distinct, kept", distinct)
    yield _ratio("callbacks", ground, "distinct over bare insert", distinct, bare)
    yield Figure("callbacks", ground.engine, "distinct, p99", distinct.p99_ms, "ms")
    lost = max(0, distinct.requests - kept)
    yield Figure("callbacks", ground.engine, "acknowledged and not kept", lost, "", most=0)
    yield Figure("callbacks", ground.engine, "acted on after the burst", acted_on, "/s")
    yield _told("callbacks", ground, "repeated", repeated)
    yield Figure("callbacks", ground.engine, "not answered 2xx", distinct.wrong, "", most=0)


def polls(ground: Ground) -> Iterator[Figure]:
    """Status polls of pages that wait, with a thousand pending payments in the books."""
    rows = fill(ground.env["DATABASE_URL"], PENDING, status="pending")
    with ground.serving("bare"):
        requests.post(f"{ground.base_url}/insert", data=b"{}", timeout=20)
        bare = rate_of(ground.folder, ground.base_url, [Request("GET", "/read/1")])
    with ground.serving():
        token = _sign_in(ground)
        headers = (("Content-Type", "application/json"), ("Authorization", f"Bearer {token}"))
        asked = [
            Request(
                "POST",
                "/api/payments/mpesa/query",
                headers,
                json.dumps({"order_id": str(row["order_uuid"])}),
            )
            for row in rows
        ]
        ours = rate_of(ground.folder, ground.base_url, asked, seconds=POLLING_SECONDS)
    yield _told("polls", ground, "bare indexed read", bare)
    yield _told("polls", ground, f"status, {PENDING:,} pending", ours)
    yield _ratio("polls", ground, "status over bare read", ours, bare)
    yield Figure("polls", ground.engine, "status, p99", ours.p99_ms, "ms")
    yield Figure("polls", ground.engine, "not answered 2xx", ours.wrong, "", most=0)
    asked_daraja = ground.counts().get("queries", 0)
    yield Figure("polls", ground.engine, "questions to Daraja meanwhile", asked_daraja, "", most=0)


def _afterwards(database_url: str) -> tuple[int, float]:
    """Return how many callbacks are kept, and how many a second are acted on from now."""
    engine = create_engine(database_url)
    try:
        kept, before = _counts(engine)
        time.sleep(AFTER_SECONDS)
        return kept, (_counts(engine)[1] - before) / AFTER_SECONDS
    finally:
        engine.dispose()


def _counts(engine: Engine) -> tuple[int, int]:
    query = select(func.count(), func.count(InboxMessage.handled_at)).select_from(InboxMessage)
    with engine.connect() as connection:
        kept, acted_on = connection.execute(query).one()
    return int(kept), int(acted_on)


def _sign_in(ground: Ground) -> str:
    account = {"email": SHOPPER, "password": ground.env["DEMO_PASSWORD"]}
    answer = requests.post(f"{ground.base_url}/api/auth/login", json=account, timeout=20)
    answer.raise_for_status()
    return str(answer.json()["access_token"])


def _told(section: str, ground: Ground, what: str, rate: Rate) -> Figure:
    return Figure(section, ground.engine, what, rate.per_second, "/s")


def _ratio(section: str, ground: Ground, what: str, ours: Rate, bare: Rate) -> Figure:
    ratio = ours.per_second / bare.per_second if bare.per_second else 0.0
    return Figure(section, ground.engine, what, ratio, "", least=LEAST)
