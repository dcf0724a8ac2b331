"""Every end that M-Pesa knows, in both languages: on the owner's page, the link's, and in JSON."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from html import unescape
from typing import Any

import pytest
from flask_babel import force_locale
from sqlalchemy import update

from app.core.clock import now
from app.core.unit_of_work import transaction
from app.languages import in_readers_language
from app.mpesa.result_codes import STK_RESULTS
from app.orders.models import Order
from app.orders.states import OrderStatus
from app.payments import words
from app.payments.claims import words as claim_words
from app.payments.claims.models import Claim
from app.payments.claims.sms import Kind
from app.payments.evidence import Evidence
from app.payments.models import Payment
from app.payments.schedule import MAX_CHECKS
from app.payments.states import Status
from app.payments.words import Words
from tests.rooms.payments.test_links import make, pay
from tests.support.app import Account, Shop
from tests.support.claims import Claims
from tests.support.daraja import paid, unpaid
from tests.support.swahili import english_left, spoken

LANGUAGES = ("en", "sw")
UNPAID_CODES = sorted(
    code for code, row in STK_RESULTS.items() if row.outcome not in ("paid", "not_final")
)
UNKNOWN_CODE = "31415"
REFUSALS = ["phone", "busy_phone", "unreachable", "throttled", "credentials", "other"]
#: What no person is to read: the codes of the wire, names of reasons, and our own markers.
RAW = re.compile(
    r"\b(?:\d{4,5}|E3008|SFC_IC0003|ResultCode|ResultDesc|None|refused_\w+)\b|%\(|\{\w*\}"
)


@pytest.fixture(params=LANGUAGES)
def reader(request: pytest.FixtureRequest, shop: Shop, shopper: Account) -> Reader:
    return Reader(shop, shopper, request.param)


class Reader:
    """Somebody who looks at one order in one language: with an account, and by its link."""

    def __init__(self, shop: Shop, who: Account, language: str) -> None:
        self.shop, self.who, self.language = shop, who, language
        self.order = shop.order(who)
        self.link = make(shop, who, self.order)

    def payment(self) -> Payment:
        return self.shop.payment(self.order)

    def ends(self, code: str) -> None:
        """Send a prompt by the link, whose readers hear of no other's end; it ends so, for good."""
        assert pay(self.shop, self.link).status_code == 303
        payment = self.payment()
        answer = self.shop.callback(
            unpaid(payment.checkout_request_id, code), token=payment.callback_token
        )
        assert answer.status_code == 200
        self.stands(ask_again_at=None)

    def stands(self, **values: Any) -> None:
        """Write into the row of the newest attempt how it stands."""
        self.shop.written_by_hand = True
        with self.shop.app.app_context(), transaction() as session:
            session.execute(update(Payment).where(Payment.id == self.payment().id).values(**values))

    def order_stands(self, status: OrderStatus) -> None:
        self.shop.written_by_hand = True
        with self.shop.app.app_context(), transaction() as session:
            found = update(Order).where(Order.id == self.order["number"])
            session.execute(found.values(status=status))

    def says(self, told: Words) -> None:
        """Each page and each JSON has this title and message, and no code of the wire."""
        title, message = self._said(told.title), self._said(told.message)
        assert title
        assert message
        assert not RAW.search(f"{title} {message}")
        for address, headers in (
            (f"/orders/{self.order['id']}", self.who.headers),
            (self.link, {}),
        ):
            page = self._get(address, headers, "text/html")
            section = page.partition('aria-labelledby="state-title"')[2].partition("</section>")[0]
            assert f'<h2 id="state-title">{title}</h2>' in unescape(section)
            assert f"<p>{message}</p>" in unescape(section)
            if self.language == "sw":
                assert english_left(spoken(page)) == set()
            state = self._get(f"{address}/state", headers, "application/json")
            assert self._heard(state) == (title, message)

    def _said(self, text: str) -> str:
        with self.shop.app.test_request_context(), force_locale(self.language):
            return in_readers_language(text)

    def _get(self, address: str, headers: dict[str, str], kind: str) -> str:
        answer = self.shop.client().get(
            address, headers={**headers, "Accept": kind, "Accept-Language": self.language}
        )
        # 202 is the state of a prompt of which M-Pesa has said nothing clear yet.
        assert answer.status_code in (200, 202), answer.text
        return answer.text

    def _heard(self, state: str) -> tuple[str, str]:
        data = self.shop.app.json.loads(state)["data"]
        return data["title"], data["message"]


