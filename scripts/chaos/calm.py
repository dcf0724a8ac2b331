"""Waiting until a shop has found out about everything that chaos has left behind."""

from __future__ import annotations

import itertools
import time
from collections.abc import Sequence
from typing import Any

from scripts.chaos.books import compare, unsettled
from scripts.chaos.crowd import Run
from scripts.chaos.out_books import returned
from scripts.chaos.people import Shop
from scripts.chaos.progress import progress
from tests.services.launch import ServiceFailedError
from tests.support.out_records import OutRecord, out_records

ORDERS_A_PAGE = 100
#: At the product's own pace: the last question to a payment that was often not answered.
CALM_SECONDS = 420
#: What Daraja could tell by now is asked for again after so long, although a person sees it too.
PATIENCE_SECONDS = 150
SETTLED_SECONDS = 2
LOOK_SECONDS = 1.0


def wait_for_calm(run: Run, admin: Shop) -> float:
    """Wait until nothing more is to come and everything is settled; returns seconds it took."""
    began = time.monotonic()
    # The weather goes on: questions that are not answered belong to the way into calm.
    limit = CALM_SECONDS / run.options.pace + run.options.prompt_seconds + 30
    watch = _Watch(run, admin)
    while (waited := time.monotonic() - began) < limit:
        unrest = watch.unrest(waited)
        if unrest is None:
            # What the last callback set off may still be under way.
            time.sleep(SETTLED_SECONDS)
            return waited
        progress(f"calming for {waited:.0f} s: {unrest}")
        time.sleep(LOOK_SECONDS)
    return waited


class _Watch:
    """Looks at a shop and its Daraja for what is still to be waited for."""

    def __init__(self, run: Run, admin: Shop) -> None:
        self._run, self._admin = run, admin
        self._simulator = run.ground.simulator
        self._open: list[str] | None = None

    def unrest(self, waited: float) -> str | None:
        """Say what is still to be waited for, after so many seconds; None for nothing."""
        out = self._open_out(PATIENCE_SECONDS / self._run.options.pace > waited)
        to_come = self._simulator.callbacks_to_come()
        if to_come or out:
            return f"{to_come} events to come, {len(out)} payouts and refunds not final"
        self._open = _still_open(self._admin, self._open)
        if self._open:
            return f"{len(self._open)} orders not final"
        missing = self._missing()
        return f"{missing} orders whose money the shop has to ask for again" if missing else None

    def _open_out(self, is_patient: bool) -> list[OutRecord]:
        """Which refunds and payouts are not settled; who is patient waits for the knowable too."""
        records = out_records(self._run.shop.env["DATABASE_URL"])
        left = [record for record in records if not record.is_settled]
        if is_patient and not left:
            return could_be_known(records, self._simulator.ended_out())
        return left

    def _missing(self) -> int:
        """For how many orders more moved than is booked: a late success may be asked about yet."""
        simulator, orders = self._simulator, all_orders(self._admin)
        back = returned(out_records(self._run.shop.env["DATABASE_URL"]))
        found = compare(orders, simulator.prompts(), simulator.ledger(), back)
        return sum(offence.kind == "lost" for offence in found.offences)


def all_orders(admin: Shop) -> list[dict[str, Any]]:
    """Every order with its payments, newest first."""
    found: list[dict[str, Any]] = []
    for page in itertools.count(1):
        path = f"/api/orders?page={page}&per_page={ORDERS_A_PAGE}"
        status, answer = admin.call("GET", path)
        if status != 200:
            raise ServiceFailedError(f"the orders were answered by {status}: {answer}")
        found += answer["results"]
        if page * ORDERS_A_PAGE >= answer["total"]:
            return found
    raise AssertionError("unreachable")


def could_be_known(records: Sequence[OutRecord], ended: set[str]) -> list[OutRecord]:
    """What is unknown to the shop, and Daraja could tell it, by a name that the shop knows."""
    return [one for one in records if one.status == "unknown" and one.names & ended]


def _still_open(admin: Shop, known: list[str] | None) -> list[str]:
    """Which orders have a payment that the shop still finds out about."""
    if known is None:
        return [order["id"] for order in all_orders(admin) if unsettled(order)]
    orders = [admin.call("GET", f"/api/orders/{number}")[1] for number in known]
    return [order["id"] for order in orders if unsettled(order)]
