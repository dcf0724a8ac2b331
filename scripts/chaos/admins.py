"""The admins of a chaos run, who pay suppliers and get in each other's way."""

from __future__ import annotations

import random
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from scripts.chaos.people import KNOWN_TO_FORGER, Body, Rumours, Shop, at_once

#: Some of them need another admin's yes.
AMOUNTS = (10, 150, 1_000, 4_000, 9_000)
DECISIONS = ("two", "two", "one", "twice", "myself", "number", "both", "off", "wait")
PAYOUT_PATH = "/api/payments/supplier/payout"
PAYOUTS_PATH = "/api/payments/supplier/payouts"


class Numbers:
    """M-Pesa numbers that no supplier has had before."""

    def __init__(self) -> None:
        self._next = 254_740_000_000
        self._lock = threading.Lock()

    def take(self) -> str:
        with self._lock:
            self._next += 1
            return str(self._next)


def make_suppliers(admin: Shop, count: int, numbers: Numbers) -> list[str]:
    """Add suppliers; return their ids."""
    made = []
    for number in range(count):
        body = {"name": f"Chaos supplier {number}", "mpesa_number": numbers.take()}
        made.append(str(admin.call("POST", "/api/suppliers", body)[1]["id"]))
    return made


@dataclass(frozen=True)
class Desk:
    """An admin in two tabs, and the colleagues who may agree; the suppliers are everybody's."""

    me: Shop
    again: Shop
    colleagues: Sequence[Shop]
    suppliers: Sequence[str]
    numbers: Numbers
    rumours: Rumours


class Paymaster:
    """Pays one supplier after another, as admins do in a hurry."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._hands = ThreadPoolExecutor(3)

    def pay(self, number: int, seed: int) -> None:
        """Live through the run's payout of this number. Its dice are its own, by the seed."""
        dice = random.Random(f"{seed}:payout:{number}")  # noqa: S311
        supplier = dice.choice(self._desk.suppliers)
        body = {"supplier_id": supplier, "amount": dice.choice(AMOUNTS), "notes": f"No. {number}"}
        payout = self._ask(body, f"payout-{seed}-{number}", dice)
        if not payout:
            return
        if dice.random() < KNOWN_TO_FORGER:
            self._desk.rumours.tell(payout)
        if payout["status"] == "awaiting_approval":
            self._decide(payout["payout_id"], supplier, dice)
        elif dice.random() < 0.1:
            self._call_off(payout["payout_id"])
        if dice.random() < 0.05:
            self._change_number(supplier)

    def _ask(self, body: Body, key: str, dice: random.Random) -> Body:
        """Press once, twice at once in two tabs, or once more afterwards: always under one key."""

        def press(shop: Shop) -> Body:
            answer = shop.call("POST", PAYOUT_PATH, body, key)[1]
            return answer.get("data") or {}

        chosen = dice.random()
        if chosen < 0.2:
            first, second = at_once(self._hands, press, self._desk.me, self._desk.again)
            return first or second
        payout = press(self._desk.me)
        if chosen < 0.4:
            press(self._desk.again)
        return payout

    def _decide(self, payout_id: str, supplier: str, dice: random.Random) -> None:
        """Have a colleague agree, or two at once, or oneself; change the number; call it off."""
        me, (first, second) = self._desk.me, self._desk.colleagues

        def agree(shop: Shop) -> None:
            shop.call("POST", f"{PAYOUTS_PATH}/{payout_id}/approve", {})

        match dice.choice(DECISIONS):
            case "two":
                at_once(self._hands, agree, first, second)
            case "one":
                agree(first)
            case "twice":
                for shop in (first, first, second):
                    agree(shop)
            case "myself":
                agree(me)
                agree(second)
            case "number":
                self._change_number(supplier)
                agree(first)
                self._call_off(payout_id)
            case "both":
                acts = {me: lambda _: self._call_off(payout_id), first: agree}
                at_once(self._hands, lambda shop: acts[shop](shop), me, first)
            case "off":
                self._call_off(payout_id)

    def _change_number(self, supplier: str) -> None:
        body = {"mpesa_number": self._desk.numbers.take(), "reason": "They said so"}
        self._desk.me.call("PUT", f"/api/payments/supplier/{supplier}/update-mpesa", body)

    def _call_off(self, payout_id: str) -> None:
        self._desk.me.call("POST", f"{PAYOUTS_PATH}/{payout_id}/cancel", {"reason": "Too soon"})
