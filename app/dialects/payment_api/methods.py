"""Ways to pay, and the numbers that a person has kept for them."""

from __future__ import annotations

from typing import Annotated, Literal

from flask import Blueprint, request
from flask.typing import ResponseReturnValue
from pydantic import BaseModel, Field, StrictBool

from app.accounts.guard import require_person, signed_in
from app.core.errors import Conflict, InvalidPhone, NotFound
from app.core.reading import MAX_ID, parse
from app.dialects.payment_api.words import told
from app.limits import status_limit
from app.openapi import StrictPhone, absent, documented, one_of
from app.payments import methods
from app.payments import service as payments
from app.payments.provider import is_configured
from app.settings.service import settings

method_doors = Blueprint("methods", __name__, url_prefix="/methods")


class PhoneDetails(BaseModel):
    phone_number: StrictPhone


class MethodBody(BaseModel):
    type: Literal["mpesa"]
    details: PhoneDetails
    is_default: StrictBool = False


class MethodAnswer(BaseModel):
    """A way to pay; the last three keys are those of a number that the person has kept."""

    type: Annotated[str, one_of([methods.MPESA])]
    display_name: str = Field(examples=["M-Pesa"])
    enabled: bool = Field(description="Whether the shop's M-Pesa account is set.", examples=[True])
    currency: Annotated[str, one_of([methods.CURRENCY])]
    id: int = absent(examples=[3])
    details: PhoneDetails = absent()
    is_default: bool = absent()


class MethodsAnswer(BaseModel):
    """What can be paid with: M-Pesa from any phone, then the numbers that were kept."""

    methods: list[MethodAnswer]


@method_doors.get("")
@documented("List the ways to pay", MethodsAnswer)
@signed_in
@status_limit
def list_methods() -> ResponseReturnValue:
    """List what can be paid with: M-Pesa from any phone, then the numbers that were kept."""
    enabled = is_configured()
    kept = [_kept(method, enabled) for method in methods.methods_of(require_person())]
    return told(MethodsAnswer(methods=[_any_phone(enabled), *kept]))


@method_doors.post("")
@documented(
    "Keep a number to pay from",
    {200: MethodAnswer, 201: MethodAnswer},
    body=MethodBody,
    refusals=(InvalidPhone, Conflict),
    about="A new one is 201, a known one 200; at most ten.",
)
@signed_in
@status_limit
def add_method() -> ResponseReturnValue:
    body = parse(request, MethodBody)
    strict = settings().phone_strict_dialects
    number = payments.readable_phone(body.details.phone_number, strict=strict)
    method, is_new = methods.keep(require_person(), number, is_default=body.is_default)
    return told(_kept(method, is_configured())), 201 if is_new else 200


@method_doors.delete("/<int:method_id>")
@documented("Forget a number", {204: None})
@signed_in
@status_limit
def remove_method(method_id: int) -> ResponseReturnValue:
    if method_id > MAX_ID:
        raise NotFound("There is no such payment method, or it is not yours.")
    methods.forget(require_person(), method_id)
    return "", 204


def _any_phone(enabled: bool) -> MethodAnswer:
    return MethodAnswer(
        type=methods.MPESA,
        display_name="M-Pesa",
        enabled=enabled,
        currency=methods.CURRENCY,
    )


def _kept(method: methods.PaymentMethod, enabled: bool) -> MethodAnswer:
    return MethodAnswer(
        **_any_phone(enabled).model_dump(exclude_unset=True),
        id=method.id,
        details=PhoneDetails(phone_number=method.phone),
        is_default=method.is_default,
    )
