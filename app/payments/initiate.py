"""Starting a payment: write the intent, commit, call Daraja, record the answer."""

from __future__ import annotations

import logging
import secrets
import time
from dataclasses import dataclass
from datetime import timedelta
from urllib.parse import urlencode

from sqlalchemy import bindparam, select, update
from sqlalchemy.exc import IntegrityError, OperationalError
from sqlalchemy.orm import Session, joinedload

from app.accounts.models import Person
from app.core import idempotency
from app.core.clock import now
from app.core.errors import (
    AmountMismatch,
    Busy,
    Conflict,
    InvalidPhone,
    LipaError,
    OrderAlreadyPaid,
    PaymentInProgress,
    ProviderUnavailable,
)
from app.core.money import Kes, shillings_number, whole_shillings
from app.core.texts import marked, said
from app.core.unit_of_work import after_commit, end_reads, transaction
from app.extensions import db
from app.mpesa.messages import PushAccepted, PushAnswer, PushRefused, StkPush
from app.mpesa.phone import is_wire_form, msisdn
from app.mpesa.service import MpesaService
from app.mpesa.settings import MissingSettings, MpesaSettings
from app.orders import service as orders
from app.orders.models import Order
from app.orders.states import OrderStatus
from app.payments import asking_again, inbox
from app.payments.methods import require_payable
from app.payments.models import Payment
from app.payments.phones import take_phone
from app.payments.provider import mpesa
from app.payments.queries import PAID_CENTS
from app.payments.schedule import FIRST_ASK_SECONDS, quiet_after
from app.payments.settle import move, persistently
from app.payments.signals import check_wanted
from app.payments.states import LIVE, Event, Status
from app.payments.timeline import note
from app.payments.turns import Turns
from app.payments.words import refusal
from app.settings.service import callback_url, settings
from app.tunnel import NoTunnel

logger = logging.getLogger("payments.mpesa")

_SUFFIX_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
_NAME_TRIES = 20
_NEVER_SENT = ("refused_unreachable", "refused_throttled")
#: How long a second request waits for the first one's ids before it answers without them.
FOLLOWER_WAIT_SECONDS = 2.0
#: So many requests of a process write at once; Daraja is asked by as many as there are. What it
#: has answered is written down before more of it is asked.
AT_ONCE = 8
#: With Daraja's answer behind it, that is still less than a proxy waits for ours. Whoever was not
#: let in by then has sent nothing, and is told when to come again.
TURN_SECONDS = 12.0
_turns = Turns(AT_ONCE, TURN_SECONDS)

_LIVE_ID = (
    select(Payment.id)
    .where(Payment.order_id == bindparam("order_id"), Payment.status.in_(LIVE))
    .scalar_subquery()
)
#: The live attempt of an order, if there is one, and what was paid of it. Every initiation asks
#: both questions: they are put together once, and travel as one.
_STANDING = select(_LIVE_ID, PAID_CENTS.scalar_subquery())
_WHOLE = (
    select(Payment)
    .options(joinedload(Payment.order).lazyload(Order.lines))
    .where(Payment.id == bindparam("payment_id"))
    .execution_options(populate_existing=True)
)

_CLOSED = {
    OrderStatus.CANCELLED: marked(
        "This order is cancelled. Place a new one; nothing new was sent."
    ),
    OrderStatus.EXPIRED: marked("This order is expired. Place a new one; nothing new was sent."),
}


@dataclass(frozen=True)
class _Wanted:
    """What somebody asks for, see ``start``."""

    order_id: int
    phone: str
    asker: str
    asker_id: int | None
    amount_cents: int | None
    may_ask_again: bool


def initiate(
    *,
    person: Person,
    order_ref: object,
    phone: str,
    amount_cents: int | None = None,
    strict_phone: bool = False,
    may_ask_again: bool = False,
) -> Payment:
    """Send one prompt for what is owed on an order, or give the live attempt back.

    The amount is always the order's; one that the caller sends must equal it. Returns the
    attempt: pending, or unconfirmed when nobody knows whether the prompt was sent. Raises a
    LipaError when nothing was sent, among them PhoneBusy. ``may_ask_again`` is said by pages
    that show that the prompt comes once more by itself (see ``asking_again``).
    """
    number = readable_phone(phone, strict=strict_phone)
    order = orders.find_order(order_ref, person)
    return start(
        order,
        number,
        asker=f"person {person.id}",
        asker_id=person.id,
        amount_cents=amount_cents,
        may_ask_again=may_ask_again,
    )


