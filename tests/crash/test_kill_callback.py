"""Killed while news is heard or fetched: case A4, in the request and in the background."""

from __future__ import annotations

import requests

from tests.crash.arming import Death
from tests.crash.databases import on_both, sqlite_only
from tests.crash.till import Sale, Till

BEFORE_IT_IS_KEPT = ["callback.enter", "ingest.before_commit"]
ONCE_IT_IS_KEPT = [
    "ingest.after_commit",
    "handle.enter",
    "settle.enter",
    "settle.before_commit",
    "settle.after_commit",
    "handle.before_commit",
    "handle.after_commit",
    "callback.leave",
]
IN_THE_BACKGROUND = [
    "ask.enter",
    "ask.after_commit",
    "query.sent",
    "query.answered",
    "query.leave",
    "settle.before_commit",
    "settle.after_commit",
    "ask.leave",
]


def killed_by_its_news(till: Till, moment: str, act: str) -> Sale:
    """Have the shop die while it hears how a prompt ended; its caller gets no answer."""
    sale = till.sell()
    till.started(sale)
    till.dies(Death(moment, "request"), lambda: till.act(sale, act))
    (prompt,) = till.daraja.prompts(sale.phones[0])
    assert till.wait_for_delivery(prompt["checkout_request_id"]) == [None]
    return sale


@on_both("moment", BEFORE_IT_IS_KEPT, postgresql=["ingest.before_commit"])
def test_a4_killed_before_the_callback_is_kept_the_engine_finds_out(
    till: Till, moment: str
) -> None:
    sale = killed_by_its_news(till, moment, "pay")
    till.shop.start()
    till.wait_for_calm(sale)
    assert till.buyer.order(sale.order)["status"] == "paid"


@on_both(
    "moment",
    ONCE_IT_IS_KEPT,
    postgresql=["ingest.after_commit", "settle.before_commit", "settle.after_commit"],
)
def test_a4_killed_once_the_callback_is_kept_the_money_is_credited_once(
    till: Till, moment: str
) -> None:
    sale = killed_by_its_news(till, moment, "pay")
    till.shop.start()
    till.wait_for_calm(sale)
    assert till.buyer.order(sale.order)["status"] == "paid"


@on_both(
    "moment",
    ["ingest.after_commit", "settle.after_commit"],
    postgresql=["settle.after_commit"],
)
def test_a4_killed_by_a_cancellation_the_shopper_may_pay_again(till: Till, moment: str) -> None:
    sale = killed_by_its_news(till, moment, "cancel")
    till.shop.start()
    till.wait_for_calm(sale)
    (attempt,) = till.buyer.order(sale.order)["payments"]
    assert attempt["status"] == "cancelled"
    till.pays_again(sale)


def test_a4_the_same_callback_after_the_kill_changes_nothing(till: Till) -> None:
    sale = killed_by_its_news(till, "settle.after_commit", "pay")
    till.shop.start()
    till.wait_for_calm(sale)
    before = till.buyer.order(sale.order)
    address, body = till.callback_of(sale)
    for _ in range(2):
        assert requests.post(address, json=body, timeout=10).status_code == 200
    assert till.buyer.order(sale.order) == before


@sqlite_only
def test_a4_a_kept_callback_is_acted_on_although_daraja_tells_nothing_more(till: Till) -> None:
    """Kept and not handled, and the recovery is killed as well: only the kept body can tell."""
    sale = till.sell()
    till.daraja.arm("query_noise", sale.next_phone, times=100)
    till.started(sale)
    till.dies(Death("ingest.leave", "request"), lambda: till.act(sale, "pay"))
    till.shop.start()
    till.shop.death.arm(Death("settle.before_commit", "background"))
    till.sweeps_until_struck()
    till.wait_for_calm(sale)
    order = till.buyer.order(sale.order)
    assert order["status"] == "paid"
    assert order["payments"][0]["receipt"] == till.daraja.prompts(sale.phones[0])[0]["receipt"]


@on_both(
    "moment",
    IN_THE_BACKGROUND,
    postgresql=["ask.after_commit", "settle.before_commit", "settle.after_commit"],
)
def test_a4_killed_while_the_engine_asks_the_money_is_found(till: Till, moment: str) -> None:
    """The callback never comes, so that the engine is the only one who can find out."""
    sale = till.sell()
    till.daraja.arm("no_callback", sale.next_phone)
    till.started(sale)
    till.act(sale, "pay")
    till.dies(Death(moment, "background"), lambda: None)
    till.shop.start()
    till.wait_for_calm(sale)
    assert till.buyer.order(sale.order)["status"] == "paid"


@on_both(
    "moment",
    ["sweep.enter", "ask.after_commit", "query.leave", "settle.before_commit"],
    postgresql=["ask.after_commit"],
)
def test_a4_killed_in_the_sweep_the_next_one_finds_the_money(till: Till, moment: str) -> None:
    """The server is away and a worker of its own sweeps: it dies, and the next one goes on."""
    sale = till.sell()
    till.daraja.arm("no_callback", sale.next_phone)
    till.started(sale)
    till.shop.kill()
    till.act(sale, "pay")
    till.shop.death.arm(Death(moment, "background"))
    till.sweeps_until_struck()
    till.shop.start()
    till.wait_for_calm(sale)
    assert till.buyer.order(sale.order)["status"] == "paid"


def test_a10_after_all_these_kills_every_invariant_holds(till: Till) -> None:
    till.shop.flask("check_invariants")
