"""Every page for people with a screen reader, a keyboard, or a small phone: axe-core finds nothing.

A page that is new fails here until `full_shop` has an example of its address.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from app import create_app
from tests.browser import pictures
from tests.browser.back_office import Desk
from tests.browser.conftest import NewContext
from tests.browser.full_shop import SETTINGS, STAFF, fill
from tests.browser.test_keyboard import _tab_to as tab_to
from tests.browser.test_pages import _STICKING_OUT as STICKING_OUT
from tests.support.app import explicit_settings
from tests.support.live_shop import ADMIN, SHOPPER, LiveShop, live_shop

AXE = (Path(__file__).parent / "vendor/axe-core-4.14.1/axe.min.js").read_text("utf-8")
PHONE, DESK_WIDTH = 360, 1280
#: What a rule of the url map begins with where no page of ours stands behind it.
NO_PAGES = ("/api/", "/metrics", "/pictures/", "/simulator/", "/static/")
#: What is downloaded, drawn or asked for by a page, and is no page itself.
FILES = frozenset(
    {
        "/admin/exports/file",
        "/admin/runs/<run_id>/results.csv",
        "/receipts/<name>.pdf",
        "/r/<token>.pdf",
        "/orders/<uuid>/qr.png",
        "/p/<token>/qr.png",
        "/orders/<uuid>/state",
        "/p/<token>/state",
    }
)
#: Pages for whoever is not signed in.
STRANGERS = ("/sign-in", "/register")
#: Evaluated from outside, so that the pages keep their CSP while it runs.
_AXE = """async (only) => {
  const rules = { "target-size": { enabled: true } };
  const which = only ? { runOnly: only } : { rules };
  const found = await axe.run(document, { ...which, resultTypes: ["violations"], preload: false });
  return found.violations.map(({ id, impact, nodes }) =>
    `${impact} ${id}: ${nodes.slice(0, 3).map((node) => node.html.slice(0, 140)).join(" | ")}`);
}"""
_OPEN_EVERYTHING = "document.querySelectorAll('details').forEach((part) => { part.open = true; })"

Examples = dict[str, list[str]]


@pytest.fixture(scope="module")
def shop() -> Iterator[LiveShop]:
    with live_shop(extra_env=SETTINGS) as shop:
        yield shop


@pytest.fixture(scope="module")
def examples(shop: LiveShop) -> Examples:
    return fill(shop)


@pytest.fixture(scope="module")
def pages(examples: Examples, tmp_path_factory: pytest.TempPathFactory) -> Examples:
    """Every page of the url map, with addresses that lead to it."""
    database = f"sqlite:///{tmp_path_factory.mktemp('rules') / 'none.db'}"
    app = create_app(explicit_settings(database_url=database))
    rules = {rule.rule for rule in app.url_map.iter_rules() if "GET" in (rule.methods or ())}
    ours = {rule for rule in rules - FILES if not rule.startswith(NO_PAGES)}
    without = {rule for rule in ours if "<" in rule} - examples.keys()
    assert without == set(), "full_shop has no example of these"
    return {rule: examples.get(rule, [rule]) for rule in sorted(ours)}


def test_what_is_wrong_is_found(new_context: NewContext) -> None:
    page = new_context(PHONE).new_page()
    page.set_content("<title>Duka</title><input><p style='color: #bbb; width: 50em'>Beans")
    told = " ".join(problems(page))
    for fault in ("html-has-lang", "label", "color-contrast", "sticks out", "1280: ", "dark: "):
        assert fault in told


@pytest.mark.parametrize("is_of_one", [False, True], ids=["rooms", "records"])
def test_no_page_of_the_back_office_has_a_fault(
    pages: Examples, new_context: NewContext, shop: LiveShop, is_of_one: bool
) -> None:
    desk = Desk(new_context(DESK_WIDTH))
    desk.sign_in(ADMIN, shop.password)
    rules = [rule for rule in pages if rule.startswith("/admin") and ("<" in rule) == is_of_one]
    assert look_at(desk.page, (path for rule in rules for path in pages[rule])) == {}


def test_on_a_phone_the_rooms_are_behind_a_menu_that_opens_by_keyboard(
    new_context: NewContext, shop: LiveShop
) -> None:
    desk = Desk(new_context(PHONE))
    desk.sign_in(ADMIN, shop.password)
    page = desk.page
    page.goto("/admin/payouts")
    expect(page.get_by_role("heading", name="Payouts")).to_be_in_viewport()
    rooms = page.get_by_role("navigation", name="Back office")
    expect(rooms.get_by_role("link")).to_have_count(0)
    tab_to(page, rooms.get_by_text("Menu · Payouts"))
    page.keyboard.press("Enter")
    expect(rooms.get_by_role("link", name="Payouts")).to_have_attribute("aria-current", "page")
    tab_to(page, rooms.get_by_role("link", name="Settings"))
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="System settings")).to_be_visible()


def test_no_page_of_one_s_own_or_of_the_shop_has_a_fault(
    pages: Examples, new_context: NewContext, shop: LiveShop
) -> None:
    page = new_context(PHONE).new_page()
    assert look_at(page, STRANGERS) == {}
    sign_in(page, SHOPPER, shop.password)
    expect(page.get_by_role("button", name="Sign out")).to_be_visible()
    page.goto("/")
    page.get_by_role("button", name="Add to cart").first.click()
    expect(page.get_by_role("link", name="Go to checkout")).to_be_visible()
    rules = [rule for rule in pages if not rule.startswith(("/admin", *STRANGERS))]
    assert look_at(page, (path for rule in rules for path in pages[rule])) == {}


def test_the_pages_of_the_second_factor_have_no_fault(
    pages: Examples, new_context: NewContext, shop: LiveShop
) -> None:
    page = new_context(PHONE).new_page()
    sign_in(page, STAFF, shop.password)
    expect(page.get_by_label("Code")).to_be_visible()
    assert problems(page) == []
    page = new_context(PHONE).new_page()
    sign_in(page, SHOPPER, shop.password)
    page.goto("/account/second-factor")
    page.get_by_label("Your password").fill(shop.password)
    page.get_by_role("button", name="Begin").click()
    expect(page.locator(".qr svg")).to_be_visible()
    assert problems(page) == []


def sign_in(page: Page, email: str, password: str) -> None:
    page.goto("/sign-in")
    page.get_by_label("Email").fill(email)
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Sign in").click()


def look_at(page: Page, paths: Iterable[str]) -> dict[str, list[str]]:
    """Open pages, and return what is wrong with those that have something wrong."""
    found = {}
    for path in paths:
        answer = page.goto(path)
        assert answer is not None, path
        assert answer.status == 200, path
        assert page.url.endswith(path), f"{path} leads to {page.url}"
        if wrong := problems(page):
            found[path] = wrong
        pictures.take(page, re.sub(r"\W+", "-", path.strip("/")) or "shop")
    return found


def problems(page: Page) -> list[str]:
    """What is wrong with the open page: on a phone and on a desk, by day and by night."""
    page.evaluate(_OPEN_EVERYTHING)
    page.evaluate(AXE)
    found: list[str] = []
    for width in (PHONE, DESK_WIDTH):
        page.set_viewport_size({"width": width, "height": 740})
        out = page.evaluate(STICKING_OUT)
        # A field that is shorter than what was typed into it is as it should be.
        found += [f"{width}: sticks out: {part}" for part in out if not part.startswith("<input")]
        found += [f"{width}: {each}" for each in page.evaluate(_AXE)]
    # By night only the colours differ.
    page.emulate_media(color_scheme="dark")
    found += [f"dark: {each}" for each in page.evaluate(_AXE, ["color-contrast"])]
    page.emulate_media(color_scheme="light")
    return found
