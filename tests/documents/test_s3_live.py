"""The guide with ``/api/payments/`` for a school: its examples, run against a shop."""

from __future__ import annotations

import json
import re
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.documents.s3 import COURSE, PHONE, sample
from tests.services.launch import free_port
from tests.simulator.client import eventually
from tests.support.live_shop import ADMIN, ROOT, SHOPPER, LiveShop, live_shop

#: The four curl commands that the document prints, letter by letter.
LOGIN, INITIATE, STATUS, FIRST = (Path(__file__).parent / "s3_snippet.sh").read_text().split("\n\n")
PRINTED_SHOP = "http://localhost:8000"
README = (ROOT / "README.md").read_text()
CURL_SECONDS = 20
SHELL_SECONDS = 60


@pytest.fixture(scope="module")
def live() -> Iterator[LiveShop]:
    """A school with the document's settings, whose first product is its course."""
    port = free_port()
    root = f"http://127.0.0.1:{port}"
    given = {
        "PORT": str(port),
        "PUBLIC_URL": root,
        "MPESA_CALLBACK_URL": f"{root}/api/payments/callback/",
        "DEBUG": "True",
        "ALLOWED_HOSTS": "localhost,127.0.0.1",
    }
    with live_shop(extra_env=given) as shop:
        price_is(shop, 100)
        yield shop


def price_is(live: LiveShop, shillings: int) -> None:
    values = (COURSE, shillings * 100)
    with closing(sqlite3.connect(live.folder / "lipa.db", timeout=10)) as database:
        database.execute(
            "UPDATE products SET kind = 'course', stock = NULL, name = ?, price_cents = ? "
            "WHERE id = 1",
            values,
        )
        database.commit()


