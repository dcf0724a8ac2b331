"""From the shelf to the receipt, by push and by poll, with nothing going wrong on the phone."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import BrowserContext, Page, Route, expect

from tests.browser import pictures
from tests.browser.conftest import NewContext
from tests.browser.console import FAILED_REQUEST, Console
from tests.browser.people import (
    QUERY,
    Handset,
    Shopper,
    block_sockets,
    money_from,
    new_msisdn,
    pay_button,
    prompts_of,
)
from tests.simulator.client import Daraja

M_PESA_CODE = re.compile(r"^[A-Z0-9]{10}$")
_COUNT_PRINTS = "window.printed = 0; window.print = () => { window.printed += 1; };"


def test_a_newcomer_buys_and_a_pushed_update_alone_turns_the_dialog_to_success(
    new_context: NewContext,
    new_handset: Callable[[str], Handset],
    simulator: Daraja,
    console: Console,
):
    """S2-33, S2-34, S2-35, S2-37, S2-41, S0-44, C-22: order, prompt, live status, receipt."""
    # Every poll is cut off, so nothing but the push can bring the news.
    console.expect(FAILED_REQUEST, "Polling error")
    context = new_context()
    context.route(QUERY, lambda route: route.abort())
    shopper = Shopper(context, new_msisdn())
    shopper.register()
    shopper.put_in_cart("kiondo-basket")
    pictures.take(shopper.page, "cart")
    shopper.go_to_checkout()
    pictures.take(shopper.page, "checkout")
    shopper.press_pay()
    shopper.sees("Check your phone")
    order = shopper.newest_order()
    assert (order["status"], order["payment_status"]) == ("pending", "pending")
    pictures.take(shopper.page, "dialog-waiting")

    handset = new_handset(shopper.msisdn)
    pictures.take(handset.page, "phone-prompt")
    handset.enter_pin()
    handset.sees("You paid Ksh 1,860")
    shopper.sees("Paid. Thank you!")
    code = simulator.ledger()[-1]["receipt"]
    shopper.sees(code)
    pictures.take(shopper.page, "dialog-success")

    shopper.page.wait_for_url(f"**/order-success?order={order['id']}")
    expect(shopper.page.locator("main")).to_contain_text(code)
    pictures.take(shopper.page, "order-success")
    assert shopper.newest_order()["status"] == "paid"


def test_the_receipt_tells_everything_and_prints_on_one_page(shopper: Shopper, handset: Handset):
    """S2-41, S4-08: the M-Pesa code, the payer and the amount stand on paper."""
    shopper.context.add_init_script(_COUNT_PRINTS)
    shopper.buy("wheelbarrow")
    handset.enter_pin()
    shopper.sees_success()
    page = shopper.page
    page.get_by_role("link", name="See the receipt").click()
    expect(page.get_by_role("heading", name="Receipt", exact=True)).to_be_visible()
    receipt = page.get_by_role("article")
    expect(receipt).to_contain_text(re.compile(r"RCP\d{14}[A-Z0-9]{3}"))
    expect(receipt.locator(".code strong")).to_have_text(M_PESA_CODE)
    for told in (shopper.name, "KES 6,500.00", "Wheelbarrow", "M-Pesa", "Order #"):
        expect(receipt).to_contain_text(told)
    expect(receipt).not_to_contain_text(shopper.typed_phone)
    pictures.take(page, "receipt")

    page.get_by_role("button", name="Print").click()
    assert page.evaluate("window.printed") == 1
    _is_bare_on_paper(page)


def _is_bare_on_paper(page: Page) -> None:
    """The print-out is the receipt and nothing of the page around it, on one sheet."""
    page.emulate_media(media="print")
    expect(page.get_by_role("article")).to_be_visible()
    for name in ("banner", "contentinfo", "navigation"):
        expect(page.get_by_role(name)).to_have_count(0)
    expect(page.get_by_role("button")).to_have_count(0)
    paper = page.pdf(format="A4")
    assert paper.startswith(b"%PDF-")
    assert len(re.findall(rb"/Type\s*/Page\b", paper)) == 1


@pytest.mark.parametrize("javascript", [True, False], ids=["with scripts", "without scripts"])
def test_a_double_click_on_pay_makes_one_order_and_one_prompt(
    new_context: NewContext,
    new_handset: Callable[[str], Handset],
    simulator: Daraja,
    javascript: bool,
):
    """S0-62, C-38: pressing twice asks once, whoever does the counting."""
    shopper = Shopper(new_context(java_script_enabled=javascript), new_msisdn())
    shopper.register()
    shopper.go_to_checkout()
    pay_button(shopper.page).dblclick()
    expect(shopper.page.get_by_text("Check your phone").first).to_be_visible()
    handset = new_handset(shopper.msisdn)
    handset.enter_pin()
    handset.sees("You paid Ksh 10")
    expect(shopper.page.get_by_text("Paid. Thank you!").first).to_be_visible()
    assert len(prompts_of(simulator, shopper.msisdn)) == 1
    assert [order["status"] for order in shopper.orders()] == ["paid"]


def test_two_tabs_of_one_cart_that_pay_at_once_make_one_order_and_one_prompt(
    shopper: Shopper, handset: Handset, simulator: Daraja
):
    """S0-62, C-38: the second tab follows the first one's prompt, and both end in success."""
    shopper.go_to_checkout()
    other = shopper.context.new_page()
    other.goto("/checkout")
    tabs = (shopper.page, other)
    held: list[Route] = []
    shopper.context.route("**/checkout", lambda route: _hold_posts(route, held))
    for tab in tabs:
        pay_button(tab).click()
        expect(tab.get_by_role("dialog")).to_contain_text("Sending the prompt")
    assert len(held) == 2
    for route in held:
        route.continue_()
    for tab in tabs:
        expect(tab.get_by_role("dialog")).to_contain_text("Check your phone")

    handset.enter_pin()
    for tab in tabs:
        tab.wait_for_url("**/order-success*")
    assert len(prompts_of(simulator, shopper.msisdn)) == 1
    assert money_from(simulator, shopper.msisdn) == [10]
    assert [order["status"] for order in shopper.orders()] == ["paid"]


def _hold_posts(route: Route, held: list[Route]) -> None:
    if route.request.method == "POST":
        held.append(route)
    else:
        route.fallback()


def _block_client(context: BrowserContext) -> None:
    context.route("**/vendor/socket.io*/**", lambda route: route.abort())


@pytest.mark.parametrize("block", [block_sockets, _block_client], ids=["sockets", "client file"])
def test_without_pushed_updates_the_poll_alone_leads_to_the_receipt(
    shopper: Shopper,
    handset: Handset,
    console: Console,
    block: Callable[[BrowserContext], None],
):
    """S4-05, S4-68, C-21: polling is enough, and it is the second string by design."""
    console.expect(FAILED_REQUEST, "WebSocket connection")
    block(shopper.context)
    shopper.context.clock.install()
    shopper.buy()
    handset.enter_pin()
    handset.sees("You paid Ksh 10")
    shopper.polls_until("paid")
    shopper.sees_success()
    shopper.page.get_by_role("link", name="See the receipt").click()
    expect(shopper.page.get_by_role("article").locator(".code strong")).to_have_text(M_PESA_CODE)
