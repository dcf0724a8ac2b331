"""The people of these tests: a shopper with a browser, and a phone in a second one."""

from __future__ import annotations

import itertools
import re
from typing import Any

from playwright.sync_api import BrowserContext, Locator, Page, expect

from tests.simulator.client import Daraja

PASSWORD = "a kiosk by the sea"
PIN = "1234"
#: The cheapest thing on the shelf, of which there are enough for all tests.
MATCHBOX = "matchbox"
#: The rhythm of the dialog: every five seconds, two minutes long.
POLL_SECONDS = 5
MOST_POLLS = 24
QUERY = "**/api/payments/mpesa/query"

_numbers = itertools.count(722_000_001)


def new_msisdn() -> str:
    """A Safaricom number that no other test has used."""
    return f"254{next(_numbers)}"


class Shopper:
    """A person at the shop, who does what people do: click, type and read."""

    def __init__(self, context: BrowserContext, msisdn: str) -> None:
        self.context = context
        self.msisdn = msisdn
        self.name = f"Amina {msisdn[-4:]}"
        self.email = f"amina.{msisdn}@example.com"
        self.page = context.new_page()

    @property
    def typed_phone(self) -> str:
        """The number as people write it: 0722000001."""
        return f"0{self.msisdn[3:]}"

    @property
    def dialog(self) -> Locator:
        return self.page.get_by_role("dialog")

    def register(self) -> None:
        page = self.page
        page.goto("/register")
        page.get_by_label("Your name").fill(self.name)
        page.get_by_label("Email").fill(self.email)
        page.get_by_label("Phone number").fill(self.typed_phone)
        page.get_by_label("Password").fill(PASSWORD)
        page.get_by_role("button", name="Make my account").click()
        expect(page.get_by_role("button", name="Sign out")).to_be_visible()

    def sign_in(self) -> None:
        """Fill in the sign-in page that is open."""
        self.page.get_by_label("Email").fill(self.email)
        self.page.get_by_label("Password").fill(PASSWORD)
        self.page.get_by_role("button", name="Sign in").click()

    def put_in_cart(self, slug: str = MATCHBOX) -> None:
        self.page.goto("/")
        self.page.locator(f"#{slug}").get_by_role("button", name="Add to cart").click()
        expect(self.page).to_have_url(re.compile("/cart$"))

    def go_to_checkout(self, slug: str = MATCHBOX) -> None:
        """Fill the cart and stand before the Pay button, the own number filled in."""
        self.put_in_cart(slug)
        self.page.get_by_role("link", name="Go to checkout").click()
        expect(phone_field(self.page)).to_have_value(self.typed_phone)
        # Before the page's module has run, its form would go the way without scripts.
        self.page.wait_for_load_state()

    def press_pay(self) -> None:
        pay_button(self.page).click()

    def buy(self, slug: str = MATCHBOX) -> None:
        """Go from the shelf to a dialog that waits for the phone."""
        self.go_to_checkout(slug)
        self.press_pay()
        self.sees("Check your phone")

    def sees(self, *words: str) -> None:
        """Wait until the payment dialog says all of this."""
        for text in words:
            expect(self.dialog).to_contain_text(text)

    def sees_success(self) -> None:
        """Wait for the success page, to which the dialog leads by itself."""
        self.sees("Paid. Thank you!")
        self.page.wait_for_url("**/order-success*")
        expect(self.page.get_by_role("heading", level=1)).to_contain_text("Thank you")

    def polls(self) -> dict[str, Any]:
        """Let the page's five seconds pass at once, on a clock that was installed; what it learns.

        Where the page is busy at this very moment it polls five real seconds later.
        """
        # A timer that the last answer has not set yet cannot be fast-forwarded.
        self.page.wait_for_timeout(100)
        with self.page.expect_response(QUERY) as answered:
            self.page.clock.fast_forward(POLL_SECONDS * 1000)
        return answered.value.json()["data"]

    def polls_until(self, state: str) -> None:
        """Poll until the order stands so; a callback may take a moment."""
        for _ in range(MOST_POLLS):
            if self.polls()["state"] == state:
                return
            self.page.wait_for_timeout(500)
        raise AssertionError(f"no poll found the order {state}")

    def newest_order(self) -> dict[str, Any]:
        """The person's newest order as the shop's API tells it to their browser."""
        return self.orders()[0]

    def orders(self) -> list[dict[str, Any]]:
        """All orders of this person, newest first."""
        answer = self.context.request.get("/api/orders")
        assert answer.ok, answer.text()
        return answer.json()["results"]


class Handset:
    """A virtual phone, which shows prompts by itself and takes a PIN from the keyboard."""

    def __init__(self, context: BrowserContext, msisdn: str) -> None:
        self.page = context.new_page()
        self.page.goto(f"/simulator/phones/{msisdn}")

    def enter_pin(self, pin: str = PIN) -> None:
        """Wait for a prompt, then type a PIN and press Enter."""
        self.sees_prompt()
        expect(self.page.locator("#pin")).to_be_focused()
        self.page.keyboard.type(pin)
        self.page.keyboard.press("Enter")

    def cancel(self) -> None:
        self.sees_prompt()
        self.page.get_by_role("button", name="Cancel").click()

    def sees_prompt(self) -> None:
        expect(self.page.get_by_role("button", name="Send")).to_be_visible()

    def sees(self, words: str) -> None:
        expect(self.page.locator("#handset")).to_contain_text(words)


def prompts_of(simulator: Daraja, msisdn: str) -> list[dict[str, Any]]:
    """Every prompt that a phone ever got, newest first."""
    return simulator.phone(msisdn)["prompts"]


def money_from(simulator: Daraja, msisdn: str) -> list[int]:
    """What really left a phone for the shop, in shillings, oldest first."""
    return [entry["amount"] for entry in simulator.ledger() if entry["msisdn"] == msisdn]


def phone_field(page: Page) -> Locator:
    """The one field for the M-Pesa number that can be seen."""
    return page.get_by_role("textbox", name="M-Pesa phone number")


def pay_button(page: Page) -> Locator:
    """The button of the checkout page; it names the amount."""
    return page.get_by_role("button", name=re.compile("^Pay KES"))


def block_sockets(context: BrowserContext) -> None:
    """Close every Socket.IO connection at once, as some companies' proxies do."""
    context.route("**/socket.io/**", lambda route: route.abort())
    context.route_web_socket(re.compile("/socket.io/"), lambda socket: socket.close())
