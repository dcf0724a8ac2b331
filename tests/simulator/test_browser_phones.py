"""Several virtual phones on one page, in a real browser."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.simulator.client import Daraja, new_msisdn

OpenPage = Callable[..., Page]


def side_by_side(*numbers: str) -> str:
    return f"/simulator/phones?numbers={','.join(numbers)}"


def handset(page: Page, msisdn: str) -> Locator:
    return page.locator(f"#handset-{msisdn}")


def pin_of(page: Page, msisdn: str) -> Locator:
    return page.locator(f"#pin-{msisdn}")


def pay(page: Page, msisdn: str) -> None:
    """Type the PIN of whichever phone is asking, which must be this one."""
    expect(pin_of(page, msisdn)).to_be_focused()
    page.keyboard.type("1234")
    page.keyboard.press("Enter")
    expect(handset(page, msisdn)).to_contain_text("You paid Ksh")


def test_each_phone_shows_its_own_prompt_and_is_paid_by_keyboard_alone(
    patient: Daraja, open_page: OpenPage
):
    one, other = new_msisdn(), new_msisdn()
    page = open_page(patient, side_by_side(one, other), width=1280)
    patient.prompt(one, 10)
    expect(handset(page, one)).to_contain_text("Do you want to pay Ksh 10")
    expect(handset(page, other)).to_contain_text("No messages yet.")
    expect(page.locator(f"#announcement-{one}")).to_contain_text(
        f"0{one[3:6]} {one[6:9]} {one[9:]}: New payment request. Do you want to pay Ksh 10"
    )
    pay(page, one)
    patient.prompt(other, 20)
    pay(page, other)
    expect(page.locator(f"#balance-{one}")).to_have_text("Ksh49,990.00")
    expect(page.locator(f"#balance-{other}")).to_have_text("Ksh49,980.00")


def test_a_second_phone_that_rings_does_not_take_the_keyboard_from_the_first(
    patient: Daraja, open_page: OpenPage
):
    one, other = new_msisdn(), new_msisdn()
    page = open_page(patient, side_by_side(one, other), width=1280)
    first, second = patient.prompt(one, 10), ""
    expect(pin_of(page, one)).to_be_focused()
    page.keyboard.type("12")
    second = patient.prompt(other, 20)
    expect(handset(page, other)).to_contain_text("Do you want to pay Ksh 20")
    # It is told, but the rest of the PIN goes where it began.
    expect(page.locator(f"#announcement-{other}")).to_contain_text("New payment request")
    expect(pin_of(page, one)).to_be_focused()
    page.keyboard.type("34")
    page.keyboard.press("Enter")
    expect(handset(page, one)).to_contain_text("You paid Ksh 10")
    assert (patient.result_code(first), patient.result_code(second)) == ("0", "4999")
    # And then the other one has its turn, without a mouse.
    pay(page, other)
    assert patient.result_code(second) == "0"


def test_one_phone_cancels_while_the_other_still_rings(patient: Daraja, open_page: OpenPage):
    one, other = new_msisdn(), new_msisdn()
    first, second = patient.prompt(one, 10), patient.prompt(other, 20)
    page = open_page(patient, side_by_side(one, other), width=1280)
    handset(page, one).get_by_role("button", name="Cancel").click()
    expect(handset(page, one)).to_contain_text("You cancelled the request")
    expect(handset(page, other).get_by_role("button", name="Send")).to_be_visible()
    assert (patient.result_code(first), patient.result_code(second)) == ("1032", "4999")


@pytest.mark.parametrize(("width", "beside"), [(360, False), (1280, True)])
def test_phones_stand_beside_each_other_where_there_is_room_and_under_each_other_elsewhere(
    patient: Daraja, open_page: OpenPage, width: int, beside: bool
):
    numbers = [new_msisdn() for _ in range(3)]
    page = open_page(patient, side_by_side(*numbers), width)
    boxes = [handset(page, msisdn).bounding_box() for msisdn in numbers]
    tops, lefts = [box and round(box["y"]) for box in boxes], [box and box["x"] for box in boxes]
    assert (len(set(tops)) == 1) is beside
    assert (len(set(lefts)) == 1) is not beside
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_phones_are_regions_with_the_name_and_number_of_their_owners(
    patient: Daraja, open_page: OpenPage
):
    one, other = new_msisdn(), new_msisdn()
    page = open_page(patient, side_by_side(one, other), width=1280)
    for msisdn in (one, other):
        name = patient.phone(msisdn)["name"]
        region = page.get_by_role("region", name=f"{name} {msisdn}")
        expect(region).to_contain_text("No messages yet.")


def test_several_phones_are_answered_without_javascript(patient: Daraja, open_page: OpenPage):
    one, other = new_msisdn(), new_msisdn()
    first, second = patient.prompt(one, 10), patient.prompt(other, 20)
    page = open_page(patient, side_by_side(one, other), javascript=False)
    for msisdn, amount in ((other, 20), (one, 10)):
        pin_of(page, msisdn).fill("1234")
        pin_of(page, msisdn).press("Enter")
        expect(handset(page, msisdn)).to_contain_text(f"You paid Ksh {amount}")
        expect(page).to_have_url(patient.base_url + side_by_side(one, other))
    assert [patient.result_code(checkout) for checkout in (first, second)] == ["0", "0"]


def test_from_one_phone_to_two_by_the_links_of_the_page(patient: Daraja, open_page: OpenPage):
    one, other = new_msisdn(), new_msisdn()
    page = open_page(patient, f"/simulator/phones/{one}")
    page.get_by_role("link", name="Put another phone beside").click()
    page.get_by_label("Mobile number").fill("0" + other[3:])
    page.keyboard.press("Enter")
    expect(handset(page, one)).to_be_visible()
    expect(handset(page, other)).to_be_visible()
    page.get_by_role("link", name=f"Put away 0{one[3:6]} {one[6:9]} {one[9:]}").click()
    expect(page).to_have_url(f"{patient.base_url}/simulator/phones/{other}")


def test_a_phone_that_rings_appears_on_the_first_page_and_is_read_out(
    patient: Daraja, open_page: OpenPage
):
    msisdn = new_msisdn()
    page = open_page(patient, "/simulator/")
    page.get_by_label("Mobile number").fill("0712")
    patient.prompt(msisdn, 70)
    link = page.locator(f"#to-{msisdn}")
    expect(link).to_have_class("rings")
    expect(page.locator("#news")).to_contain_text("Ksh 70 is asked of")
    expect(page.locator("#news")).to_have_attribute("role", "status")
    # What was being typed is still there.
    expect(page.get_by_label("Mobile number")).to_have_value("0712")
    expect(page.get_by_label("Mobile number")).to_be_focused()
    link.click()
    expect(page.get_by_role("button", name="Send")).to_be_visible()


def test_a_link_that_had_the_focus_keeps_it_when_the_list_changes(
    patient: Daraja, open_page: OpenPage
):
    one, other = new_msisdn(), new_msisdn()
    patient.prompt(one)
    page = open_page(patient, "/simulator/")
    page.locator(f"#to-{one}").focus()
    patient.prompt(other)
    expect(page.locator(f"#to-{other}")).to_be_visible()
    expect(page.locator(f"#to-{one}")).to_be_focused()


def test_the_countdown_runs_as_fast_as_the_clock(patient: Daraja, open_page: OpenPage):
    patient.call("POST", "/simulator/api/clock", json={"speed": 30})
    try:
        msisdn = new_msisdn()
        patient.prompt(msisdn)
        page = open_page(patient, f"/simulator/phones/{msisdn}")
        expect(page.get_by_text("30 to a real one")).to_be_visible()
        expect(page.get_by_text("ended without an answer")).to_be_visible(timeout=15_000)
    finally:
        patient.call("POST", "/simulator/api/clock", json={"speed": 1})


def test_a_paybill_is_paid_by_hand(patient: Daraja, open_page: OpenPage):
    msisdn = new_msisdn()
    page = open_page(patient, f"/simulator/phones/{msisdn}")
    page.get_by_role("link", name="Pay a paybill or till by hand").click()
    page.get_by_label("Paybill or till").fill("600777")
    page.get_by_label("Account number").fill("INV 7")
    page.get_by_label("Amount").fill("120")
    page.get_by_label("M-PESA PIN").fill("1234")
    page.keyboard.press("Enter")
    expect(page.get_by_text("Ksh120.00 sent to LIPA DEMO SHOP for account INV 7")).to_be_visible()
