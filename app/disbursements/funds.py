"""The float: what the paying shortcode holds, as far as it is known, and what may leave."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import Select, and_, func, select, update
from sqlalchemy.orm import Session

from app.core.clock import now
from app.core.texts import marked, said
from app.core.unit_of_work import end_reads, transaction
from app.disbursements import provider
from app.disbursements.models import Channel, Disbursement, FloatReading
from app.disbursements.states import SENT, OutStatus
from app.extensions import db
from app.mpesa.out_messages import OutAccepted, OutResult
from app.mpesa.results import balances_cents, funds_cents

#: However much waits, Daraja is asked for the balance this seldom.
ASK_EVERY_SECONDS = 60
#: After so many questions without an answer the last known balance is not counted on any more.
MOST_VAIN_QUESTIONS = 3
#: Where a reading comes from: a question of ours, or the result of the payment named after this.
QUESTION = "question"
RESULT_OF = "result of "
#: Names that a balance answer gives the account that B2C draws on (paybills, tills).
_UTILITY = ("Utility Account", "Merchant Account")
_WORKING = ("Working Account", "MMF Account")


def latest(session: Session, shortcode: str) -> FloatReading | None:
    """Return the newest answered reading."""
    query = _answered(shortcode).order_by(FloatReading.answered_at.desc(), FloatReading.id.desc())
    return session.scalar(query.limit(1))


def available_cents(session: Session, shortcode: str, *, locked: bool = False) -> int | None:
    """Return what can still leave, at least; None while nothing is known.

    It is the last known balance less all that may have left since, or whose end is not known.
    ``locked`` keeps two payouts from counting on the same money.
    """
    if locked:
        _take_turns(session, shortcode)
    reading = latest(session, shortcode)
    if reading is None or reading.utility_cents is None or _is_outdated(session, reading):
        return None
    by_b2c = select(func.coalesce(func.sum(Disbursement.amount_cents), 0)).where(
        Disbursement.channel == Channel.B2C
    )
    since = and_(
        Disbursement.status == OutStatus.COMPLETED,
        Disbursement.completed_at > reading.asked_at,
        # What a payment's own result says is left is told without that payment.
        RESULT_OF + Disbursement.public_ref != reading.source,
    )
    # One question with two sums, each by an index of its own: an OR reads the whole table, and
    # two questions could miss a payment that is completed in between.
    gone = select(
        by_b2c.where(Disbursement.status.in_(SENT)).scalar_subquery()
        + by_b2c.where(since).scalar_subquery()
    )
    return reading.utility_cents - int(session.scalar(gone) or 0)


def learn_from_result(
    session: Session, shortcode: str, record: Disbursement, result: OutResult
) -> None:
    """Keep what a payment's result says is left, in the caller's transaction.

    It was left at some moment after the payment was sent: a result may come late.
    """
    utility = funds_cents(result, "Utility")
    if utility is None:
        return
    session.add(
        FloatReading(
            shortcode=shortcode,
            asked_at=record.sent_at or now(),
            answered_at=now(),
            utility_cents=utility,
            working_cents=funds_cents(result, "Working"),
            charges_cents=funds_cents(result, "ChargesPaid"),
            source=f"{RESULT_OF}{record.public_ref}",
        )
    )


def learn_from_answer(reading_id: int, result: OutResult) -> str:
    """Keep the answer to a question about the balance, once."""
    held = balances_cents(result)
    utility = next((held[name] for name in _UTILITY if name in held), None)
    problem = None if utility is not None else f"{result.code} {result.description}".strip()
    values = {
        "answered_at": now(),
        "utility_cents": utility,
        "working_cents": next((held[name] for name in _WORKING if name in held), None),
        "charges_cents": held.get("Charges Paid Account"),
        "problem": problem[:255] if problem else None,
    }
    with transaction() as session:
        session.execute(
            update(FloatReading)
            .where(FloatReading.id == reading_id, FloatReading.answered_at.is_(None))
            .values(**values)
        )
        if utility is not None:
            _wake_waiting(session)
    return "the float is known" if utility is not None else f"no balance: {problem}"


def ask() -> str:
    """Have Daraja tell the balance, unless it was asked a moment ago.

    Raises NotConfigured and NoTunnel.
    """
    out, doors = provider.money_out(), provider.doors()
    reading = _begin_reading(out.settings.shortcode)
    if reading is None:
        return marked("asked a moment ago")
    reading_id, addresses = reading.id, doors.with_secret("balance", reading.token)
    end_reads()
    answer = out.ask_balance(addresses)
    if isinstance(answer, OutAccepted):
        return marked("Daraja is asked")
    _fail_reading(reading_id, type(answer).__name__)
    return said("Daraja could not be asked: {answer}", answer=str(answer))


def reading_of_token(token: str) -> int | None:
    """Return the question whose secret this is."""
    return db.session.scalar(select(FloatReading.id).where(FloatReading.token == token))


def _answered(shortcode: str) -> Select[FloatReading]:
    return select(FloatReading).where(
        FloatReading.shortcode == shortcode, FloatReading.utility_cents.is_not(None)
    )


def _take_turns(session: Session, shortcode: str) -> None:
    """Have whoever decides by the same float wait until our transaction ends.

    The oldest reading stays the same row, whatever becomes known while somebody waits for it.
    """
    session.execute(_answered(shortcode).order_by(FloatReading.id).limit(1).with_for_update())


def _is_outdated(session: Session, reading: FloatReading) -> bool:
    """Tell whether Daraja has been asked so often in vain that nobody knows what is there now.

    Who may pay need not be allowed to see the balance: a float that was filled up would else be
    held short for ever.
    """
    vain = select(func.count()).where(
        FloatReading.shortcode == reading.shortcode,
        FloatReading.source == QUESTION,
        FloatReading.asked_at > (reading.answered_at or reading.asked_at),
        FloatReading.asked_at < now() - timedelta(seconds=ASK_EVERY_SECONDS),
        FloatReading.utility_cents.is_(None),
    )
    return int(session.scalar(vain) or 0) >= MOST_VAIN_QUESTIONS


def _begin_reading(shortcode: str) -> FloatReading | None:
    long_ago = now() - timedelta(seconds=ASK_EVERY_SECONDS)
    with transaction() as session:
        _take_turns(session, shortcode)
        recent = select(FloatReading.id).where(
            FloatReading.shortcode == shortcode,
            FloatReading.source == QUESTION,
            FloatReading.asked_at > long_ago,
        )
        if session.scalar(recent.limit(1)) is not None:
            return None
        reading = FloatReading(shortcode=shortcode, source=QUESTION)
        session.add(reading)
        return reading


def _fail_reading(reading_id: int, why: str) -> None:
    with transaction() as session:
        session.execute(
            update(FloatReading)
            .where(FloatReading.id == reading_id, FloatReading.answered_at.is_(None))
            .values(problem=why[:255])
        )


def _wake_waiting(session: Session) -> None:
    """Let what waited for the float be tried at the next sweep."""
    session.execute(
        update(Disbursement)
        .where(Disbursement.status == OutStatus.QUEUED, Disbursement.held == "float_short")
        .values(next_check_at=now())
        .execution_options(synchronize_session=False)
    )
