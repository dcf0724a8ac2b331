"""What holds for one server holds for several that share PostgreSQL and Redis."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import psycopg
import pytest
import requests
import socketio

from app.payments.schedule import FIRST_ASK_SECONDS
from tests.cluster.conftest import PACE
from tests.cluster.crowd import KILLED, Crowd, endless_product, session_of
from tests.support.cluster import Cluster

#: Whole processes start and stop here, on a machine that may do much else.
pytestmark = pytest.mark.timeout(400)
SHOPPERS = 6
#: Every process finds out meanwhile that there is no token, and that somebody fetches one.
FETCH_SECONDS = 2
SOON_SECONDS = 120


def _until(is_so: Callable[[], object], what: str, seconds: float = SOON_SECONDS) -> None:
    deadline = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < deadline, f"after {seconds} s still not: {what}"
        time.sleep(0.1)


def _post(session: requests.Session, url: str, body: dict[str, Any]) -> dict[str, Any]:
    answer = session.post(url, json=body, timeout=30)
    assert answer.ok, answer.text
    found: dict[str, Any] = answer.json()
    return found


def _order(running: Cluster, session: requests.Session) -> dict[str, Any]:
    items = [{"product_id": endless_product(running), "quantity": 1}]
    return _post(session, f"{running.base_url}/api/orders", {"items": items})


@contextmanager
def _sockets(running: Cluster) -> Iterator[list[list[str]]]:
    """Listen at each process itself while the block runs; yield what each socket hears of."""
    sockets, heard = [], []
    token = str(session_of(running).headers["Authorization"]).removeprefix("Bearer ")
    for web in running.webs:
        mine: list[str] = []
        socket = socketio.Client(reconnection=False)
        socket.on("payment_update", lambda update, mine=mine: mine.append(update["status"]))
        address = f"http://127.0.0.1:{web.env['PORT']}"
        socket.connect(address, auth={"token": token}, transports=["websocket"])
        sockets.append(socket)
        heard.append(mine)
    try:
        yield heard
    finally:
        for socket in sockets:
            socket.disconnect()


def _until_each_hears_of_a_payment(heard: list[list[str]]) -> None:
    for mine in heard:
        mine.clear()
    _until(lambda: all("completed" in mine for mine in heard), f"each socket has heard: {heard}")


def test_a_socket_of_one_process_hears_what_another_was_told(running: Cluster) -> None:
    with _sockets(running) as heard, Crowd(running, 1) as crowd:
        crowd.pays(1)
        _until_each_hears_of_a_payment(heard)


def test_a6_a_rolling_restart_under_load_shows_no_shopper_any_error_and_fetches_no_token(
    running: Cluster,
) -> None:
    """A6: every process is stopped and started while people pay; nginx gives work to the other."""
    with Crowd(running, SHOPPERS) as crowd:
        crowd.pays(SHOPPERS)
        before = _fetched(running)
        running.restart_one_by_one()
        crowd.pays(SHOPPERS)
    assert _fetched(running) == before
    assert (crowd.told.trouble, crowd.told.unpaid) == ([], [])
    assert set(crowd.told.answers) <= {200, 201}, crowd.told.answers


def test_a2_a_web_process_that_is_killed_loses_nobody_s_money(running: Cluster) -> None:
    """A2: what it had in hand is found again by the shopper's repetition or by the engine."""
    with Crowd(running, SHOPPERS, KILLED) as crowd:
        crowd.pays(SHOPPERS)
        running.webs[0].kill()
        crowd.pays(SHOPPERS)
        running.start_web(running.webs[0])
        crowd.pays(SHOPPERS)
    assert (crowd.told.trouble, crowd.told.unpaid) == ([], [])


def test_payments_go_on_while_redis_is_away_and_sockets_hear_again_when_it_is_back(
    running: Cluster,
) -> None:
    with _sockets(running) as heard, Crowd(running, SHOPPERS) as crowd:
        crowd.pays(SHOPPERS)
        running.store.stop()
        crowd.pays(SHOPPERS)
        running.store.start()
        crowd.pays(SHOPPERS)
        _until_each_hears_of_a_payment(heard)
    assert (crowd.told.trouble, crowd.told.unpaid) == ([], [])


