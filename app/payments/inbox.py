"""Callbacks: kept first, understood afterwards, believed only with proof.

Daraja signs nothing. Two proofs take a signature's place: the secret token of the attempt, which
only its callback address carries, and the caller's address. A callback with both is acted on
directly. One proof is a reason to ask Daraja, whose answer decides; so is none, as long as that
costs little, and by itself it changes nothing.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Select, case, or_, select, update
from sqlalchemy.orm import Session

from app.core.clock import now
from app.core.unit_of_work import after_commit, rehearsal, transaction
from app.extensions import db
from app.monitoring.meters import count_callback
from app.mpesa.callbacks import Unreadable, read_stk_callback
from app.mpesa.messages import StkCallback
from app.orders.models import Order
from app.payments.asking import ask_soon
from app.payments.evidence import Evidence, Outcome
from app.payments.models import InboxMessage, Payment
from app.payments.schedule import pause_after
from app.payments.sealing import SealedBody, opened
from app.payments.settle import RECEIPT_REUSED, settle

logger = logging.getLogger("payments.mpesa")

#: Whoever kept a callback is given so long to act on it before the sweep does.
HANDLING_SECONDS = 10
#: A callback that cannot be acted on is tried so often, and then left to a person.
MOST_TRIES = 10
#: An unknown id may be that of a push whose answer is still on its way.
STRAY_SECONDS = 30
_OVERTAKERS = 20


@dataclass(frozen=True)
class Rehearsed:
    """What a dry run found: the verdict, and how payment and order stand before and after."""

    verdict: str
    before: dict[str, str]
    after: dict[str, str]


def handle(inbox_id: int) -> str:
    """Understand a kept callback and act on it; return the verdict, which is kept beside it.

    Raises SealedBody, and whatever the database raises.
    """
    message = db.session.get_one(InboxMessage, inbox_id)
    try:
        callback = read_stk_callback(opened(message.raw))
    except Unreadable as error:
        return _close(inbox_id, f"unreadable: {error}", None, None)
    payment, token_fits = _match(message, callback)
    if payment is None:
        return _close(inbox_id, *_unknown(message, callback))
    payment_id = payment.id
    if _may_settle(message, token_fits, payment, callback):
        verdict = _settle(payment_id, callback, message, token_fits)
    else:
        adopted = callback.checkout_request_id if token_fits else None
        proofs = _proof_words(message.origin_proven, token_fits, callback)
        verdict = f"{proofs}: {ask_soon(payment_id, adopted)}"
    return _close(inbox_id, verdict, payment_id, callback)


def handle_again(inbox_id: int) -> str:
    """Act on a kept callback. What goes wrong is noted: it is tried again, later each time, and
    stands before a person after MOST_TRIES. Raises what went wrong.
    """
    try:
        return handle(inbox_id)
    except Exception as error:
        db.session.rollback()
        _note_failure(inbox_id, error)
        raise


def _note_failure(inbox_id: int, error: Exception) -> None:
    with transaction() as session:
        message = session.get_one(InboxMessage, inbox_id, populate_existing=True)
        message.tries += 1
        message.next_try_at = now() + pause_after(message.tries)
        why = str(error) if isinstance(error, SealedBody) else type(error).__name__
        message.verdict = f"not acted on yet, tried {message.tries}x: {why}"


def dry_run(inbox_id: int) -> Rehearsed:
    """Tell what today's code would do with a kept callback, and do nothing.

    The very same code acts, in a transaction that is never committed.
    """
    with rehearsal() as session:
        before = _standing_of(session, inbox_id)
        verdict = handle(inbox_id)
        return Rehearsed(verdict, before, _standing_of(session, inbox_id))


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


def is_unhandled(inbox_id: int) -> bool:
    """Tell whether nobody has acted on a kept callback yet."""
    query = select(InboxMessage.id).where(
        InboxMessage.id == inbox_id, InboxMessage.handled_at.is_(None)
    )
    return db.session.scalar(query) is not None


def unhandled_ids(limit: int) -> list[int]:
    """Return callbacks that were kept but not acted on: the process ended in between."""
    before = now() - timedelta(seconds=HANDLING_SECONDS)
    query = _unhandled().where(InboxMessage.received_at < before)
    return list(db.session.scalars(query.order_by(InboxMessage.id).limit(limit)))


def unhandled_of(payment_id: int) -> list[int]:
    """Return callbacks to a payment's own address that nobody has acted on yet."""
    query = _unhandled().where(InboxMessage.token_payment_id == payment_id)
    return list(db.session.scalars(query.order_by(InboxMessage.id).limit(_OVERTAKERS)))


