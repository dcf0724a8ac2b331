"""Socket.IO: news reaches those who may hear it and nobody else."""

from __future__ import annotations

import queue
from collections.abc import Iterator
from typing import Any

import pytest
import requests
import socketio
from socketio.exceptions import ConnectionError as SocketRefused

from tests.support.live_shop import SHOPPER, LiveShop, live_shop

NEWS_SECONDS = 20
SELF_APPROVING = "254708374149"


@pytest.fixture(scope="module")
def shop() -> Iterator[LiveShop]:
    with live_shop() as running:
        yield running


class Listener:
    """A client that keeps every update it hears."""

    def __init__(self, shop: LiveShop, token: str | None) -> None:
        self.heard: queue.Queue[dict[str, Any]] = queue.Queue()
        self.socket = socketio.Client(reconnection=False)
        self.socket.on("payment_update", self.heard.put)
        auth = {"token": token} if token else None
        self.socket.connect(shop.base_url, auth=auth, transports=["websocket"])

    def subscribe(self, order_id: str, token: str | None = None) -> dict[str, bool]:
        asked = {"order_id": order_id} | ({"token": token} if token else {})
        answer: dict[str, bool] = self.socket.call("subscribe", asked, timeout=10)
        return answer

    def close(self) -> None:
        self.socket.disconnect()


@pytest.fixture
def listeners() -> Iterator[list[Listener]]:
    opened: list[Listener] = []
    yield opened
    for listener in opened:
        listener.close()


def _post(shop: LiveShop, path: str, body: dict[str, Any], token: str = "") -> dict[str, Any]:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    answer = requests.post(shop.base_url + path, json=body, headers=headers, timeout=20)
    assert answer.ok, answer.text
    found: dict[str, Any] = answer.json()
    return found


def _token(shop: LiveShop, email: str = SHOPPER) -> str:
    signed_in = _post(shop, "/api/auth/login", {"email": email, "password": shop.password})
    return str(signed_in["access_token"])


def _stranger(shop: LiveShop) -> str:
    account = {"email": "otieno@example.com", "password": "a-long-enough-one", "name": "Otieno"}
    return str(_post(shop, "/api/auth/register", account)["access_token"])


def _order(shop: LiveShop, token: str) -> str:
    body = {"items": [{"product_id": 1, "quantity": 1}]}
    return str(_post(shop, "/api/orders", body, token)["id"])


def test_a_payer_hears_of_the_payment_and_others_hear_nothing(
    shop: LiveShop, listeners: list[Listener]
) -> None:
    """E1: neither a stranger nor another shopper can enter the room of somebody's order."""
    token, foreign = _token(shop), _stranger(shop)
    order_id = _order(shop, token)
    payer, nobody, other = Listener(shop, token), Listener(shop, None), Listener(shop, foreign)
    listeners += [payer, nobody, other]
    assert payer.subscribe(order_id) == {"ok": True}, "the token was shown when it connected"
    assert nobody.subscribe(order_id) == {"ok": False}
    assert other.subscribe(order_id, foreign) == {"ok": False}
    body = {"order_id": order_id, "phone_number": SELF_APPROVING}
    _post(shop, "/api/payments/mpesa/initiate", body, token)
    update = payer.heard.get(timeout=NEWS_SECONDS)
    while update["status"] != "completed":
        update = payer.heard.get(timeout=NEWS_SECONDS)
    assert set(update) == {"transaction_id", "order_id", "status", "reason", "receipt"}
    assert update["order_id"] == order_id
    assert update["receipt"]
    assert payer.heard.empty(), "one piece of news is told once, whatever rooms a socket is in"
    assert nobody.heard.empty()
    assert other.heard.empty()


def test_a_page_of_another_origin_cannot_open_a_socket(shop: LiveShop) -> None:
    client = socketio.Client(reconnection=False)
    with pytest.raises(SocketRefused):
        client.connect(
            shop.base_url,
            headers={"Origin": "https://evil.example"},
            transports=["websocket"],
        )


def test_a_signed_out_token_joins_nothing_any_more(
    shop: LiveShop, listeners: list[Listener]
) -> None:
    token = _token(shop)
    order_id = _order(shop, token)
    before = Listener(shop, token)
    listeners.append(before)
    _post(shop, "/api/auth/logout", {}, token)
    after = Listener(shop, token)
    listeners.append(after)
    assert before.subscribe(order_id) == {"ok": False}
    assert after.subscribe(order_id, token) == {"ok": False}
