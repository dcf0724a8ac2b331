"""What really happened to the money, kept beside an application that has to find it out.

The ledger plays Daraja's own books: which prompts there were, how each ended, what it moved. Beside
every prompt stands what the shop was let hear of it, and with which proofs. From these two follows
what the shop may have credited, and what it must have credited in the end.
"""

from __future__ import annotations

import itertools
import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from sqlalchemy import select

from app.extensions import db
from app.orders.models import Order
from app.orders.states import OrderStatus
from app.payments.evidence import Evidence
from app.payments.models import Credit, Payment
from app.payments.states import LIVE, Decision, Standing, Status
from tests.support.daraja import (
    Answer,
    FakeDaraja,
    Script,
    bare,
    ended,
    html,
    json_answer,
    paid,
    refuse,
    reset,
    still_processing,
    text,
    unpaid,
)

PAID, CANCELLED, TIMED_OUT = "0", "1032", "1037"
FORGED = "FORGED"
#: Longer than the shop waits for the answer to its push, in seconds.
TOO_LONG = 0.4


@dataclass(eq=False)
class Prompt:
    """One prompt as Daraja knows it, and what the shop has heard of it.

    ``token`` is None for a prompt of another program on the same shortcode. ``end`` is a result
    code, or None while the prompt is on the phone. ``silent``: queries never hear its end.
    """

    number: int
    checkout_request_id: str
    merchant_request_id: str
    amount_cents: int
    token: str | None = None
    end: str | None = None
    silent: bool = False
    #: Daraja said, in a callback with both proofs or to a query, that no money came.
    told_unpaid: bool = False
    #: A success with some proof was kept by the shop, and no query has belied it since.
    told_paid: bool = False
    #: Safaricom's address named this prompt as paid while the shop did not know its id.
    is_stray: bool = False
    #: What callbacks with both proofs let the shop credit.
    claimed_cents: set[int] = field(default_factory=set)
    #: What callbacks from Safaricom's addresses said of a prompt that the shop did not know.
    stated_cents: set[int] = field(default_factory=set)
    receipts: set[str] = field(default_factory=set)

    def __repr__(self) -> str:
        return f"<prompt {self.number}>"

    @property
    def moved_cents(self) -> int:
        return self.amount_cents if self.end == PAID else 0

    @property
    def receipt(self) -> str:
        """The one receipt that M-Pesa gave this prompt, if it was paid."""
        return f"UKL4{self.number:06d}"

    @property
    def creditable_cents(self) -> set[int]:
        """What a credit of the prompt's payment may amount to."""
        return self.claimed_cents | ({self.moved_cents} - {0})


@dataclass(frozen=True)
class Callback:
    """A callback about a prompt, true or not, with the proofs that it carries."""

    prompt: Prompt
    body: dict[str, Any]
    proofs: str
    result_code: str
    amount_cents: int | None = None
    receipt: str | None = None
    #: The receipt is another payment's, and held by right: nothing may be credited by it.
    is_reused: bool = False

    @property
    def by_token(self) -> bool:
        """A prompt of another program has no token of ours."""
        return self.proofs in ("both", "token") and self.prompt.token is not None

    @property
    def by_origin(self) -> bool:
        return self.proofs in ("both", "origin")

    @property
    def is_success(self) -> bool:
        return self.result_code == PAID

    @property
    def is_forged(self) -> bool:
        return (self.receipt or "").startswith(FORGED)

    @property
    def is_proven(self) -> bool:
        return self.by_token and self.by_origin


