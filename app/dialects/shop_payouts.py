"""The shop dialect's money out, ``/api/payments/supplier/…`` and ``/api/payments/b2c/…``."""

from __future__ import annotations

from typing import Annotated, Any

from flask import Blueprint, jsonify, request
from flask.typing import ResponseReturnValue
from pydantic import BaseModel, Field, StrictStr
from pydantic.json_schema import WithJsonSchema

from app.accounts.guard import for_provider, require_person, staff_only
from app.accounts.roles import May
from app.core.clock import iso_seconds
from app.core.errors import (
    AmountTooHigh,
    AmountTooLow,
    Conflict,
    Forbidden,
    InvalidAmount,
    InvalidPhone,
    LipaError,
    NotFound,
    PayloadTooLarge,
    ProviderRefused,
    RateLimited,
)
from app.core.money import cents_from_shillings, shillings_number
from app.core.reading import page_of, parse
from app.disbursements import approvals, engine
from app.disbursements.models import Disbursement, Kind
from app.disbursements.references import find
from app.disbursements.states import OutStatus
from app.disbursements.webhook import receive_result
from app.idempotency import idempotent
from app.limits import initiate_limit
from app.openapi import Answer, Moment, Phone, Shillings, Uuid, chapter, documented, one_of
from app.openapi.describe import Acknowledged
from app.suppliers import numbers, payouts
from app.suppliers import service as suppliers
from app.web import answer_error

shop_payouts_dialect = Blueprint("shop_payouts_dialect", __name__, url_prefix="/api/payments")
chapter(
    "shop_payouts_dialect",
    title="Shop: suppliers are paid",
    about="Payouts by M-Pesa, for admins, and where Daraja posts what became of them.",
)

#: What is said of a payout, by how it stands once it has been asked for.
MESSAGES = {
    OutStatus.AWAITING_APPROVAL: "Payout recorded: another person has to approve it",
    OutStatus.QUEUED: "Payout queued: it is sent as soon as it can be",
    OutStatus.PROCESSING: "Payout initiated successfully",
    OutStatus.COMPLETED: "Payout completed",
    OutStatus.FAILED: "M-Pesa refused the payout: nothing was sent",
    OutStatus.UNKNOWN: "M-Pesa has not confirmed the payout yet; it is not sent twice",
    OutStatus.CANCELLED: "Payout cancelled: nothing was sent",
}
_NAMES = {
    "supplier_id": ("A supplier's UUID.", "3f0f8f5e-7d0b-4f0e-9a53-2f6f1d7f6c11"),
    "payout_id": ("A payout's UUID, integer or PAY name.", "PAY20261121090000K7Q"),
}
_RESULT_EXAMPLE = {
    "Result": {
        "ResultType": 0,
        "ResultCode": 0,
        "ResultDesc": "The service request is processed successfully.",
        "OriginatorConversationID": "PAY20261121090000K7Q-4f0e9a532f6f",
        "ConversationID": "AG_20261121_2010364430d9bbdaf872",
        "TransactionID": "UKL4XX00XX",
    }
}
#: Any body is kept, so that no result is lost for its shape.
_ResultBody = Annotated[
    Any,
    WithJsonSchema({"description": "Daraja's result.", "examples": [_RESULT_EXAMPLE]}),
]
_HEARD: dict[str, Any] = {
    "answers": Acknowledged,
    "about": "Whatever comes is kept and answered at once; it changes something only with proof.",
    "body": _ResultBody,
    "query": {
        "token": "The payout's or refund's secret, as it stood in the address given to Daraja.",
        "query": "The secret of a question about one.",
        "balance": "The secret of a question about the float.",
    },
    "refusals": (PayloadTooLarge, RateLimited),
}


class PayoutBody(BaseModel):
    supplier_id: StrictStr
    amount: Shillings
    notes: Annotated[StrictStr, Field(max_length=payouts.MOST_NOTES)] = ""


class NumberBody(BaseModel):
    mpesa_number: Phone
    reason: Annotated[StrictStr, Field(min_length=1, max_length=numbers.MOST_WORDS)]


class CancelBody(BaseModel):
    reason: Annotated[StrictStr, Field(max_length=approvals.MOST_WORDS)] = ""


