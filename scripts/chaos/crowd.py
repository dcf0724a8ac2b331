"""Everybody of a chaos run at once: shoppers, admins, the forger, and whoever pulls the plug."""

from __future__ import annotations

import argparse
import itertools
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from scripts.chaos.admins import Desk, Numbers, Paymaster, make_suppliers
from scripts.chaos.forger import Forger, Overheard
from scripts.chaos.people import Rumours, Shop, ShopGoneError, Shopper, Tally
from scripts.chaos.progress import progress
from scripts.chaos.shop import Ground, Struck, make_admins
from tests.services.launch import ServiceFailedError
from tests.support.live_shop import ADMIN
from tests.support.out_records import out_records

PRICES = (10, 150, 1_000, 20_000)
FORGERS_PHONE = "254790000000"
FORGERS_PAYOUT = 100
#: Each pays, and each agrees to what the others pay.
COLLEAGUES = ("otieno@example.com", "njeri@example.com")
PAYOUTS_A_SUPPLIER = 10
#: The float lasts for a part of the payouts, until somebody fills it up in the middle of the run.
FLOAT_A_PAYOUT = 400
FULL_FLOAT = 100_000_000


@dataclass
class Run:
    """One run: what was asked for, and what has come of it so far."""

    options: argparse.Namespace
    ground: Ground
    tally: Tally = field(default_factory=Tally)
    rumours: Rumours = field(default_factory=Rumours)
    out_rumours: Rumours = field(default_factory=Rumours)
    done: int = 0
    paid_out: int = 0
    kills: int = 0
    troubles: list[str] = field(default_factory=list)
    _payments: Iterator[int] = field(default_factory=itertools.count)
    _payouts: Iterator[int] = field(default_factory=itertools.count)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def shop(self) -> Struck:
        return self.ground.shop

    def next_payment(self) -> int | None:
        with self._lock:
            number = next(self._payments)
        return number if number < self.options.payments else None

    def next_payout(self) -> int | None:
        with self._lock:
            number = next(self._payouts)
        return number if number < self.options.payouts else None

    def finish_payment(self) -> None:
        with self._lock:
            self.done += 1

    def finish_payout(self) -> None:
        with self._lock:
            self.paid_out += 1


@dataclass(frozen=True)
class Shelves:
    """What there is to buy, and whom the shop buys from."""

    products: list[int]
    suppliers: list[str]
    numbers: Numbers


def fill_shelves(run: Run, admin: Shop) -> Shelves:
    """Put goods without end on the shelves, and add suppliers and the admins who pay them."""
    made = []
    for price in PRICES:
        body = {"name": f"Chaos goods at {price}", "price": price, "stock": None}
        status, product = admin.call("POST", "/api/products", body)
        if status != 201:
            raise ServiceFailedError(f"a product was answered by {status}: {product}")
        made.append(int(product["id"]))
    make_admins(run.shop, COLLEAGUES)
    numbers = Numbers()
    count = 2 + run.options.payouts // PAYOUTS_A_SUPPLIER
    return Shelves(made, make_suppliers(admin, count, numbers), numbers)


def call_forger(run: Run, admin: Shop, shelves: Shelves) -> Forger:
    """Give the forger a payment and a payout of his own, whose secrets he knows."""
    shop = Shop(run.shop.base_url, run.tally)
    shop.register("forger@example.com", run.shop.password)
    _, order = shop.call("POST", "/api/orders", {"items": [{"product_id": shelves.products[0]}]})
    body = {"order_id": order["id"], "phone_number": FORGERS_PHONE}
    shop.call("POST", "/api/payments/mpesa/initiate", body)
    _, order = shop.call("GET", f"/api/orders/{order['id']}")
    address = run.shop.flask("callback_url", order["payments"][0]["transaction_id"]).stdout.strip()
    money_in = Overheard(run.rumours, address.rpartition("token=")[2])
    money_out = Overheard(run.out_rumours, _forgers_payout(run, admin))
    return Forger(run.shop.base_url, run.tally, money_in, money_out, run.options.seed)


def _forgers_payout(run: Run, admin: Shop) -> str:
    """Pay the forger, who has made himself a supplier; return the secret of that payout."""
    him = {"name": "Forger and Sons", "mpesa_number": FORGERS_PHONE}
    _, supplier = admin.call("POST", "/api/suppliers", him)
    body = {"supplier_id": supplier["id"], "amount": FORGERS_PAYOUT}
    admin.call("POST", "/api/payments/supplier/payout", body, "forger")
    [payout] = out_records(run.shop.env["DATABASE_URL"])
    return payout.token


def send(run: Run, shelves: Shelves) -> None:
    """Have every payment, refund and payout made, killing the shop in between."""
    shoppers = [(_shop_on, number) for number in range(run.options.shoppers)]
    admins = [(_pay_on, number) for number in range(1 + len(COLLEAGUES))]
    threads = [
        threading.Thread(target=_guarded, args=(run, live, number, shelves), daemon=True)
        for live, number in (*shoppers, *admins)
    ]
    for thread in threads:
        thread.start()
    kills, is_filled = _kill_points(run.options), False
    while any(thread.is_alive() for thread in threads):
        if kills and run.done >= kills[0]:
            kills.pop(0)
            _strike(run)
        if not is_filled and 2 * run.paid_out >= run.options.payouts:
            run.ground.simulator.fill_float(FULL_FLOAT)
            is_filled = True
        progress(
            f"{run.done} of {run.options.payments} payments begun, "
            f"{run.paid_out} of {run.options.payouts} payouts, {run.kills} kills"
        )
        time.sleep(0.1)
    # Those for which everybody was too fast disturb the calm instead.
    for _ in kills:
        _strike(run)
    if run.troubles:
        raise ShopGoneError(run.troubles[0])


def _strike(run: Run) -> None:
    run.shop.strike()
    run.kills += 1


def _guarded(run: Run, live: Callable[[Run, int, Shelves], None], n: int, to: Shelves) -> None:
    try:
        live(run, n, to)
    except Exception as error:
        run.troubles.append(f"somebody gave up: {type(error).__name__}: {error}")


def _shop_on(run: Run, shopper_number: int, shelves: Shelves) -> None:
    shop = Shop(run.shop.base_url, run.tally)
    token = shop.register(f"shopper-{shopper_number}@example.com", run.shop.password)
    other_tab = Shop(run.shop.base_url, run.tally, token)
    shopper = Shopper(shop, other_tab, run.rumours, shelves.products)
    while (number := run.next_payment()) is not None and not run.troubles:
        shopper.pay(number, run.options.seed)
        run.finish_payment()
    shopper.leave(shopper_number, run.options.seed)


def _pay_on(run: Run, admin_number: int, shelves: Shelves) -> None:
    emails = (ADMIN, *COLLEAGUES)
    order = [emails[(admin_number + place) % len(emails)] for place in range(len(emails))]
    me, *colleagues = [Shop(run.shop.base_url, run.tally) for _ in order]
    tokens = [
        shop.sign_in(email, run.shop.password)
        for shop, email in zip((me, *colleagues), order, strict=True)
    ]
    again = Shop(run.shop.base_url, run.tally, tokens[0])
    desk = Desk(me, again, colleagues, shelves.suppliers, shelves.numbers, run.out_rumours)
    paymaster = Paymaster(desk)
    while (number := run.next_payout()) is not None and not run.troubles:
        paymaster.pay(number, run.options.seed)
        run.finish_payout()


def _kill_points(options: argparse.Namespace) -> list[int]:
    parts = options.kills + 1
    return [options.payments * part // parts for part in range(1, parts)]
