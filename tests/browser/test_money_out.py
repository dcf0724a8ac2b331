"""Money out in the back office, in a real browser: paying, agreeing, sending back, paying many."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser import pictures
from tests.browser.back_office import PAYS_AT_ONCE, Desk, arm, paid_order, paid_to
from tests.browser.conftest import NewContext
from tests.browser.console import FAILED_REQUEST, Console
from tests.browser.people import block_sockets
from tests.browser.test_keyboard import _tab_to as tab_to
from tests.browser.test_pages import _STICKING_OUT as STICKING_OUT
from tests.simulator.client import Daraja
from tests.support.live_shop import ADMIN, LiveShop, live_shop

SECOND = "baraka@example.com"
LIMIT = 10_000
DESK_WIDTH = 1280
SCRIPT = "<script>document.title = 'stolen'</script>"


@pytest.fixture(scope="module")
def shop() -> Iterator[LiveShop]:
    """A shop with two admins, in which payouts above KES 10,000 need both of them."""
    with live_shop(extra_env={"PAYOUT_APPROVAL_ABOVE": str(LIMIT)}) as shop:
        made = shop.flask(
            "users", "create", "--email", SECOND, "--password", shop.password, "--admin"
        )
        assert made.returncode == 0, made.stderr
        yield shop


@pytest.fixture
def desk(new_context: NewContext, shop: LiveShop) -> Desk:
    desk = Desk(new_context(DESK_WIDTH))
    desk.sign_in(ADMIN, shop.password)
    return desk


@pytest.fixture
def other_desk(new_context: NewContext, shop: LiveShop) -> Desk:
    desk = Desk(new_context(DESK_WIDTH))
    desk.sign_in(SECOND, shop.password)
    return desk


def stays(page: Page) -> None:
    """Mark the page, so that a reload would be noticed."""
    page.evaluate("window.staysHere = true")


def stayed(page: Page) -> bool:
    return page.evaluate("window.staysHere === true")


def look(page: Page, name: str) -> None:
    """Picture a page, and see that nothing sticks out of a phone's screen or a desk's."""
    for width in (360, DESK_WIDTH):
        page.set_viewport_size({"width": width, "height": 740})
        out = page.evaluate(STICKING_OUT)
        # A field that is shorter than what was typed into it is as it should be.
        assert [part for part in out if not part.startswith("<input")] == [], (name, width)
    pictures.take(page, name)


def test_an_admin_pays_a_supplier_and_sees_it_arrive_without_touching_the_page(
    desk: Desk, simulator: Daraja
):
    """S4-07, S4-44: from the form to the receipt, while M-Pesa takes its seconds."""
    msisdn = desk.add_supplier("Kamau Supplies")
    arm(simulator, msisdn, "slow_processing", seconds=2)
    desk.pay(5000)
    desk.sees("On its way")
    stays(desk.page)
    desk.sees("Paid")
    [moved] = [entry for entry in simulator.money_out() if entry["msisdn"] == msisdn]
    expect(desk.page.locator("main")).to_contain_text(moved["receipt"])
    expect(desk.page.get_by_role("heading", name="What happened")).to_be_visible()
    expect(desk.page.locator("[data-part=timeline]")).to_contain_text("Confirmed")
    expect(desk.page.locator("[data-part=books]")).to_contain_text("Payout arrived")
    assert stayed(desk.page)
    assert moved["amount"] == 5000


def test_without_sockets_the_page_looks_again_by_itself(
    new_context: NewContext, shop: LiveShop, simulator: Daraja, console: Console
):
    """The news may never come, as behind some companies' proxies."""
    console.expect(FAILED_REQUEST, "WebSocket connection to")
    context = new_context(DESK_WIDTH)
    block_sockets(context)
    desk = Desk(context)
    desk.sign_in(ADMIN, shop.password)
    msisdn = desk.add_supplier("Njeri Wholesale")
    arm(simulator, msisdn, "slow_processing", seconds=2)
    desk.pay(700)
    desk.sees("On its way")
    stays(desk.page)
    desk.sees("Paid")
    assert stayed(desk.page)


