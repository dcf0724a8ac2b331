"""Two people buy at once, and pay on two phones of one page, at the shop's own address."""

from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests.browser.console import Console
from tests.browser.people import Shopper, money_from
from tests.simulator.client import Daraja
from tests.support.live_shop import LiveShop, live_shop

WAIT_MS = 15_000
PHONES = ("254722880001", "254722880002")

NewContext = Callable[..., BrowserContext]


@pytest.fixture(scope="module")
def shop() -> Iterator[LiveShop]:
    with live_shop(stk_prompt_seconds=60) as shop:
        yield shop


@pytest.fixture
def new_context(browser: Browser, shop: LiveShop) -> Iterator[NewContext]:
    """A browser of one more person at the shop's address; fails when a page complained."""
    console, contexts = Console(), list[BrowserContext]()

    def make(width: int) -> BrowserContext:
        context = browser.new_context(
            base_url=shop.base_url, viewport={"width": width, "height": 800}
        )
        context.set_default_timeout(WAIT_MS)
        console.listen_to(context)
        contexts.append(context)
        return context

    yield make
    for context in contexts:
        context.close()
    assert console.unexpected() == []


def pays_with_keyboard(page: Page, msisdn: str) -> None:
    """Type the PIN into whichever phone has the focus, which must be this one."""
    expect(page.locator(f"#pin-{msisdn}")).to_be_focused(timeout=WAIT_MS)
    page.keyboard.type("1234")
    page.keyboard.press("Enter")
    expect(page.locator(f"#handset-{msisdn}")).to_contain_text("You paid Ksh", timeout=WAIT_MS)


def test_two_phones_pay_two_orders_at_once_by_keyboard_alone(
    shop: LiveShop, new_context: NewContext
):
    shoppers = [Shopper(new_context(360), msisdn) for msisdn in PHONES]
    goods = ("matchbox", "wheelbarrow")
    for shopper, slug in zip(shoppers, goods, strict=True):
        shopper.register()
        shopper.go_to_checkout(slug)
    desk = new_context(1280).new_page()
    desk.goto(f"/simulator/phones?numbers={','.join(PHONES)}")
    for shopper in shoppers:
        shopper.press_pay()
    for shopper, msisdn in zip(shoppers, PHONES, strict=True):
        expect(shopper.dialog).to_contain_text("Check your phone", timeout=WAIT_MS)
        handset = desk.locator(f"#handset-{msisdn}")
        expect(handset.get_by_role("button", name="Send")).to_be_visible(timeout=WAIT_MS)

    # Both ring; the one that rang first has the keyboard, and then the other has it.
    first = desk.evaluate("document.activeElement.id").removeprefix("pin-")
    pays_with_keyboard(desk, first)
    pays_with_keyboard(desk, next(msisdn for msisdn in PHONES if msisdn != first))

    for shopper in shoppers:
        expect(shopper.dialog).to_contain_text("Paid. Thank you!", timeout=WAIT_MS)
        assert shopper.newest_order()["status"] == "paid"
    daraja = Daraja(shop.simulator_url, callback_url="")
    with daraja.session:
        assert [money_from(daraja, msisdn) for msisdn in PHONES] == [[10], [6_500]]


def test_every_page_works_at_the_shops_own_address(shop: LiveShop, new_context: NewContext):
    page = new_context(1280).new_page()
    page.goto("/simulator/")
    bar = page.get_by_role("navigation", name="Simulator")
    bar.get_by_role("link", name="Scenarios").click()
    page.locator("summary", has_text="push_html").click()
    page.get_by_role("button", name="Arm push_html").click()
    expect(page.locator("#armed")).to_contain_text("push_html on the next request")
    page.get_by_role("button", name="Disarm push_html").click()
    expect(page.locator("#armed")).to_contain_text("Nothing is armed.")
    bar.get_by_role("link", name="Conditions").click()
    page.get_by_role("button", name="× 5").click()
    expect(page.get_by_text("The clock runs at the new speed.")).to_be_visible()
    page.get_by_role("button", name="× 1", exact=True).click()
    bar.get_by_role("link", name="Traffic").click()
    with page.expect_download() as started:
        page.get_by_role("link", name="Save as fixtures").click()
    assert started.value.suggested_filename == "daraja-exchanges.json"
