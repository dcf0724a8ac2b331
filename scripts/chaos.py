"""Thousands of payments through bad weather; then the books are held against the ledger.

Starts a simulator and a shop of its own, has shoppers order and pay at the same time while
Daraja misbehaves in every way it can, a forger posts callbacks, and the shop is killed and started
again. When all has calmed down it compares, order by order, what the shop has booked with what
really moved. Exit status: 0 when all of it agrees, 1 when something does not, and 2 when the run
could not be done. `docs/testing.md` says what the table means.
"""

from __future__ import annotations

import argparse
import itertools
import json
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from scripts.chaos_books import compare, unsettled  # noqa: E402
from scripts.chaos_forger import FORGED, Forger  # noqa: E402
from scripts.chaos_people import (  # noqa: E402
    Rumours,
    Shop,
    ShopGoneError,
    Shopper,
    Tally,
)
from scripts.chaos_report import Facts, is_right, offenders, table  # noqa: E402
from scripts.chaos_shop import (  # noqa: E402
    DARAJA_TIMEOUT_SECONDS,
    ChaosShop,
    Ground,
    chaos_ground,
)
from tests.services.launch import ServiceFailedError, ServiceMissingError  # noqa: E402
from tests.support.live_shop import ADMIN  # noqa: E402

MOST_PAYMENTS = 5_000
MOST_SHOPPERS = 64
ORDERS_A_PAGE = 100
PRICES = (10, 150, 1_000, 20_000)
DOWN_SECONDS = 0.5
#: At the product's own pace: the last question to a payment that was often not answered.
CALM_SECONDS = 420
SETTLED_SECONDS = 2
LOOK_SECONDS = 1.0
FORGERS_PHONE = "254790000000"
PIPE_PROGRESS_SECONDS = 10
MOST_COMPLAINT_CHARACTERS = 3000
PACE_HELP = "divides the pauses of the shop's engine, for a short run; 1 is the product's own"
KEEP_HELP = "where to leave the shop's log and all that was compared, as JSON"
LATE_SECONDS = DARAJA_TIMEOUT_SECONDS + 1

WEATHER: dict[str, Any] = {
    "early_callback": 0.03,
    "no_callback": 0.06,
    "late_callback": {"chance": 0.06, "seconds": 5},
    "duplicate_callback": {"chance": 0.1, "copies": 10},
    "failure_then_success": 0.04,
    "success_then_failure": 0.04,
    "late_success": {"chance": 0.1, "seconds": 2},
    "wrong_amount": 0.04,
    "no_metadata": 0.03,
    "push_500": 0.02,
    "push_html": 0.02,
    "push_rate_limited": 0.01,
    "reset_after_processing": 0.03,
    "error_after_processing": 0.02,
    "html_after_processing": 0.02,
    "broken_json_after_processing": 0.02,
    "hang": {"chance": 0.02, "seconds": LATE_SECONDS},
    "token_refused_once": 0.02,
    "query_noise": 0.08,
    "query_rate_limited": 0.04,
    "query_html": 0.02,
    "query_hang": {"chance": 0.02, "seconds": LATE_SECONDS},
}
PAYERS = {"pays": 0.7, "cancels": 0.1, "enters_wrong_pin": 0.05}


@dataclass
class Run:
    """One run: what was asked for, and what has come of it so far."""

    options: argparse.Namespace
    ground: Ground
    tally: Tally = field(default_factory=Tally)
    rumours: Rumours = field(default_factory=Rumours)
    done: int = 0
    kills: int = 0
    troubles: list[str] = field(default_factory=list)
    _numbers: Iterator[int] = field(default_factory=itertools.count)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def shop(self) -> ChaosShop:
        return self.ground.shop

    def next_number(self) -> int | None:
        with self._lock:
            number = next(self._numbers)
        return number if number < self.options.payments else None

    def finish_one(self) -> None:
        with self._lock:
            self.done += 1


