"""Suppliers, as JSON, for admins."""

from __future__ import annotations

from typing import Annotated

from flask import Blueprint, jsonify, request
from flask.typing import ResponseReturnValue
from pydantic import BaseModel, Field, StrictBool, StrictStr

from app.accounts.guard import require_person, staff_only
from app.accounts.roles import May
from app.core.clock import iso_seconds
from app.core.errors import Conflict, InvalidPhone, NotFound
from app.core.reading import page_of, parse
from app.openapi import Answer, Moment, Phone, Uuid, chapter, documented
from app.suppliers import numbers, service
from app.suppliers.models import Supplier

suppliers_api = Blueprint("suppliers_api", __name__, url_prefix="/api/suppliers")
chapter(
    "suppliers_api",
    title="Suppliers",
    about="Whom the shop pays, and under which M-Pesa number. For admins.",
)
_NAMES = {"supplier_id": ("A supplier's UUID.", "3f0f8f5e-7d0b-4f0e-9a53-2f6f1d7f6c11")}

Name = Annotated[StrictStr, Field(min_length=1, max_length=service.MOST_NAME)]
Notes = Annotated[StrictStr, Field(max_length=2000)]
Email = Annotated[StrictStr, Field(max_length=254, pattern=r"^$|^[^@\s]+@[^@\s]+$")]


class SupplierBody(BaseModel):
    name: Name
    mpesa_number: Phone
    email: Email | None = None
    notes: Notes = ""


class SupplierChanges(BaseModel):
    """What is not sent stays. Another ``mpesa_number`` needs a ``reason``."""

    name: Name | None = None
    mpesa_number: Phone | None = None
    reason: Annotated[StrictStr, Field(max_length=numbers.MOST_WORDS)] | None = None
    email: Email | None = None
    notes: Notes | None = None
    is_active: StrictBool | None = None


class SupplierAnswer(Answer):
    """``cooling_off_until`` is until when payouts need a second admin, since the number is new."""

    id: Uuid
    name: str
    mpesa_number: str = Field(examples=["254712345678"])
    email: str | None
    notes: str
    is_active: bool
    cooling_off_until: Moment | None
    created_at: Moment


class SuppliersAnswer(Answer):
    results: list[SupplierAnswer]
    total: int
    page: int


@suppliers_api.get("")
@documented(
    "List the suppliers", SuppliersAnswer, pages=20, query={"search": "Part of a name or number."}
)
@staff_only(May.SEE)
def list_suppliers() -> ResponseReturnValue:
    page, per_page = page_of(request)
    found, total = service.page_of_suppliers(page, per_page, request.args.get("search", ""))
    rows = [told(supplier) for supplier in found]
    return jsonify(SuppliersAnswer(results=rows, total=total, page=page).model_dump())


@suppliers_api.post("")
@documented("Add a supplier", {201: SupplierAnswer}, body=SupplierBody, refusals=(InvalidPhone,))
@staff_only(May.PAY_OUT)
def create_supplier() -> ResponseReturnValue:
    body = parse(request, SupplierBody)
    supplier = service.create(
        body.name, body.mpesa_number, require_person(), email=body.email, notes=body.notes
    )
    return jsonify(told(supplier).model_dump()), 201


@suppliers_api.get("/<supplier_id>")
@documented("Read a supplier", SupplierAnswer, refusals=(NotFound,), names=_NAMES)
@staff_only(May.SEE)
def get_supplier(supplier_id: str) -> ResponseReturnValue:
    return jsonify(told(service.find(supplier_id)).model_dump())


@suppliers_api.patch("/<supplier_id>")
@documented(
    "Change a supplier",
    SupplierAnswer,
    body=SupplierChanges,
    refusals=(NotFound, InvalidPhone, Conflict),
    names=_NAMES,
    about="Another number is kept in the history, shown to the other admins, and cools off: for a "
    "while payouts to it need a second admin.",
)
@staff_only(May.PAY_OUT)
def change_supplier(supplier_id: str) -> ResponseReturnValue:
    body = parse(request, SupplierChanges)
    service.change(
        service.find(supplier_id),
        require_person(),
        name=body.name,
        email=body.email,
        notes=body.notes,
        is_active=body.is_active,
        number=body.mpesa_number,
        reason=body.reason or "",
    )
    return jsonify(told(service.find(supplier_id)).model_dump())


def told(supplier: Supplier) -> SupplierAnswer:
    """Tell a supplier as this API does."""
    cools = numbers.cooling_now(supplier.id)
    return SupplierAnswer(
        id=str(supplier.uuid),
        name=supplier.name,
        mpesa_number=supplier.mpesa_number,
        email=supplier.email,
        notes=supplier.notes,
        is_active=supplier.is_active,
        cooling_off_until=iso_seconds(cools) if cools else None,
        created_at=iso_seconds(supplier.created_at),
    )
