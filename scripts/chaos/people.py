"""The shoppers of a chaos run, who change their minds, and what they say to the shop."""

from __future__ import annotations

import itertools
import random
import threading
import time
from collections import Counter, deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, TypeVar
from uuid import uuid4

import requests

REQUEST_SECONDS = 30
#: A shop that is being started again answers within this time, or the run has failed.
PATIENCE_SECONDS = 90
RETRY_SECONDS = 0.25
BUSY_TRIES = 5
#: The forger knows of every fourth attempt: the others must come right without his noise.
KNOWN_TO_FORGER = 0.25
#: He strikes while the prompt is open, which is among the latest attempts he has heard of.
LATEST = 5
#: How many shoppers think again about something they have ordered.
REGRETS = 0.5
#: The least that B2C pays.
LEAST_PART = 10

Result = TypeVar("Result")
Body = dict[str, Any]


class ShopGoneError(Exception):
    """The shop did not come back in PATIENCE_SECONDS."""


@dataclass
class Tally:
    """What happened at the doors, counted by all threads."""

    counts: Counter[str] = field(default_factory=Counter)
    server_errors: list[str] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def count(self, what: str) -> None:
        with self._lock:
            self.counts[what] += 1

    def answer(self, what: str, response: requests.Response) -> None:
        """Count an answer; a 500 is the shop's own failure, whatever was sent to it."""
        self.count(f"{what}: {response.status_code}")
        if response.status_code == 500:
            with self._lock:
                self.server_errors.append(f"{what}: {response.text[:200]}")


class Shop:
    """A shop spoken to over HTTP, by one person in one tab; asked again while it is away."""

    def __init__(self, base_url: str, tally: Tally, token: str | None = None) -> None:
        self.base_url = base_url
        self._tally = tally
        self._session = requests.Session()
        self._session.trust_env = False
        if token:
            self._session.headers["Authorization"] = f"Bearer {token}"

    def call(
        self, method: str, path: str, body: Body | None = None, key: str | None = None
    ) -> tuple[int, Body]:
        """Send until it is answered. Raises ShopGoneError.

        Everything sent here may be repeated; money out is sent under an Idempotency-Key.
        """
        headers = {"Idempotency-Key": key} if key else {}
        deadline = time.monotonic() + PATIENCE_SECONDS
        for attempt in itertools.count(1):
            with suppress(requests.RequestException):
                response = self._session.request(
                    method,
                    self.base_url + path,
                    json=body,
                    headers=headers,
                    timeout=REQUEST_SECONDS,
                )
                self._tally.answer(f"{method} {_pattern(path)}", response)
                if not _is_to_be_repeated(method, response, attempt):
                    return response.status_code, _json(response)
            if time.monotonic() > deadline:
                raise ShopGoneError(f"{path} was not answered for {PATIENCE_SECONDS} s")
            time.sleep(RETRY_SECONDS)
        raise AssertionError("unreachable")

    def sign_in(self, email: str, password: str) -> str:
        """Be signed in from now on; returns the token."""
        status, answer = self.call(
            "POST", "/api/auth/login", {"email": email, "password": password}
        )
        if status != 200:
            raise ShopGoneError(f"signing in was answered by {status}: {answer}")
        return self._carry(answer)

    def register(self, email: str, password: str) -> str:
        """Make an account and be signed in with it; returns the token."""
        body = {"email": email, "password": password, "name": "Wanjiku"}
        status, answer = self.call("POST", "/api/auth/register", body)
        # The account is there already when the answer to the first request was lost in a kill.
        return self._carry(answer) if status == 201 else self.sign_in(email, password)

    def _carry(self, answer: Body) -> str:
        token = str(answer["access_token"])
        self._session.headers["Authorization"] = f"Bearer {token}"
        return token


def _is_to_be_repeated(method: str, response: requests.Response, attempt: int) -> bool:
    """Tell whether the shop was away, or busy, which a reader waits out for as long as it takes.

    A proxy says in its own words that the process behind it died.
    """
    if response.status_code in (502, 504):
        return "json" not in response.headers.get("Content-Type", "")
    return response.status_code == 503 and (method == "GET" or attempt < BUSY_TRIES)


def _pattern(path: str) -> str:
    """A path without the names in it."""
    bare = path.partition("?")[0]
    return "/".join("…" if len(part) >= 20 else part for part in bare.split("/"))


def _json(response: requests.Response) -> Body:
    try:
        answer = response.json()
    except ValueError:
        return {}
    return answer if isinstance(answer, dict) else {}


def at_once(hands: ThreadPoolExecutor, act: Callable[[Shop], Result], *tabs: Shop) -> list[Result]:
    """Do the same thing in several tabs at the same time; ``hands`` has one for each."""
    ready = threading.Barrier(len(tabs))

    def do(tab: Shop) -> Result:
        ready.wait()
        return act(tab)

    return [hand.result() for hand in [hands.submit(do, tab) for tab in tabs]]


class Rumours:
    """What the forger overhears: attempts whose ids have got about."""

    def __init__(self) -> None:
        self._known: deque[Body] = deque(maxlen=300)

    def tell(self, attempt: Body) -> None:
        self._known.append(attempt)

    def any(self, dice: random.Random) -> Body | None:
        """One of them, most often one of the latest; None when there is none."""
        known = list(self._known)
        if dice.random() < 0.8:
            known = known[-LATEST:]
        return dice.choice(known) if known else None


