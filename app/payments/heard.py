"""What Daraja posted about a payment: as it came, as it was understood, and what came of it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import or_, select

from app.core.errors import NotFound
from app.core.money import kes
from app.core.reading import MAX_ID
from app.core.texts import marked
from app.extensions import db
from app.monitoring import redact
from app.mpesa.callbacks import Unreadable, read_stk_callback
from app.mpesa.messages import StkCallback
from app.mpesa.phone import masked
from app.payments.models import InboxMessage, Payment
from app.payments.sealing import SealedBody, opened

MOST_CALLBACKS = 100
#: Which of the two proofs a callback came with: its caller, and the payment's own token.
_LISTED_FITS = marked("caller on the list, token fits")
_LISTED_ONLY = marked("caller on the list, no token of this payment")
_FITS_ONLY = marked("caller not on the list, token fits")
_NEITHER = marked("caller not on the list, no token of this payment")


@dataclass(frozen=True)
class Heard:
    """One callback for people. ``raw`` is None for whoever may not read it whole."""

    id: int
    received_at: datetime
    peer: str
    path: str
    proofs: str
    verdict: str
    understood: dict[str, str]
    raw: str | None


def messages_of(payment: Payment) -> Sequence[InboxMessage]:
    """Return every callback that is about a payment or came to its address, oldest first."""
    unclaimed = InboxMessage.payment_id.is_(None) & (InboxMessage.token_payment_id == payment.id)
    mine = or_(InboxMessage.payment_id == payment.id, unclaimed)
    query = select(InboxMessage).where(mine).order_by(InboxMessage.id).limit(MOST_CALLBACKS)
    return db.session.scalars(query).all()


def message_of(payment: Payment, message_id: int) -> InboxMessage:
    """Return one callback of a payment. Raises NotFound for another's."""
    found = db.session.get(InboxMessage, message_id) if 0 < message_id <= MAX_ID else None
    if found is None or payment.id not in (found.payment_id, found.token_payment_id):
        raise NotFound(marked("This payment has no such callback."))
    return found


def heard_of(payment: Payment, *, with_raw: bool) -> list[Heard]:
    """Return the callbacks of a payment for people, oldest first."""
    return [_told(payment, message, with_raw) for message in messages_of(payment)]


def without_secrets(payment: Payment, text: str) -> str:
    """Take a payment's own secret out of a text."""
    return text.replace(payment.callback_token, "***")


def _told(payment: Payment, message: InboxMessage, with_raw: bool) -> Heard:
    try:
        raw = opened(message.raw)
    except SealedBody as error:
        understood, shown = {marked("Problem"): error.message}, error.message
    else:
        # Phones are masked here as on every page; the evidence file has the bytes as they came.
        understood, shown = _understood(raw), redact(without_secrets(payment, _pretty(raw)))
    return Heard(
        id=message.id,
        received_at=message.received_at,
        peer=message.peer,
        path=without_secrets(payment, message.path),
        proofs=_proofs(payment, message),
        verdict=message.verdict or marked("kept, and not acted on yet"),
        understood=understood,
        raw=shown if with_raw else None,
    )


def _proofs(payment: Payment, message: InboxMessage) -> str:
    token_fits = message.token_payment_id == payment.id
    if message.origin_proven:
        return _LISTED_FITS if token_fits else _LISTED_ONLY
    return _FITS_ONLY if token_fits else _NEITHER


def _understood(raw: bytes) -> dict[str, str]:
    try:
        callback = read_stk_callback(raw)
    except Unreadable as error:
        return {marked("Unreadable"): str(error)}
    return _items(callback)


def _items(callback: StkCallback) -> dict[str, str]:
    items = {
        marked("Result"): f"{callback.result_code} {callback.result_desc}",
        marked("Amount"): callback.amount_problem
        or (kes(callback.amount_cents) if callback.amount_cents is not None else ""),
        marked("M-Pesa code"): callback.receipt or "",
        marked("Phone"): masked(callback.phone) if callback.phone else "",
        # It ends with the phone number.
        "CheckoutRequestID": redact(callback.checkout_request_id),
    }
    return {name: value for name, value in items.items() if value}


def _pretty(raw: bytes) -> str:
    """Return JSON indented, and anything else as readable as it gets."""
    try:
        return json.dumps(json.loads(raw), indent=2, ensure_ascii=False)
    except (ValueError, RecursionError):
        return raw.decode("utf-8", "backslashreplace")