class Ledger:
    """Daraja's own books, and its answers to pushes and queries."""

    def __init__(self, daraja: FakeDaraja) -> None:
        self._daraja = daraja
        self._numbers = itertools.count(1)
        self.prompts: list[Prompt] = []
        self.foreign_prompts = 0
        #: How queries are answered at present: "truth", or one of the ways not to tell it.
        self.mood = "truth"
        #: Set while no push is being processed, which a shop that gave up waiting cannot know.
        self.wire_is_free = threading.Event()
        daraja.query_answer = self._answer_query

    def script(
        self, fate: str, meanwhile: Callable[[Prompt | None], None] = lambda _: None
    ) -> Script:
        """Answer the next push by its fate; ``meanwhile`` happens while it is on the wire."""
        self.wire_is_free.clear()

        def answer_push(push: dict[str, Any]) -> Answer:
            accepted = self._daraja.accept(push)
            prompt = self._open(push, json.loads(accepted.body)) if _is_processed(fate) else None
            if fate == TOO_SLOW:
                accepted = replace(accepted, delay_seconds=TOO_LONG)
            else:
                meanwhile(prompt)
            self.wire_is_free.set()
            return ANSWERS[fate](push) if fate in ANSWERS else accepted

        return answer_push

    def foreign_prompt(self, amount_cents: int, end: str) -> Prompt:
        """Note a prompt that another program on the same shortcode had sent."""
        self.foreign_prompts += 1
        number = next(self._numbers)
        foreign = f"ws_CO_21112026{number:08d}_OTHER"
        prompt = Prompt(number, foreign, f"other-{number}", amount_cents, end=end)
        self.prompts.append(prompt)
        return prompt

    def _open(self, push: dict[str, Any], ids: dict[str, str]) -> Prompt:
        prompt = Prompt(
            next(self._numbers),
            ids["CheckoutRequestID"],
            ids["MerchantRequestID"],
            push["Amount"] * 100,
            push["CallBackURL"].partition("token=")[2],
        )
        self.prompts.append(prompt)
        return prompt

    def _answer_query(self, asked: dict[str, Any]) -> Answer:
        named = asked["CheckoutRequestID"]
        prompt = next((one for one in self.prompts if one.checkout_request_id == named), None)
        if self.mood != "truth":
            return MOODS[self.mood](asked)
        if prompt is None:
            return refuse("The transaction does not Exist")(asked)
        if prompt.silent or prompt.end is None:
            return still_processing(asked)
        if prompt.end != PAID:
            prompt.told_unpaid, prompt.told_paid, prompt.is_stray = True, False, False
        return ended(prompt.end)(asked)


def _throttled(_: dict[str, Any]) -> Answer:
    fault = {"faultstring": "Spike arrest violation", "detail": {"errorcode": "policies.spike"}}
    return json_answer({"fault": fault}, 429)


#: How a push may be answered, if it is not accepted.
ANSWERS: dict[str, Script] = {
    "refused": refuse("Wrong credentials"),
    "throttled": _throttled,
    "a 502": html(502),
    "a reset": reset,
    "a 502 after processing": html(502),
    "a reset after processing": reset,
    "half an answer after processing": text(b'{"MerchantRequestID": "29115-3'),
}
TOO_SLOW = "a time-out after processing"
FATES = (*ANSWERS, TOO_SLOW)
#: How queries may be answered without telling the truth.
MOODS: dict[str, Script] = {
    "still processing": still_processing,
    "an error": refuse("Internal server error"),
    "HTML": html(502),
    "throttled": _throttled,
}


def _is_processed(fate: str) -> bool:
    return fate == "accepted" or fate.endswith("after processing")


