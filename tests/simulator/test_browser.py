"""The virtual phone in a real browser."""

from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, expect, sync_playwright

from tests.services.chromium import FLAGS
from tests.simulator.client import Daraja, new_msisdn
from tests.simulator.conftest import start

WIDTHS = (360, 1280)


@pytest.fixture(scope="module")
def browser(chromium_path: str) -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium_path, args=list(FLAGS))
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def patient() -> Iterator[Daraja]:
    """A simulator whose prompts wait for a browser on a busy machine."""
    process, address = start("--prompt-seconds", "60")
    with process, (daraja := Daraja(address, "http://127.0.0.1:9/callback")).session:
        yield daraja
        process.terminate()


@pytest.fixture
def open_page(browser: Browser) -> Iterator[Callable[..., Page]]:
    """Opens a path; fails at the end when a page complained."""
    complaints: list[str] = []
    contexts = []

    def note_error(said: ConsoleMessage) -> None:
        if said.type == "error":
            complaints.append(said.text)

    def open_it(daraja: Daraja, path: str, width: int = 360, javascript: bool = True) -> Page:
        context = browser.new_context(
            base_url=daraja.base_url,
            viewport={"width": width, "height": 740},
            java_script_enabled=javascript,
        )
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("console", note_error)
        page.goto(path)
        return page

    yield open_it
    for context in contexts:
        context.close()
    assert complaints == []


def test_a_prompt_appears_by_itself_and_is_paid_by_keyboard(
    patient: Daraja, open_page: Callable[..., Page]
):
    msisdn = new_msisdn()
    page = open_page(patient, "/simulator/")
    page.get_by_label("Mobile number").fill("0" + msisdn[3:])
    page.keyboard.press("Enter")
    expect(page.get_by_text("No messages yet.")).to_be_visible()

    patient.prompt(msisdn)
    question = "Do you want to pay Ksh 1,500 to LIPA DEMO SHOP account no. ABC123?"
    expect(page.get_by_label(question)).to_be_focused()
    expect(page.locator("#announcement")).to_contain_text(question)
    expect(page.locator("#announcement")).to_have_attribute("aria-live", "assertive")

    page.keyboard.type("9999")
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_have_text("Wrong PIN. 2 attempts left.")
    expect(page.get_by_label(question)).to_be_focused()

    page.keyboard.type("1234")
    page.keyboard.press("Enter")
    expect(page.get_by_text("You paid Ksh 1,500 to LIPA DEMO SHOP.")).to_be_visible()
    expect(page.get_by_text("New M-PESA balance is Ksh48,500.00.")).to_be_visible()
    expect(page.locator("#balance")).to_have_text("Ksh48,500.00")
    expect(page.get_by_role("button", name="Send")).to_be_hidden()


def test_the_cancel_button_cancels(patient: Daraja, open_page: Callable[..., Page]):
    msisdn = new_msisdn()
    checkout = patient.prompt(msisdn)
    page = open_page(patient, f"/simulator/phones/{msisdn}")
    page.get_by_role("button", name="Cancel").click()
    expect(page.get_by_text("You cancelled the request")).to_be_visible()
    assert patient.result_code(checkout) == "1032"


def test_a_prompt_expires_before_ones_eyes(daraja: Daraja, open_page: Callable[..., Page]):
    msisdn = new_msisdn()
    page = open_page(daraja, f"/simulator/phones/{msisdn}")
    daraja.prompt(msisdn)
    expect(page.get_by_role("button", name="Send")).to_be_visible()
    expect(page.get_by_text("ended without an answer")).to_be_visible()


def test_a_phone_works_without_javascript(patient: Daraja, open_page: Callable[..., Page]):
    msisdn = new_msisdn()
    patient.prompt(msisdn)
    page = open_page(patient, f"/simulator/phones/{msisdn}", javascript=False)
    page.locator("#pin").fill("1234")
    page.locator("#pin").press("Enter")
    expect(page.get_by_text("You paid Ksh 1,500 to LIPA DEMO SHOP.")).to_be_visible()


@pytest.mark.parametrize("width", WIDTHS)
def test_no_page_is_wider_than_its_screen(
    patient: Daraja, open_page: Callable[..., Page], width: int
):
    msisdn = new_msisdn()
    patient.answer(patient.prompt(msisdn, AccountReference="R" * 40), pin="1234")
    patient.prompt(msisdn, AccountReference="R" * 40)
    for path in ("/simulator/", f"/simulator/phones/{msisdn}"):
        page = open_page(patient, path, width)
        assert page.evaluate("document.documentElement.scrollWidth") <= width
