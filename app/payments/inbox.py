"""Callbacks: kept first, understood afterwards, believed only with proof.

Daraja signs nothing. Two proofs take a signature's place: the secret token of the attempt, which
only its callback address carries, and the caller's address. A callback with both is acted on
directly. One proof is a reason to ask Daraja, whose answer decides; so is none, as long as that
costs little, and by itself it changes nothing.
"""

from __future__ import annotations

import hashlib
import hmac
import logging
import re
from datetime import timedelta

from sqlalchemy import delete, select, update
from werkzeug.datastructures import Headers

from app.core.clock import now
from app.core.statements import insert_or_nothing
from app.core.unit_of_work import transaction
from app.extensions import db
from app.mpesa.callbacks import Unreadable, read_stk_callback
from app.mpesa.messages import StkCallback
from app.payments.asking import ask_soon
from app.payments.models import InboxMessage, Payment
from app.payments.settle import Evidence, Outcome, settle

logger = logging.getLogger("payments.mpesa")

MAX_BODY_BYTES = 64 * 1024
#: Only this many callbacks without any proof are kept; the oldest make room.
MOST_UNPROVEN = 10_000
_KEPT_HEADERS = ("Content-Type", "User-Agent", "Businessshortcode", "X-Forwarded-For")
_OVERTAKERS = 20
_TOKEN = re.compile(r"[A-Za-z0-9_-]{1,64}")


def payment_of_token(token: str | None) -> int | None:
    """Return the payment whose secret this is."""
    if not token or not _TOKEN.fullmatch(token):
        return None
    row = db.session.execute(
        select(Payment.id, Payment.callback_token).where(Payment.callback_token == token)
    ).first()
    return row.id if row and hmac.compare_digest(row.callback_token, token) else None


def ingest(
    *,
    raw: bytes,
    path: str,
    peer: str,
    headers: Headers,
    origin_proven: bool,
    token_payment_id: int | None,
) -> int | None:
    """Keep a callback; return its inbox id, or None when the very same one is kept already.

    A repetition keeps nothing new. Raises whatever the database raises: the caller must not
    acknowledge what was not kept.
    """
    proofs = f"{token_payment_id or ''}|{origin_proven}|".encode()
    key = hashlib.sha256(proofs + raw).hexdigest()
    values = {
        "natural_key": key,
        "path": path[:255],
        "peer": peer[:64],
        "headers": {name: headers[name][:255] for name in _KEPT_HEADERS if name in headers},
        "raw": raw,
        "origin_proven": origin_proven,
        "token_payment_id": token_payment_id,
        "received_at": now(),
    }
    with transaction() as session:
        return insert_or_nothing(session, InboxMessage, values, key=["natural_key"])


def handle(inbox_id: int) -> str:
    """Understand a kept callback and act on it; return the verdict, which is kept beside it."""
    message = db.session.get_one(InboxMessage, inbox_id)
    try:
        callback = read_stk_callback(message.raw)
    except Unreadable as error:
        return _close(inbox_id, f"unreadable: {error}", None, None)
    payment, token_fits = _match(message, callback)
    if payment is None:
        return _close(inbox_id, "unknown CheckoutRequestID", None, callback)
    payment_id = payment.id
    if _may_settle(message, token_fits, payment, callback):
        proven = message.origin_proven and token_fits
        verdict = settle(payment_id, _outcome(callback, proven, message))
    else:
        adopted = callback.checkout_request_id if token_fits else None
        proofs = _proof_words(message.origin_proven, token_fits)
        verdict = f"{proofs}: {ask_soon(payment_id, adopted)}"
    return _close(inbox_id, verdict, payment_id, callback)


def handle_overtakers(checkout_request_id: str) -> None:
    """Handle callbacks that came before we knew the CheckoutRequestID they name."""
    waiting = db.session.scalars(
        select(InboxMessage.id)
        .where(
            InboxMessage.checkout_request_id == checkout_request_id,
            InboxMessage.payment_id.is_(None),
        )
        .limit(_OVERTAKERS)
    ).all()
    for inbox_id in waiting:
        handle(inbox_id)


def unhandled_ids(limit: int) -> list[int]:
    """Return callbacks that were kept but not acted on: the process ended in between."""
    before = now() - timedelta(seconds=10)
    query = (
        select(InboxMessage.id)
        .where(InboxMessage.handled_at.is_(None), InboxMessage.received_at < before)
        .order_by(InboxMessage.id)
        .limit(limit)
    )
    return list(db.session.scalars(query))