def _unhandled() -> Select[int]:
    due = or_(InboxMessage.next_try_at.is_(None), InboxMessage.next_try_at <= now())
    return select(InboxMessage.id).where(
        InboxMessage.handled_at.is_(None), due, InboxMessage.tries < MOST_TRIES
    )


def receipt_told(payment_id: int) -> str | None:
    """Return the receipt that the newest success with some proof names.

    The attempt's own token is believed before a caller's address, and a callback without any
    proof never: a forger could plant a receipt. Of one with a single proof only the receipt is
    taken, never the amount: no query confirms an amount, and what a prompt asks for cannot be
    changed by its payer.
    """
    has_token = case((InboxMessage.token_payment_id == payment_id, 1), else_=0)
    told = db.session.scalars(
        select(InboxMessage)
        .where(InboxMessage.payment_id == payment_id)
        .order_by(has_token.desc(), InboxMessage.id.desc())
        .limit(_OVERTAKERS)
    )
    for message in told:
        callback = _read_again(message)
        proven = message.origin_proven or message.token_payment_id == payment_id
        if callback and callback.is_success and callback.receipt and proven:
            return callback.receipt
    return None


def _read_again(message: InboxMessage) -> StkCallback | None:
    """Read a callback that was understood before, unless the key it was kept with is gone."""
    try:
        return read_stk_callback(opened(message.raw))
    except SealedBody as error:
        logger.error("callback %s: %s", message.id, error)
        return None


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


def _settle(payment_id: int, callback: StkCallback, message: InboxMessage, token_fits: bool) -> str:
    proven = message.origin_proven and token_fits
    verdict = settle(payment_id, _outcome(callback, proven, message))
    if verdict == RECEIPT_REUSED:
        return f"its receipt is another payment's: {ask_soon(payment_id)}"
    return verdict


def _unknown(
    message: InboxMessage, callback: StkCallback
) -> tuple[str, int | None, StkCallback, datetime | None]:
    """Give the verdict on a callback that names nothing of ours.

    From a proven address it may speak of money that moved all the same, so Daraja is asked, once
    the answer to a push that it overtook would have come.
    """
    worth_asking = message.origin_proven and callback.is_success and not callback.is_doubtful
    if not worth_asking:
        return "unknown CheckoutRequestID", None, callback, None
    due = now() + timedelta(seconds=STRAY_SECONDS)
    return "unknown CheckoutRequestID: Daraja will be asked", None, callback, due


def _may_settle(
    message: InboxMessage, token_fits: bool, payment: Payment, callback: StkCallback
) -> bool:
    if callback.is_doubtful:
        return False
    if payment.is_completed:
        # The money is confirmed already; all that can be learned here is its receipt.
        return message.origin_proven or token_fits
    return message.origin_proven and token_fits


def _merchant_fits(payment: Payment | None, callback: StkCallback) -> bool:
    ours = payment.merchant_request_id if payment else None
    return not ours or not callback.merchant_request_id or ours == callback.merchant_request_id


def _close(
    inbox_id: int,
    verdict: str,
    payment_id: int | None,
    callback: StkCallback | None,
    next_try_at: datetime | None = None,
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
                next_try_at=next_try_at,
            )
        )
        after_commit(lambda: count_callback(verdict))
    logger.info("M-Pesa callback %s: %s", inbox_id, verdict)
    return verdict


def _outcome(callback: StkCallback, proven: bool, message: InboxMessage) -> Outcome:
    return Outcome(
        result_code=callback.result_code,
        result_desc=callback.result_desc,
        evidence=Evidence.PROVEN_CALLBACK if proven else Evidence.CALLBACK,
        actor=f"daraja: callback {message.id} from {message.peer}",
        amount_cents=callback.amount_cents,
        receipt=callback.receipt,
        checkout_request_id=callback.checkout_request_id,
        merchant_request_id=callback.merchant_request_id,
    )


def _proof_words(origin_proven: bool, token_fits: bool, callback: StkCallback) -> str:
    if callback.amount_problem:
        return callback.amount_problem
    if origin_proven and token_fits:
        return "success without amount or receipt"
    if token_fits:
        return "token fits, caller not on the list"
    if origin_proven:
        return "caller on the list, token missing or not fitting"
    return "not proven"


def _standing_of(session: Session, inbox_id: int) -> dict[str, str]:
    """Say how the payment and order stand that a callback belongs to."""
    message = session.get_one(InboxMessage, inbox_id, populate_existing=True)
    payment_id = message.payment_id or message.token_payment_id
    if payment_id is None:
        return {}
    payment = session.get_one(Payment, payment_id, populate_existing=True)
    order = session.get_one(Order, payment.order_id, populate_existing=True)
    return {
        "payment": payment.public_ref,
        "payment_status": payment.status,
        "receipt": payment.mpesa_receipt or "",
        "order": str(order.number),
        "order_status": order.status,
    }
