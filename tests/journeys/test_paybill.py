"""Paying by hand, against the real simulator: from a person's phone to the paid order."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from typing import Any

import pytest
import requests

from tests.support.live_shop import ADMIN, SHOPPER, LiveShop, live_shop

PHONE = "254712000333"
SELF_APPROVING = "254708374149"
SECONDS = 20


@pytest.fixture(scope="module")
def shop() -> Iterator[LiveShop]:
    """A shop whose paybill is registered at the simulator, which tells of prompts by C2B too."""
    with live_shop() as running:
        done = running.flask("c2b", "register")
        assert done.returncode == 0, done.stdout + done.stderr
        _simulate(running, "/switches", {"stk_confirmations": True})
        yield running


def _simulate(shop: LiveShop, path: str, body: dict[str, Any]) -> dict[str, Any]:
    url = f"{shop.simulator_url}/simulator/api{path}"
    answer = requests.post(url, json=body, timeout=20)
    assert answer.ok, answer.text
    told: dict[str, Any] = answer.json()
    return told


class Buyer:
    """Somebody who is signed in at the shop."""

    def __init__(self, shop: LiveShop, email: str = SHOPPER) -> None:
        self._root = shop.base_url
        signed = requests.post(
            f"{self._root}/api/auth/login",
            json={"email": email, "password": shop.password},
            timeout=20,
        )
        self._headers = {"Authorization": f"Bearer {signed.json()['access_token']}"}

    def send(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        answer = requests.post(self._root + path, json=body, headers=self._headers, timeout=20)
        assert answer.ok, answer.text
        told: dict[str, Any] = answer.json()
        return told

    def order(self) -> dict[str, Any]:
        return self.send("/api/orders", {"items": [{"product_id": 1}]})

    def see(self, order: dict[str, Any]) -> dict[str, Any]:
        path = f"{self._root}/api/orders/{order['id']}"
        told: dict[str, Any] = requests.get(path, headers=self._headers, timeout=20).json()
        return told

    def reads(self, path: str, what: str) -> str:
        """Wait, for a bounded time, until a page tells something, and return the page."""
        deadline, headers = time.monotonic() + SECONDS, self._headers | {"Accept": "text/html"}
        while what not in (
            page := requests.get(self._root + path, headers=headers, timeout=20).text
        ):
            assert time.monotonic() < deadline, page
            time.sleep(0.1)
        return page

    def submits(self, path: str, **form: str) -> str:
        """Send a form that leads on, and return the path where it leads."""
        address = self._root + path
        headers = self._headers | {"Accept": "text/html", "Origin": self._root}
        answer = requests.post(
            address, data=form, headers=headers, allow_redirects=False, timeout=20
        )
        assert answer.status_code == 303, answer.text
        return answer.headers["Location"]

    def paid(self, order: dict[str, Any]) -> dict[str, Any]:
        """Wait, for a bounded time, until an order is paid, and return it."""
        deadline = time.monotonic() + SECONDS
        while (told := self.see(order))["status"] != "paid":
            assert time.monotonic() < deadline, told
            time.sleep(0.1)
        return told


def test_who_pays_the_paybill_by_hand_has_a_paid_order_within_seconds(shop: LiveShop) -> None:
    buyer = Buyer(shop)
    order = buyer.order()
    ended = _simulate(
        shop,
        f"/phones/{PHONE}/pay",
        {
            "shortcode": "174379",
            "account": order["reference"],
            "amount": order["total"],
            "pin": "1234",
        },
    )
    assert ended["status"] == "completed"
    told = buyer.paid(order)
    assert told["amount_paid"] == order["total"]
    assert told["payments"][0]["receipt"] == ended["receipt"]


def test_a_prompt_that_is_confirmed_to_the_paybill_too_is_credited_once(shop: LiveShop) -> None:
    buyer, owner = Buyer(shop), Buyer(shop, ADMIN)
    order = buyer.order()
    pay = {"order_id": order["id"], "phone_number": SELF_APPROVING}
    buyer.send("/api/payments/mpesa/initiate", pay)
    receipt = buyer.paid(order)["payments"][0]["receipt"]
    # Both roads have told of it once the paybill's news is kept.
    owner.reads("/admin/paybill", receipt)
    told = buyer.see(order)
    assert told["amount_paid"] == order["total"]
    assert [payment["receipt"] for payment in told["payments"]] == [receipt]
    checked = shop.flask("check_invariants", "--ledger", shop.simulator_url)
    assert checked.returncode == 0, checked.stdout


def test_a_mistyped_account_waits_for_a_person_with_a_suggestion(shop: LiveShop) -> None:
    buyer, owner = Buyer(shop), Buyer(shop, ADMIN)
    order = buyer.order()
    typed = order["reference"].lower()
    body = {"shortcode": "174379", "account": typed, "amount": order["total"], "pin": "1234"}
    assert _simulate(shop, f"/phones/{PHONE}/pay", body)["status"] == "completed"
    assert order["reference"] in owner.reads("/admin", typed)
    assert buyer.see(order)["status"] == "pending"


def test_what_was_paid_twice_by_hand_goes_back_to_the_phone_that_paid(shop: LiveShop) -> None:
    """The second money is set aside by a person, and reversed by its receipt."""
    buyer, owner = Buyer(shop), Buyer(shop, ADMIN)
    order = buyer.order()
    pay = {"shortcode": "174379", "account": order["reference"], "pin": "1234"}
    before = _balance(shop)
    first, second = (
        _simulate(shop, f"/phones/{PHONE}/pay", pay | {"amount": order["total"]}) for _ in range(2)
    )
    buyer.paid(order)
    assert _balance(shop) == before - 2 * order["total"]
    queue = owner.reads("/admin", "The order was paid twice")
    [credit] = set(re.findall(r"question-second_money-(\d+)", queue))
    assert owner.submits(f"/admin/questions/set_aside/{credit}", why="One too many") == "/admin"
    page = owner.reads(f"/admin/credits/{credit}", second["receipt"])
    assert first["receipt"] not in page
    key = re.findall(r'name="form_key" value="([^"]+)"', page)[0]
    form = {"amount": str(order["total"]), "payer": "", "reason": "Paid twice", "form_key": key}
    refund = owner.submits(f"/admin/credits/{credit}/refund", **form)
    told = owner.reads(refund, "were sent back")
    assert "Reversal: it is whole" in told
    assert _balance(shop) == before - order["total"]
    assert buyer.see(order)["status"] == "paid"
    checked = shop.flask("check_invariants", "--ledger", shop.simulator_url)
    assert checked.returncode == 0, checked.stdout


def _balance(shop: LiveShop) -> int:
    """Return what the payer's phone holds, in shillings."""
    told = requests.get(f"{shop.simulator_url}/simulator/api/phones/{PHONE}", timeout=20)
    return int(told.json()["balance"])
