"""What a product may be: one rule for the API and for the back office's form."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BaseModel, Field, StrictInt, StringConstraints

from app.core.errors import InvalidAmount, ValidationError
from app.core.money import cents_from_shillings
from app.core.reading import check
from app.core.texts import marked, said
from app.openapi import Shillings, integral
from app.orders.models import Kind

MOST_NAME = 120
MOST_STOCK = 1_000_000
MOST_DESCRIPTION = 2000
_LONGEST_STOCK = 9

Stock = Annotated[
    Annotated[StrictInt, Field(ge=0, le=MOST_STOCK), integral] | None,
    Field(description="Null is unlimited.", examples=[40]),
]
Name = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=MOST_NAME),
    Field(examples=["Kiondo basket"]),
]

#: What the form says beside a field that the rule refuses.
_WORDS = {
    "name": said("Give it a name, in 1 to {most} characters.", most=MOST_NAME),
    "kind": marked("Choose goods or a course."),
    "stock": said(
        "The stock is a whole number from 0 to {most}. Leave it blank where there is always "
        "enough.",
        most=f"{MOST_STOCK:,}",
    ),
    "description": said(
        "The description takes {most} characters at most.", most=f"{MOST_DESCRIPTION:,}"
    ),
    "price": InvalidAmount(marked("The price")).message,
}


class ProductBody(BaseModel):
    name: Name
    kind: Kind = Kind.GOODS
    price: Shillings
    stock: Stock = None
    description: str = Field(default="", max_length=MOST_DESCRIPTION)


class ProductChanges(BaseModel):
    """What is not sent stays as it is. Only the stock may be null, which is unlimited."""

    name: Name = ""
    price: Shillings = None
    stock: Stock = None
    description: str = Field(default="", max_length=MOST_DESCRIPTION)


def fields_of(form: Mapping[str, str]) -> dict[str, Any]:
    """Read the back office's form: name, kind, price_cents, stock and description.

    Raises ValidationError; its details have ``fields``, which says in words what is wrong with
    each field that is.
    """
    wrong: set[str] = set()
    price_cents = _price_cents(form.get("price", ""), wrong)
    body = _body(form, wrong)
    if body is None or wrong:
        raise ValidationError(
            marked("Nothing was stored. Look at what is marked below."),
            details={"fields": {name: words for name, words in _WORDS.items() if name in wrong}},
        )
    return body.model_dump(exclude={"price"}) | {"kind": str(body.kind), "price_cents": price_cents}


def stock_of(text: str) -> int | str | None:
    """Return the stock that a text means; None for a blank, and the text where it is no number."""
    bare = text.strip()
    if not bare:
        return None
    is_number = bare.isascii() and bare.isdigit() and len(bare) <= _LONGEST_STOCK
    return int(bare) if is_number else bare


def _price_cents(text: str, wrong: set[str]) -> int:
    try:
        return cents_from_shillings(text, "price")
    except InvalidAmount:
        wrong.add("price")
        return 0


def _body(form: Mapping[str, str], wrong: set[str]) -> ProductBody | None:
    values = {
        "name": form.get("name", ""),
        "kind": form.get("kind", ""),
        "price": form.get("price", ""),
        "stock": stock_of(form.get("stock", "")),
        # A form sends line breaks as two characters, which would not be those that were typed.
        "description": form.get("description", "").replace("\r\n", "\n").strip(),
    }
    try:
        return check(values, ProductBody)
    except ValidationError as refusal:
        wrong.update(name.partition(".")[0] for name in refusal.details["fields"])
        return None