def test_d4_a_double_click_on_pay_pays_once(desk: Desk, simulator: Daraja):
    """D4."""
    msisdn = desk.add_supplier("Mutiso Hardware")
    desk.page.get_by_label("Amount in shillings").fill("900")
    desk.page.get_by_role("button", name="Pay Mutiso Hardware").dblclick()
    desk.sees("Paid")
    desk.page.goto("/admin/payouts")
    assert paid_to(simulator, msisdn) == [900]


def test_a_second_admin_agrees_and_the_maker_who_cannot_sees_it_arrive(
    desk: Desk, other_desk: Desk, simulator: Daraja
):
    msisdn = desk.add_supplier("Achieng Transport")
    desk.pay(LIMIT + 1, "Lorry to Kisumu")
    desk.sees("Waits for another admin")
    expect(desk.page.get_by_text("You asked for this yourself")).to_be_visible()
    expect(desk.page.get_by_role("button", name=re.compile("^Agree"))).to_have_count(0)
    look(desk.page, "payout-waits-maker")
    assert paid_to(simulator, msisdn) == []

    stays(desk.page)
    _is_not_disturbed_while_writing(desk.page)
    page = other_desk.page
    page.reload()
    question = page.get_by_role("article").filter(has_text="Achieng Transport")
    expect(question).to_contain_text("it is above KES 10,000")
    question.get_by_role("link", name="Look and decide").click()
    expect(page.locator(".number")).to_have_text(f"0{msisdn[3:6]} {msisdn[6:9]} {msisdn[9:]}")
    look(page, "payout-waits-approver")
    page.get_by_role("button", name="Agree, and send KES 10,001").click()
    other_desk.sees("Paid")
    desk.sees("Paid")
    expect(desk.page.get_by_text("You asked for this yourself")).to_have_count(0)
    assert stayed(desk.page)
    assert paid_to(simulator, msisdn) == [LIMIT + 1]


def _is_not_disturbed_while_writing(page: Page) -> None:
    """Let the page look again by itself while somebody fills in one of its forms."""
    why = page.get_by_label("Why")
    with page.expect_response(page.url):
        why.fill("It is the wrong lorry")
    page.locator("h1").click()
    with page.expect_response(page.url):
        expect(why).to_have_value("It is the wrong lorry")
    expect(why).to_have_value("It is the wrong lorry")


def test_whoever_was_signed_out_is_led_to_sign_in_and_back(desk: Desk, shop: LiveShop):
    desk.add_supplier("Odera Fish")
    desk.pay(LIMIT + 2)
    desk.sees("Waits for another admin")
    path = urlsplit(desk.page.url).path
    desk.context.clear_cookies()
    expect(desk.page).to_have_url(re.compile("/sign-in"))
    desk.page.get_by_label("Email").fill(ADMIN)
    desk.page.get_by_label("Password").fill(shop.password)
    desk.page.get_by_role("button", name="Sign in").click()
    expect(desk.page).to_have_url(shop.base_url + path)


def test_a_payment_is_sent_back_in_part_and_the_rest_stays(
    desk: Desk, shop: LiveShop, simulator: Daraja
):
    payment, total = paid_order(shop)
    page = desk.page
    page.goto("/admin")
    page.get_by_role("link", name=payment).click()
    amount = page.get_by_label("Amount in shillings")
    expect(amount).to_have_value(str(total))
    look(page, "payment")
    amount.fill("40")
    page.get_by_label("Reason").fill("One of them was broken")
    page.get_by_role("button", name="Send it back").click()
    desk.sees("Paid")
    expect(page.locator("main")).to_contain_text("B2C: only a part goes back")
    look(page, "refund")
    page.get_by_role("link", name=payment).click()
    expect(page.get_by_label("Amount in shillings")).to_have_value(str(total - 40))
    assert paid_to(simulator, f"254{PAYS_AT_ONCE[1:]}") == [40]