@pytest.mark.parametrize("code", [*UNPAID_CODES, UNKNOWN_CODE])
def test_every_result_code_is_a_sentence_with_a_next_step(reader: Reader, code: str) -> None:
    reader.ends(code)
    told = words.unpaid_end(words.reason_of(code), Evidence.PROVEN_CALLBACK)
    assert words.next_step(words.reason_of(code)) in told.message
    reader.says(told)
    # What a query told may be overtaken by money, and is told with care.
    reader.stands(evidence=Evidence.QUERY)
    reader.says(words.unpaid_end(words.reason_of(code), Evidence.QUERY))


@pytest.mark.parametrize("reason", [*(f"refused_{kind}" for kind in REFUSALS), "no_answer"])
def test_every_refusal_is_a_sentence_with_a_next_step(reader: Reader, reason: str) -> None:
    reader.ends("1032")
    reader.stands(status=Status.FAILED, reason=reason, result_code=None)
    told = words.unpaid_end(reason, Evidence.PROVEN_CALLBACK)
    assert words.next_step(reason) in told.message
    reader.says(told)


def test_every_end_of_which_there_are_words_is_tried_above() -> None:
    tried = {words.reason_of(code) for code in UNPAID_CODES}
    tried |= {f"refused_{kind}" for kind in REFUSALS} | {"no_answer"}
    assert set(words._BY_REASON) == tried


def _overdue(reader: Reader) -> None:
    reader.stands(prompt_expires_at=now() - timedelta(seconds=5))


def _untold(reader: Reader) -> None:
    past = now() - timedelta(days=3)
    reader.stands(prompt_expires_at=past, checks=MAX_CHECKS, next_check_at=None)


def _unconfirmed(reader: Reader) -> None:
    reader.stands(status=Status.UNCONFIRMED)


def _unconfirmed_overdue(reader: Reader) -> None:
    reader.stands(status=Status.UNCONFIRMED, prompt_expires_at=now() - timedelta(seconds=5))


def _paid(reader: Reader) -> None:
    payment = reader.payment()
    reader.shop.callback(paid(payment.checkout_request_id), token=payment.callback_token)


def _paid_elsewhere(reader: Reader) -> None:
    reader.order_stands(OrderStatus.PAID)


def _in_part(reader: Reader) -> None:
    payment = reader.payment()
    reader.shop.callback(paid(payment.checkout_request_id, 1000), token=payment.callback_token)


def _cancelled(reader: Reader) -> None:
    reader.order_stands(OrderStatus.CANCELLED)


def _expired(reader: Reader) -> None:
    reader.order_stands(OrderStatus.EXPIRED)


STATES: dict[str, tuple[Callable[[Reader], None], Words]] = {
    "waiting": (lambda _: None, words.WAITING),
    "overdue": (_overdue, words.OVERDUE),
    "untold": (_untold, words.UNTOLD),
    "unconfirmed": (_unconfirmed, words.UNCONFIRMED),
    "unconfirmed and overdue": (_unconfirmed_overdue, words.UNCONFIRMED_OVERDUE),
    "paid": (_paid, words.COMPLETED),
    "paid elsewhere": (_paid_elsewhere, words.PAID_ELSEWHERE),
    "paid in part": (_in_part, words.REVIEW),
    "cancelled": (_cancelled, words.closed(words.ORDER_CANCELLED, was_asked=True)),
    "expired": (_expired, words.closed(words.ORDER_EXPIRED, was_asked=True)),
}


