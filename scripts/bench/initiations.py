"""Initiations a second while Daraja takes its time over each.

N at once with a Daraja of d seconds can be N / d a second and never more: every one of N shoppers
waits for Daraja all the time. That ideal is compared with two things. ``steadily`` N are under
way for ROUNDS rounds, each shopper asking again as soon as the answer is there (their start in
the same moment, and the last one's wait, included). ``burst`` is one round: N press the button in
the same moment, and the figure is when the last of them has the answer.
"""

from __future__ import annotations

import json
import math
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import uuid4

import requests
from sqlalchemy import create_engine, func, insert, select, update

from app.accounts.models import Person
from app.core.clock import now
from app.orders.models import Order, OrderLine, Product
from app.payments.models import Payment
from app.payments.states import Status
from scripts.bench.figures import Figure
from scripts.bench.ground import ROOT, Ground
from scripts.bench.several import shop
from tests.support.live_shop import SHOPPER

PATH = "/api/payments/mpesa/initiate"
PRICE_CENTS = 150_000
DELAYS_SECONDS = (1, 5)
#: How many at once, and in how many rounds for each delay: about eight seconds, or fifteen.
STEADY = {1: {1: 5, 50: 8, 200: 8}, 5: {1: 2, 50: 3, 200: 3}}
BURSTS = (200, 1_000)
#: 200 at once are done at not less than 90 % of the ideal.
LEAST = {(200, 1): 0.9}
#: So many at once, and with so slow a Daraja, is compared with the bare Flask as well.
REFERENCE = (200, 1)
BARE = "bare insert, prompt and update, 200 steadily"
MOST_SECONDS = 300


@dataclass(frozen=True)
class Done:
    """What a crowd told: seconds until the last answer, seconds of each, and how many were lost.

    Lost is whoever has no prompt in the end. ``again`` is how often somebody was asked to come
    again; the time until then is in their seconds.
    """

    size: int
    count: int
    seconds: float
    times: list[float]
    lost: int
    again: int

    @property
    def per_second(self) -> float:
        return self.count / self.seconds


def initiations(ground: Ground) -> Iterator[Figure]:
    """Each initiation has its own order and its own phone."""
    bare = _bare(ground)
    yield Figure("initiations", ground.engine, BARE, bare, "/s")
    with shop(ground):
        token = sign_in(ground)
        for delay in DELAYS_SECONDS:
            for size, rounds in STEADY[delay].items():
                ground.take_time(delay)
                done = initiate(ground, token, size, rounds)
                yield from _told(ground, f"{size} steadily", delay, done)
                if (size, delay) == REFERENCE:
                    over = done.per_second / bare
                    yield Figure(
                        "initiations", ground.engine, f"{size} steadily, over bare", over, ""
                    )
            for size in BURSTS:
                done = initiate(ground, token, size, 1)
                yield from _told(ground, f"{size:,} in a burst", delay, done)
    tokens = ground.counts()["tokens"]
    yield Figure("initiations", ground.engine, "access tokens fetched", tokens, "", most=1)


def _bare(ground: Ground) -> float:
    """Return what Flask does a second with an insert, a prompt and an update, and nothing else."""
    size, delay = REFERENCE
    ground.take_time(delay)
    with shop(ground, "bare"):
        line = {"path": "/prompt", "headers": {"Content-Type": "application/json"}, "body": {}}
        told = _crowd(ground, [line] * size * STEADY[delay][size], size)
    return float(len(told["times"]) / told["seconds"])


def _told(ground: Ground, what: str, delay: int, done: Done) -> Iterator[Figure]:
    what, ideal = f"{what}, Daraja {delay} s", done.size / delay
    is_target = done.count > done.size
    least = LEAST.get((done.size, delay)) if is_target else None

    def figure(name: str, value: float, unit: str = "", **target: float | None) -> Figure:
        return Figure("initiations", ground.engine, f"{what}{name}", value, unit, **target)

    yield figure("", done.per_second, "/s")
    yield figure(", over ideal", done.per_second / ideal, least=least)
    yield figure(", p50", percentile(done.times, 0.5), "s")
    yield figure(", p99", percentile(done.times, 0.99), "s")
    yield figure(", asked to come again", done.again)
    yield figure(", lost", done.lost, most=0)


