"""Thousands of payments through bad weather; then the books are held against the ledger.

Starts a simulator and a shop of its own, has shoppers order, pay and ask for their money back, and
admins pay suppliers, all at the same time, while Daraja misbehaves in every way it can, a forger
posts callbacks and results, and the shop is killed and started again. When all has calmed down it
compares, order by order and payout by payout, what the shop has booked with what really moved. Exit
status: 0 when all of it agrees, 1 when something does not, and 2 when the run could not be done.
`docs/testing.md` says what the table means.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from scripts.chaos.books import compare
from scripts.chaos.calm import all_orders, could_be_known, wait_for_calm
from scripts.chaos.cluster import cluster_ground
from scripts.chaos.crowd import (
    FLOAT_A_PAYOUT,
    FULL_FLOAT,
    Run,
    call_forger,
    fill_shelves,
    send,
)
from scripts.chaos.forger import FORGED, FORGED_RESULT
from scripts.chaos.out_books import compare_out, returned
from scripts.chaos.people import Shop, ShopGoneError
from scripts.chaos.progress import say
from scripts.chaos.report import Facts, Found, is_right, offenders, table
from scripts.chaos.shop import Ground, chaos_ground
from scripts.chaos.weather import forecast
from tests.services.launch import ServiceFailedError, ServiceMissingError
from tests.support.live_shop import ADMIN
from tests.support.out_records import OutBooks, out_books

MOST_PAYMENTS = 5_000
MOST_SHOPPERS = 64
PAYMENTS_A_PAYOUT = 4
MOST_COMPLAINT_CHARACTERS = 3000
PAYOUTS_HELP = "to suppliers, by three admins; a quarter of the payments unless told"
CLUSTER = "cluster"
DATABASES = ("sqlite", "postgresql", CLUSTER)
DATABASE_HELP = "cluster is nginx, two web processes, two workers, PostgreSQL and Redis"
KILLS = {False: 2, True: 8}
KILLS_HELP = "of the shop, by SIGKILL (2); in a cluster, of one part of it after the other (8)"
PACE_HELP = "divides the pauses of the shop's engine, for a short run; 1 is the product's own"
KEEP_HELP = "where to leave the shop's log and all that was compared, as JSON"
Row = dict[str, Any]


@dataclass(frozen=True)
class Evidence:
    """What is compared: the shop's orders and books, and what the simulator says of them."""

    orders: list[Row]
    books: OutBooks
    prompts: list[Row]
    came: list[Row]
    left: list[Row]


def main() -> int:
    options = _options()
    say(
        f"Chaos: {options.payments} payments, {options.payouts} payouts, "
        f"{options.shoppers} shoppers, seed {options.seed}, {options.database}, kills "
        f"{options.kills}, prompts of {options.prompt_seconds} s, {_pace_words(options.pace)}."
    )
    try:
        with _ground(options) as ground:
            return _run(Run(options, ground))
    except (ServiceMissingError, ServiceFailedError, ShopGoneError) as problem:
        say(f"The run could not be done: {problem}")
        return 2
    except KeyboardInterrupt:
        say("Stopped.")
        return 130