def run(live: LiveShop, command: str, **words: str) -> Any:
    """Run a printed command against this shop, with these words in place of the printed ones."""
    if shutil.which("curl") is None:
        pytest.skip("curl is not installed. Install it: sudo apt-get install curl")
    for printed, word in ({PRINTED_SHOP: live.base_url} | words).items():
        command = command.replace(printed, word)
    done = subprocess.run(
        ["bash", "-c", command], env=live.env, capture_output=True, text=True, timeout=CURL_SECONDS
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def token(live: LiveShop, email: str) -> str:
    body = run(live, LOGIN, yourpassword=live.password, **{ADMIN: email})
    access: str = body["access_token"]
    return access


def ask(live: LiveShop, path: str, access: str) -> Any:
    with requests.Session() as session:
        session.trust_env = False
        headers = {"Authorization": f"Bearer {access}"}
        answer = session.get(live.base_url + path, headers=headers, timeout=10)
    assert answer.status_code == 200, answer.text
    return answer.json()


def enter_pin(live: LiveShop) -> None:
    """Answer the phone's newest prompt with the simulator's PIN."""
    api = f"{live.simulator_url}/simulator/api"
    with requests.Session() as session:
        session.trust_env = False
        (prompt, *_) = session.get(f"{api}/phones/{PHONE}", timeout=10).json()["prompts"]
        path = f"{api}/prompts/{prompt['checkout_request_id']}"
        assert session.post(path, json={"pin": "1234"}, timeout=10).status_code == 200


def test_s3_47_to_s3_53_s3_78_to_s3_85_the_printed_sandbox_tour_pays_a_course(
    live: LiveShop,
) -> None:
    """S3-47, S3-48, S3-49, S3-50, S3-51, S3-52, S3-53, S3-78, S3-79, S3-80, S3-81, S3-82,
    S3-83, S3-84, S3-85.
    """
    access = token(live, ADMIN)
    begun = run(live, INITIATE, YOUR_ACCESS_TOKEN=access)
    assert set(begun) == {"success", "message", "checkout_request_id", "merchant_request_id"}
    assert begun["message"] == "STK Push initiated successfully"
    assert run(live, STATUS, YOUR_ACCESS_TOKEN=access)["status"] == "pending"
    enter_pin(live)
    done = eventually(lambda: _paid(run(live, STATUS, YOUR_ACCESS_TOKEN=access)), seconds=20)
    assert (done["id"], done["amount"], done["phone"]) == (1, "100", PHONE)
    assert done["checkout_request_id"] == begun["checkout_request_id"]
    # The line is written after the answer, and after what it has brought about.
    assert eventually(lambda: re.search(r"POST /api/payments/callback/? 200", live.log_text()))
    assert [row["course"] for row in ask(live, "/api/courses/mine", access)["results"]] == [COURSE]
    (row,) = ask(live, "/api/payments/my/", access)
    assert (row["course"], row["status"]) == (COURSE, "completed")


def _paid(body: dict[str, Any]) -> dict[str, Any]:
    """Return the status of a payment with its receipt, and nothing for any other."""
    return body if body["status"] == "completed" and body["mpesa_receipt"] else {}


def test_s3_27_to_s3_29_s3_33_s3_57_to_s3_61_a_callback_without_a_phone_by_the_shell(
    live: LiveShop,
) -> None:
    """S3-27, S3-28, S3-29, S3-33, S3-57, S3-58, S3-59, S3-60, S3-61.

    C-37: what the README gives for each printed line, typed into `flask shell`.
    """
    price_is(live, 5000)
    access = token(live, SHOPPER)
    begun = run(live, FIRST, YOUR_JWT_TOKEN=access)
    (row,) = ask(live, "/api/payments/my/", access)
    body = sample(begun["checkout_request_id"], MpesaReceiptNumber="TEST123456")
    body["Body"]["stkCallback"]["MerchantRequestID"] = begun["merchant_request_id"]
    lines = [
        f"callback_data = {body!r}",
        told("payment = db.session.get(Payment, 1)").replace("1)", f"{row['id']})"),
        told("from app.payments.service import callback_address"),
        told("response = app.test_client().post(callback_address(payment), json=callback_data)"),
        f"print('answered', {told('response.status_code')})",
        told("db.session.refresh(payment)"),
        f"print('now', {told('payment.status')})",
        f"print('counted', {told('db.session.query(Payment).count()')}, "
        f"{told('db.session.query(Setting).count()')})",
    ]
    said = shell(live, lines)
    assert "answered 200" in said
    assert "now completed" in said
    assert re.search(r"counted \d+ \d+", said)
    paid = ask(live, f"/api/payments/{row['id']}/status/", access)
    assert (paid["status"], paid["mpesa_receipt"]) == ("completed", "TEST123456")
    assert [place["course"] for place in ask(live, "/api/courses/mine", access)["results"]]


def told(code: str) -> str:
    """Return a line of code that the README's table gives."""
    table = README.partition("\n### If your notes say")[2].partition("\n## ")[0]
    assert f"`{code}`" in table, code
    return code


def shell(live: LiveShop, lines: list[str]) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "flask", "shell"],
        input="\n".join([*lines, ""]),
        cwd=ROOT,
        env=live.env,
        capture_output=True,
        text=True,
        timeout=SHELL_SECONDS,
    )
    assert "Traceback" not in done.stderr, done.stderr
    return done.stdout


def test_s3_09_s3_10_the_printed_settings_hold_in_a_running_shop(live: LiveShop) -> None:
    """S3-09, S3-10."""
    with requests.Session() as session:
        session.trust_env = False
        health = f"{live.base_url}/api/health"
        foreign = session.get(health, headers={"Host": "evil.example"}, timeout=10)
        own = session.get(health, headers={"Host": "localhost:8000"}, timeout=10)
    assert (foreign.status_code, own.status_code) == (400, 200)
    assert foreign.json()["code"] == "VALIDATION_ERROR"
    assert eventually(lambda: "DEBUG lipa.http GET /api/health 200" in live.log_text())
