"""A server told to stop: who came is answered, who comes is turned to another, and it ends."""

from __future__ import annotations

import queue
import socket
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests

from tests.journeys.test_another_daraja import Buyer
from tests.journeys.test_realtime import Listener
from tests.journeys.test_workers import redis_on, wait_until
from tests.services.launch import free_port
from tests.services.postgres import PostgresServer
from tests.support.daraja import FakeDaraja
from tests.support.live_shop import LiveShop, live_shop

READY = "/api/health/ready"
#: Daraja's answer to the push that is in hand when the stop comes.
PUSH_SECONDS = 3
#: Far more than a stop takes, for machines that have much else to do.
STOP_SECONDS = 40
KNOCKERS = 4
REQUEST = b"POST /api/health/live HTTP/1.1\r\nHost: shop\r\nContent-Length: 2\r\n\r\n{}"


@pytest.fixture(scope="module")
def daraja() -> Iterator[FakeDaraja]:
    fake = FakeDaraja()
    yield fake
    fake.stop()


@pytest.fixture(scope="module")
def redis_port() -> int:
    return free_port()


@pytest.fixture(scope="module", params=["threads", "gevent"])
def shop(request: pytest.FixtureRequest, daraja: FakeDaraja, redis_port: int) -> Iterator[LiveShop]:
    """A shop on threads and one on greenlets; the latter has a Redis, which is away."""
    extra = {"MPESA_BASE_URL": daraja.url, "WEB_SERVER": request.param}
    database = None
    if request.param == "gevent":
        server: PostgresServer = request.getfixturevalue("postgres_server")
        database = server.create_database("stopping")
        extra |= {"REDIS_URL": f"redis://127.0.0.1:{redis_port}/0"}
    with live_shop(database_url=database, extra_env=extra) as shop:
        yield shop


def _session() -> requests.Session:
    session = requests.Session()
    session.trust_env = False
    return session


def _knock(shop: LiveShop, told: Counter[str]) -> None:
    """Come anew again and again until the door is closed; note how each visit ended."""
    place = ("127.0.0.1", int(shop.env["PORT"]))
    while "refused" not in told:
        try:
            visit = socket.create_connection(place, 10)
        except OSError:
            told["refused"] += 1
            return
        with visit:
            try:
                visit.sendall(REQUEST)
                told["answered" if visit.recv(12).startswith(b"HTTP/1.1 ") else "dropped"] += 1
            except OSError:
                told["dropped"] += 1


def _told_at_last(kept: requests.Session, shop: LiveShop) -> requests.Response:
    """Ask on a connection that was made before, until the answer changes."""
    deadline = time.monotonic() + STOP_SECONDS
    told = kept.get(shop.base_url + READY, timeout=5)
    while told.status_code == 200 and time.monotonic() < deadline:
        told = kept.get(shop.base_url + READY, timeout=5)
    return told


def test_a6_a_stop_answers_whoever_came_and_tells_balancers_at_once(
    shop: LiveShop, daraja: FakeDaraja, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A6: a push in hand, connections that were just made, a kept one, and a socket."""
    monkeypatch.setattr("tests.support.live_shop.STOP_SECONDS", STOP_SECONDS)
    buyer, listener, kept = Buyer(shop), Listener(shop, None), _session()
    daraja.push_answer = lambda push: daraja.accept(push, delay_seconds=PUSH_SECONDS)
    started: queue.Queue[tuple[str, str]] = queue.Queue()
    payer = threading.Thread(target=lambda: started.put(buyer.start_payment()))
    pushes = len(daraja.pushes)
    payer.start()
    wait_until(lambda: len(daraja.pushes) > pushes, STOP_SECONDS)
    visits: Counter[str] = Counter()
    with ThreadPoolExecutor(KNOCKERS + 1) as pool:
        knockers = [pool.submit(_knock, shop, visits) for _ in range(KNOCKERS)]
        wait_until(lambda: visits["answered"] > 20, STOP_SECONDS)
        assert kept.get(shop.base_url + READY, timeout=5).status_code == 200
        stopping = pool.submit(shop.stop)
        told = _told_at_last(kept, shop)
        assert (told.status_code, told.json()["problems"]) == (503, ["this process is stopping"])
        for knocker in knockers:
            knocker.result(STOP_SECONDS)
        stopping.result(STOP_SECONDS)
    payer.join(1)
    assert started.get_nowait(), "the push in hand was answered"
    assert visits["dropped"] == 0, visits
    wait_until(lambda: not listener.socket.connected, 1)
    shop.start()


def test_without_redis_a_process_is_ready_and_says_what_is_away(
    shop: LiveShop, redis_port: int
) -> None:
    def told() -> tuple[int, str]:
        answer = _session().get(shop.base_url + READY, timeout=5)
        return answer.status_code, answer.json()["status"]

    if "REDIS_URL" not in shop.env:
        assert told() == (200, "ok")
        return
    assert told() == (200, "degraded")
    with redis_on(redis_port):
        assert told() == (200, "ok")