@pytest.mark.parametrize("name", STATES)
def test_every_state_is_told_by_every_door(reader: Reader, name: str) -> None:
    reach, told = STATES[name]
    reader.shop.prompted(reader.who, reader.order)
    reach(reader)
    reader.says(told)


@pytest.mark.parametrize("code", ["1001", "1025"])
def test_a_prompt_that_comes_again_is_told(reader: Reader, code: str) -> None:
    reader.ends(code)
    reader.stands(ask_again_at=now() + timedelta(seconds=30))
    reader.says(words.coming_again(words.reason_of(code)))


def test_an_order_that_nobody_has_tried_to_pay_is_told(reader: Reader) -> None:
    reader.says(words.UNPAID)


CLAIMS = [
    ("checking", None),
    ("with_person", None),
    ("with_person", claim_words.AMOUNT_DIFFERS),
    *(
        ("refused", reason)
        for reason in (
            claim_words.NOT_FOR_ORDER,
            claim_words.TOO_OLD,
            claim_words.OTHER_RECEIVER,
            claim_words.NOT_COMPLETED,
        )
    ),
]


@pytest.mark.parametrize(("state", "reason"), CLAIMS)
def test_every_answer_to_i_have_paid_is_a_sentence(
    reader: Reader, state: str, reason: str | None
) -> None:
    """Someone else's code, an old one, one for another till, one that never went through."""
    claims = Claims(reader.shop)
    claims.claimed(reader.who, reader.order)
    with reader.shop.app.app_context(), transaction() as session:
        session.execute(update(Claim).values(state=state, reason=reason))
    told = claim_words.told_of(claims.newest())
    page = reader._get(f"/orders/{reader.order['id']}", reader.who.headers, "text/html")
    rung = unescape(page.partition('id="rung-paid-already"')[2].partition("</details>")[0])
    for said in (told["title"], told["message"]):
        assert reader._said(said) in rung
    assert ("data-claim-form" in rung) is (state == "refused"), "another code may be tried"
    reader.says(words.UNPAID)


PASTED = {
    Kind.RECEIVED: "SGR7ABCDE1 Confirmed.You have received Ksh9.00 from ANN 0712345678 on",
    Kind.WITHDRAWN: "SGR7ABCDE1 Confirmed.on 1/1/26 at 1:00 PMWithdraw Ksh9.00 from 1 - X",
    Kind.AIRTIME: "SGR7ABCDE1 confirmed.You bought Ksh50.00 of airtime on 1/1/26",
    Kind.TO_PERSON: "SGR7ABCDE1 Confirmed. Ksh9.00 sent to ANN WERU 0712345678 on 1/1/26",
    Kind.REVERSED: "SGR7ABCDE1 Confirmed. Transaction X has been reversed on 1/1/26",
    Kind.FAILED: "Failed. You do not have enough money in your M-PESA account",
}


@pytest.mark.parametrize("kind", PASTED)
def test_a_message_that_is_no_payment_to_the_shop_is_answered_on_the_page(
    reader: Reader, kind: Kind
) -> None:
    address = f"/orders/{reader.order['id']}"
    head = {**reader.who.headers, "Accept-Language": reader.language}
    head |= {"Accept": "text/html", "Origin": "http://localhost"}
    browser = reader.shop.client()
    form = {"message": PASTED[kind]}
    page = browser.post(f"{address}/claim", data=form, headers=head, follow_redirects=True).text
    assert reader._said(claim_words.NOT_PAYMENTS[kind]) in unescape(page)
    assert "data-claim-form" in page
    if reader.language == "sw":
        assert english_left(spoken(page)) == set()


def test_english_that_was_left_over_is_found(shop: Shop, shopper: Account) -> None:
    reader = Reader(shop, shopper, "en")
    page = reader._get(f"/orders/{reader.order['id']}", shopper.headers, "text/html")
    left = english_left(spoken(page))
    assert {words.UNPAID.title, words.UNPAID.message, "Send the prompt"} <= left
    assert english_left(["Duka la Wanjiku"]) == set()
