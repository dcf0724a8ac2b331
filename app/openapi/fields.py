"""Fields that many doors share: how each is read, and what the document says of it.

Lengths, patterns and formats stand in the document only: an answer that is about to go out is not
held back for them. The tests hold real answers against the document.
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StrictInt, StrictStr
from pydantic.fields import FieldInfo
from pydantic.json_schema import WithJsonSchema

from app.core.money import MAX_SHILLINGS


class Answer(BaseModel):
    """An answer whose keys are all there, always. One that leaves keys out is a BaseModel."""

    model_config = ConfigDict(json_schema_serialization_defaults_required=True)


def one_of(words: Iterable[str], about: str | None = None) -> FieldInfo:
    """Describe a text of an answer that is always one of these words."""
    named = list(dict.fromkeys(str(word) for word in words))
    told: FieldInfo = Field(description=about, json_schema_extra={"enum": [*named]})
    return told


def absent(**told: Any) -> Any:
    """Describe a key that is left out of an answer unless it is given a value."""
    return Field(default=None, **told)


def _integer_at_last(value: object) -> object:
    """Take ``10.0`` for the integer that it is; what has a real fraction stays as it came."""
    if isinstance(value, Decimal) and value == value.to_integral_value() and abs(value) < 10**20:
        return int(value)
    return value


#: Stands last among what is said of an integer, which JSON may write as ``10`` or ``10.0``.
integral = BeforeValidator(_integer_at_last)

OrderRef = Annotated[
    Annotated[StrictInt, integral] | StrictStr,
    Field(description="An order's number or its UUID.", examples=[7]),
]
PaymentRef = Annotated[
    Annotated[StrictInt, integral] | StrictStr,
    Field(description="A payment's integer, UUID or TXN name.", examples=["TXN20261121090000K7Q"]),
]
Phone = Annotated[
    StrictStr,
    Field(
        description="A Kenyan mobile number as people write one: 0712345678, 712345678, "
        "254712345678 or +254712345678, with or without spaces and dashes.",
        examples=["0712345678"],
    ),
]
StrictPhone = Annotated[
    StrictStr,
    Field(
        description="A Kenyan mobile number as 254712345678 and in no other form, unless the "
        "shop sets PHONE_STRICT_DIALECTS=0.",
        examples=["254712345678"],
    ),
]
#: A caller's amount. ``cents_from_shillings`` reads it, and names InvalidAmount what this refuses.
Shillings = Annotated[
    Any,
    WithJsonSchema(
        {
            "description": "Whole Kenyan shillings, as a number or as text; 1000.00 is whole. "
            "Fractions, signs and exponents are refused, never rounded.",
            "anyOf": [
                {"type": "integer", "minimum": 0, "maximum": MAX_SHILLINGS},
                {"type": "string", "pattern": r"^[0-9]{1,9}(\.0{1,10})?$"},
            ],
            "examples": [1500],
        }
    ),
]
Moment = Annotated[
    str,
    Field(
        description="UTC, to the second.",
        examples=["2026-11-21T09:00:00Z"],
        json_schema_extra={"format": "date-time"},
    ),
]
Uuid = Annotated[
    str,
    Field(examples=["3f0f8f5e-7d0b-4f0e-9a53-2f6f1d7f6c11"], json_schema_extra={"format": "uuid"}),
]
TransactionName = Annotated[
    str,
    Field(
        description="The payment's public name.",
        examples=["TXN20261121090000K7Q"],
        json_schema_extra={"pattern": "^TXN[0-9]{14}[A-Z0-9]{3}$"},
    ),
]
Receipt = Annotated[str, Field(description="M-Pesa's receipt number.", examples=["UKL4XX00XX"])]
WholeShillingsText = Annotated[
    str,
    Field(
        description="Whole Kenyan shillings as text.",
        examples=["1500"],
        json_schema_extra={"pattern": "^[0-9]+$"},
    ),
]