class PayoutAnswer(Answer):
    """``held`` says why a queued payout waits; ``approval`` why another person has to agree."""

    payout_id: Uuid
    reference: str = Field(examples=["PAY20261121090000K7Q"])
    supplier_id: Uuid
    supplier_name: str
    amount: int | float = Field(examples=[5000])
    mpesa_number: str = Field(examples=["254712345678"])
    notes: str
    status: Annotated[str, one_of(OutStatus)]
    held: str | None
    approval: str | None
    conversation_id: str | None
    originator_conversation_id: str
    receipt: str | None
    result_code: str | None
    result_desc: str | None
    created_at: Moment
    completed_at: Moment | None


class PayoutEnvelope(Answer):
    success: bool
    message: str
    data: PayoutAnswer


class PayoutsData(Answer):
    payouts: list[PayoutAnswer]
    total: int
    pages: int
    current_page: int


class PayoutsEnvelope(Answer):
    success: bool
    data: PayoutsData


class NumberData(Answer):
    supplier_id: Uuid
    mpesa_number: str
    cooling_off_until: Moment | None


class NumberEnvelope(Answer):
    success: bool
    message: str
    data: NumberData


@shop_payouts_dialect.errorhandler(LipaError)
def _in_our_words(error: LipaError) -> ResponseReturnValue:
    if isinstance(error, InvalidPhone):
        error.message = f"Invalid Phone Number. {error.message}"
    return answer_error(error)


@shop_payouts_dialect.post("/supplier/payout")
@documented(
    "Pay a supplier",
    {200: PayoutEnvelope, 202: PayoutEnvelope},
    body=PayoutBody,
    refusals=(InvalidAmount, AmountTooLow, AmountTooHigh, NotFound, Conflict, ProviderRefused),
    about="Sent at once where nobody else has to agree; 202 where it waits, for a second admin, "
    "for float, or because M-Pesa has not confirmed it. Send an Idempotency-Key: it pays once.",
)
@staff_only(May.PAY_OUT)
@initiate_limit
@idempotent
def pay_supplier() -> ResponseReturnValue:
    body = parse(request, PayoutBody)
    amount_cents = cents_from_shillings(body.amount)
    asked = payouts.ask(body.supplier_id, amount_cents, body.notes, require_person())
    return _sent(engine.send_now(asked))