def percentile(ordered: Sequence[float], part: float) -> float:
    """Return the value below which this part of them lies; nothing at all counts as infinite."""
    return ordered[min(len(ordered) - 1, int(part * len(ordered)))] if ordered else math.inf


def sign_in(ground: Ground) -> str:
    """Return the access token of the shopper whose orders these are."""
    account = {"email": SHOPPER, "password": ground.env["DEMO_PASSWORD"]}
    answer = requests.post(f"{ground.base_url}/api/auth/login", json=account, timeout=20)
    answer.raise_for_status()
    return str(answer.json()["access_token"])


def initiate(ground: Ground, token: str, size: int, rounds: int) -> Done:
    """Have ``size`` shoppers initiate ``rounds`` times each, and look what became of it."""
    _end_all(ground)
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {token}"}
    lines = [
        {"path": PATH, "headers": headers, "body": {"order_id": order, "phone_number": phone}}
        for order, phone in _orders(ground, size * rounds)
    ]
    told = _crowd(ground, lines, size)
    if told["wrong"]:
        print(f"    not answered 200: {told['wrong']}", file=sys.stderr)
    unheard = len(lines) - _pending(ground)
    lost = max(sum(told["wrong"].values()), unheard)
    return Done(size, len(lines), told["seconds"], told["times"], lost, told["again"])


def _crowd(ground: Ground, lines: Sequence[dict[str, Any]], size: int) -> dict[str, Any]:
    """Have ``size`` of a crowd send these requests, and return what they tell."""
    file = ground.folder / "initiations.txt"
    file.write_text("\n".join(json.dumps(line) for line in lines))
    command = [sys.executable, "-m", "scripts.bench.crowd", ground.base_url, str(file), str(size)]
    done = subprocess.run(
        command, cwd=ROOT, env=ground.env, capture_output=True, check=True, timeout=MOST_SECONDS
    )
    told: dict[str, Any] = json.loads(done.stdout)
    return told


def _orders(ground: Ground, count: int) -> list[tuple[str, str]]:
    """Add so many orders that wait for their money; return each with a phone of its own."""
    engine = create_engine(ground.env["DATABASE_URL"])
    with engine.begin() as connection:
        person = connection.scalar(select(Person.id).where(Person.email == SHOPPER))
        product = connection.scalar(select(Product.id).limit(1))
        first = connection.scalar(select(func.max(Order.id))) or 0
        uuids = [uuid4() for _ in range(count)]
        rows = [
            {"uuid": uuid, "reference": f"I{first + n:07d}", "person_id": person}
            | {"total_cents": PRICE_CENTS, "held_until": now() + timedelta(hours=1)}
            for n, uuid in enumerate(uuids)
        ]
        connection.execute(insert(Order), rows)
        ids = dict(
            connection.execute(select(Order.uuid, Order.id).where(Order.id > first)).tuples().all()
        )
        line = {"product_id": product, "name": "Kiondo", "kind": "goods", "held": False}
        line |= {"unit_price_cents": PRICE_CENTS, "quantity": 1}
        connection.execute(insert(OrderLine), [line | {"order_id": ids[uuid]} for uuid in uuids])
    engine.dispose()
    return [(str(uuid), f"2547{ids[uuid]:08d}") for uuid in uuids]


def _pending(ground: Ground) -> int:
    """Return how many attempts wait for their callback, and have the id that it will name."""
    engine = create_engine(ground.env["DATABASE_URL"])
    query = select(func.count()).select_from(Payment)
    with engine.connect() as connection:
        waiting = query.where(Payment.status == Status.PENDING, Payment.checkout_request_id != "")
        count = connection.scalar(waiting)
    engine.dispose()
    return count or 0


def _end_all(ground: Ground) -> None:
    """End what an earlier crowd has begun, so that its questions fall into nobody's time."""
    engine = create_engine(ground.env["DATABASE_URL"])
    with engine.begin() as connection:
        ended = {"status": Status.CANCELLED, "next_check_at": None}
        connection.execute(update(Payment).values(**ended))
    engine.dispose()
