"""C11, C12 and C14 on a real server: broken, huge, slow and very many callbacks."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import requests
from sqlalchemy import create_engine, text

from tests.cases.server import (
    HEAD,
    Served,
    SlowSenders,
    status_of_broken_body,
    status_of_endless_body,
)
from tests.journeys.test_another_daraja import Buyer
from tests.support.app import CALLBACK_PATH
from tests.support.daraja import FakeDaraja, paid, unpaid
from tests.support.live_shop import live_shop

#: Somebody else's request is answered in this time whatever is going on beside it, in seconds.
QUICKLY = 2.0
#: A callback is a kilobyte and comes in milliseconds: one that takes so long is cut off.
CUT_OFF_SECONDS = 15
#: With MAX_SOCKETS=1 the server has 65 threads.
MORE_THAN_THREADS = 80
FLOOD = 2000
GENUINE = 20
#: So long at most until all of a flood is acted on.
SETTLED_SECONDS = 90


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def served(request: pytest.FixtureRequest) -> Iterator[Served]:
    url = None
    if request.param == "postgresql":
        url = request.getfixturevalue("postgres_server").create_database("cases_server")
    daraja = FakeDaraja()
    try:
        extra_env = {"MPESA_BASE_URL": daraja.url, "MAX_SOCKETS": "1"}
        with live_shop(database_url=url, extra_env=extra_env) as shop:
            yield Served(shop, daraja)
    finally:
        daraja.stop()


#: What a socket does to a server has nothing to do with its database.
one_server = pytest.mark.parametrize("served", ["sqlite"], indirect=True)
ENDLESS = {
    "100 MB": (f"{HEAD}Content-Length: {100 * 1024 * 1024}\r\n\r\n", b"x" * 65536),
    "chunks": (f"{HEAD}Transfer-Encoding: chunked\r\n\r\n", b"8000\r\n" + b"x" * 0x8000 + b"\r\n"),
}


#: What follows a head whose body never comes whole.
BROKEN = {
    "no body at all": "Content-Length: 500\r\n\r\n",
    "shorter than announced": 'Content-Length: 500\r\n\r\n{"Body": {"stkCall',
    "chunks that end too soon": "Transfer-Encoding: chunked\r\n\r\n5\r\n12345\r\n",
    "a chunk that ends too soon": "Transfer-Encoding: chunked\r\n\r\nff\r\n12345",
    "a chunk of no size": "Transfer-Encoding: chunked\r\n\r\nzz\r\n12345\r\n0\r\n\r\n",
    "a second chunk of no size": "Transfer-Encoding: chunked\r\n\r\n1\r\n1\r\nzz\r\n\r\n",
    "a chunk without its end": "Transfer-Encoding: chunked\r\n\r\n1\r\n1234\r\n0\r\n\r\n",
}


@one_server
@pytest.mark.parametrize("rest", BROKEN.values(), ids=BROKEN)
def test_c11_a_body_that_does_not_come_whole_is_refused_or_kept(served: Served, rest: str) -> None:
    before = _kept(served)
    status = status_of_broken_body(served, rest)
    assert status == 200 or 400 <= status < 500
    assert _kept(served) - before == (status == 200)


@one_server
@pytest.mark.parametrize(("head", "piece"), ENDLESS.values(), ids=ENDLESS)
def test_c12_a_body_without_end_is_refused_early_and_others_do_not_notice(
    served: Served, head: str, piece: bytes
) -> None:
    began = time.monotonic()
    with ThreadPoolExecutor(4) as senders:
        told = [senders.submit(status_of_endless_body, served, head, piece) for _ in range(8)]
        waited = [served.seconds_to_answer() for _ in range(10)]
        found = [future.result() for future in told]
    assert {status for status, _ in found} == {413}
    assert max(megabytes for _, megabytes in found) < 100, "nobody reads it to its end"
    assert max(waited) < QUICKLY
    assert time.monotonic() - began < CUT_OFF_SECONDS


@one_server
def test_c12_slow_senders_leave_others_alone(served: Served) -> None:
    with SlowSenders(served, 24) as slow:
        waited = []
        for _ in range(4):
            slow.still_open()
            waited += [served.seconds_to_answer() for _ in range(3)]
            time.sleep(1)
    assert max(waited) < QUICKLY


@one_server
def test_c12_a_sender_that_never_comes_to_an_end_is_cut_off(served: Served) -> None:
    with SlowSenders(served, 24) as slow:
        deadline = time.monotonic() + CUT_OFF_SECONDS
        while (left := slow.still_open()) and time.monotonic() < deadline:
            time.sleep(1)
    assert left == 0


@one_server
def test_c12_more_slow_senders_than_threads_do_not_close_the_shop(served: Served) -> None:
    with SlowSenders(served, MORE_THAN_THREADS):
        assert served.seconds_to_answer(patience=10) < 10


def test_c14_a_burst_of_callbacks_is_acknowledged_and_kept_whole(served: Served) -> None:
    url = served.shop.base_url + CALLBACK_PATH
    calls = [(url, _news_of_nobody(number)) for number in range(FLOOD - GENUINE)]
    buyer = Buyer(served.shop)
    orders = []
    for number in range(GENUINE):
        order, checkout_request_id = buyer.start_payment()
        orders.append(order)
        push = served.daraja.pushes[-1]
        body = paid(checkout_request_id, amount=push["Amount"], receipt=f"UKL4FLOOD{number:02}")
        calls.insert(number * 100, (push["CallBackURL"], body))
    assert len(calls) == FLOOD

    kept_before, began = _kept(served), time.monotonic()
    answers = _post_all(calls)
    lasted, took = time.monotonic() - began, sorted(seconds for _, seconds in answers)
    print(
        f"{FLOOD} callbacks in {lasted:.1f} s: median {took[FLOOD // 2] * 1000:.0f} ms, "
        f"99 of 100 within {took[FLOOD * 99 // 100] * 1000:.0f} ms, slowest {took[-1]:.2f} s"
    )
    assert {status for status, _ in answers} == {200}
    assert took[-1] < 5
    assert _kept(served) - kept_before == FLOOD
    _wait_until_paid(buyer, orders)


def _wait_until_paid(buyer: Buyer, orders: list[str]) -> None:
    """In a burst a callback is acted on after its answer, when its turn comes."""
    deadline = time.monotonic() + SETTLED_SECONDS
    waiting = orders
    while waiting := [order for order in waiting if buyer.order(order)["status"] != "paid"]:
        assert time.monotonic() < deadline, f"{len(waiting)} of {len(orders)} are not paid"
        time.sleep(0.5)


def _news_of_nobody(number: int) -> dict[str, Any]:
    """A callback about a prompt that this shop knows nothing of: half of them successes."""
    checkout_request_id = f"ws_CO_flood_{number:05}"
    if number % 2:
        return unpaid(checkout_request_id)
    return paid(checkout_request_id, receipt=f"UKL5F{number:05}")


def _post_all(calls: list[tuple[str, dict[str, Any]]]) -> list[tuple[int, float]]:
    """Post from 16 clients at once; return each status, and how many seconds it took."""
    clients = threading.local()

    def post(call: tuple[str, dict[str, Any]]) -> tuple[int, float]:
        if not hasattr(clients, "session"):
            clients.session = requests.Session()
            clients.session.trust_env = False
        url, body = call
        began = time.monotonic()
        status: int = clients.session.post(url, json=body, timeout=30).status_code
        return status, time.monotonic() - began

    with ThreadPoolExecutor(16) as pool:
        return list(pool.map(post, calls))


def _kept(served: Served) -> int:
    engine = create_engine(served.shop.env["DATABASE_URL"])
    try:
        with engine.connect() as connection:
            return int(connection.execute(text("SELECT count(*) FROM callback_inbox")).scalar_one())
    finally:
        engine.dispose()
