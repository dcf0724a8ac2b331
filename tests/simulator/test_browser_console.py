"""Scenarios, traffic and conditions in a real browser."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.simulator.client import Daraja, new_msisdn, password

OpenPage = Callable[..., Page]
MOST_TABS = 60
#: How far what can be read must stand out (WCAG 2.2, level AA).
_TOO_PALE = """() => {
  const channel = (c) => c <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
  const numbers = (color) => (color.match(/[\\d.]+/g) ?? []).map(Number);
  const light = ([r, g, b]) => 0.2126 * channel(r / 255) + 0.7152 * channel(g / 255)
    + 0.0722 * channel(b / 255);
  const ground = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const color = numbers(getComputedStyle(at).backgroundColor);
      if (color.length === 3 || color[3] === 1) return color;
      if (getComputedStyle(at).backgroundImage !== "none") return null;
    }
    return null;
  };
  const pale = [];
  for (const element of document.querySelectorAll("body *")) {
    const says = [...element.childNodes].some((n) => n.nodeType === 3 && n.data.trim());
    if (!says || !element.checkVisibility() || element.closest("[inert], noscript")) continue;
    const behind = ground(element);
    if (behind === null) continue;
    const [one, other] = [light(numbers(getComputedStyle(element).color)), light(behind)];
    const contrast = (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05);
    const words = element.textContent.trim().slice(0, 30);
    if (contrast < 4.5) pale.push(`${element.tagName} ${words} ${contrast}`);
  }
  return pale;
}"""


@pytest.fixture(autouse=True)
def _calm(patient: Daraja) -> None:
    patient.call("POST", "/simulator/api/reset")


def test_a_scenario_is_armed_for_a_phone_by_keyboard_and_disarmed(
    patient: Daraja, open_page: OpenPage
):
    msisdn = new_msisdn()
    page = open_page(patient, "/simulator/scenarios")
    summary = page.locator("summary", has_text="late_callback")
    summary.focus()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    page.keyboard.type("0" + msisdn[3:])
    page.keyboard.press("Enter")
    armed = page.locator("#armed")
    expect(armed).to_contain_text("The callback comes so many seconds late.")
    expect(armed).to_contain_text(f"late_callback on 0{msisdn[3:6]} {msisdn[6:9]}")
    armed.get_by_role("button", name="Disarm").click()
    expect(armed).to_contain_text("Nothing is armed.")


def test_what_is_armed_is_seen_to_be_used_up(patient: Daraja, open_page: OpenPage):
    patient.arm("push_500", times=2)
    page = open_page(patient, "/simulator/scenarios")
    armed = page.locator("#armed")
    expect(armed).to_contain_text("2 times more")
    patient.push(new_msisdn())
    expect(armed).to_contain_text("once more")
    patient.push(new_msisdn())
    expect(armed).to_contain_text("Nothing is armed.")


def test_a_scenario_is_armed_without_javascript(patient: Daraja, open_page: OpenPage):
    page = open_page(patient, "/simulator/scenarios", javascript=False)
    page.locator("summary", has_text="push_html").click()
    page.get_by_role("button", name="Arm push_html").click()
    expect(page.locator("#armed")).to_contain_text("push_html")
    assert patient.push(new_msisdn()).status_code == 403


def test_traffic_appears_by_itself_with_its_reason_and_is_copied_as_curl(
    patient: Daraja, open_page: OpenPage
):
    page = open_page(patient, "/simulator/traffic", width=1280)
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    patient.push(new_msisdn(), Password=password(shortcode="174378"))
    page.get_by_text("Password decodes to shortcode 174378, expected 174379.").click()
    expect(
        page.get_by_role("heading", name="POST /mpesa/stkpush/v1/processrequest")
    ).to_be_visible()
    expect(page.get_by_label("Answer, whole")).to_contain_text("Wrong credentials")
    page.get_by_role("button", name="Copy").click()
    expect(page.locator("#copied")).to_have_text("Copied.")
    copied = page.evaluate("navigator.clipboard.readText()")
    assert copied == page.get_by_label("As curl").input_value()
    assert copied.startswith("curl -i -X 'POST'")


def test_the_curl_can_be_selected_and_saved_without_javascript(
    patient: Daraja, open_page: OpenPage, tmp_path: Path
):
    patient.push(new_msisdn())
    page = open_page(patient, "/simulator/traffic", javascript=False)
    page.locator("#main ol a").first.click()
    expect(page.get_by_label("As curl")).to_be_visible()
    expect(page.get_by_role("button", name="Copy")).to_be_hidden()
    with page.expect_download() as started:
        page.get_by_role("link", name="Save as a fixture").click()
    started.value.save_as(tmp_path / "saved.json")
    assert started.value.suggested_filename == "daraja-exchanges.json"
    (exchange,) = json.loads((tmp_path / "saved.json").read_text())["exchanges"]
    assert exchange["answer"]["body"]["ResponseCode"] == "0"


def test_a_sieve_stays_while_the_list_goes_on(patient: Daraja, open_page: OpenPage):
    page = open_page(patient, "/simulator/traffic?status=refused", width=1280)
    patient.push(new_msisdn())
    patient.push(new_msisdn(), Amount="x")
    rows = page.locator(".exchanges li")
    expect(rows).to_have_count(1)
    expect(rows).to_contain_text("Amount must be a whole number")


def test_the_clock_and_a_switch_are_set(patient: Daraja, open_page: OpenPage):
    page = open_page(patient, "/simulator/conditions")
    page.get_by_role("button", name="× 10").click()
    expect(page.get_by_text("The clock runs at the new speed.")).to_be_visible()
    page.get_by_label("The payer's number stands like this").select_option("masked")
    page.get_by_role("button", name="Behave so").click()
    expect(page.get_by_label("The payer's number stands like this")).to_have_value("masked")
    assert patient.call("GET", "/simulator/api/clock").json()["speed"] == 10
    seen = patient.call("GET", "/simulator/api/switches").json()["switches"]
    assert seen["callback_phone"] == "masked"


@pytest.mark.parametrize("width", [360, 1280])
def test_every_page_fits_its_screen_and_can_be_read(
    patient: Daraja, open_page: OpenPage, width: int
):
    msisdn, other = new_msisdn(), new_msisdn()
    patient.answer(patient.prompt(msisdn, AccountReference="R" * 40), pin="1234")
    patient.prompt(other, AccountReference="R" * 40)
    patient.push(msisdn, Password=password(shortcode="174378"), AccountReference="R" * 300)
    patient.arm("result", code="SFC_IC0003", on={"amount": 999_999_999})
    number = patient.traffic()[0]["id"]
    for path in (
        "/simulator/",
        f"/simulator/phones/{msisdn}",
        f"/simulator/phones?numbers={msisdn},{other}",
        f"/simulator/phones/{msisdn}/pay",
        "/simulator/scenarios",
        f"/simulator/traffic/{number}",
        "/simulator/conditions",
    ):
        page = open_page(patient, path, width)
        page.evaluate("document.querySelectorAll('details').forEach((d) => { d.open = true; })")
        assert page.evaluate("document.documentElement.scrollWidth") <= width, path
        assert page.evaluate(_TOO_PALE) == [], path


def test_the_bar_leads_everywhere_and_says_where_one_is(patient: Daraja, open_page: OpenPage):
    page = open_page(patient, "/simulator/")
    bar = page.get_by_role("navigation", name="Simulator")
    for name in ("Scenarios", "Traffic", "Conditions", "Phones"):
        bar.get_by_role("link", name=name).click()
        expect(bar.get_by_role("link", name=name)).to_have_attribute("aria-current", "page")


def test_the_first_tab_skips_the_bar(patient: Daraja, open_page: OpenPage):
    page = open_page(patient, "/simulator/traffic")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the page")).to_be_focused()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    expect(page.get_by_label("Direction")).to_be_focused()
