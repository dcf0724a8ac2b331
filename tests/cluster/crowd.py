"""Shoppers who pay through nginx, one payment after the other, until they are told to stop."""

from __future__ import annotations

import threading
import time
from collections import Counter
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import requests

from tests.crash.daraja import Daraja
from tests.support.cluster import Cluster
from tests.support.live_shop import ADMIN, SHOPPER

REQUEST_SECONDS = 30
PAID_SECONDS = 120
PAUSE_SECONDS = 0.2
#: What the shop itself asks to be patient with; whoever hears it waits and tries again.
BUSY = frozenset({429, 503})
#: What nginx says for a process that was killed with a request in hand.
KILLED = BUSY | {502, 504}
#: The attempts after which Pay is pressed again.
ENDED_UNPAID = frozenset({"cancelled", "expired", "failed"})


def session_of(cluster: Cluster, email: str = SHOPPER) -> requests.Session:
    """Return somebody's session, by default the shopper's."""
    session = requests.Session()
    session.trust_env = False
    account = {"email": email, "password": cluster.password}
    url = f"{cluster.base_url}/api/auth/login"
    answer = session.post(url, json=account, timeout=REQUEST_SECONDS)
    assert answer.ok, answer.text
    session.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"
    return session


@cache
def endless_product(cluster: Cluster) -> int:
    """Return the number of something that is never sold out."""
    session = session_of(cluster, ADMIN)
    goods = {"name": "Airtime card", "kind": "goods", "price": 20, "stock": None}
    answer = session.post(f"{cluster.base_url}/api/products", json=goods, timeout=REQUEST_SECONDS)
    assert answer.ok, answer.text
    return int(answer.json()["id"])


@dataclass
class Told:
    """What the crowd was answered. `trouble` is whatever no shopper should ever see."""

    paid: list[str] = field(default_factory=list)
    unpaid: list[str] = field(default_factory=list)
    answers: Counter[int] = field(default_factory=Counter)
    trouble: list[str] = field(default_factory=list)


class Shopper:
    """One of the crowd, with a phone of their own."""

    def __init__(
        self, cluster: Cluster, number: int, told: Told, bears: frozenset[int], sign_in: str
    ) -> None:
        self._bears = bears
        self._product = endless_product(cluster)
        self._cluster = cluster
        self._session = requests.Session()
        self._session.trust_env = False
        self._session.headers["Authorization"] = sign_in
        self._msisdn = f"2547121{number:05d}"
        self._daraja = Daraja(int(cluster.env["SIMULATOR_PORT"]))
        self._told = told

    def pay_once(self) -> None:
        """Order, press Pay, type the PIN where the phone asks for it, and wait until it is paid.

        Whoever is told that an attempt has come to nothing presses Pay again.
        """
        order = self._ask(
            "POST", "/api/orders", {"items": [{"product_id": self._product, "quantity": 1}]}
        )
        deadline = time.monotonic() + PAID_SECONDS
        found = order | {"payments": []}
        while found["status"] != "paid":
            if time.monotonic() > deadline:
                self._told.unpaid.append(f"{found}")
                return
            if all(attempt["status"] in ENDED_UNPAID for attempt in found["payments"]):
                self._press_pay(order["id"], len(found["payments"]))
            self._type_pin()
            time.sleep(PAUSE_SECONDS)
            found = self._ask("GET", f"/api/orders/{order['id']}")
        self._told.paid.append(order["id"])

    def _press_pay(self, order_id: str, attempts: int) -> None:
        body = {"order_id": order_id, "phone_number": self._msisdn}
        headers = {"Idempotency-Key": f"pay-{order_id}-{attempts}"}
        self._ask("POST", "/api/payments/mpesa/initiate", body, headers)

    def _type_pin(self) -> None:
        prompt = self._daraja.open_prompt(self._msisdn)
        # A prompt that ends at this very moment is no longer to be paid.
        with suppress(requests.HTTPError):
            if prompt is not None:
                self._daraja.pay(prompt)

    def _ask(
        self,
        method: str,
        path: str,
        body: dict[str, Any] | None = None,
        headers: dict[str, str] | None = None,
    ) -> dict[str, Any]:
        deadline = time.monotonic() + PAID_SECONDS
        while True:
            answer = self._session.request(
                method,
                self._cluster.base_url + path,
                json=body,
                headers=headers,
                timeout=REQUEST_SECONDS,
            )
            self._told.answers[answer.status_code] += 1
            if answer.ok:
                found: dict[str, Any] = answer.json()
                return found
            is_busy = answer.status_code in self._bears or "Retry-After" in answer.headers
            if not is_busy or time.monotonic() > deadline:
                self._told.trouble.append(f"{method} {path}: {answer.status_code} {answer.text}")
                raise RuntimeError(self._told.trouble[-1])
            time.sleep(1)


class Crowd:
    """So many shoppers at once, while the block runs; `told` is what became of it."""

    def __init__(self, cluster: Cluster, count: int, bears: frozenset[int] = BUSY) -> None:
        self.told = Told()
        self._ending = threading.Event()
        self._pool = ThreadPoolExecutor(count)
        # One account in many places: signing in is slow on purpose, and no part of this.
        sign_in = str(session_of(cluster).headers["Authorization"])
        self._shoppers = [Shopper(cluster, n, self.told, bears, sign_in) for n in range(count)]
        self._futures: list[Future[None]] = []

    def __enter__(self) -> Crowd:
        self._futures = [self._pool.submit(self._go_on, each) for each in self._shoppers]
        return self

    def __exit__(self, *_: object) -> None:
        self._ending.set()
        self._pool.shutdown(wait=True)
        for future in self._futures:
            future.result()

    def pays(self, count: int, seconds: float = PAID_SECONDS) -> None:
        """Wait until so many more payments have been made. Raises TimeoutError."""
        wanted = len(self.told.paid) + count
        deadline = time.monotonic() + seconds
        while len(self.told.paid) < wanted:
            if time.monotonic() > deadline:
                raise TimeoutError(f"{len(self.told.paid)} of {wanted}: {self.told}")
            time.sleep(PAUSE_SECONDS)

    def _go_on(self, shopper: Shopper) -> None:
        while not self._ending.is_set():
            shopper.pay_once()
