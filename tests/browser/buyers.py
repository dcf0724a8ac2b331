"""People who buy in one language, with scripts or without, found by what the pages are made of."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from playwright.sync_api import Locator, Page, expect

from tests.browser.conftest import NewContext
from tests.browser.people import PASSWORD, PIN, new_msisdn, prompts_of
from tests.simulator.client import Daraja, eventually
from tests.support.live_shop import LiveShop
from tests.support.swahili import english_left, sw

#: What a browser asks for, by the language of the page that it is answered with.
LOCALES = {"en": "en-KE", "sw": "sw-KE"}
#: After so long an open page has looked whether its order was paid by another way.
WATCH_MS = 11_000
#: How many times somebody without scripts looks whether money by hand has come.
MOST_LOOKS = 40
_LINES = "element => element.innerText.split('\\n').map((line) => line.trim()).filter(Boolean)"


@dataclass(frozen=True)
class Reader:
    """How somebody reads the shop's pages."""

    language: str
    javascript: bool

    def __str__(self) -> str:
        return f"{self.language} {'with' if self.javascript else 'without'} scripts"

    def words(self, english: str) -> str:
        """Say a text of ours in this reader's language."""
        return english if self.language == "en" else sw(english)

    def page(self, new_context: NewContext) -> Page:
        locale = LOCALES[self.language]
        return new_context(locale=locale, java_script_enabled=self.javascript).new_page()


READERS = [Reader(language, runs) for language in LOCALES for runs in (True, False)]


class Buyer:
    """Somebody with an account and an order that waits for money."""

    def __init__(self, reader: Reader, shop: LiveShop, new_context: NewContext) -> None:
        self.reader = reader
        self.msisdn = new_msisdn()
        self.page = reader.page(new_context)
        self._request = self.page.context.request
        self._head = {"Origin": shop.base_url}
        person = {"name": "Amina", "email": f"{self.msisdn}@example.com", "password": PASSWORD}
        form: dict[str, str | float | bool] = {**person, "phone": f"0{self.msisdn[3:]}"}
        answer = self._request.post("/register", form=form, headers=self._head)
        assert answer.ok, answer.text()
        self.address = ""

    def order(self) -> None:
        """Make an order, and open its page."""
        body = {"items": [{"product_id": 1, "quantity": 1}]}
        answer = self._request.post("/api/orders", data=body, headers=self._head)
        assert answer.ok, answer.text()
        self.address = f"/orders/{answer.json()['id']}"
        self.page.goto(self.address)
        self.page.wait_for_load_state()

    def pays_from(self, msisdn: str) -> None:
        """Send the prompt by the order page's form, or once more by the dialog's."""
        send_prompt(self.page, msisdn)

    def sees(self, *words: str) -> None:
        """See these words, and no others in another language, where the payment's state is told."""
        told = where_it_is_told(self.page)
        if not self.reader.javascript:
            first = told.filter(has_text=self.reader.words(words[0]))
            looks_until(self.page, self.page.reload, first)
        for text in words:
            expect(told).to_contain_text(self.reader.words(text))
        if self.reader.language == "sw":
            assert english_left(told.evaluate(_LINES)) == set()

    def sees_it_paid(self) -> None:
        sees_it_paid(self.page, self.reader)

    def finds_every_way_closed(self) -> None:
        """Open the order anew, as on a second device: nothing there can be paid any more."""
        self.page.goto(self.address)
        expect(self.page.locator(".state-paid")).to_be_visible()
        expect(
            self.page.locator("form[data-pay-form], .rung, form[data-claim-form]")
        ).to_have_count(0)


def send_prompt(page: Page, msisdn: str) -> None:
    retry = page.locator("dialog[open] form[data-part=retry]")
    form = retry if retry.count() else page.locator("form[data-pay-form]")
    form.locator("input[name=phone_number]").fill(f"0{msisdn[3:]}")
    form.locator("button:not([type=button])").click()


def where_it_is_told(page: Page) -> Locator:
    dialog = page.locator("dialog[open]")
    return dialog if dialog.count() else page.locator("section.state")


def sees_it_paid(page: Page, reader: Reader) -> None:
    """See the end: it comes by itself, and at once to whoever looks again without scripts."""
    paid = page.locator(".state-paid")
    if not reader.javascript:
        looks_until(page, page.reload, paid)
    expect(paid.first).to_be_visible()


def answers(simulator: Daraja, msisdn: str, **how: object) -> None:
    """Answer the prompt that is on a phone: by its PIN unless told otherwise."""

    def open_prompts() -> list[str]:
        prompts = prompts_of(simulator, msisdn)
        return [each["checkout_request_id"] for each in prompts if each["status"] == "open"]

    [prompt] = eventually(open_prompts)
    answer = simulator.answer(prompt, **(how or {"pin": PIN}))
    assert answer.ok, answer.text


def pays_by_hand(simulator: Daraja, msisdn: str, paybill: str, account: str, amount: int) -> str:
    """Pay at a paybill, and return the message that M-Pesa sends to the phone."""
    pay = {"shortcode": paybill, "account": account, "amount": amount}
    answer = simulator.pay(msisdn, **pay)
    assert answer.json()["status"] == "completed", answer.text
    newest: str = simulator.phone(msisdn)["messages"][0]["text"]
    assert "Confirmed" in newest
    return newest


def looks_until(page: Page, look: Callable[[], object], sought: Locator) -> None:
    """Look again by hand until something has come; money by hand is told a moment late."""
    for _ in range(MOST_LOOKS):
        if sought.first.is_visible():
            return
        look()
        page.wait_for_load_state()
    expect(sought.first).to_be_visible()
