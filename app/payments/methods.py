"""Ways to pay: what each of them takes, and the numbers that people have kept for it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import (
    Boolean,
    ForeignKey,
    Index,
    String,
    UniqueConstraint,
    delete,
    func,
    select,
    text,
    update,
)
from sqlalchemy.orm import Mapped, Session, mapped_column

from app.accounts.models import Person
from app.core.clock import now
from app.core.columns import BigId, UtcDateTime
from app.core.errors import AmountTooHigh, AmountTooLow, Conflict, InvalidCurrency, NotFound
from app.core.money import Kes
from app.core.statements import rows_changed
from app.core.texts import marked, said
from app.core.unit_of_work import transaction
from app.extensions import Model, db
from app.settings.service import settings

MPESA = "mpesa"
CURRENCY = "KES"
MOST_METHODS = 10
#: Daraja takes whole shillings, so the least is one.
LEAST_CENTS = 100

_DEFAULT_SQL = text("is_default")


class PaymentMethod(Model):
    """A number that a person has kept to pay from. ``phone`` is twelve digits.

    A person keeps a number once, and at most one of their numbers is the default.
    """

    __tablename__ = "payment_methods"
    __table_args__ = (
        UniqueConstraint("person_id", "type", "phone"),
        Index(
            "uq_payment_methods_one_default",
            "person_id",
            unique=True,
            sqlite_where=_DEFAULT_SQL,
            postgresql_where=_DEFAULT_SQL,
        ),
    )

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    person_id: Mapped[int] = mapped_column(ForeignKey("people.id"))
    type: Mapped[str] = mapped_column(String(16), default=MPESA)
    phone: Mapped[str] = mapped_column(String(12))
    is_default: Mapped[bool] = mapped_column(Boolean, default=False)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=now)


def require_payable(amount_cents: int) -> None:
    """Hold an amount against the method's limits. Raises AmountTooLow or AmountTooHigh, and
    Conflict for a rest with cents, which no prompt can ask for.
    """
    if amount_cents % 100:
        raise Conflict(
            said(
                "{amount} cannot be asked for: M-Pesa takes whole shillings. "
                "Ask the shop to settle this order; nothing was charged.",
                amount=Kes(amount_cents),
            )
        )
    if amount_cents < LEAST_CENTS:
        raise AmountTooLow
    most_shillings = settings().max_amount_shillings
    if amount_cents > most_shillings * 100:
        raise AmountTooHigh(most_shillings)


def require_currency(currency: object) -> None:
    """Hold a currency that a caller names against the method's own. Raises InvalidCurrency."""
    if currency not in (None, CURRENCY):
        raise InvalidCurrency


def methods_of(person: Person) -> Sequence[PaymentMethod]:
    """Return what a person has kept, the default first and then the oldest."""
    query = (
        select(PaymentMethod)
        .where(PaymentMethod.person_id == person.id)
        .order_by(PaymentMethod.is_default.desc(), PaymentMethod.id)
    )
    return db.session.scalars(query.limit(MOST_METHODS)).all()


def keep(person: Person, number: str, *, is_default: bool) -> tuple[PaymentMethod, bool]:
    """Keep a number of twelve digits; return the method, and whether it is a new one.

    One that is kept already is found again, and made the default where that is asked for.
    Raises Conflict when the person has MOST_METHODS.
    """
    person_id = person.id
    with transaction() as session:
        # Two requests of one person come through here one after the other.
        session.execute(select(Person.id).where(Person.id == person_id).with_for_update())
        method = _known(session, person_id, number)
        is_new = method is None
        if method is None:
            _require_room(session, person_id)
            method = PaymentMethod(person_id=person_id, phone=number)
            session.add(method)
            session.flush()
        if is_default:
            _make_default(session, method)
    return method, is_new


def forget(person: Person, method_id: int) -> None:
    """Remove one of a person's kept numbers. Raises NotFound, also for somebody else's."""
    mine = delete(PaymentMethod).where(
        PaymentMethod.id == method_id, PaymentMethod.person_id == person.id
    )
    with transaction() as session:
        if rows_changed(session, mine) != 1:
            raise NotFound(marked("There is no such payment method, or it is not yours."))


def _known(session: Session, person_id: int, number: str) -> PaymentMethod | None:
    return session.scalar(
        select(PaymentMethod).where(
            PaymentMethod.person_id == person_id,
            PaymentMethod.type == MPESA,
            PaymentMethod.phone == number,
        )
    )


def _require_room(session: Session, person_id: int) -> None:
    kept = select(func.count()).where(PaymentMethod.person_id == person_id)
    if (session.scalar(kept) or 0) >= MOST_METHODS:
        raise Conflict(
            said(
                "You have kept {most} numbers already. Remove one before you add another.",
                most=MOST_METHODS,
            ),
            details={"maximum": MOST_METHODS},
        )


def _make_default(session: Session, method: PaymentMethod) -> None:
    # The old default goes first: the database allows one at any moment.
    others = (PaymentMethod.person_id == method.person_id, PaymentMethod.id != method.id)
    session.execute(update(PaymentMethod).where(*others).values(is_default=False))
    method.is_default = True
