"""A shop that follows an ngrok tunnel: words for its tests."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from app import doctor
from app.config import Environment
from app.settings.service import settings
from app.tunnel import ASK_EVERY_SECONDS
from tests.support.app import Account, Shop

PORT = 5000
HOME = "http://localhost:5000"
FIRST = "https://a1b2-102-0-5-1.ngrok-free.app"
SECOND = "https://c3d4-102-0-5-1.ngrok-free.app"
CALLBACK = "/api/payments/mpesa/callback?token="
#: Safaricom's sandbox, as far as these tests go: an account of one's own, and no simulator.
SANDBOX = {
    "mpesa_environment": Environment.SANDBOX,
    "mpesa_consumer_key": "key",
    "mpesa_consumer_secret": "secret",
    "mpesa_passkey": "passkey",
}
#: How a test lets its shop follow the agent's tunnel, with further settings.
Follow = Callable[..., None]
#: What the log says of the tunnel.
Lines = Callable[[], list[str]]


class Clock:
    """Seconds that pass when a test says so."""

    def __init__(self) -> None:
        self.seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds

    def pass_on(self) -> None:
        """Let so much time go by that the agent is asked again."""
        self.seconds += ASK_EVERY_SECONDS


def callback_of_a_prompt(shop: Shop, who: Account) -> str:
    """Pay an order, and return the address that Daraja was given."""
    assert shop.pay(who, shop.order(who)).status_code == 200
    return str(shop.daraja.pushes[-1]["CallBackURL"])


def refusal(shop: Shop, who: Account) -> dict[str, Any]:
    """Pay an order in vain, and return what the payer was told."""
    order = shop.order(who)
    answer = shop.pay(who, order)
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "30"), answer.text
    assert shop.payments(order) == []
    assert shop.daraja.pushes == []
    body: dict[str, Any] = answer.get_json()
    assert body["code"] == "PROVIDER_UNAVAILABLE"
    return body


def found(shop: Shop) -> list[str]:
    """What the doctor finds about addresses: each problem with its mend."""
    with shop.app.app_context():
        findings = doctor._addresses(settings())
    return [f"{finding.problem} {finding.mend}" for finding in findings]