def receipt_told(payment_id: int) -> str | None:
    """Return the receipt that the newest success with some proof names.

    A callback without any proof is never asked: a forger could plant a receipt. Of one with a
    single proof only the receipt is taken, never the amount: no query confirms an amount, and
    what a prompt asks for cannot be changed by its payer.
    """
    kept = db.session.scalars(
        select(InboxMessage)
        .where(InboxMessage.payment_id == payment_id)
        .order_by(InboxMessage.id.desc())
        .limit(_OVERTAKERS)
    )
    for message in kept:
        callback = read_stk_callback(message.raw)
        proven = message.origin_proven or message.token_payment_id == payment_id
        if callback.is_success and callback.receipt and proven:
            return callback.receipt
    return None


def prune(limit: int = 1000) -> None:
    """Drop the oldest callbacks without proof beyond MOST_UNPROVEN."""
    unproven = select(InboxMessage.id).where(
        InboxMessage.origin_proven.is_(False), InboxMessage.token_payment_id.is_(None)
    )
    surplus = list(
        db.session.scalars(
            unproven.order_by(InboxMessage.id.desc()).offset(MOST_UNPROVEN).limit(limit)
        )
    )
    if surplus:
        with transaction() as session:
            session.execute(delete(InboxMessage).where(InboxMessage.id.in_(surplus)))


def _match(message: InboxMessage, callback: StkCallback) -> tuple[Payment | None, bool]:
    """Find whose callback this is, and whether its token proves that.

    The token finds an attempt whose CheckoutRequestID we never learned. A token of another
    attempt proves nothing, and neither does one beside a foreign MerchantRequestID.
    """
    holder = None
    if message.token_payment_id is not None:
        holder = db.session.get_one(Payment, message.token_payment_id, populate_existing=True)
    # The holder is read first: when the push's answer is committed between the two readings, the
    # second one finds the holder by its new id. The other way round it would be found by neither.
    named = db.session.scalar(
        select(Payment).where(Payment.checkout_request_id == callback.checkout_request_id)
    )
    if named is None and holder is not None and holder.checkout_request_id is None:
        return holder, True
    fits = named is not None and holder is not None and named.id == holder.id
    return named, fits and _merchant_fits(named, callback)


def _may_settle(
    message: InboxMessage, token_fits: bool, payment: Payment, callback: StkCallback
) -> bool:
    if callback.is_bare:
        return False
    if payment.is_completed:
        # The money is confirmed already; all that can be learned here is its receipt.
        return message.origin_proven or token_fits
    return message.origin_proven and token_fits


def _merchant_fits(payment: Payment | None, callback: StkCallback) -> bool:
    ours = payment.merchant_request_id if payment else None
    return not ours or not callback.merchant_request_id or ours == callback.merchant_request_id


def _close(
    inbox_id: int, verdict: str, payment_id: int | None, callback: StkCallback | None
) -> str:
    with transaction() as session:
        session.execute(
            update(InboxMessage)
            .where(InboxMessage.id == inbox_id)
            .values(
                verdict=verdict[:255],
                payment_id=payment_id,
                checkout_request_id=callback.checkout_request_id if callback else None,
                handled_at=now(),
            )
        )
    logger.info("M-Pesa callback %s: %s", inbox_id, verdict)
    return verdict


def _outcome(callback: StkCallback, proven: bool, message: InboxMessage) -> Outcome:
    return Outcome(
        result_code=callback.result_code,
        result_desc=callback.result_desc,
        evidence=Evidence.PROVEN_CALLBACK if proven else Evidence.CALLBACK,
        actor=f"daraja: callback {message.id} from {message.peer}",
        amount_cents=callback.amount_cents,
        amount_problem=callback.amount_problem,
        receipt=callback.receipt,
        checkout_request_id=callback.checkout_request_id,
        merchant_request_id=callback.merchant_request_id,
    )


def _proof_words(origin_proven: bool, token_fits: bool) -> str:
    if origin_proven and token_fits:
        return "success without amount or receipt"
    if token_fits:
        return "token fits, caller not on the list"
    if origin_proven:
        return "caller on the list, token missing or not fitting"
    return "not proven"