def main() -> int:
    options = _options()
    _say(
        f"Chaos: {options.payments} payments, {options.shoppers} shoppers, seed {options.seed}, "
        f"{options.database}, kills {options.kills}, prompts of {options.prompt_seconds} s, "
        f"{_pace_words(options.pace)}."
    )
    try:
        with chaos_ground(
            database=options.database,
            prompt_seconds=options.prompt_seconds,
            pace=options.pace,
            seed=options.seed,
        ) as ground:
            return _run(Run(options, ground))
    except (ServiceMissingError, ServiceFailedError, ShopGoneError) as problem:
        _say(f"The run could not be done: {problem}")
        return 2
    except KeyboardInterrupt:
        _say("Stopped.")
        return 130


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else "")
    parser.add_argument("--payments", type=_from_to(1, MOST_PAYMENTS), default=2000)
    parser.add_argument("--shoppers", type=_from_to(1, MOST_SHOPPERS), default=20)
    parser.add_argument("--seed", type=int, default=7, help="the same seed, the same weather")
    parser.add_argument("--database", choices=("sqlite", "postgresql"), default="sqlite")
    parser.add_argument("--kills", type=_from_to(0, 20), default=2, help="of the shop, by SIGKILL")
    parser.add_argument("--prompt-seconds", type=_from_to(1, 60), default=8)
    parser.add_argument("--pace", type=_from_to(1, 100), default=1, help=PACE_HELP)
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help=KEEP_HELP)
    return parser.parse_args()


def _from_to(least: int, most: int) -> Callable[[str], int]:
    def number(text: str) -> int:
        if not text.isdecimal() or not least <= int(text) <= most:
            raise argparse.ArgumentTypeError(f"a whole number from {least} to {most}")
        return int(text)

    return number


def _pace_words(pace: int) -> str:
    return "the product's own pauses" if pace == 1 else f"the engine's pauses divided by {pace}"


def _run(run: Run) -> int:
    began = time.monotonic()
    try:
        admin = Shop(run.shop.base_url, run.tally)
        admin.sign_in(ADMIN, run.shop.password)
        products = _stock(admin)
        _make_weather(run)
        forger = _forger(run, products)
        forger.start()
        _send(run, products)
        sent = time.monotonic()
        forger.stop()
        calm = _wait_for_calm(run, admin)
        found = compare(**_evidence(run, admin))
        facts = _facts(run, sent - began, calm)
        right = is_right(facts, found)
        _say(table(facts, found))
        _say(offenders(facts, found))
        verdict = "Every shilling that moved is in the books, once" if right else "NOT RIGHT"
        _say(f"{verdict}. Seed {run.options.seed}.")
        return 0 if right else 1
    finally:
        _keep(run, "shop.log", run.shop.log_text())


def _evidence(run: Run, admin: Shop) -> dict[str, list[dict[str, Any]]]:
    """The rows that are compared: the shop's orders, and the simulator's prompts and ledger."""
    simulator = run.ground.simulator
    rows = {
        "orders": _orders(admin),
        "prompts": simulator.prompts(),
        "ledger": simulator.ledger(),
    }
    for name, content in rows.items():
        _keep(run, f"{name}.json", json.dumps(content, indent=1))
    return rows


def _keep(run: Run, name: str, content: str) -> None:
    folder: Path | None = run.options.keep
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(content)


def _stock(admin: Shop) -> list[int]:
    """Put goods without end on the shelves; returns their ids."""
    made = []
    for price in PRICES:
        body = {"name": f"Chaos goods at {price}", "price": price, "stock": None}
        status, product = admin.call("POST", "/api/products", body)
        if status != 201:
            raise ServiceFailedError(f"a product was answered by {status}: {product}")
        made.append(int(product["id"]))
    return made


def _make_weather(run: Run) -> None:
    forecast = {
        "seed": run.options.seed,
        "chances": WEATHER,
        "payers": PAYERS,
        # Some come when the prompt is about to end, and some after that.
        "payer_seconds": [0.1, run.options.prompt_seconds * 1.1],
    }
    run.ground.simulator.tell("weather", forecast)


def _forger(run: Run, products: list[int]) -> Forger:
    """Give the forger a payment of his own, whose token he knows."""
    shop = Shop(run.shop.base_url, run.tally)
    shop.register("forger@example.com", run.shop.password)
    _, order = shop.call("POST", "/api/orders", {"items": [{"product_id": products[0]}]})
    body = {"order_id": order["id"], "phone_number": FORGERS_PHONE}
    shop.call("POST", "/api/payments/mpesa/initiate", body)
    _, order = shop.call("GET", f"/api/orders/{order['id']}")
    address = run.shop.flask("callback_url", order["payments"][0]["transaction_id"]).stdout.strip()
    token = address.rpartition("token=")[2]
    return Forger(run.shop.base_url, run.tally, run.rumours, token, run.options.seed)


