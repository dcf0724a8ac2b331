"""Every page and every state of the road to pay, in both languages: axe-core finds nothing."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, Route, expect

from tests.browser import pictures
from tests.browser.buyers import LOCALES, Buyer, Reader, answers, pays_by_hand
from tests.browser.conftest import NewContext
from tests.browser.console import FAILED_REQUEST, Console
from tests.browser.test_accessibility import PHONE, problems
from tests.simulator.client import Daraja
from tests.support.live_shop import LiveShop, live_shop

#: Pages that need nothing but somebody who is signed in; test_accessibility.py sees the English.
PAGES = (
    "/",
    "/cart",
    "/checkout",
    "/orders",
    "/account",
    "/account/payments",
    "/account/numbers",
    "/account/courses",
    "/account/data",
    "/account/security",
)
#: A phone of the simulator's on which another M-Pesa menu is open.
BUSY_PHONE = "254799001001"


@pytest.fixture(scope="module")
def shop() -> Iterator[LiveShop]:
    with live_shop() as running:
        done = running.flask("c2b", "register")
        assert done.returncode == 0, done.stdout + done.stderr
        yield running


@pytest.fixture(params=LOCALES)
def reader(request: pytest.FixtureRequest) -> Reader:
    return Reader(request.param, javascript=True)


@pytest.fixture
def buyer(reader: Reader, shop: LiveShop, new_context: NewContext) -> Buyer:
    buyer = Buyer(reader, shop, new_context)
    buyer.order()
    return buyer


class Look:
    """Looks at pages and remembers what is wrong with them."""

    def __init__(self, page: Page, language: str) -> None:
        self.page, self.language = page, language
        self.wrong: dict[str, list[str]] = {}

    def at(self, name: str, view: str | None = None) -> None:
        """Look at what is open: a page, or the dialog once it shows this view."""
        if view:
            expect(self.page.locator(f"dialog[open][data-view={view}]")).to_be_visible()
        expect(self.page.locator("html")).to_have_attribute("lang", self.language)
        pictures.take(self.page, f"road-{name}-{self.language}")
        if found := problems(self.page):
            self.wrong[name] = found
        self.page.set_viewport_size({"width": PHONE, "height": 740})


def test_the_pages_of_the_road(
    buyer: Buyer, reader: Reader, simulator: Daraja, new_context: NewContext
) -> None:
    page = buyer.page
    look = Look(page, reader.language)
    look.at("order")
    page.locator("#rung-link form button").first.dispatch_event("click")
    expect(page.locator("#shared-link")).to_have_count(1)
    look.at("order-with-link")
    address = page.evaluate("document.getElementById('shared-link').value")
    friend = Look(reader.page(new_context), reader.language)
    friend.page.goto(address)
    friend.at("link")
    page.goto("/")
    page.locator("form button").filter(has_text=re.compile("cart|kikapu")).first.click()
    expect(page).to_have_url(re.compile("/cart$"))
    for path in PAGES if reader.language == "sw" else ("/cart", "/checkout"):
        answer = page.goto(path)
        assert answer is not None
        assert answer.status == 200, path
        look.at(path.strip("/").replace("/", "-") or "shelf")
    page.goto(buyer.address)
    buyer.pays_from(buyer.msisdn)
    answers(simulator, buyer.msisdn)
    buyer.sees_it_paid()
    look.at("success")
    page.goto(buyer.address)
    look.at("order-paid")
    page.locator('a[href^="/receipts/"]').first.click()
    expect(page.get_by_role("article")).to_be_visible()
    page.locator('form[action$="/link"] button').first.click()
    page.wait_for_load_state()
    look.at("receipt")
    shared = page.locator("input[value*='/r/']").first.input_value()
    friend.page.goto(shared)
    friend.at("receipt-by-link")
    friend.page.goto(address)
    friend.at("link-paid")
    for path in ("/sign-in", "/register") if reader.language == "sw" else ():
        friend.page.goto(path)
        friend.at(path.strip("/"))
    assert {**look.wrong, **friend.wrong} == {}


def test_every_view_of_the_dialog(
    buyer: Buyer, reader: Reader, simulator: Daraja, console: Console
) -> None:
    console.expect(
        FAILED_REQUEST, "Polling error", "The payment could not be started", "WebSocket connection"
    )
    page = buyer.page
    look = Look(page, reader.language)
    held: list[Route] = []
    page.route("**/pay", lambda route: held.append(route))
    buyer.pays_from(BUSY_PHONE)
    look.at("sending", "sending")
    held[0].continue_()
    page.unroute("**/pay")
    expect(page.locator("[data-part=asking]")).to_be_visible()
    look.at("asks-again", "failed")
    page.locator("[data-part=asking] button").click()
    expect(page.locator("[data-part=asking]")).to_be_hidden()
    page.route("**/pay", lambda route: route.abort())
    buyer.pays_from(buyer.msisdn)
    look.at("unreached", "unreached")
    page.unroute("**/pay")
    page.locator("[data-part=again]").click()
    look.at("waiting", "waiting")
    page.context.set_offline(True)
    expect(page.locator("[data-part=notice]")).to_be_visible()
    look.at("offline", "waiting")
    page.context.set_offline(False)
    answers(simulator, buyer.msisdn, cancel=True)
    look.at("cancelled", "failed")
    _ends_in_success(buyer, look, simulator)
    _ends_in_review(buyer, look, simulator)
    _ends_signed_out(buyer, look)
    assert look.wrong == {}


def _ends_in_success(buyer: Buyer, look: Look, simulator: Daraja) -> None:
    page = buyer.page
    # The dialog leads on by itself; so it stays as long as it is looked at.
    page.route("**/order-success*", lambda route: route.fulfill(status=204))
    buyer.pays_from(buyer.msisdn)
    answers(simulator, buyer.msisdn)
    look.at("completed", "completed")
    page.unroute("**/order-success*")


def _ends_in_review(buyer: Buyer, look: Look, simulator: Daraja) -> None:
    assert simulator.arm("wrong_amount", on={"msisdn": buyer.msisdn}).ok
    buyer.order()
    buyer.pays_from(buyer.msisdn)
    answers(simulator, buyer.msisdn)
    look.at("review", "review")
    look.page.goto(buyer.address)
    look.at("order-in-review")


def _ends_signed_out(buyer: Buyer, look: Look) -> None:
    buyer.order()
    buyer.pays_from(buyer.msisdn)
    expect(look.page.locator("dialog[data-view=waiting]")).to_be_visible()
    look.page.context.clear_cookies()
    look.at("signed-out", "signed-out")


def test_every_state_of_i_have_paid(buyer: Buyer, reader: Reader, simulator: Daraja) -> None:
    page = buyer.page
    look = Look(page, reader.language)
    paybill = page.locator("#rung-by-hand dd .number").first.inner_text()
    message = pays_by_hand(simulator, buyer.msisdn, paybill, "MAMA MBOGA", 1)
    for name, text in (("nothing", "asante"), ("edited", _edited(message))):
        inside = page.locator("#rung-paid-already")
        inside.locator("summary").evaluate("summary => { summary.parentElement.open = true; }")
        inside.locator("textarea").fill(text)
        inside.locator("form[data-claim-form] button").click()
        page.wait_for_load_state()
        look.at(f"claim-{name}")
    assert look.wrong == {}


def _edited(message: str) -> str:
    """Name another code than the phone's message does, as whoever mistypes or cheats."""
    code = message.split()[0]
    return message.replace(code, f"{code[:-1]}{'B' if code.endswith('A') else 'A'}")
