"""The virtual phone in a real browser."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.simulator.client import Daraja, new_msisdn

WIDTHS = (360, 1280)


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


def test_money_that_comes_in_appears_by_itself(patient: Daraja, open_page: Callable[..., Page]):
    msisdn = new_msisdn()
    page = open_page(patient, f"/simulator/phones/{msisdn}")
    expect(page.get_by_text("No messages yet.")).to_be_visible()
    patient.pay_out(msisdn, 250)
    expect(page.get_by_text("You have received Ksh250.00 from LIPA DEMO SHOP")).to_be_visible()
    expect(page.locator("#balance")).to_have_text("Ksh50,250.00")


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
