"""The STK push dialect, ``/payments/…``: Daraja's own words, handed through.

Callers bring an amount and a reference of their own, and need not be signed in where
OPEN_CHECKOUT lets them in.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from functools import wraps
from typing import Annotated, Any, TypeVar

from flask import Blueprint, Response, request
from flask.typing import ResponseReturnValue
from pydantic import AfterValidator, BaseModel, Field, StringConstraints
from werkzeug.exceptions import HTTPException

from app.accounts.guard import current_person, for_provider, open_to_all, require_person
from app.core.errors import Forbidden, InvalidPhone, LipaError, NotFound, PayloadTooLarge
from app.core.money import cents_from_shillings, whole_shillings
from app.core.reading import parse
from app.extensions import db
from app.idempotency import idempotent
from app.limits import initiate_limit, status_limit
from app.mpesa.origin import is_proven
from app.openapi import (
    PROMPT,
    Answer,
    Phone,
    Receipt,
    Shillings,
    Uuid,
    WholeShillingsText,
    chapter,
    codes,
    documented,
    documented_callback,
    one_of,
)
from app.payments import engine, invoicing
from app.payments.models import Payment
from app.payments.states import Status
from app.payments.webhook import receive_stk_callback
from app.settings.service import settings
from app.web import answer_error

stk_push_dialect = Blueprint("stk_push_dialect", __name__, url_prefix="/payments")
logger = logging.getLogger("payments.mpesa")
View = TypeVar("View", bound=Callable[..., Any])

ACCEPTED = "Success. Request accepted for processing"
UNKNOWN = (
    "M-Pesa has not confirmed the request yet, so a prompt may be on the phone. "
    "Repeat this very request to hear more; no second prompt is sent."
)
QUERY_ACCEPTED = "The service request has been accepted successfully"
PAID = "The service request is processed successfully."
#: What Daraja itself says of a prompt that has not ended (seen in recorded traffic).
NOT_YET = ("4999", "The transaction is still under processing")
UNTOLD = "M-Pesa never said how this prompt ended"

#: This dialect knows two words: complete, and everything else.
STATUS_WORDS = {
    Status.CREATED: "1",
    Status.PENDING: "1",
    Status.UNCONFIRMED: "1",
    Status.REVIEW: "1",
    Status.COMPLETED: "0",
    Status.FAILED: "1",
    Status.CANCELLED: "1",
    Status.EXPIRED: "1",
}
#: What the second word may mean.
STATUS_DETAILS = {
    Status.CREATED: "pending",
    Status.PENDING: "pending",
    Status.UNCONFIRMED: "pending",
    Status.REVIEW: "review",
    Status.COMPLETED: "completed",
    Status.FAILED: "failed",
    Status.CANCELLED: "cancelled",
    Status.EXPIRED: "expired",
}
#: How a message may begin here, by its code; those of the other codes are the core's own.
ERROR_WORDS = {
    "INVALID_PHONE": ("Invalid phone number",),
    "PROVIDER_REFUSED": ("Invalid access token",),
}
PLAIN_CODES = codes(
    """
    AMOUNT_MISMATCH AMOUNT_TOO_HIGH AMOUNT_TOO_LOW CONFLICT FORBIDDEN IDEMPOTENCY_MISMATCH
    INTERNAL_ERROR INVALID_AMOUNT INVALID_CURRENCY METHOD_NOT_ALLOWED NOT_FOUND ORDER_ALREADY_PAID
    PAYLOAD_TOO_LARGE PAYMENT_EXPIRED PAYMENT_FAILED PAYMENT_IN_PROGRESS PROVIDER_UNAVAILABLE
    RATE_LIMITED UNAUTHORIZED UNSUPPORTED_MEDIA_TYPE VALIDATION_ERROR
    """
)
chapter(
    "stk_push_dialect",
    title="STK push dialect",
    about="Daraja's own words, for programs that bring an amount and a reference of their own. "
    "Where the shop sets OPEN_CHECKOUT, nobody has to sign in.",
    statuses=STATUS_WORDS,
    words=ERROR_WORDS,
    plain=PLAIN_CODES,
)

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")


def _one_line(text: str) -> str:
    if _CONTROL.search(text):
        raise ValueError("must be one line without control characters")
    return text


#: Kept whole; Daraja gets a shorter copy.
Line = Annotated[
    str,
    StringConstraints(strict=True, strip_whitespace=True, min_length=1, max_length=255),
    AfterValidator(_one_line),
]


RequestId = Annotated[str, Field(examples=["ws_CO_211120260900005712345678"])]
MerchantId = Annotated[str | None, Field(examples=["29115-34620561-1"])]


class CheckoutBody(BaseModel):
    phone_number: Phone
    amount: Shillings
    reference: Annotated[Line, Field(examples=["INV-2024-001"])]
    description: Annotated[Line, Field(examples=["Payment for services"])]


class CheckoutAnswer(Answer):
    """Daraja's acknowledgement, under Daraja's names."""

    MerchantRequestID: MerchantId
    CheckoutRequestID: RequestId | None
    ResponseCode: str | None = Field(examples=["0"])
    ResponseDescription: str = Field(examples=[ACCEPTED])
    CustomerMessage: str = Field(examples=[ACCEPTED])


class UnconfirmedAnswer(CheckoutAnswer):
    """The same keys where nobody knows whether the prompt was sent."""

    MerchantRequestID: MerchantId = Field(examples=[None])
    CheckoutRequestID: RequestId | None = Field(examples=[None])
    ResponseCode: str | None = Field(examples=[None])
    ResponseDescription: str = Field(examples=[UNKNOWN])
    CustomerMessage: str = Field(examples=[UNKNOWN])
    status: Annotated[str, one_of(["pending"])] = "pending"


class QueryBody(BaseModel):
    checkout_request_id: Annotated[
        RequestId, StringConstraints(strict=True, min_length=1, max_length=128)
    ]


class LocalTransaction(Answer):
    """What the shop's own books say. ``status`` is 0 for complete and 1 for all else."""

    transaction_no: Uuid
    phone_number: str = Field(description="With its plus.", examples=["+254712345678"])
    amount: WholeShillingsText
    status: Annotated[str, one_of(STATUS_WORDS.values())]
    status_detail: Annotated[str, one_of(STATUS_DETAILS.values())]
    receipt_no: Receipt | None
    created: str = Field(
        description="UTC, to the microsecond.",
        examples=["2026-11-21T09:00:00.000000Z"],
        json_schema_extra={"format": "date-time"},
    )


