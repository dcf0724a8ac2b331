"""Every way to pay, in both languages, with and without scripts: it pays, and closes the others."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser import pictures
from tests.browser.buyers import (
    READERS,
    WATCH_MS,
    Buyer,
    Reader,
    answers,
    looks_until,
    pays_by_hand,
    sees_it_paid,
    send_prompt,
)
from tests.browser.conftest import NewContext
from tests.browser.console import FAILED_REQUEST, Console
from tests.browser.people import money_from, new_msisdn
from tests.simulator.client import Daraja
from tests.support.live_shop import LiveShop, live_shop

#: In which an answer of the shop arrives, and a page that it changes has loaded.
LOOK_MS = 500


@pytest.fixture(scope="module")
def shop() -> Iterator[LiveShop]:
    """A shop whose paybill is registered, so that it hears of what is paid there by hand."""
    with live_shop() as running:
        done = running.flask("c2b", "register")
        assert done.returncode == 0, done.stdout + done.stderr
        yield running


@pytest.fixture(params=READERS, ids=str)
def buyer(request: pytest.FixtureRequest, shop: LiveShop, new_context: NewContext) -> Buyer:
    buyer = Buyer(request.param, shop, new_context)
    buyer.order()
    return buyer


def rung(page: Page, name: str) -> Locator:
    """Open one of the other ways on the order's page."""
    found = page.locator(f"#rung-{name}")
    if found.get_attribute("open") is None:
        found.locator("summary").first.click()
    return found


def what_to_type(page: Page) -> tuple[str, str, int]:
    """Read the paybill, the account and the amount where the page tells them."""
    inside = rung(page, "by-hand")
    paybill, account = inside.locator("dd .number").all_inner_texts()
    amount = inside.locator("dd").last.inner_text()
    return paybill, account, int(re.sub(r"\D", "", amount))


def test_a_prompt_goes_once_more_to_another_phone_and_is_paid_there(
    buyer: Buyer, simulator: Daraja
) -> None:
    other = new_msisdn()
    buyer.pays_from(buyer.msisdn)
    answers(simulator, buyer.msisdn, cancel=True)
    buyer.sees("You cancelled the payment", "You can try again.")
    pictures.take(buyer.page, f"show-cancelled-{buyer.reader}")
    buyer.pays_from(other)
    answers(simulator, other)
    buyer.sees_it_paid()
    buyer.finds_every_way_closed()
    assert money_from(simulator, buyer.msisdn) == []
    assert len(money_from(simulator, other)) == 1


def test_money_by_hand_at_the_paybill_pays(
    buyer: Buyer, simulator: Daraja, console: Console
) -> None:
    # The picture of a QR code is gone when the money comes while a page is still loading it, and
    # a clock that jumps runs out on a question that is on its way.
    console.expect(FAILED_REQUEST, "Polling error")
    page = buyer.page
    if buyer.reader.javascript:
        page.clock.install()
        page.reload()
    paybill, account, amount = what_to_type(page)
    pays_by_hand(simulator, buyer.msisdn, paybill, account, amount)
    looks_until(
        page,
        lambda: _looks_again(page, buyer.reader),
        page.locator(".state-paid, [data-view=completed]"),
    )
    buyer.finds_every_way_closed()
    assert money_from(simulator, buyer.msisdn) == [amount]


def _looks_again(page: Page, reader: Reader) -> None:
    """Let the time pass after which an open page looks; without scripts its reader does."""
    if not reader.javascript:
        page.reload()
        return
    page.clock.fast_forward(WATCH_MS)
    page.wait_for_timeout(LOOK_MS)


def test_somebody_without_an_account_pays_by_the_link(
    buyer: Buyer, simulator: Daraja, new_context: NewContext
) -> None:
    rung(buyer.page, "link").locator("form button").first.click()
    address = buyer.page.locator("#shared-link").input_value()
    friend, page = new_msisdn(), buyer.reader.page(new_context)
    page.goto(address)
    page.wait_for_load_state()
    send_prompt(page, friend)
    answers(simulator, friend)
    sees_it_paid(page, buyer.reader)
    page.goto(address)
    sees_it_paid(page, buyer.reader)
    expect(page.locator("form[data-pay-form], .rung")).to_have_count(0)
    buyer.finds_every_way_closed()
    assert len(money_from(simulator, friend)) == 1


def test_i_have_paid_finds_money_that_came_for_a_wrong_account(
    buyer: Buyer, simulator: Daraja, console: Console
) -> None:
    """Someone else's code before it, an edited message after it, and then the phone's own."""
    console.expect(FAILED_REQUEST)
    page = buyer.page
    paybill, _account, amount = what_to_type(page)
    message = pays_by_hand(simulator, buyer.msisdn, paybill, "MAMA MBOGA", amount)
    _says_paid(page, "Nimelipa jana, asante")
    expect(page.locator(".flash, [role=alert], .error").first).to_contain_text(
        buyer.reader.words(
            "There is no M-Pesa code in that. It has ten letters and numbers and stands at the "
            "beginning of the message; paste the whole message."
        )
    )
    # What is wrong stands where the page begins, and the same rung is open to try again.
    expect(page.locator(".flash")).to_be_in_viewport()
    expect(page.locator("#claim-message")).to_be_visible()
    _says_paid(page, message)
    paid = page.locator(".state-paid")
    looks_until(page, page.reload, paid)
    buyer.finds_every_way_closed()
    assert money_from(simulator, buyer.msisdn) == [amount]


def _says_paid(page: Page, message: str) -> None:
    inside = rung(page, "paid-already")
    inside.locator("textarea").fill(message)
    inside.locator("form[data-claim-form] button").click()
    page.wait_for_load_state()


def test_readers_are_told_apart() -> None:
    assert len({str(each) for each in READERS}) == 4
    assert Reader("sw", javascript=True).words("Send the prompt") != "Send the prompt"
