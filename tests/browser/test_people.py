"""Roles, the second factor and the audit trail in a real browser."""

from __future__ import annotations

import re
import time

import pytest
from playwright.sync_api import Page, expect

from app.accounts import second_factor
from tests.browser import pictures
from tests.browser.back_office import Desk
from tests.browser.conftest import NewContext
from tests.browser.console import FAILED_REQUEST, Console
from tests.browser.test_pages import _STICKING_OUT as STICKING_OUT
from tests.support.live_shop import ADMIN, LiveShop

OPERATOR = "olivia@example.com"
NARROW, WIDE = 360, 1280


@pytest.fixture
def desk(new_context: NewContext, shop: LiveShop) -> Desk:
    desk = Desk(new_context(WIDE))
    desk.sign_in(ADMIN, shop.password)
    return desk


def fits(page: Page) -> None:
    """Nothing of the page sticks out of a phone's screen."""
    page.set_viewport_size({"width": NARROW, "height": 740})
    assert page.evaluate(STICKING_OUT) == []
    page.set_viewport_size({"width": WIDE, "height": 740})


def seen(page: Page, name: str) -> None:
    fits(page)
    pictures.take(page, name)


def code_of(key: str, steps: int = 0) -> str:
    return second_factor._totp(key).generate(time.time() + 30 * steps).decode()


def test_a_role_is_given_is_in_force_and_stands_in_the_trail(
    desk: Desk, shop: LiveShop, new_context: NewContext, console: Console
) -> None:
    made = shop.flask("users", "create", "--email", OPERATOR, "--password", shop.password)
    assert made.returncode == 0, made.stderr
    page = desk.page
    page.goto("/admin/people")
    page.get_by_label("Their e-mail").fill(OPERATOR)
    page.get_by_role("button", name="Find").click()
    expect(page.get_by_role("heading", name="olivia", exact=True)).to_be_visible()
    page.locator("#role").select_option("operator")
    page.locator("#role-why").fill("She looks after the orders")
    page.get_by_role("button", name="Give this role").click()
    expect(page.get_by_text("The role counts from now on")).to_be_visible()
    seen(page, "people-person")

    hers = Desk(new_context(WIDE))
    hers.sign_in(OPERATOR, shop.password)
    console.expect(FAILED_REQUEST)
    assert (hers.page.goto("/admin/people") or pytest.fail("no answer")).status == 403

    page.goto("/admin/people")
    expect(page.get_by_role("link", name="olivia")).to_be_visible()
    seen(page, "people")
    page.goto(f"/admin/audit?subject=person+{OPERATOR}")
    expect(page.get_by_text("gave a role to olivia@example.com")).to_be_visible()
    expect(page.get_by_text("“She looks after the orders”")).to_be_visible()
    page.get_by_label("Done by (e-mail)").fill(ADMIN)
    page.get_by_role("button", name="Show").click()
    page.goto("/admin/audit")
    seen(page, "audit")


def test_a_second_factor_is_set_up_and_asked_for(
    desk: Desk, shop: LiveShop, new_context: NewContext, console: Console
) -> None:
    page = desk.page
    page.goto("/account")
    seen(page, "account")
    page.get_by_role("link", name="set it up").click()
    page.get_by_label("Your password").fill(shop.password)
    page.get_by_role("button", name="Begin").click()
    expect(page.locator(".qr svg")).to_be_visible()
    key = page.locator(".key").inner_text()
    seen(page, "second-factor")
    page.get_by_label("The code that it shows now").fill(code_of(key))
    page.get_by_role("button", name="Have it count").click()
    expect(page.locator(".codes li")).to_have_count(10)
    recovery = page.locator(".codes li").first.inner_text()
    seen(page, "recovery-codes")

    other = new_context(WIDE).new_page()
    other.goto("/sign-in?next=/admin/audit")
    other.get_by_label("Email").fill(ADMIN)
    other.get_by_label("Password").fill(shop.password)
    other.get_by_role("button", name="Sign in").click()
    expect(other.get_by_label("Code")).to_be_visible()
    console.expect(FAILED_REQUEST)
    other.get_by_label("Code").fill("000000")
    other.get_by_role("button", name="Sign in").click()
    expect(other.get_by_text("That code does not count")).to_be_visible()
    seen(other, "code")
    other.get_by_label("Code").fill(recovery)
    other.get_by_role("button", name="Sign in").click()
    expect(other.get_by_role("heading", name="Audit trail")).to_be_visible()

    page.goto("/account/security")
    page.get_by_role("button", name=re.compile("^End ")).click()
    expect(page.get_by_text("That sign-in has ended")).to_be_visible()
    other.goto("/admin/audit")
    expect(other.get_by_role("heading", name="Sign in")).to_be_visible()