class QueryAnswer(Answer):
    """Daraja's answer to a query, under Daraja's names, and our books beside it."""

    ResponseCode: str = Field(examples=["0"])
    ResponseDescription: str = Field(examples=[QUERY_ACCEPTED])
    MerchantRequestID: MerchantId
    CheckoutRequestID: RequestId
    ResultCode: str | None = Field(
        description="4999 while the prompt has not ended; null where M-Pesa never told.",
        examples=["0"],
    )
    ResultDesc: str = Field(examples=[PAID])
    local_transaction: LocalTransaction


def where_open(view: View) -> View:
    """Let callers in who are not signed in, as far as OPEN_CHECKOUT does; the others get 401.

    A token that is not good any more gets 401 too: what its holder pays shall be theirs.
    """

    @wraps(view)
    def guarded(*args: Any, **kwargs: Any) -> Any:
        if "Authorization" in request.headers or not settings().checkout_is_open:
            require_person()
        return view(*args, **kwargs)

    return open_to_all(guarded)  # type: ignore[return-value]


@stk_push_dialect.errorhandler(LipaError)
def _in_our_words(error: LipaError) -> ResponseReturnValue:
    """Put this document's words in front where it promises them."""
    if isinstance(error, InvalidPhone):
        error.message = f"Invalid phone number. {error.message}"
    elif "invalid access token" in str(error.details.get("provider_message", "")).lower():
        error.message = f"Invalid access token. {error.message}"
    return answer_error(error)


@stk_push_dialect.after_request
def _log_refusal(response: Response) -> Response:
    """Log every refusal and error of this dialect, whoever answered it."""
    if response.status_code >= 400:
        told = response.get_json(silent=True) or {}
        logger.log(
            logging.ERROR if response.status_code >= 500 else logging.WARNING,
            "%s refused to %s with %s %s: %s",
            request.path,
            request.remote_addr,
            response.status_code,
            told.get("code"),
            told.get("message"),
        )
    return response


