"""Take the README's pictures from the running product, into docs/img/.

Starts a shop of its own, pays for something in a real browser with the virtual phone, leaves
something else unpaid, and takes a picture at each step. Run it with `make screenshots`.
"""

from __future__ import annotations

import sys
from io import BytesIO
from pathlib import Path
from typing import Literal

from PIL import Image
from playwright.sync_api import Browser, BrowserContext, Page, ViewportSize, sync_playwright

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from tests.browser.full_shop import Clerk  # noqa: E402
from tests.services.chromium import FLAGS, find_chromium  # noqa: E402
from tests.support.live_shop import ADMIN, SHOPPER, LiveShop, live_shop  # noqa: E402

PICTURES = ROOT / "docs" / "img"
PHONE_SIZE: ViewportSize = {"width": 360, "height": 740}
DESK_SIZE: ViewportSize = {"width": 1280, "height": 860}
PAYER = "254722000111"
#: A phone of the simulator's that cancels every prompt.
CANCELS = "254799001032"
MESSAGE = "UKL7AB12CD Confirmed. Ksh190.00 sent to Lipa Duka on 21/11/26 at 2:05 PM."
#: The README is read where every kilobyte is paid for; our pages have few colours.
COLOURS = 128


def main() -> None:
    PICTURES.mkdir(parents=True, exist_ok=True)
    with live_shop() as shop, sync_playwright() as playwright:
        _register_paybill(shop)
        browser = playwright.chromium.launch(executable_path=find_chromium(), args=list(FLAGS))
        desk = _visitor(browser, shop, DESK_SIZE)
        page = desk.new_page()
        page.goto("/")
        _take(page, "shop")
        buyer = _visitor(browser, shop, PHONE_SIZE)
        _sign_in(buyer.new_page(), "/sign-in", SHOPPER, shop)
        _buy(buyer)
        order = _leave_unpaid(buyer)
        _pay_another_way(browser, shop, buyer, order)
        _look_after(desk, shop)
        browser.close()


def _register_paybill(shop: LiveShop) -> None:
    """Let M-Pesa tell the shop what is paid by hand: without that it does not offer it."""
    admin = Clerk(shop, ADMIN)
    admin.send("/admin/settings/paybill/register")
    admin.close()


def _visitor(
    browser: Browser, shop: LiveShop, size: ViewportSize, locale: str = "en-KE"
) -> BrowserContext:
    # Rings and fades are half done at any moment; a picture wants them finished.
    return browser.new_context(
        base_url=shop.base_url, viewport=size, locale=locale, reduced_motion="reduce"
    )


def _sign_in(page: Page, address: str, email: str, shop: LiveShop) -> None:
    page.goto(address)
    page.fill("[name=email]", email)
    page.fill("[name=password]", shop.password)
    page.click("main form button")
    page.wait_for_selector("form[action='/sign-out']")


def _press_pay(buyer: BrowserContext, product: int, phone: str) -> Page:
    page = buyer.new_page()
    page.goto("/")
    page.click(f"form[action='/cart/add'] button >> nth={product}")
    page.goto("/checkout")
    page.fill("[name=phone_number]", phone)
    page.click("form[action='/checkout'] button")
    return page


def _buy(buyer: BrowserContext) -> None:
    page = _press_pay(buyer, 4, PAYER)
    page.wait_for_selector("dialog[open][data-view=waiting]")
    phone = buyer.new_page()
    phone.goto(f"/simulator/phones/{PAYER}")
    phone.wait_for_selector("input[name=pin]")
    _take(page, "checkout")
    _take(phone, "phone")
    phone.fill("input[name=pin]", "1234")
    phone.keyboard.press("Enter")
    page.wait_for_selector("dialog[data-view=completed]")
    _take(page, "paid")
    page.wait_for_url("**/order-success**")
    page.click("a[href^='/receipts/']")
    page.wait_for_selector(".receipt")
    _take(page, "receipt")


def _leave_unpaid(buyer: BrowserContext) -> str:
    """Have a prompt cancelled, look at the other ways to pay, and return the order's page."""
    page = _press_pay(buyer, 0, CANCELS)
    others = page.locator("dialog[data-view=failed] details.others")
    others.locator("summary").first.click()
    others.locator("#rung-by-hand").wait_for()
    _show(page, "dialog details.others", "start")
    _take(page, "ladder")
    return page.url


def _pay_another_way(browser: Browser, shop: LiveShop, buyer: BrowserContext, order: str) -> None:
    page = buyer.new_page()
    page.goto(order)
    page.click("#rung-paid-already > summary")
    page.fill("#claim-message", MESSAGE)
    _show(page, "#rung-paid-already", "center")
    _take(page, "paid-already")
    page.click("#rung-link > summary")
    page.click("#rung-link button")
    friend = _visitor(browser, shop, PHONE_SIZE).new_page()
    friend.goto(page.locator("#shared-link").input_value())
    _show(friend, "main", "start")
    _take(friend, "link")
    swahili = _visitor(browser, shop, PHONE_SIZE, "sw-KE").new_page()
    _sign_in(swahili, "/sign-in", SHOPPER, shop)
    swahili.goto(order)
    _take(swahili, "order-swahili")


def _look_after(desk: BrowserContext, shop: LiveShop) -> None:
    page = desk.new_page()
    _sign_in(page, "/sign-in?next=/admin", ADMIN, shop)
    page.wait_for_selector("[data-live=live]")
    page.wait_for_selector(".plot canvas")
    _take(page, "back-office")


def _show(page: Page, part: str, where: Literal["start", "center"]) -> None:
    page.locator(part).evaluate("(part, block) => part.scrollIntoView({ block })", where)


def _take(page: Page, name: str) -> None:
    page.wait_for_timeout(400)
    picture = Image.open(BytesIO(page.screenshot()))
    few = picture.convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE)
    few.save(PICTURES / f"{name}.png", optimize=True)
    print(f"docs/img/{name}.png")


if __name__ == "__main__":
    main()