def start(
    order: Order,
    number: str,
    *,
    asker: str,
    asker_id: int | None = None,
    amount_cents: int | None = None,
    may_ask_again: bool = False,
) -> Payment:
    """Send one prompt for an order to a number of twelve digits; see ``initiate``.

    Whoever calls has found out that ``asker`` may pay this order. ``asker_id`` is the person who
    asks, if one has signed in: only they are told of another order of theirs.
    """
    wanted = _Wanted(order.id, number, asker, asker_id, amount_cents, may_ask_again)
    with _turns.turn(first=False):
        service = _service()
        if (begun := _begun_earlier()) is not None:
            payment_id, prompt = begun, None
        else:
            payment_id, prompt = _write_intent(wanted, _callback_url(service.settings))
    if prompt is None:
        return _follow(payment_id)
    end_reads()
    answer = service.push(prompt)
    return record_answer(payment_id, answer)


def record_answer(payment_id: int, answer: PushAnswer) -> Payment:
    """Write down what Daraja said to a push, then hear any callback that was faster.

    Raises ProviderRefused or ProviderUnavailable when nothing was sent to the phone.
    """
    try:
        with _turns.turn(first=True):
            persistently(lambda session: _apply_answer(session, payment_id, answer))
    except (OperationalError, Busy):
        # The prompt may be on the phone: "try again" would be a lie. The attempt stays as it
        # was written, and its token brings the callback home.
        logger.exception("what Daraja answered for payment %s could not be written", payment_id)
        return _with_order(payment_id)
    if isinstance(answer, PushAccepted):
        inbox.handle_overtakers(answer.checkout_request_id)
    payment = _with_order(payment_id)
    if isinstance(answer, PushRefused):
        raise refusal(answer, payment)
    return payment


def _with_order(payment_id: int) -> Payment:
    """Return an attempt as it stands now, with its order: whoever answers speaks of both."""
    return db.session.scalars(_WHOLE, {"payment_id": payment_id}).one()


def _service() -> MpesaService:
    try:
        return mpesa()
    except MissingSettings as error:
        raise ProviderUnavailable(str(error)) from error


def _callback_url(account: MpesaSettings) -> str | NoTunnel:
    """Return where the prompt's callback shall go, or why there is no such place just now."""
    try:
        return callback_url(account)
    except NoTunnel as missing:
        # Whoever has a live prompt already is told of that one, and needs no address.
        return missing


def readable_phone(phone: str, *, strict: bool = False) -> str:
    """Return a number's twelve digits. ``strict`` takes no other form. Raises InvalidPhone."""
    number = msisdn(phone)
    if number is None or (strict and not is_wire_form(phone)):
        raise InvalidPhone(details={"field": "phone_number"})
    return number


def _write_intent(wanted: _Wanted, callback: str | NoTunnel) -> tuple[int, StkPush | None]:
    """Commit the attempt before anything is sent. Returns no prompt when one is live already."""
    for _ in range(_NAME_TRIES):
        try:
            with transaction() as session:
                order = orders.lock_order(session, wanted.order_id)
                live_id, paid = session.execute(_STANDING, {"order_id": order.id}).one()
                if live_id is not None:
                    idempotency.bind(session, _subject(live_id))
                    return live_id, None
                owed = _owed(order, int(paid), wanted.amount_cents)
                if isinstance(callback, NoTunnel):
                    raise callback
                payment = _new_attempt(session, order, owed, wanted)
                take_phone(session, payment, wanted.asker_id)
                idempotency.bind(session, _subject(payment.id))
                return payment.id, _prompt(payment, order, callback)
        except IntegrityError:
            # Either another request's attempt is live now, or the TXN name was taken.
            continue
    raise PaymentInProgress(retry_after_seconds=5)


def _subject(payment_id: int) -> str:
    return f"payment:{payment_id}"


def _begun_earlier() -> int | None:
    """Return the attempt that an interrupted run of this very request had begun.

    One that never reached Daraja counts for nothing: the repetition begins anew.
    """
    subject = idempotency.subject()
    if subject is None:
        return None
    payment = db.session.get_one(Payment, int(subject.removeprefix("payment:")))
    return None if payment.reason in _NEVER_SENT else payment.id


def _owed(order: Order, paid_cents: int, stated_cents: int | None) -> int:
    if order.status == OrderStatus.PAID:
        raise OrderAlreadyPaid(details={"order_id": str(order.uuid)})
    if order.status == OrderStatus.REVIEW:
        raise Conflict(
            marked(
                "Money for this order has arrived and a person is looking at it. Do not pay again."
            )
        )
    if order.status != OrderStatus.PENDING:
        raise Conflict(_CLOSED[OrderStatus(order.status)])
    owed = order.total_cents - paid_cents
    if stated_cents is not None and stated_cents != owed:
        raise AmountMismatch(shillings_number(owed))
    require_payable(owed)
    return owed


