"""Doors for trying a payment out. They are not there in production.

Whoever knows a transaction's TXN name can move it here without any proof, as the document shows
it; what is settled so says in the books that its evidence is this door.
"""

from __future__ import annotations

from typing import Annotated, Literal

from flask import Blueprint, request
from flask.typing import ResponseReturnValue
from pydantic import BaseModel, Field, StrictStr

from app.accounts.guard import open_to_all, require_person, signed_in
from app.core.errors import Conflict, InvalidCurrency, NotFound
from app.core.money import cents_from_shillings
from app.core.reading import parse
from app.dialects.payment_api.paying import (
    Currency,
    InitiateAnswer,
    UnconfirmedAnswer,
    initiated,
    initiated_status,
)
from app.dialects.payment_api.words import StatusWord, status_word, told
from app.extensions import db
from app.idempotency import idempotent
from app.limits import initiate_limit
from app.mpesa.result_codes import stk_result
from app.openapi import PROMPT, Answer, Shillings, StrictPhone, TransactionName, documented
from app.orders.invoices import place_invoice
from app.payments import service as payments
from app.payments.evidence import Evidence, Outcome
from app.payments.methods import require_currency, require_payable
from app.payments.models import Payment
from app.payments.settle import settle
from app.settings.service import settings

trial_doors = Blueprint("trials", __name__)

#: The result code by which Daraja would tell each end.
RESULT_CODES = {"completed": "0", "failed": "1", "cancelled": "1032", "expired": "1037"}


class TrialBody(BaseModel):
    phone_number: StrictPhone
    amount: Shillings = Field(examples=[1000])
    currency: Currency = None


#: The invoice that the trial is paid on; verifying asks for it.
InvoiceNumber = Annotated[int, Field(description="The number to verify it by.", examples=[8])]


class TrialAnswer(InitiateAnswer):
    """The prompt is on its way."""

    order_id: InvoiceNumber


class UnconfirmedTrialAnswer(UnconfirmedAnswer):
    """Nobody knows whether the prompt was sent."""

    order_id: InvoiceNumber


class TrialCallbackBody(BaseModel):
    transaction_id: Annotated[StrictStr, Field(examples=["TXN20261121090000K7Q"])]
    status: Literal["completed", "failed", "cancelled", "expired"]


class TrialCallbackAnswer(Answer):
    """How the payment stands now."""

    message: str = Field(examples=["The transaction is completed"])
    transaction_id: TransactionName
    status: StatusWord


@trial_doors.post("/mpesa")
@documented(
    "Try a payment out, on an invoice of the caller's own",
    {200: TrialAnswer, 202: UnconfirmedTrialAnswer},
    body=TrialBody,
    refusals=(*PROMPT, InvalidCurrency),
    about="Not there in production.",
)
@signed_in
@initiate_limit
@idempotent
def try_payment() -> ResponseReturnValue:
    """Send a prompt for an amount of the caller's own, on an invoice of the caller's own."""
    body, person = parse(request, TrialBody), require_person()
    require_currency(body.currency)
    wanted_cents = cents_from_shillings(body.amount)
    require_payable(wanted_cents)
    strict = settings().phone_strict_dialects
    number = payments.readable_phone(body.phone_number, strict=strict)
    order = place_invoice(
        reference="TEST",
        description="Test payment",
        amount_cents=wanted_cents,
        payer=number,
        person=person,
    )
    payment = payments.start(order, number, asker=f"person {person.id}", amount_cents=wanted_cents)
    status = initiated_status(payment)
    kind = TrialAnswer if status == 200 else UnconfirmedTrialAnswer
    return told(kind(**told(initiated(payment)), order_id=payment.order_id)), status


@trial_doors.post("/callback")
@documented(
    "End a payment without M-Pesa",
    TrialCallbackAnswer,
    body=TrialCallbackBody,
    refusals=(NotFound, Conflict),
    about="Not there in production. It asks for no token.",
)
@open_to_all
@initiate_limit
def try_callback() -> ResponseReturnValue:
    """Move a transaction as a callback with this end would. Raises Conflict where it cannot."""
    body = parse(request, TrialCallbackBody)
    payment_id = _named(body.transaction_id).id
    code = RESULT_CODES[body.status]
    description = stk_result(code).description
    settle(payment_id, Outcome(code, description, Evidence.TEST, "test endpoint"))
    payment = db.session.get_one(Payment, payment_id, populate_existing=True)
    now_is = status_word(payment)
    if now_is != body.status and not payment.needs_review:
        raise Conflict(
            f"This transaction is {now_is} and cannot become {body.status}. Nothing was changed.",
            details={"transaction_id": payment.public_ref, "status": now_is},
        )
    message = f"The transaction is {now_is}"
    return told(
        TrialCallbackAnswer(message=message, transaction_id=payment.public_ref, status=now_is)
    )


def _named(reference: str) -> Payment:
    """Find a transaction by its TXN name only: integers could be guessed by anybody."""
    if not reference.startswith("TXN"):
        raise NotFound("There is no such transaction. Name it as TXN….")
    return payments.find_payment(reference)
