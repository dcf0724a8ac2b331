"""The guide with ``/api/payments/transactions/``: its commands and requests, run for real."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
import requests

from tests.simulator.client import eventually
from tests.support.live_shop import ROOT, SHOPPER, LiveShop, live_shop

CALLBACK_PATH = "/api/payments/transactions/mpesa_callback/"
#: The document's first test number; the simulator's phone of that number pays by itself.
SELF_APPROVING = "254708374149"
PRINTED = (
    *("--consumer-key", "YOUR_CONSUMER_KEY", "--consumer-secret", "YOUR_CONSUMER_SECRET"),
    # The printed YOUR_SHORTCODE is no number, so it is refused; this is one.
    *("--business-shortcode", "600123", "--passkey", "YOUR_PASSKEY"),
)
LIVE = (
    *("--environment", "production"),
    *("--callback-url", f"https://yourdomain.com{CALLBACK_PATH}"),
)
NEWEST = "db.session.scalars(db.select(Payment).order_by(Payment.created_at.desc()).limit(5)).all()"


@pytest.fixture(scope="module")
def live() -> Iterator[LiveShop]:
    """A shop whose environment leaves the six settings to the database."""
    with live_shop(extra_env={"MPESA_ENVIRONMENT": "", "PUBLIC_URL": ""}) as shop:
        yield shop


def flask(live: LiveShop, *arguments: str, status: int = 0) -> str:
    done = live.flask(*arguments)
    said = done.stdout + done.stderr
    assert done.returncode == status, said
    return said


def http(live: LiveShop, method: str, path: str, **more: Any) -> Any:
    with requests.Session() as session:
        session.trust_env = False
        answer = session.request(method, live.base_url + path, timeout=20, **more)
    assert answer.status_code in (200, 201), answer.text
    return answer.json()


def test_s2_02_s2_07_s2_08_s2_14_s2_16_to_s2_31_s2_46_from_set_up_to_a_completed_payment(
    live: LiveShop,
) -> None:
    """S2-02, S2-07, S2-08, S2-14, S2-16, S2-17, S2-18, S2-19, S2-20, S2-21, S2-22, S2-23,
    S2-24, S2-25, S2-26, S2-27, S2-28, S2-29, S2-30, S2-31, S2-46.
    """
    flask(live, "db", "upgrade")
    assert "Made 6 blank settings" in flask(live, "init_mpesa_settings")
    callback_url = f"{live.base_url}{CALLBACK_PATH}"
    flask(live, "set_mpesa_credentials", "--callback-url", callback_url)
    assert "Connected to M-Pesa API" in flask(live, "test_mpesa_connection")

    credentials = {"email": SHOPPER, "password": live.password}
    token = http(live, "POST", "/api/auth/login/", json=credentials)["access_token"]
    signed_in = {"headers": {"Authorization": f"JWT {token}"}}
    items = {"items": [{"product_id": 1, "quantity": 1}]}
    order = http(live, "POST", "/api/orders", json=items, **signed_in)
    body = {"order_id": order["number"], "phone_number": SELF_APPROVING}
    path = "/api/payments/transactions/initiate_mpesa_payment/"
    begun = http(live, "POST", path, json=body, **signed_in)
    assert begun["status"] == "success"

    path = f"/api/payments/transactions/{begun['transaction_id']}/check_mpesa_status/"
    done = eventually(lambda: _paid(http(live, "GET", path, **signed_in)), seconds=20)
    assert done["transaction"]["amount"] == f"{order['total']}.00"
    assert done["transaction"]["mpesa_receipt_number"]
    assert done["mpesa_status"]["ResultCode"] == "0"
    # The callback's own answer, and the line about it, come after what it changed.
    assert eventually(lambda: f"POST {CALLBACK_PATH} 200" in live.log_text())


def _paid(body: dict[str, Any]) -> dict[str, Any]:
    """Return an answer that tells of a payment with its receipt, and nothing for any other.

    A query may come before the callback, which brings the receipt.
    """
    told = body["transaction"]
    is_paid = told["payment_status"] == "completed" and told["mpesa_receipt_number"]
    return body if is_paid else {}


def test_s2_67_s2_68_the_shell_lists_the_newest_payments(live: LiveShop) -> None:
    """S2-67, S2-68: C-37: the printed ORM line is another framework's; this is ours."""
    done = subprocess.run(
        [sys.executable, "-m", "flask", "shell"],
        input=f"print(len({NEWEST}) <= 5, Order, Product, Person, InboxMessage, Credit)\n",
        cwd=ROOT,
        env=live.env,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert "True <class" in done.stdout, done.stdout + done.stderr


def test_s2_10_s2_66_new_credentials_are_used_at_once_and_known_to_the_simulator_after_a_start(
    live: LiveShop,
) -> None:
    """S2-10, S2-66."""
    said = flask(live, "set_mpesa_credentials", *PRINTED)
    assert "YOUR_" not in said
    assert "Invalid credentials" in flask(live, "test_mpesa_connection", status=1)
    live.stop()
    live.start()
    assert "Connected to M-Pesa API" in flask(live, "test_mpesa_connection")


def test_s2_11_s2_50_production_counts_from_the_next_start_and_leaves_the_rest_alone(
    live: LiveShop,
) -> None:
    """S2-11, S2-50."""
    flask(live, "set_mpesa_credentials", *PRINTED)
    flask(live, "set_mpesa_credentials", *LIVE)
    said = flask(live, "init_mpesa_settings")
    assert "production  (database)" in said
    assert "600123  (database)" in said
    assert "Not in production" in flask(live, "simulator", status=1)
    flask(live, "set_mpesa_credentials", "--environment", "simulator")
