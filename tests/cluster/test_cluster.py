"""What holds for one server holds for several that share PostgreSQL and Redis."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import Any

import requests
import socketio

from tests.cluster.crowd import KILLED, Crowd, endless_product, session_of
from tests.support.cluster import Cluster

SHOPPERS = 6
NEWS_SECONDS = 10
SOON_SECONDS = 60
#: The first question about a silent prompt is due after 15 seconds.
FIRST_ASK_SECONDS = 16
#: The simulator's phone that pays by itself.
PAYS_ALONE = "254708374149"


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


def test_a_socket_of_one_process_hears_what_another_was_told(running: Cluster) -> None:
    session = session_of(running)
    token = str(session.headers["Authorization"]).removeprefix("Bearer ")
    heard: dict[str, list[str]] = {}
    sockets = []
    for web in running.webs:
        mine: list[str] = heard.setdefault(web.name, [])
        socket = socketio.Client(reconnection=False)
        socket.on("payment_update", lambda update, mine=mine: mine.append(update["status"]))
        address = f"http://127.0.0.1:{web.env['PORT']}"
        socket.connect(address, auth={"token": token}, transports=["websocket"])
        sockets.append(socket)
    order = _order(running, session)
    body = {"order_id": order["id"], "phone_number": PAYS_ALONE}
    _post(session, f"{running.base_url}/api/payments/mpesa/initiate", body)
    _until(
        lambda: all("completed" in each for each in heard.values()),
        f"each socket heard of the payment: {heard}",
        NEWS_SECONDS,
    )
    for socket in sockets:
        socket.disconnect()


def test_a6_a_rolling_restart_under_load_shows_no_shopper_any_error(running: Cluster) -> None:
    """A6: every process is stopped and started while people pay; nginx gives work to the other."""
    with Crowd(running, SHOPPERS) as crowd:
        crowd.pays(SHOPPERS)
        running.restart_one_by_one()
        crowd.pays(SHOPPERS)
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


def test_payments_go_on_while_redis_is_away_and_when_it_is_back(running: Cluster) -> None:
    with Crowd(running, SHOPPERS) as crowd:
        crowd.pays(SHOPPERS)
        running.store.stop()
        crowd.pays(SHOPPERS)
        running.store.start()
        crowd.pays(SHOPPERS)
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
    time.sleep(FIRST_ASK_SECONDS)
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
    wanted = {"path": "stkpushquery", "identifier": checkout_request_id}
    return len(requests.get(url, params=wanted, timeout=30).json()["requests"])
