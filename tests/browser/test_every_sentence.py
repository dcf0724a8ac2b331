"""What became of a prompt, as people read it: in the dialog and on the page without scripts."""

from __future__ import annotations

import pytest

from app.payments import words
from tests.browser import pictures
from tests.browser.buyers import READERS, Buyer, Reader, answers
from tests.browser.conftest import NewContext
from tests.browser.console import FAILED_REQUEST, Console
from tests.browser.people import money_from
from tests.simulator.client import Daraja
from tests.support.live_shop import LiveShop

#: Codes whose ends M-Pesa's own callback tells; tests/rooms/payments tries every one.
CODES = ("17", "2001", "1037", "E3008")
#: The simulator's phones for codes without four digits of their own.
PHONES = {"E3008": "254799003008"}
#: A phone whose prompt runs into the gateway's rate limit: nothing is sent.
THROTTLED = "254799500112"


@pytest.mark.parametrize("reader", READERS, ids=str)
def test_one_order_meets_many_ends_and_each_says_what_to_do(
    reader: Reader,
    shop: LiveShop,
    new_context: NewContext,
    simulator: Daraja,
    console: Console,
) -> None:
    """After all of them the same order is paid, once, from the buyer's own phone."""
    console.expect(FAILED_REQUEST, "The payment could not be started")
    buyer = Buyer(reader, shop, new_context)
    buyer.order()
    for code in CODES:
        buyer.pays_from(PHONES.get(code, f"25479900{code:0>4}"))
        end = words._BY_REASON[words.reason_of(code)]
        buyer.sees(end.title, end.fact, end.step)
        pictures.take(buyer.page, f"end-{code}-{reader}")
    buyer.pays_from(THROTTLED)
    refused = words._BY_REASON["refused_throttled"]
    buyer.sees(refused.title, refused.fact, refused.step)
    if reader.javascript:
        # Nothing was sent, so nothing has failed.
        buyer.sees("Please look at this first")
    buyer.pays_from(buyer.msisdn)
    answers(simulator, buyer.msisdn)
    buyer.sees_it_paid()
    assert len(money_from(simulator, buyer.msisdn)) == 1
