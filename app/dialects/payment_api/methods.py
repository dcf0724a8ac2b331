"""Ways to pay, and the numbers that a person has kept for them."""

from __future__ import annotations

from typing import Literal

from flask import Blueprint, request
from flask.typing import ResponseReturnValue
from pydantic import BaseModel, StrictBool, StrictStr

from app.accounts.guard import require_person, signed_in
from app.core.reading import parse
from app.dialects.payment_api.words import told
from app.limits import status_limit
from app.payments import methods
from app.payments import service as payments
from app.payments.provider import is_configured
from app.settings.service import settings

method_doors = Blueprint("methods", __name__, url_prefix="/methods")


class PhoneDetails(BaseModel):
    phone_number: StrictStr


class MethodBody(BaseModel):
    type: Literal["mpesa"]
    details: PhoneDetails
    is_default: StrictBool = False


class MethodAnswer(BaseModel):
    """A way to pay; the last three keys are those of a number that the person has kept."""

    type: str = methods.MPESA
    display_name: str = "M-Pesa"
    enabled: bool
    currency: str = methods.CURRENCY
    id: int | None = None
    details: PhoneDetails | None = None
    is_default: bool = False


class MethodsAnswer(BaseModel):
    methods: list[MethodAnswer]


@method_doors.get("")
@signed_in
@status_limit
def list_methods() -> ResponseReturnValue:
    """List what can be paid with: M-Pesa from any phone, then the numbers that were kept."""
    enabled = is_configured()
    kept = [_kept(method, enabled) for method in methods.methods_of(require_person())]
    return told(MethodsAnswer(methods=[_any_phone(enabled), *kept]))


@method_doors.post("")
@signed_in
@status_limit
def add_method() -> ResponseReturnValue:
    body = parse(request, MethodBody)
    strict = settings().phone_strict_dialects
    number = payments.readable_phone(body.details.phone_number, strict=strict)
    method, is_new = methods.keep(require_person(), number, is_default=body.is_default)
    return told(_kept(method, is_configured())), 201 if is_new else 200


@method_doors.delete("/<int:method_id>")
@signed_in
@status_limit
def remove_method(method_id: int) -> ResponseReturnValue:
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