def test_a_run_with_one_bad_row_is_looked_at_agreed_to_and_followed_to_its_end(
    desk: Desk, other_desk: Desk, simulator: Daraja, tmp_path: Path
):
    """Seven rows, of which one names nobody; each is above nothing, and all of them are."""
    numbers = [desk.add_supplier(f"Farmer {letter}") for letter in "ABCDEF"]
    arm(simulator, numbers[0], "slow_processing", seconds=3)
    file = tmp_path / "wages.csv"
    rows = [f"Farmer {letter};{2000 + at};Maize" for at, letter in enumerate("ABCDEF")]
    file.write_text("\ufeff" + "\n".join(["Supplier;Amount;Notes", *rows, "Nobody;70;x"]), "utf-8")
    page = desk.page
    page.goto("/admin/payouts")
    page.get_by_role("link", name="Pay many from a file").click()
    page.get_by_label("A CSV with one payout a row").set_input_files(file)
    page.get_by_role("button", name="Read it in").click()
    wrong = page.get_by_role("region", name="Rows with a problem (1)")
    expect(wrong).to_contain_text("There is no supplier called Nobody.")
    expect(wrong.get_by_role("cell", name="8", exact=True)).to_be_visible()
    expect(page.locator("main")).to_contain_text("its total of KES 12,015 is above KES 10,000")
    look(page, "run-draft")

    ask = page.get_by_role("button", name="Ask for 6 payouts, KES 12,015")
    ask.click()
    assert page.get_by_label("Leave out the 1 row with a problem.").evaluate(_IS_MISSING)
    page.get_by_label("Leave out the 1 row with a problem.").check()
    ask.click()
    desk.sees("6 of 6 payouts wait for another admin")
    stays(page)
    look(page, "run-waits")

    other_desk.page.goto(page.url)
    other_desk.page.get_by_role("button", name="Agree to 6 payouts, KES 12,015").click()
    desk.sees("All 6 payouts have come to an end")
    expect(page.get_by_role("progressbar")).to_have_attribute("value", "6")
    assert stayed(page)
    assert [paid_to(simulator, number) for number in numbers] == [[2000 + at] for at in range(6)]
    look(page, "run-over")
    with page.expect_download() as download:
        page.get_by_role("link", name="Download the results").click()
    told = list(csv.DictReader(io.StringIO(download.value.path().read_text("utf-8-sig"))))
    assert [row["status"] for row in told] == ["completed"] * 6 + ["left out"]


#: Whether a browser holds a form back for a field.
_IS_MISSING = "element => element.validity.valueMissing"


def test_by_keyboard_alone_a_supplier_is_paid_and_the_end_is_spoken(desk: Desk, simulator: Daraja):
    msisdn = desk.add_supplier("Wambui Print")
    arm(simulator, msisdn, "slow_processing", seconds=2)
    page = desk.page
    page.goto("/admin")
    _press(page, page.get_by_role("navigation").get_by_role("link", name="Suppliers"))
    _press(page, page.get_by_role("link", name="Wambui Print"))
    tab_to(page, page.get_by_label("Amount in shillings"))
    page.keyboard.type("750")
    tab_to(page, page.locator("#pay-notes"))
    page.keyboard.type("Cards")
    _press(page, page.get_by_role("button", name="Pay Wambui Print"))
    desk.sees("On its way")
    page.evaluate(_HEAR)
    tab_to(page, page.get_by_role("button", name="Ask M-Pesa now"))
    desk.sees("Paid")
    # The button is gone; whoever stood on it stands at what has changed.
    expect(desk.state).to_be_focused()
    assert page.evaluate("window.spoken.at(-1)") == "Paid"
    assert paid_to(simulator, msisdn) == [750]


_HEAR = """() => {
  window.spoken = [];
  const region = document.querySelector("[aria-live]");
  const note = () => window.spoken.push(region.querySelector("h2").textContent);
  new MutationObserver(note).observe(region, { childList: true, subtree: true });
}"""


def _press(page: Page, wanted: Locator) -> None:
    wanted.first.wait_for()
    tab_to(page, wanted)
    page.keyboard.press("Enter")