class Shopper:
    """Places orders and pays for them, one after another, as people do."""

    def __init__(self, shop: Shop, other_tab: Shop, rumours: Rumours, products: list[int]) -> None:
        self._shop = shop
        self._other_tab = other_tab
        self._rumours = rumours
        self._products = products
        self._hands = ThreadPoolExecutor(2)
        #: What may have been paid by now, and not asked back yet.
        self._earlier: list[str] = []

    def pay(self, number: int, seed: int) -> None:
        """Live through the run's payment of this number. Its dice are its own, by the seed."""
        dice = random.Random(f"{seed}:shopper:{number}")  # noqa: S311
        phones = [f"2547{10_000_000 + 2 * number + which}" for which in (0, 1)]
        items = [{"product_id": dice.choice(self._products), "quantity": dice.randint(1, 3)}]
        status, order = self._shop.call("POST", "/api/orders", {"items": items})
        if status != 201:
            return
        told = self._press_pay(order, phones, dice)
        for _ in range(dice.randrange(4)):
            time.sleep(dice.uniform(0.1, 0.4))
            told = self._look(order)
        if told.get("can_retry"):
            self._after_a_failure(order, phones[1], dice)
        elif dice.random() < 0.1:
            self._cancel(order)
        self._earlier.append(order["id"])
        if dice.random() < REGRETS:
            self._regret(dice)

    def leave(self, number: int, seed: int) -> None:
        """Think about everything that was ordered once more."""
        dice = random.Random(f"{seed}:leaving:{number}")  # noqa: S311
        for _ in range(len(self._earlier)):
            if dice.random() < REGRETS:
                self._regret(dice)

    def _regret(self, dice: random.Random) -> None:
        """Ask for the money of an earlier order, if there is any."""
        order_id = self._earlier.pop(dice.randrange(len(self._earlier)))
        _, order = self._shop.call("GET", f"/api/orders/{order_id}")
        paid = [row for row in order.get("payments", ()) if row["receipt"]]
        if paid:
            self._ask_back(paid[0]["transaction_id"], int(paid[0]["amount"]), dice)

    def _ask_back(self, payment: str, paid: int, dice: random.Random) -> None:
        """Ask for all of it, a part, parts, twice under one key or under two, or too much."""
        part = max(LEAST_PART, paid // 3)
        match dice.choice(("all", "part", "parts", "one key", "two keys", "too much")):
            case "all":
                self._refund(payment, paid)
            case "part":
                self._refund(payment, part)
            case "parts":
                for amount in (part, part, paid):
                    self._refund(payment, amount)
            case "one key":
                key = uuid4().hex
                self._at_once(lambda shop: self._refund(payment, paid, key, shop))
            case "two keys":
                self._at_once(lambda shop: self._refund(payment, paid, uuid4().hex, shop))
            case "too much":
                self._refund(payment, paid + LEAST_PART)

    def _refund(
        self, payment: str, amount: int, key: str | None = None, shop: Shop | None = None
    ) -> None:
        path = f"/api/payment/transactions/{payment}/refund/"
        body = {"amount": amount, "reason": "Chaos"}
        (shop or self._shop).call("POST", path, body, key or uuid4().hex)

    def _at_once(self, act: Callable[[Shop], Result]) -> list[Result]:
        return at_once(self._hands, act, self._shop, self._other_tab)

    def _press_pay(self, order: Body, phones: list[str], dice: random.Random) -> Body:
        if dice.random() < 0.15:
            return self._press_twice_at_once(order, phones, dice)
        told = self._initiate(order, phones[0])
        # The impatient press again, with the other phone, and most do when they see an error. While
        # the first prompt may be live, the same attempt must come back.
        if dice.random() < (0.15 if told else 0.7):
            self._initiate(order, phones[1])
        if told.get("checkout_request_id") and dice.random() < KNOWN_TO_FORGER:
            self._rumours.tell(told | {"amount": order["total"], "phone": phones[0]})
        return told

    def _press_twice_at_once(self, order: Body, phones: list[str], dice: random.Random) -> Body:
        phone_of = {self._shop: phones[0], self._other_tab: dice.choice(phones)}
        return self._at_once(lambda tab: self._initiate(order, phone_of[tab], tab))[0]

    def _after_a_failure(self, order: Body, phone: str, dice: random.Random) -> None:
        chosen = dice.random()
        if chosen < 0.6:
            self._initiate(order, phone)
        elif chosen < 0.8:
            self._cancel(order)

    def _cancel(self, order: Body) -> None:
        self._shop.call("POST", f"/api/orders/{order['id']}/cancel", {})

    def _initiate(self, order: Body, phone: str, tab: Shop | None = None) -> Body:
        body = {"order_id": order["id"], "phone_number": phone}
        _, answer = (tab or self._shop).call("POST", "/api/payments/mpesa/initiate", body)
        return answer.get("data") or {}

    def _look(self, order: Body) -> Body:
        body = {"order_id": order["id"]}
        _, answer = self._shop.call("POST", "/api/payments/mpesa/query", body)
        return answer.get("data") or {}
