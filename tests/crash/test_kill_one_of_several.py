"""One process of several is killed and stays away: the others bring the books right without it.

Cases A1 to A5, on PostgreSQL and Redis, behind nginx.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.crash.arming import Death
from tests.crash.paymaster import Paymaster
from tests.crash.several import SeveralShop, crashing_cluster
from tests.crash.test_kill_initiate import presses_pay_again
from tests.crash.till import Sale, Till
from tests.services.fixtures import required
from tests.services.postgres import PostgresServer
from tests.services.redis import RedisServer

ON_THE_WAY_OUT = [
    "intent.after_commit",
    "push.sent",
    "push.answered",
    "answer.before_commit",
    "answer.after_commit",
]
BY_THE_CALLBACK = [
    "ingest.before_commit",
    "ingest.after_commit",
    "settle.before_commit",
    "settle.after_commit",
    "callback.leave",
]
BY_ASKING = ["ask.after_commit", "query.sent", "query.answered", "settle.before_commit"]
BY_THE_ANSWER = ["b2c.answered", "record.before_commit", "record.after_commit"]
BY_THE_RESULT = [
    "keep.before_commit",
    "keep.after_commit",
    "conclude.before_commit",
    "conclude.after_commit",
]
#: What nginx tells whose process has died with the request in hand.
GATEWAY = 502


@pytest.fixture(scope="module")
def _several(
    postgres_server: PostgresServer, redis_server: RedisServer
) -> Iterator[tuple[Till, SeveralShop]]:
    url = postgres_server.create_database("crash_several")
    with required(), crashing_cluster(url, redis_server.url) as shop:
        yield Till(shop), shop


@pytest.fixture
def shop(_several: tuple[Till, SeveralShop]) -> SeveralShop:
    return _several[1]


@pytest.fixture
def till(_several: tuple[Till, SeveralShop]) -> Iterator[Till]:
    """A till of the shop whose processes all live, whatever the test before has ended."""
    found, shop = _several
    shop.death.disarm()
    if shop.is_dead():
        shop.start()
    yield found
    shop.death.disarm()


@pytest.fixture(scope="module")
def paymaster(_several: tuple[Till, SeveralShop]) -> Paymaster:
    return Paymaster(_several[0])


def dies_by_its_news(till: Till, moment: str) -> Sale:
    """Have the process die that hears of a payment; Daraja gets no answer from it."""
    sale = till.sell()
    till.started(sale)
    till.dies(Death(moment, "request"), lambda: till.act(sale, "pay"))
    (prompt,) = till.daraja.prompts(sale.phones[0])
    assert till.wait_for_delivery(prompt["checkout_request_id"]) == [GATEWAY]
    return sale


@pytest.mark.parametrize("moment", ON_THE_WAY_OUT)
def test_a2_another_process_answers_the_shopper_whose_own_has_died(till: Till, moment: str) -> None:
    sale = till.sell()
    assert till.dies(Death(moment, "request"), lambda: till.initiate(sale)).status is None
    presses_pay_again(till, sale)
    if moment != "intent.after_commit":
        till.act(sale, "pay")
    till.wait_for_calm(sale)
    if moment == "intent.after_commit":
        # A1: no prompt has left, the attempt has ended, and the shopper may pay.
        till.pays_again(sale)
    assert till.buyer.order(sale.order)["status"] == "paid"


@pytest.mark.parametrize("moment", BY_THE_CALLBACK)
def test_a4_the_process_that_hears_the_callback_dies_and_the_others_credit_it_once(
    till: Till, moment: str
) -> None:
    sale = dies_by_its_news(till, moment)
    till.wait_for_calm(sale)
    assert till.buyer.order(sale.order)["status"] == "paid"


@pytest.mark.parametrize("moment", BY_ASKING)
def test_a4_the_worker_that_asks_dies_and_the_other_finds_the_money(
    till: Till, moment: str
) -> None:
    sale = till.sell()
    till.daraja.arm("no_callback", sale.next_phone)
    till.started(sale)
    till.act(sale, "pay")
    till.dies(Death(moment, "background"), lambda: None)
    till.wait_for_calm(sale)
    assert till.buyer.order(sale.order)["status"] == "paid"


@pytest.mark.parametrize("moment", BY_THE_ANSWER)
def test_a5_the_process_that_pays_out_dies_and_the_others_ask_what_became_of_it(
    till: Till, paymaster: Paymaster, moment: str
) -> None:
    request = paymaster.payout(about=moment)
    paymaster.daraja.arm("no_result", request.phone)
    till.dies(Death(moment, "request"), request.send)
    assert request.insist().status in (200, 202)
    paymaster.wait_until("completed", request)


@pytest.mark.parametrize("moment", BY_THE_RESULT)
def test_a5_the_process_that_hears_the_result_dies_and_it_is_booked_once(
    till: Till, paymaster: Paymaster, moment: str
) -> None:
    request = paymaster.payout(about=moment)
    till.dies(Death(moment, "request"), request.send)
    paymaster.wait_until("completed", request)


def test_a5_of_two_workers_the_one_that_sends_dies_and_it_leaves_once(
    till: Till, shop: SeveralShop, paymaster: Paymaster
) -> None:
    request = paymaster.payout()
    shop.kill_workers()
    till.dies(Death("payout.after_commit", "request"), request.send)
    shop.death.arm(Death("b2c.answered", "background"))
    shop.start()
    shop.wait_for_death()
    paymaster.wait_until("completed", request)
    assert len(paymaster.moved(request)) == 1


def test_a10_after_all_these_kills_every_invariant_holds(till: Till, paymaster: Paymaster) -> None:
    till.shop.flask("check_invariants")
    assert paymaster.complaints() == []
