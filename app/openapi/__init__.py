"""What the API says about itself: one line above each route, one document of all of them."""

from __future__ import annotations

from app.openapi.describe import Chapter, chapter, documented, documented_callback
from app.openapi.fields import (
    Answer,
    Moment,
    OrderRef,
    PaymentRef,
    Phone,
    Receipt,
    Shillings,
    StrictPhone,
    TransactionName,
    Uuid,
    WholeShillingsText,
    absent,
    integral,
    one_of,
)
from app.openapi.refusals import MONEY_BACK, PROMPT, codes

__all__ = [
    "MONEY_BACK",
    "PROMPT",
    "Answer",
    "Chapter",
    "Moment",
    "OrderRef",
    "PaymentRef",
    "Phone",
    "Receipt",
    "Shillings",
    "StrictPhone",
    "TransactionName",
    "Uuid",
    "WholeShillingsText",
    "absent",
    "chapter",
    "codes",
    "documented",
    "documented_callback",
    "integral",
    "one_of",
]