def success(prompt: Prompt, proofs: str, **details: Any) -> Callback:
    """Return a callback that says: paid. ``details`` are amount (in shillings) and receipt.

    Without details it is what Daraja would say. Without any proof it is a forgery, and its
    receipt is nobody's.
    """
    forged = f"{FORGED}{prompt.number:06d}"
    receipt = details.get("receipt", prompt.receipt if proofs != "none" else forged)
    amount = details.get("amount", prompt.amount_cents // 100)
    body = paid(prompt.checkout_request_id, amount, receipt, prompt.merchant_request_id)
    readable = isinstance(amount, (int, float)) and amount > 0
    return Callback(
        prompt,
        body,
        proofs,
        PAID,
        amount_cents=round(amount * 100) if readable else None,
        receipt=receipt,
        is_reused=details.get("is_reused", False),
    )


def bare_success(prompt: Prompt, proofs: str) -> Callback:
    """Return a callback that says: paid, and neither how much nor by which receipt."""
    body = bare(prompt.checkout_request_id)
    return Callback(prompt, body, proofs, PAID)


def failure(prompt: Prompt, proofs: str, code: str) -> Callback:
    body = unpaid(prompt.checkout_request_id, int(code))
    body["Body"]["stkCallback"]["MerchantRequestID"] = prompt.merchant_request_id
    return Callback(prompt, body, proofs, code)


def truth(prompt: Prompt, proofs: str) -> Callback:
    """Return what Daraja would say of a prompt that has ended."""
    assert prompt.end is not None
    if prompt.end == PAID:
        return success(prompt, proofs)
    return failure(prompt, proofs, prompt.end)


def was_kept(callback: Callback, books: Books) -> None:
    """Note what the shop has heard by a callback that it keeps."""
    prompt = callback.prompt
    payment = books.payment_of(prompt)
    is_known = payment is not None and payment.checkout_request_id == prompt.checkout_request_id
    if not (callback.by_token or callback.by_origin):
        return
    if not callback.is_success:
        prompt.told_unpaid |= callback.is_proven
        return
    if callback.receipt:
        prompt.receipts.add(callback.receipt)
    if not callback.by_token and not is_known:
        if callback.amount_cents is not None and callback.receipt:
            prompt.is_stray = prompt.told_paid = True
            prompt.stated_cents.add(callback.amount_cents)
        return
    prompt.told_paid = True
    if callback.is_proven and callback.amount_cents and callback.receipt and not callback.is_reused:
        prompt.claimed_cents.add(min(callback.amount_cents, prompt.amount_cents))


class Books:
    """What the shop has written down, as it is committed at this moment."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self.payments = list(db.session.scalars(select(Payment).order_by(Payment.id)))
        self.credits = list(db.session.scalars(select(Credit).order_by(Credit.id)))
        self.orders = list(db.session.scalars(select(Order).order_by(Order.id)))

    @property
    def statuses(self) -> dict[int, str]:
        return {payment.id: payment.status for payment in self.payments}

    @property
    def completed(self) -> set[int]:
        return {one.id for one in self.payments if one.status == Status.COMPLETED}

    @property
    def live(self) -> list[Payment]:
        return [one for one in self.payments if one.status in LIVE]

    def order_status(self, order_id: int) -> str:
        return next(order.status for order in self.orders if order.id == order_id)

    def payment_of(self, prompt: Prompt) -> Payment | None:
        found = (one for one in self.payments if prompt.token == one.callback_token)
        return next(found, None)

    def credits_of(self, prompt: Prompt) -> list[Credit]:
        """Everything that is booked for a prompt, by its payment or, unmatched, by its receipt."""
        payment = self.payment_of(prompt)
        return [
            credit
            for credit in self.credits
            if (payment is not None and credit.payment_id == payment.id)
            or (credit.payment_id is None and credit.receipt == prompt.receipt)
        ]

    def held_receipts(self, besides: Prompt) -> list[tuple[str, bool]]:
        """Receipts of other prompts' payments, and whether each is held by both proofs."""
        own = self.payment_of(besides)
        return [
            (credit.receipt, credit.evidence == Evidence.PROVEN_CALLBACK)
            for credit in self.credits
            if credit.receipt and credit.payment_id and (not own or credit.payment_id != own.id)
        ]

    def contradictions(self) -> Iterator[str]:
        """Yield what is wrong at any moment, whatever may still come."""
        yield from self._credits_without_money()
        for prompt in self._ledger.prompts:
            if len(self.credits_of(prompt)) > 1:
                yield f"{prompt} is credited more than once"
        for order in self.orders:
            of_this = [credit for credit in self.credits if credit.order_id == order.id]
            booked = sum(credit.amount_cents for credit in of_this)
            if order.status == OrderStatus.PAID and booked < order.total_cents:
                yield f"order {order.id} is paid with {booked} of {order.total_cents} cents"
            unasked = [credit for credit in of_this if _is_taken_for_granted(credit)]
            if sum(credit.amount_cents for credit in unasked) > order.total_cents:
                yield f"order {order.id} was paid too much, and nobody is asked about it"
            if len([payment for payment in self.live if payment.order_id == order.id]) > 1:
                yield f"order {order.id} has two live attempts"

    def _credits_without_money(self) -> Iterator[str]:
        explained: set[int] = set()
        for prompt in self._ledger.prompts:
            for credit in self.credits_of(prompt):
                explained.add(credit.id)
                stray = credit.payment_id is None
                allowed = prompt.stated_cents if stray else prompt.creditable_cents
                if credit.amount_cents not in allowed or (stray and not prompt.moved_cents):
                    yield f"{prompt}: {credit.amount_cents} cents are credited, not {allowed}"
                if credit.receipt and credit.receipt not in prompt.receipts:
                    yield f"{prompt}: nobody proved the receipt {credit.receipt}"
        for credit in self.credits:
            if credit.id not in explained:
                yield f"credit {credit.id} belongs to no prompt"

    def unfinished(self) -> Iterator[str]:
        """Yield what is wrong once all evidence has come in."""
        for prompt in self._ledger.prompts:
            booked = sum(credit.amount_cents for credit in self.credits_of(prompt))
            if booked == 0 and self._must_be_credited(prompt):
                yield f"{prompt} moved {prompt.moved_cents} cents, and nothing is credited"

    def _must_be_credited(self, prompt: Prompt) -> bool:
        if prompt.claimed_cents:
            return True
        if not prompt.moved_cents or prompt.silent:
            return False
        payment = self.payment_of(prompt)
        if payment is None or payment.checkout_request_id != prompt.checkout_request_id:
            return prompt.is_stray
        return prompt.told_paid or not prompt.told_unpaid


def _is_taken_for_granted(credit: Credit) -> bool:
    """Tell whether no person has said that this money may be too much."""
    return credit.standing == Standing.EXACT or credit.decision == Decision.REST_ASKED