def _new_attempt(session: Session, order: Order, owed_cents: int, wanted: _Wanted) -> Payment:
    expires_at = now() + timedelta(seconds=settings().stk_prompt_seconds)
    payment = Payment(
        public_ref=new_reference(),
        order_id=order.id,
        person_id=order.person_id,
        phone=wanted.phone,
        amount_cents=owed_cents,
        prompt_expires_at=expires_at,
        next_check_at=quiet_after(expires_at),
        may_ask_again=wanted.may_ask_again,
    )
    session.add(payment)
    session.flush()
    asked = said(
        "{amount} asked for on order {number}", amount=Kes(owed_cents), number=order.number
    )
    note(session, payment.id, "created", "", payment.status, wanted.asker, asked)
    # The goods must not be given away while a prompt for them is on a phone.
    order.held_until = max(order.held_until, quiet_after(expires_at))
    return payment


def _prompt(payment: Payment, order: Order, callback: str) -> StkPush:
    return StkPush(
        amount=whole_shillings(payment.amount_cents),
        phone=payment.phone,
        account_reference=order.account_reference,
        description=order.description or f"Order {order.number}",
        callback_url=with_token(callback, payment.callback_token),
    )


def with_token(address: str, token: str) -> str:
    """Return the address that only this attempt's callback knows."""
    joint = "&" if "?" in address else "?"
    return f"{address}{joint}{urlencode({'token': token})}"


def new_reference(prefix: str = "TXN") -> str:
    """Return a fresh public name: prefix, UTC seconds, three random characters.

    Only 46,656 names exist a second: whoever stores one tries again when it is taken.
    """
    suffix = "".join(secrets.choice(_SUFFIX_ALPHABET) for _ in range(3))
    return f"{prefix}{now():%Y%m%d%H%M%S}{suffix}"


def _apply_answer(session: Session, payment_id: int, answer: PushAnswer) -> None:
    actor = "daraja: push answer"
    if isinstance(answer, PushAccepted):
        _apply_acceptance(session, payment_id, answer, actor)
    elif isinstance(answer, PushRefused):
        _apply_refusal(session, payment_id, answer, actor)
    else:
        move(session, payment_id, Event.PUSH_UNANSWERED, actor, answer.why)


def _apply_refusal(session: Session, payment_id: int, answer: PushRefused, actor: str) -> None:
    changes = {
        "result_code": answer.code[:32],
        "result_desc": answer.description,
        "reason": f"refused_{answer.kind}",
        "next_check_at": None,
    }
    why = f"{answer.code} {answer.description}"
    if move(session, payment_id, Event.PUSH_REFUSED, actor, why, **changes):
        refused = session.get_one(Payment, payment_id, populate_existing=True)
        asking_again.plan(session, refused)


def _apply_acceptance(session: Session, payment_id: int, answer: PushAccepted, actor: str) -> None:
    due = now() + timedelta(seconds=FIRST_ASK_SECONDS)
    ids = {
        "merchant_request_id": answer.merchant_request_id,
        "checkout_request_id": answer.checkout_request_id,
        "next_check_at": due,
    }
    why = marked("Daraja queued the prompt")
    if not move(session, payment_id, Event.PUSH_ACCEPTED, actor, why, **ids):
        payment = session.get_one(Payment, payment_id, populate_existing=True)
        if payment.checkout_request_id is None:
            # It was given up before its answer came: what the prompt brings is still ours.
            late = update(Payment).where(Payment.id == payment_id).values(**ids)
            session.execute(late)
            status = payment.status
            note(session, payment_id, Event.PUSH_ACCEPTED, status, status, actor, f"late: {why}")
    after_commit(lambda: check_wanted.send(payment_id=payment_id, at=due))


def _follow(payment_id: int) -> Payment:
    """Give a second request the first one's attempt, with its ids if they come soon.

    Raises what the first request was told when the push was refused in the meantime.
    """
    deadline = time.monotonic() + FOLLOWER_WAIT_SECONDS
    payment = db.session.get_one(Payment, payment_id)
    while payment.status == Status.CREATED and time.monotonic() < deadline:
        end_reads()
        time.sleep(0.05)
        payment = db.session.get_one(Payment, payment_id, populate_existing=True)
    if payment.status == Status.FAILED and payment.checkout_request_id is None:
        raise _earlier_refusal(payment)
    return payment


def _earlier_refusal(payment: Payment) -> LipaError:
    kind = (payment.reason or "").removeprefix("refused_") or "other"
    answer = PushRefused(kind, payment.result_code or "", payment.result_desc or "")  # type: ignore[arg-type]
    return refusal(answer, payment)