@shop_payouts_dialect.get("/supplier/payouts")
@documented(
    "List the payouts",
    PayoutsEnvelope,
    pages=20,
    query={"status": f"One of {', '.join(OutStatus)}."},
)
@staff_only(May.SEE)
def list_payouts() -> ResponseReturnValue:
    page, per_page = page_of(request)
    status = request.args.get("status") or None
    found, total = payouts.page_of_payouts(page, per_page, status)
    data = PayoutsData(
        payouts=[told(payout) for payout in found],
        total=total,
        pages=-(-total // per_page),
        current_page=page,
    )
    return jsonify(PayoutsEnvelope(success=True, data=data).model_dump())


@shop_payouts_dialect.get("/supplier/payouts/<payout_id>")
@documented("Read a payout", PayoutEnvelope, refusals=(NotFound,), names=_NAMES)
@staff_only(May.SEE)
def get_payout(payout_id: str) -> ResponseReturnValue:
    return _answer(find(payout_id, Kind.PAYOUT), always=200)


@shop_payouts_dialect.post("/supplier/payouts/<payout_id>/approve")
@documented(
    "Agree to a payout that another admin has asked for",
    {200: PayoutEnvelope, 202: PayoutEnvelope},
    refusals=(NotFound, Conflict, Forbidden, ProviderRefused),
    names=_NAMES,
)
@staff_only(May.APPROVE)
@idempotent
def approve_payout(payout_id: str) -> ResponseReturnValue:
    payout = find(payout_id, Kind.PAYOUT)
    approvals.approve(payout.id, require_person())
    return _sent(engine.send_now(find(payout_id, Kind.PAYOUT)))


@shop_payouts_dialect.post("/supplier/payouts/<payout_id>/cancel")
@documented(
    "Call off a payout that has not been sent",
    PayoutEnvelope,
    refusals=(NotFound, Conflict),
    names=_NAMES,
)
@staff_only(May.PAY_OUT, May.APPROVE)
def cancel_payout(payout_id: str) -> ResponseReturnValue:
    reason = parse(request, CancelBody).reason if request.is_json else ""
    payout = find(payout_id, Kind.PAYOUT)
    approvals.call_off(payout.id, require_person(), reason.strip() or "called off")
    return _answer(find(payout_id, Kind.PAYOUT), always=200)


@shop_payouts_dialect.put("/supplier/<supplier_id>/update-mpesa")
@documented(
    "Give a supplier another M-Pesa number",
    NumberEnvelope,
    body=NumberBody,
    refusals=(InvalidPhone, NotFound, Conflict),
    names=_NAMES,
    about="It is kept in the history, shown to the other admins, and cools off: for a while "
    "payouts to it need a second admin.",
)
@staff_only(May.PAY_OUT)
def update_mpesa(supplier_id: str) -> ResponseReturnValue:
    body = parse(request, NumberBody)
    supplier = suppliers.find(supplier_id)
    changed = numbers.change_number(supplier.id, body.mpesa_number, body.reason, require_person())
    return jsonify(_number_answer(supplier_id, is_new=changed is not None).model_dump())


@shop_payouts_dialect.post("/b2c/result")
@documented("Hear from Daraja what became of money that went out", **_HEARD)
@for_provider
def b2c_result() -> ResponseReturnValue:
    return receive_result(request)


@shop_payouts_dialect.post("/b2c/timeout")
@documented("Hear from Daraja that a request waited too long in its queue", **_HEARD)
@for_provider
def b2c_timeout() -> ResponseReturnValue:
    return receive_result(request, is_time_out=True)


def told(payout: Disbursement) -> PayoutAnswer:
    """Tell a payout as this document does."""
    supplier = payout.supplier
    if supplier is None:
        raise NotFound
    return PayoutAnswer(
        payout_id=str(payout.uuid),
        reference=payout.public_ref,
        supplier_id=str(supplier.uuid),
        supplier_name=supplier.name,
        amount=shillings_number(payout.amount_cents),
        mpesa_number=payout.msisdn,
        notes=payout.reason,
        status=payout.status,
        held=payout.held,
        approval=payout.approval_why,
        conversation_id=payout.conversation_id,
        originator_conversation_id=payout.originator_id,
        receipt=payout.receipt,
        result_code=payout.result_code,
        result_desc=payout.result_desc,
        created_at=iso_seconds(payout.created_at),
        completed_at=iso_seconds(payout.completed_at) if payout.completed_at else None,
    )


def _sent(payout: Disbursement) -> ResponseReturnValue:
    """Tell who had it sent how it stands; what M-Pesa has refused by now is an error."""
    if payout.status != OutStatus.FAILED:
        return _answer(payout)
    raise ProviderRefused(
        MESSAGES[OutStatus.FAILED],
        details={
            "payout_id": str(payout.uuid),
            "reference": payout.public_ref,
            "provider_code": payout.result_code,
            "provider_message": payout.result_desc,
        },
    )


def _answer(payout: Disbursement, *, always: int | None = None) -> ResponseReturnValue:
    status = OutStatus(payout.status)
    body = PayoutEnvelope(
        success=status is not OutStatus.FAILED, message=MESSAGES[status], data=told(payout)
    )
    waits = status in (OutStatus.AWAITING_APPROVAL, OutStatus.QUEUED, OutStatus.UNKNOWN)
    return jsonify(body.model_dump()), always or (202 if waits else 200)


def _number_answer(supplier_id: str, *, is_new: bool) -> NumberEnvelope:
    supplier = suppliers.find(supplier_id)
    cools = numbers.cooling_now(supplier.id)
    return NumberEnvelope(
        success=True,
        message="M-Pesa number updated" if is_new else "This is the supplier's number already",
        data=NumberData(
            supplier_id=str(supplier.uuid),
            mpesa_number=supplier.mpesa_number,
            cooling_off_until=iso_seconds(cools) if cools else None,
        ),
    )
