"""Whether the shop's memory stays flat: minutes of people who order, pay, wait and look around."""

from __future__ import annotations

import itertools
import os
import statistics
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import requests
from sqlalchemy import Engine, create_engine, text

from scripts.bench.figures import Figure
from scripts.bench.ground import Ground
from tests.support.live_shop import ADMIN, SHOPPER

MINUTES = 2.0
SHOPPERS = 4
LOOK_SECONDS = 5.0
POLLS = 4
#: The mean of the last quarter over that of the second: the first is warming up.
MOST = 1.05
PAGES = ("/", "/cart", "/api/products", "/static/css/lipa.css")
_PHONES = itertools.count(10_000_000)


@dataclass
class Tally:
    """What was sent until now, and what was not answered as it should be."""

    requests: int = 0
    wrong: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def note(self, *, right: bool) -> None:
        with self.lock:
            self.requests += 1
            self.wrong += not right


@dataclass(frozen=True)
class Look:
    """How much memory the shop's processes had after so many requests, in MB."""

    requests: int
    megabytes: float


def soak(ground: Ground, *, minutes: float = MINUTES) -> Iterator[Figure]:
    """Mixed load for so long on one web process and its worker, looking at their memory."""
    tally = Tally()
    with ExitStack() as stack:
        if ground.env.get("EMBEDDED_WORKER") == "false":
            stack.enter_context(ground.working())
        stack.enter_context(ground.serving())
        looks = list(_watched(ground, tally, minutes * 60))
    quarter = len(looks) // 4
    early = _mean(looks[quarter : 2 * quarter])
    late = _mean(looks[-quarter:])

    def told(what: str, value: float, unit: str = "", most: float | None = None) -> Figure:
        return Figure("soak", ground.engine, what, value, unit, most=most)

    yield told(f"requests in {minutes:g} minutes", tally.requests)
    yield told("not answered 2xx", tally.wrong, most=0)
    yield told("memory, second quarter of the time", early, "MB")
    yield told("memory, last quarter", late, "MB")
    yield told("growth after warm-up per 1,000 requests", slope(looks[quarter:]) * 1000, "MB")
    yield told("last quarter over second", late / early if early else 0.0, most=MOST)


def _watched(ground: Ground, tally: Tally, seconds: float) -> Iterator[Look]:
    """Let people in, and look at the shop's memory until the time is over."""
    ending = threading.Event()
    engine = create_engine(_with_driver(ground.env["DATABASE_URL"]))
    with ThreadPoolExecutor(SHOPPERS) as pool:
        people = [Shopper(ground, engine, tally) for _ in range(SHOPPERS)]
        futures = [pool.submit(each.go_on, ending.is_set) for each in people]
        deadline = time.monotonic() + seconds
        try:
            while time.monotonic() < deadline:
                time.sleep(min(LOOK_SECONDS, seconds / 24))
                yield Look(tally.requests, megabytes_of(_processes()))
        finally:
            ending.set()
        for future in futures:
            future.result()
    engine.dispose()


class Shopper:
    """Somebody who buys the same thing again and again, and reads pages in between."""

    def __init__(self, ground: Ground, engine: Engine, tally: Tally) -> None:
        self._ground, self._engine, self._tally = ground, engine, tally
        self._product = self._endless_product()
        self._session = self._signed_in(SHOPPER)

    def go_on(self, is_over: Callable[[], bool]) -> None:
        while not is_over():
            self._buy_once()

    def _buy_once(self) -> None:
        items = [{"product_id": self._product, "quantity": 1}]
        order = self._send("POST", "/api/orders", {"items": items}).get("id", "")
        asked = {"order_id": order, "phone_number": f"2547{next(_PHONES)}"}
        data = self._send("POST", "/api/payments/mpesa/initiate", asked).get("data", {})
        for _ in range(POLLS):
            self._send("POST", "/api/payments/mpesa/query", {"order_id": order})
        if name := data.get("checkout_request_id"):
            self._send("POST", *self._callback(name))
        for path in (*PAGES, f"/api/orders/{order}", f"/orders/{order}"):
            self._send("GET", path)

    def _callback(self, name: str) -> tuple[str, dict[str, Any]]:
        """Return where Daraja would post that a prompt was paid, and what."""
        query = text("SELECT id, callback_token FROM payments WHERE checkout_request_id = :it")
        with self._engine.connect() as connection:
            number, token = connection.execute(query, {"it": name}).one()
        values = {"Amount": 20, "MpesaReceiptNumber": f"S{number:09d}", "PhoneNumber": 254700000000}
        items = [{"Name": key, "Value": value} for key, value in values.items()]
        told = {
            "MerchantRequestID": "soak",
            "CheckoutRequestID": name,
            "ResultCode": 0,
            "ResultDesc": "The service request is processed successfully.",
            "CallbackMetadata": {"Item": items},
        }
        return f"/api/payments/mpesa/callback?token={token}", {"Body": {"stkCallback": told}}

    def _send(self, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        url = self._ground.base_url + path
        try:
            answer = self._session.request(method, url, json=body, timeout=30)
        except requests.RequestException:
            self._tally.note(right=False)
            return {}
        self._tally.note(right=answer.ok)
        is_json = answer.headers.get("Content-Type", "").startswith("application/json")
        found: dict[str, Any] = answer.json() if is_json else {}
        return found

    def _signed_in(self, email: str) -> requests.Session:
        session = requests.Session()
        session.trust_env = False
        account = {"email": email, "password": self._ground.env["DEMO_PASSWORD"]}
        url = f"{self._ground.base_url}/api/auth/login"
        answer = session.post(url, json=account, timeout=30)
        answer.raise_for_status()
        session.cookies.clear()
        session.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"
        return session

    def _endless_product(self) -> int:
        goods = {"name": "Airtime card", "kind": "goods", "price": 20, "stock": None}
        url = f"{self._ground.base_url}/api/products"
        answer = self._signed_in(ADMIN).post(url, json=goods, timeout=30)
        answer.raise_for_status()
        return int(answer.json()["id"])


def megabytes_of(processes: list[int]) -> float:
    """Return what these processes hold of the memory, each shared page in its shares."""
    total = 0
    for process in processes:
        lines = Path(f"/proc/{process}/smaps_rollup").read_text().splitlines()
        total += sum(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
    return total / 1024


def _processes() -> list[int]:
    """Return the shop's processes: the server and the worker that we started, and theirs."""
    parents: dict[int, int] = {}
    for place in Path("/proc").iterdir():
        if place.name.isdigit():
            try:
                status = (place / "stat").read_text()
            except OSError:
                continue
            parents[int(place.name)] = int(status.rpartition(")")[2].split()[1])
    found = [each for each, parent in parents.items() if parent == os.getpid() and _is_shop(each)]
    return found + [each for each, parent in parents.items() if parent in found]


def _is_shop(process: int) -> bool:
    command = Path(f"/proc/{process}/cmdline").read_bytes().split(b"\0")
    return b"run.py" in command or b"worker" in command


def _mean(looks: list[Look]) -> float:
    return statistics.fmean(look.megabytes for look in looks) if looks else 0.0


def slope(looks: list[Look]) -> float:
    """Return by how many megabytes memory grew with each request."""
    if len({look.requests for look in looks}) < 2:
        return 0.0
    line = statistics.linear_regression(
        [look.requests for look in looks], [look.megabytes for look in looks]
    )
    return line.slope


def _with_driver(url: str) -> str:
    return url.replace("postgresql://", "postgresql+psycopg://", 1)
