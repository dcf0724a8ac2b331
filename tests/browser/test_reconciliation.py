"""Reconciliation in a real browser: a statement of the simulated M-Pesa beside the shop's books."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
import requests
from playwright.sync_api import expect

from app.core.clock import nairobi, now
from tests.browser.back_office import Desk, paid_order
from tests.browser.conftest import NewContext
from tests.browser.test_money_out import DESK_WIDTH, look
from tests.simulator.client import Daraja
from tests.support.live_shop import ADMIN, LiveShop
from tests.support.statements import SHORTCODE, Line, Paper, receipt

ROOM = "/admin/reconciliation"
#: Days on which this shop was not there: its own payments are no part of them.
LONG_AGO = now() - timedelta(days=30)
YESTERDAY = (nairobi(now()) - timedelta(days=1)).date().isoformat()


@pytest.fixture(scope="module", autouse=True)
def paid(shop: LiveShop) -> None:
    """Something that was really paid for, in the shop's books and in M-Pesa's."""
    paid_order(shop)


@pytest.fixture
def desk(new_context: NewContext, shop: LiveShop) -> Desk:
    desk = Desk(new_context(DESK_WIDTH))
    desk.sign_in(ADMIN, shop.password)
    return desk


def export(shop: LiveShop, shape: str, kind: str) -> bytes:
    """Fetch the statement that the simulator has of the shop, as its portal would give it."""
    url = f"{shop.simulator_url}/simulator/api/statements/{SHORTCODE}.{kind}"
    today = nairobi(now()).date().isoformat()
    wanted = {"shape": shape, "from": today, "to": today}
    answer = requests.get(url, params=wanted, timeout=10)
    assert answer.ok, answer.text
    return answer.content


def old_paper(rows: list[Line]) -> Paper:
    return Paper(rows, LONG_AGO - timedelta(days=1), LONG_AGO + timedelta(days=1))


def send_in(desk: Desk, path: Path) -> None:
    desk.page.goto(ROOM)
    desk.page.get_by_label("The statement, as CSV or XLSX").set_input_files(path)
    desk.page.get_by_role("button", name="Send it in").click()


@pytest.mark.parametrize(("shape", "kind"), [("2025", "csv"), ("2026", "xlsx")])
def test_the_simulator_s_own_statement_agrees(
    desk: Desk, shop: LiveShop, simulator: Daraja, tmp_path: Path, shape: str, kind: str
) -> None:
    """A payment that was really made stands in both, and the page turns green by itself."""
    path = tmp_path / f"ORG_{SHORTCODE}_Working Account_Completed_{shape}.{kind}"
    path.write_bytes(export(shop, shape, kind))
    send_in(desk, path)
    expect(desk.state).to_contain_text("Everything agrees")
    look(desk.page, f"reconciliation-green-{shape}-{kind}")


def test_a_stranger_s_money_is_found_given_to_an_order_and_the_day_closed(
    desk: Desk, shop: LiveShop, tmp_path: Path
) -> None:
    """From the file to the order that is paid, and to the close of the day before."""
    name = "Muungano wa Wakulima " * 6
    rows = [
        Line(receipt(), LONG_AGO, 77_00, details=f"Pay Bill from 2547****123 - {name}", party=name),
        Line(receipt(), LONG_AGO, -12_500_00, "Withdrawal to the bank", "Organization Withdrawal"),
        Line(receipt(), LONG_AGO, 1_250_00, details="<script>document.title = 'stolen'</script>"),
    ]
    paper = old_paper(rows)
    path = tmp_path / paper.name()
    path.write_bytes(paper.csv())
    send_in(desk, path)
    desk.sees("3 differences to look at")
    look(desk.page, "reconciliation-differences")
    bank = desk.page.get_by_role("article").filter(has_text="Withdrawal to the bank")
    bank.get_by_label("What it is").fill("Taken to the bank by Achieng")
    bank.get_by_role("button", name="Explain it").click()
    desk.sees("2 differences to look at")
    assert "stolen" not in desk.page.title()
    desk.page.goto(ROOM)
    look(desk.page, "reconciliation")
    desk.page.goto(f"{ROOM}/closes/{YESTERDAY}")
    look(desk.page, "reconciliation-day")
    desk.page.get_by_label("Note, if you like").fill("Till counted")
    desk.page.get_by_role("button", name="Close ").click()
    expect(desk.state).to_contain_text("Closed by")
    look(desk.page, "reconciliation-day-closed")
    desk.page.goto(f"{ROOM}/closes")
    look(desk.page, "reconciliation-closes")


def test_m_pesa_itself_is_asked_and_its_answer_compared(desk: Desk, shop: LiveShop) -> None:
    desk.page.goto(ROOM)
    desk.page.get_by_label("Number on file with Safaricom").fill("0722 000 111")
    desk.page.get_by_role("button", name="Ask M-Pesa").click()
    # What was paid in this last minute is not asked for yet, so nothing may be missed either.
    expect(desk.state).to_contain_text("Everything agrees")


def test_without_scripts_the_page_looks_again_by_itself(
    new_context: NewContext, shop: LiveShop, tmp_path: Path
) -> None:
    desk = Desk(new_context(360, java_script_enabled=False))
    desk.sign_in(ADMIN, shop.password)
    paper = old_paper([Line(receipt(), LONG_AGO, -3_00, "To bank", "Withdrawal")])
    path = tmp_path / paper.name()
    path.write_bytes(paper.csv())
    send_in(desk, path)
    desk.sees("1 difference to look at")