def test_without_scripts_a_supplier_is_paid_and_the_page_looks_again(
    new_context: NewContext, shop: LiveShop, simulator: Daraja
):
    desk = Desk(new_context(DESK_WIDTH, java_script_enabled=False))
    desk.sign_in(ADMIN, shop.password)
    msisdn = desk.add_supplier("Chebet Dairy")
    arm(simulator, msisdn, "slow_processing", seconds=2)
    desk.pay(640)
    desk.sees("On its way")
    desk.sees("Paid")
    assert paid_to(simulator, msisdn) == [640]


def test_what_nobody_knows_is_found_out_by_a_person(desk: Desk, simulator: Daraja):
    """The money did not move and no result ever comes; then it is paid again, as a new payout."""
    msisdn = desk.add_supplier("Barasa Timber")
    arm(simulator, msisdn, "out_reset")
    desk.pay(820)
    desk.sees("Nobody knows yet whether it arrived")
    page = desk.page
    look(page, "payout-unknown")
    page.get_by_text("No money has left").click()
    page.get_by_label("I have looked at the statement").check()
    page.get_by_label("How you know").fill("The statement of today has nothing of it")
    page.get_by_role("button", name="Write down: not paid").click()
    desk.sees("Not paid")
    look(page, "payout-failed")
    page.get_by_role("link", name="Pay again").click()
    expect(page.locator(".number")).to_contain_text(msisdn[-3:])
    look(page, "payout-again")
    page.get_by_role("button", name="Pay KES 820 now").click()
    desk.sees("Paid")
    assert paid_to(simulator, msisdn) == [820]


def test_f1_a_supplier_called_a_script_is_only_a_name(desk: Desk):
    """F1: on every page that shows it; the console would tell what the CSP had to forbid."""
    desk.add_supplier(SCRIPT)
    desk.pay(50, notes=SCRIPT)
    desk.sees("Paid")
    for path in ("/admin/suppliers", "/admin/payouts", "/admin/books", "/admin"):
        desk.page.goto(path)
        assert "stolen" not in desk.page.title()


def test_no_page_about_money_out_is_wider_than_its_screen(
    desk: Desk, shop: LiveShop, simulator: Daraja, tmp_path: Path
):
    """At 360 pixels, as on most people's phones, and at 1280."""
    long_name = (
        "Muungano wa Wakulima na Wafugaji wa Kaunti ya Trans-Nzoia na Uasin Gishu " + "x" * 40
    )
    msisdn = desk.add_supplier(long_name)
    page = desk.page
    supplier = page.url
    arm(simulator, msisdn, "out_result", code="2040")
    desk.pay(250, notes="Mahindi " * 40)
    desk.sees("Not paid")
    failed = page.url
    page.goto(supplier)
    page.locator("summary").filter(has_text="Change the number").click()
    page.get_by_label("New M-Pesa number").fill("0733 000 999")
    page.get_by_label("Why it changes").fill("The old line was lost, " * 10)
    page.get_by_role("button", name="Change the number").click()
    page.goto("/admin/runs")
    file = tmp_path / f"{'long' * 30}.csv"
    file.write_text(f"name,amount,notes\n{long_name},12,Mahindi\n{long_name},12,a\nNobody,7,=x\n")
    page.get_by_label("A CSV with one payout a row").set_input_files(file)
    page.get_by_role("button", name="Read it in").click()
    expect(page.get_by_role("heading", name="Ask for it")).to_be_visible()
    draft = page.url
    for path in (*EVERY_PAGE, supplier, failed, f"{failed}/again", draft):
        page.goto(path)
        page.evaluate(_OPEN_EVERYTHING)
        look(page, f"back-office-{_name_of(path, shop)}")


EVERY_PAGE = (
    "/admin/suppliers",
    "/admin/suppliers/new",
    "/admin/payouts",
    "/admin/payouts?status=failed",
    "/admin/refunds",
    "/admin/runs",
    "/admin/books",
    "/admin/settings",
)


_OPEN_EVERYTHING = "document.querySelectorAll('details').forEach((part) => { part.open = true; })"


def _name_of(path: str, shop: LiveShop) -> str:
    return re.sub(r"\W+", "-", path.removeprefix(shop.base_url).removeprefix("/admin")).strip("-")