def test_a7_a_restart_of_postgresql_is_waited_for_and_loses_nothing(running: Cluster) -> None:
    """A7: meanwhile everybody is told 503 with Retry-After, and afterwards everything is paid."""
    with Crowd(running, SHOPPERS) as crowd:
        crowd.pays(SHOPPERS)
        running.database.stop()
        time.sleep(1)
        running.database.start()
        crowd.pays(SHOPPERS)
    assert (crowd.told.trouble, crowd.told.unpaid) == ([], [])


def test_c4_two_workers_that_sweep_at_once_ask_once_about_each_lost_callback(
    running: Cluster,
) -> None:
    """C4: workers are killed, callbacks get lost, nobody polls; two that start at once find out."""
    session = session_of(running)
    prompts = [_paid_without_callback(running, session, number) for number in range(3)]
    for worker in running.workers:
        worker.kill()
    time.sleep(FIRST_ASK_SECONDS / PACE + 1)
    for worker in running.workers:
        worker.start()
    for order_id, _ in prompts:
        url = f"{running.base_url}/api/orders/{order_id}"
        _until(partial(_is_paid, session, url), "the order is paid")
    assert [_questions_about(running, name) for _, name in prompts] == [1, 1, 1]


def _paid_without_callback(
    running: Cluster, session: requests.Session, number: int
) -> tuple[str, str]:
    """Pay an order of whose payment Daraja says nothing; return its id and the prompt's."""
    order = _order(running, session)
    phone = f"25471250{number:04d}"
    arm = {"scenario": "no_callback", "on": {"msisdn": phone}}
    _post(session, f"{running.simulator_url}/simulator/api/scenarios", arm)
    body = {"order_id": order["id"], "phone_number": phone}
    started = _post(session, f"{running.base_url}/api/payments/mpesa/initiate", body)
    name = started["data"]["checkout_request_id"]
    _post(session, f"{running.simulator_url}/simulator/api/prompts/{name}", {"pin": "1234"})
    return order["id"], name


def _is_paid(session: requests.Session, url: str) -> bool:
    return bool(session.get(url, timeout=30).json()["status"] == "paid")


def _questions_about(running: Cluster, checkout_request_id: str) -> int:
    url = f"{running.simulator_url}/simulator/api/requests"
    wanted = {"path": "stkpushquery", "id": checkout_request_id}
    return len(requests.get(url, params=wanted, timeout=30).json()["requests"])


def test_a11_cold_processes_under_load_fetch_one_token_between_them(running: Cluster) -> None:
    """A11: a token that is fetched again ends the one that another process is just using."""
    for program in (*running.webs, *running.workers):
        program.kill()
    _forget_the_token(running)
    hang = {"scenario": "token_hang", "seconds": FETCH_SECONDS, "on": {"next": True}}
    _simulator(running, "POST", "scenarios", hang)
    before = _fetched(running)
    running.mend()
    with Crowd(running, SHOPPERS) as crowd:
        crowd.pays(SHOPPERS)
    assert (crowd.told.trouble, crowd.told.unpaid) == ([], [])
    assert set(crowd.told.answers) == {200, 201}, crowd.told.answers
    assert _fetched(running) - before == 1


def _forget_the_token(running: Cluster) -> None:
    address = running.env["DATABASE_URL"].replace("postgresql+psycopg", "postgresql")
    with psycopg.connect(address) as connection:
        connection.execute("DELETE FROM access_tokens")


def _fetched(running: Cluster) -> int:
    """How many tokens Daraja has given away lately."""
    return len(_simulator(running, "GET", "requests?path=oauth")["requests"])


def _simulator(
    running: Cluster, method: str, path: str, body: dict[str, object] | None = None
) -> dict[str, list[object]]:
    url = f"{running.simulator_url}/simulator/api/{path}"
    answer = requests.request(method, url, json=body, timeout=30)
    assert answer.ok, answer.text
    found: dict[str, list[object]] = answer.json()
    return found


def test_i1_after_all_this_the_books_say_what_really_moved(running: Cluster) -> None:
    """I1, I2, I3, I4, I8 and I9."""
    told = running.flask("check_invariants", "--ledger", running.simulator_url)
    assert told.returncode == 0, told.stdout + told.stderr
