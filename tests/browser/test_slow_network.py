"""The whole first road on a cheap phone and a slow network, which goes away in the middle."""

from __future__ import annotations

import time
from dataclasses import dataclass

import pytest
from playwright.sync_api import CDPSession, Page, expect

from tests.browser.buyers import answers
from tests.browser.conftest import NewContext
from tests.browser.console import FAILED_REQUEST, Console
from tests.browser.people import Shopper, money_from, new_msisdn, pay_button
from tests.simulator.client import Daraja

KILOBITS, ROUND_TRIP_MS = 250, 400
#: A phone so many times as slow as this machine.
CPU_TIMES = 4
#: In which somebody on such a line can press Pay, from the tap on "Go to checkout".
MOST_SECONDS = 8.0
AWAY_MS = 3_000
WAIT_MS = 40_000


@dataclass
class Line:
    """The network of one page, which can be slow, or away."""

    session: CDPSession

    @classmethod
    def of(cls, page: Page) -> Line:
        session = page.context.new_cdp_session(page)
        session.send("Network.enable")
        session.send("Emulation.setCPUThrottlingRate", {"rate": CPU_TIMES})
        return cls(session)

    def is_slow(self) -> None:
        self._set(offline=False)

    def is_away(self) -> None:
        self._set(offline=True)

    def _set(self, *, offline: bool) -> None:
        speed = KILOBITS * 1000 / 8
        conditions = {"latency": ROUND_TRIP_MS, "downloadThroughput": speed}
        conditions |= {"offline": offline, "uploadThroughput": speed}
        self.session.send("Network.emulateNetworkConditions", conditions)


@pytest.mark.parametrize("javascript", [True, False], ids=["with scripts", "without scripts"])
def test_a_first_payment_succeeds_on_a_slow_line_that_breaks_in_the_middle(
    new_context: NewContext,
    simulator: Daraja,
    console: Console,
    capsys: pytest.CaptureFixture[str],
    javascript: bool,
) -> None:
    # While the line is away the dialog's questions fail; it says so and asks again.
    console.expect(FAILED_REQUEST, "Polling error", "WebSocket connection")
    known = Shopper(new_context(java_script_enabled=javascript), new_msisdn())
    known.register()
    context = new_context(
        java_script_enabled=javascript, storage_state=known.context.storage_state()
    )
    context.set_default_timeout(WAIT_MS)
    shopper = Shopper(context, known.msisdn)
    page, line = shopper.page, Line.of(shopper.page)
    line.is_slow()

    began = time.monotonic()
    shopper.put_in_cart()
    in_cart = time.monotonic() - began
    began = time.monotonic()
    page.get_by_role("link", name="Go to checkout").click()
    expect(pay_button(page)).to_be_enabled()
    # A page whose module has not run yet sends a plain form, which pays as well.
    page.wait_for_load_state()
    usable = time.monotonic() - began
    began = time.monotonic()
    shopper.press_pay()
    expect(page.get_by_text("Check your phone").first).to_be_visible(timeout=WAIT_MS)
    prompted = time.monotonic() - began

    line.is_away()
    page.wait_for_timeout(AWAY_MS)
    answers(simulator, shopper.msisdn)
    line.is_slow()
    if not javascript:
        # What a browser shows in the place of a page that did not come is loaded again by hand.
        page.goto("/orders")
        page.locator("ul.list a").first.click()
    expect(page.get_by_text("Paid. Thank you!").first).to_be_visible(timeout=WAIT_MS)
    assert len(money_from(simulator, shopper.msisdn)) == 1
    with capsys.disabled():
        print(
            f"\nAt {KILOBITS} kbit/s and {ROUND_TRIP_MS} ms, CPU / {CPU_TIMES}, "
            f"{'with' if javascript else 'without'} scripts: shelf to cart {in_cart:.1f} s, "
            f"checkout ready after {usable:.1f} s, prompt after {prompted:.1f} s"
        )
    assert usable < MOST_SECONDS