def _send(run: Run, products: list[int]) -> None:
    """Have every payment made, killing the shop in between."""
    threads = [
        threading.Thread(target=_shop_on, args=(run, number, products), daemon=True)
        for number in range(run.options.shoppers)
    ]
    for thread in threads:
        thread.start()
    kills = _kill_points(run.options)
    while any(thread.is_alive() for thread in threads):
        if kills and run.done >= kills[0]:
            kills.pop(0)
            _kill_and_restart(run)
        _progress(f"{run.done} of {run.options.payments} payments begun, {run.kills} kills")
        time.sleep(0.1)
    if run.troubles:
        raise ShopGoneError(run.troubles[0])


def _shop_on(run: Run, shopper_number: int, products: list[int]) -> None:
    try:
        shop = Shop(run.shop.base_url, run.tally)
        token = shop.register(f"shopper-{shopper_number}@example.com", run.shop.password)
        other_tab = Shop(run.shop.base_url, run.tally, token)
        shopper = Shopper(shop, other_tab, run.rumours, products)
        while (number := run.next_number()) is not None and not run.troubles:
            shopper.pay(number, run.options.seed)
            run.finish_one()
    except Exception as error:
        run.troubles.append(f"a shopper gave up: {type(error).__name__}: {error}")


def _kill_points(options: argparse.Namespace) -> list[int]:
    parts = options.kills + 1
    return [options.payments * part // parts for part in range(1, parts)]


def _kill_and_restart(run: Run) -> None:
    run.shop.kill()
    run.kills += 1
    time.sleep(DOWN_SECONDS)
    run.shop.start()


def _wait_for_calm(run: Run, admin: Shop) -> float:
    """Wait until nothing more is to come and everything is settled; returns seconds it took."""
    began = time.monotonic()
    # The weather goes on: questions that are not answered belong to the way into calm.
    limit = CALM_SECONDS / run.options.pace + run.options.prompt_seconds + 30
    open_ids: list[str] | None = None
    while (waited := time.monotonic() - began) < limit:
        to_come = run.ground.simulator.callbacks_to_come()
        if to_come == 0:
            open_ids = _still_open(admin, open_ids)
            if not open_ids:
                # What the last callback set off may still be under way.
                time.sleep(SETTLED_SECONDS)
                return waited
        left = "…" if open_ids is None else len(open_ids)
        _progress(f"calming for {waited:.0f} s: {to_come} events to come, {left} orders not final")
        time.sleep(LOOK_SECONDS)
    return waited


def _still_open(admin: Shop, known: list[str] | None) -> list[str]:
    """Which orders have a payment that the shop still finds out about."""
    if known is None:
        return [order["id"] for order in _orders(admin) if unsettled(order)]
    orders = [admin.call("GET", f"/api/orders/{number}")[1] for number in known]
    return [order["id"] for order in orders if unsettled(order)]


def _orders(admin: Shop) -> list[dict[str, Any]]:
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


def _facts(run: Run, sending_seconds: float, calm_seconds: float) -> Facts:
    answers = run.tally.counts
    return Facts(
        payments=run.done,
        sending_seconds=sending_seconds,
        calm_seconds=calm_seconds,
        kills=run.kills,
        forged=sum(n for name, n in answers.items() if name.startswith(FORGED)),
        befell=run.ground.simulator.ask("weather")["befell"],
        answers=answers,
        server_errors=run.tally.server_errors,
        broken_rules=_broken_rules(run),
    )


def _broken_rules(run: Run) -> str | None:
    """What `flask check_invariants` complains about; None when it is content."""
    checked = run.shop.flask("check_invariants")
    told = f"{checked.stdout}{checked.stderr}".strip()
    return None if checked.returncode == 0 else told[-MOST_COMPLAINT_CHARACTERS:]


_last_progress = 0.0


def _progress(text: str) -> None:
    """Say where the run stands: on a terminal in one line, into a pipe now and then."""
    global _last_progress
    if sys.stdout.isatty():
        print(f"\r\x1b[K  {text}", end="", flush=True)
    elif time.monotonic() - _last_progress > PIPE_PROGRESS_SECONDS:
        _last_progress = time.monotonic()
        print(f"  {text}", flush=True)


def _say(text: str) -> None:
    start = "\r\x1b[K" if sys.stdout.isatty() else ""
    print(f"{start}{text}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