def _ground(options: argparse.Namespace) -> AbstractContextManager[Ground]:
    wanted = {name: vars(options)[name] for name in ("prompt_seconds", "pace", "seed")}
    if options.database == CLUSTER:
        return cluster_ground(**wanted)
    return chaos_ground(database=options.database, **wanted)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        "make chaos", description=__doc__.partition("\n")[0] if __doc__ else ""
    )
    parser.add_argument("--payments", type=_from_to(1, MOST_PAYMENTS), default=2000)
    parser.add_argument("--payouts", type=_from_to(0, MOST_PAYMENTS), help=PAYOUTS_HELP)
    parser.add_argument("--shoppers", type=_from_to(1, MOST_SHOPPERS), default=20)
    parser.add_argument("--seed", type=int, default=7, help="the same seed, the same weather")
    parser.add_argument("--database", choices=DATABASES, default="sqlite", help=DATABASE_HELP)
    parser.add_argument("--kills", type=_from_to(0, 20), help=KILLS_HELP)
    parser.add_argument("--prompt-seconds", type=_from_to(1, 60), default=8)
    parser.add_argument("--pace", type=_from_to(1, 100), default=1, help=PACE_HELP)
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help=KEEP_HELP)
    options = parser.parse_args()
    if options.payouts is None:
        options.payouts = options.payments // PAYMENTS_A_PAYOUT
    if options.kills is None:
        options.kills = KILLS[options.database == CLUSTER]
    return options


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
    options, simulator = run.options, run.ground.simulator
    try:
        admin = Shop(run.shop.base_url, run.tally)
        admin.sign_in(ADMIN, run.shop.password)
        shelves = fill_shelves(run, admin)
        simulator.fill_float(FLOAT_A_PAYOUT * (1 + options.payouts))
        simulator.tell("weather", forecast(options.seed, options.prompt_seconds))
        forger = call_forger(run, admin, shelves)
        forger.start()
        send(run, shelves)
        sent = time.monotonic()
        forger.stop()
        simulator.fill_float(FULL_FLOAT)
        calm = wait_for_calm(run, admin)
        evidence = _evidence(run, admin)
        found = _compare(evidence)
        facts = _facts(run, evidence, sent - began, calm)
        say(table(facts, found))
        say(offenders(facts, found))
        right = is_right(facts, found)
        verdict = "Every shilling that moved is in the books, once" if right else "NOT RIGHT"
        say(f"{verdict}. Seed {options.seed}.")
        return 0 if right else 1
    finally:
        _keep(run, "shop.log", run.shop.log_text())


def _evidence(run: Run, admin: Shop) -> Evidence:
    simulator = run.ground.simulator
    evidence = Evidence(
        orders=all_orders(admin),
        books=out_books(run.shop.env["DATABASE_URL"]),
        prompts=simulator.prompts(),
        came=simulator.ledger(),
        left=simulator.money_out(),
    )
    for name, content in asdict(evidence).items():
        _keep(run, f"{name}.json", json.dumps(content, indent=1, default=str))
    return evidence


def _compare(evidence: Evidence) -> Found:
    back = returned(evidence.books.records)
    money_in = compare(evidence.orders, evidence.prompts, evidence.came, back)
    booked = money_in.figures["shillings booked"]
    return Found(money_in, compare_out(evidence.books, booked, evidence.came, evidence.left))


def _keep(run: Run, name: str, content: str) -> None:
    folder: Path | None = run.options.keep
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(content)


def _facts(run: Run, evidence: Evidence, sending_seconds: float, calm_seconds: float) -> Facts:
    answers, simulator = run.tally.counts, run.ground.simulator
    return Facts(
        payments=run.done,
        payouts=run.paid_out,
        sending_seconds=sending_seconds,
        calm_seconds=calm_seconds,
        kills=run.kills,
        forged=_count(answers, FORGED),
        forged_results=_count(answers, FORGED_RESULT),
        could_be_known=len(could_be_known(evidence.books.records, simulator.ended_out())),
        befell={**simulator.ask("weather")["befell"], **run.shop.befell},
        answers=answers,
        server_errors=run.tally.server_errors,
        broken_rules=_broken_rules(run),
    )


def _count(answers: dict[str, int], to: str) -> int:
    return sum(number for name, number in answers.items() if name.startswith(to))


def _broken_rules(run: Run) -> str | None:
    """What `flask check_invariants` complains about; None when it is content."""
    ways: tuple[tuple[str, ...], ...] = ((), ("--ledger", run.ground.simulator.address))
    with ThreadPoolExecutor(len(ways)) as hands:
        own, beside = hands.map(lambda way: run.shop.flask("check_invariants", *way), ways)
    told = own.stdout + own.stderr if own.returncode else ""
    # Of money in, what nobody could be told of is compared above, order by order.
    told += "".join(line for line in beside.stdout.splitlines(True) if line.startswith("I7"))
    if beside.returncode and not beside.stdout:
        told += beside.stderr
    return told.strip()[-MOST_COMPLAINT_CHARACTERS:] or None


if __name__ == "__main__":
    sys.exit(main())
