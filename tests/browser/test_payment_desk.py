"""The payment desk in a real browser: finding a payment, its story, two people, and files."""

from __future__ import annotations

import csv
import io
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from playwright.sync_api import expect

from tests.browser.back_office import Desk, paid_order
from tests.browser.conftest import NewContext
from tests.browser.test_money_out import look
from tests.simulator.client import eventually
from tests.support.live_shop import SHOPPER, LiveShop, live_shop

#: A phone of the simulator's whose owner never answers.
RUNS_OUT = "0799001037"
OPERATOR, APPROVER = "njeri@example.com", "baraka@example.com"


@pytest.fixture(scope="module")
def shop() -> Iterator[LiveShop]:
    """A shop with one who serves and one who approves; prompts live shortly."""
    with live_shop(stk_prompt_seconds=5) as shop:
        for email, role in ((OPERATOR, "operator"), (APPROVER, "approver")):
            person = ("--email", email, "--password", shop.password, "--role", role)
            made = shop.flask("users", "create", *person)
            assert made.returncode == 0, made.stderr
        yield shop


def desk_of(new_context: NewContext, shop: LiveShop, email: str) -> Desk:
    desk = Desk(new_context(1280))
    desk.sign_in(email, shop.password)
    return desk


def unpaid(shop: LiveShop) -> str:
    """Have the demo shopper let a prompt run out; return the payment's name."""
    with requests.Session() as session:
        session.trust_env = False
        session.headers["Accept"] = "application/json"

        def call(method: str, path: str, **body: object) -> dict[str, Any]:
            answer = session.request(method, shop.base_url + path, json=body or None)
            assert answer.ok, answer.text
            return answer.json()

        signed_in = call("POST", "/api/auth/login", email=SHOPPER, password=shop.password)
        session.headers["Authorization"] = f"Bearer {signed_in['access_token']}"
        product = call("GET", "/api/products")["results"][0]
        order = call("POST", "/api/orders", items=[{"product_id": product["id"], "quantity": 1}])
        path = "/api/payments/mpesa/initiate"
        call("POST", path, order_id=order["id"], phone_number=RUNS_OUT)

        def over() -> list[str]:
            [payment] = call("GET", f"/api/orders/{order['id']}")["payments"]
            return [payment["transaction_id"]] if payment["status"] == "expired" else []

        [name] = eventually(over)
        return name


def test_a_payment_is_found_explained_and_taken_out(
    new_context: NewContext, shop: LiveShop
) -> None:
    name, total = paid_order(shop)
    desk = desk_of(new_context, shop, OPERATOR)
    page = desk.page
    page.goto("/admin/payments")
    page.get_by_label("Phone, M-Pesa code, order, TXN or amount").fill("0708 374 149")
    page.get_by_role("button", name="Search").click()
    expect(page.get_by_text("Read as a phone number.")).to_be_visible()
    look(page, "desk-payments")
    page.get_by_role("link", name=name).click()
    expect(page.get_by_role("heading", name="What M-Pesa said")).to_be_visible()
    page.get_by_text("As it came").click()
    expect(page.locator("pre")).to_contain_text("stkCallback")
    page.get_by_role("button", name="What would it do today?").click()
    expect(page.get_by_text("repeated: the payment is completed").last).to_be_visible()
    page.get_by_text("As it came").click()
    look(page, "desk-payment")
    with page.expect_download() as taken:
        page.get_by_role("button", name="Download the evidence").click()
    archive = zipfile.ZipFile(Path(taken.value.path()))
    assert {"summary.html", "MANIFEST.txt"} <= set(archive.namelist())
    page.goto("/admin/payments?q=0708374149")
    page.get_by_role("link", name="Export these").click()
    expect(page.get_by_role("heading", name="Export", exact=True)).to_be_visible()
    look(page, "desk-exports")
    with page.expect_download() as taken:
        page.get_by_role("button", name="Download as CSV").click()
    assert re.fullmatch(r"payments-\d{4}-\d\d-\d\d\.csv", taken.value.suggested_filename)
    paper = Path(taken.value.path()).read_text("utf-8-sig")
    [row] = csv.DictReader(io.StringIO(paper))
    assert (row["Payment"], row["Came in (KES)"]) == (name, f"{total}.00")


def test_two_people_settle_a_payment_that_m_pesa_says_nothing_of(
    new_context: NewContext, shop: LiveShop
) -> None:
    name = unpaid(shop)
    desk = desk_of(new_context, shop, OPERATOR)
    page = desk.page
    page.goto(f"/admin/payments/{name}")
    page.get_by_text("Propose a settlement").click()
    page.get_by_label("M-Pesa code, from the statement").fill("UKL5HAND01")
    page.get_by_label("Paid on, in Nairobi").fill("2026-11-20T10:30")
    page.get_by_label("What you have seen, and where").fill("Line 14 of the statement, his phone")
    look(page, "desk-propose")
    page.get_by_role("button", name="Propose it").click()
    expect(page.get_by_text("Proposed. Another person has to agree.")).to_be_visible()
    expect(page.get_by_role("button", name="Agree and settle")).to_have_count(0)
    other = desk_of(new_context, shop, APPROVER).page
    other.get_by_role("link", name="Look and decide").first.click()
    look(other, "desk-decide")
    other.get_by_role("button", name="Agree and settle").click()
    expect(other.get_by_text("Settled, and written down with both names.")).to_be_visible()
    expect(other.get_by_text("Settled by hand", exact=True)).to_be_visible()
    look(other, "desk-settled")