@stk_push_dialect.post("/checkout")
@documented(
    "Send a prompt for an amount of the caller's own",
    {200: CheckoutAnswer, 202: UnconfirmedAnswer},
    body=CheckoutBody,
    refusals=PROMPT,
    entry="optional",
    about="The same again, while it is unpaid, gives the live prompt's answer. Reference and "
    "description are kept whole; Daraja gets the first 12 letters, digits and dashes of the one "
    "and the first 13 characters of the other.",
)
@where_open
@initiate_limit
@idempotent
def checkout() -> ResponseReturnValue:
    body = parse(request, CheckoutBody)
    payment = invoicing.ask_for(
        reference=body.reference,
        description=body.description,
        amount_cents=cents_from_shillings(body.amount),
        phone=body.phone_number,
        person=current_person(),
    )
    if payment.checkout_request_id is None:
        return _unconfirmed().model_dump(), 202
    return _acknowledgement(payment).model_dump()


@stk_push_dialect.post("/query")
@documented(
    "Ask M-Pesa how a prompt stands",
    QueryAnswer,
    body=QueryBody,
    refusals=(NotFound,),
    entry="optional",
    about="M-Pesa is asked live, at most once in ten seconds for one payment.",
)
@where_open
@status_limit
def query() -> ResponseReturnValue:
    """Ask M-Pesa live, at most once in ten seconds for one attempt, and tell what is known."""
    wanted = parse(request, QueryBody).checkout_request_id
    payment = invoicing.find_prompt(wanted, current_person())
    if payment.is_live:
        engine.ask(payment.id, at_once=True)
        payment = db.session.get_one(Payment, payment.id, populate_existing=True)
    return _told(payment).model_dump()


@stk_push_dialect.post("/callback")
@documented_callback((PayloadTooLarge, Forbidden))
@for_provider
def callback() -> ResponseReturnValue:
    """Take Daraja's callback. Whoever is not on the allow-list gets 403, token or not.

    What such a caller posts is kept for the admin to see, as on every other callback address:
    it may be a true callback that came round by a proxy nobody has declared.
    """
    if is_proven(request.remote_addr, settings().callback_networks):
        return receive_stk_callback(request)
    with suppress(LipaError, HTTPException):
        receive_stk_callback(request)
    raise Forbidden("Only Safaricom's servers may post here.")


def _acknowledgement(payment: Payment) -> CheckoutAnswer:
    return CheckoutAnswer(
        MerchantRequestID=payment.merchant_request_id,
        CheckoutRequestID=payment.checkout_request_id,
        ResponseCode="0",
        ResponseDescription=ACCEPTED,
        CustomerMessage=ACCEPTED,
    )


def _unconfirmed() -> UnconfirmedAnswer:
    return UnconfirmedAnswer(
        MerchantRequestID=None,
        CheckoutRequestID=None,
        ResponseCode=None,
        ResponseDescription=UNKNOWN,
        CustomerMessage=UNKNOWN,
    )


def _told(payment: Payment) -> QueryAnswer:
    code, description = _result(payment)
    return QueryAnswer(
        ResponseCode="0",
        ResponseDescription=QUERY_ACCEPTED,
        MerchantRequestID=payment.merchant_request_id,
        CheckoutRequestID=payment.checkout_request_id or "",
        ResultCode=code,
        ResultDesc=description,
        local_transaction=_local_transaction(payment),
    )


def _result(payment: Payment) -> tuple[str | None, str]:
    """Say how the prompt ended, as far as it is known."""
    if payment.is_live:
        return NOT_YET
    if payment.result_code is None:
        return None, UNTOLD
    return payment.result_code, payment.result_desc or (PAID if payment.is_settled else "")


def _local_transaction(payment: Payment) -> LocalTransaction:
    status = Status(payment.status)
    return LocalTransaction(
        transaction_no=str(payment.uuid),
        phone_number=f"+{payment.phone}",
        amount=str(whole_shillings(payment.amount_cents)),
        status=STATUS_WORDS[status],
        status_detail=STATUS_DETAILS[status],
        receipt_no=payment.mpesa_receipt,
        created=_iso_microseconds(payment.created_at),
    )


def _iso_microseconds(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
