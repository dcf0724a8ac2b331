"""Take the README's pictures from the running product, into docs/img/.

Starts a shop of its own, pays for something in a real browser with the virtual phone, and takes
a picture at each step. Run it with `make screenshots`.
"""

from __future__ import annotations

import sys
from pathlib import Path

from playwright.sync_api import BrowserContext, Page, ViewportSize, sync_playwright

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from tests.services.chromium import FLAGS, find_chromium  # noqa: E402
from tests.support.live_shop import ADMIN, SHOPPER, LiveShop, live_shop  # noqa: E402

PICTURES = ROOT / "docs" / "img"
PHONE_SIZE: ViewportSize = {"width": 360, "height": 740}
DESK_SIZE: ViewportSize = {"width": 1280, "height": 860}
PAYER = "254722000111"


def main() -> None:
    PICTURES.mkdir(parents=True, exist_ok=True)
    with live_shop() as shop, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_chromium(), args=list(FLAGS))
        desk = browser.new_context(base_url=shop.base_url, viewport=DESK_SIZE)
        page = desk.new_page()
        page.goto("/")
        _take(page, "shop")
        buyer = browser.new_context(base_url=shop.base_url, viewport=PHONE_SIZE)
        _buy(buyer, shop)
        _look_after(desk, shop)
        browser.close()


def _buy(buyer: BrowserContext, shop: LiveShop) -> None:
    page = buyer.new_page()
    page.goto("/sign-in")
    page.fill("[name=email]", SHOPPER)
    page.fill("[name=password]", shop.password)
    page.click("main form button")
    page.click("form[action='/cart/add'] button >> nth=4")
    page.goto("/checkout")
    page.fill("[name=phone_number]", PAYER)
    page.click("form[action='/checkout'] button")
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
    _take(page, "receipt")


def _look_after(desk: BrowserContext, shop: LiveShop) -> None:
    page = desk.new_page()
    page.goto("/sign-in?next=/admin")
    page.fill("[name=email]", ADMIN)
    page.fill("[name=password]", shop.password)
    page.click("main form button")
    page.wait_for_selector("[data-live=live]")
    page.wait_for_selector(".plot canvas")
    _take(page, "back-office")


def _take(page: Page, name: str) -> None:
    # Rings and fades are half done at any moment; a picture wants them finished.
    page.emulate_media(reduced_motion="reduce")
    page.wait_for_timeout(400)
    page.screenshot(path=PICTURES / f"{name}.png")
    print(f"docs/img/{name}.png")


if __name__ == "__main__":
    main()
