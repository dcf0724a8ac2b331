"""Which record of ours a row may be about, where no receipt says so.

A pair is made only where the account that was typed, or the number, and the amount and the time
leave one candidate. The row's receipt is then proposed to a person; nothing is written by itself.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import timedelta

from sqlalchemy import or_, select

from app.disbursements.models import Channel, Disbursement
from app.extensions import db
from app.orders.models import Order
from app.payments.models import Credit, Payment
from app.reconciliation.drafts import Told

#: Their clock and ours may differ by so much.
SKEW = timedelta(minutes=5)
#: Nobody answers a prompt later than this, nor does B2C wait longer.
_PROMPT = timedelta(minutes=30)
_OUT_WAIT = timedelta(days=2)
_CHUNK = 500
_NUMBER = re.compile(r"(?:254|0)?([0-9]{0,9})(\*{2,8})([0-9]{0,4})|(?:254|0)([17][0-9]{8})")


def payments_for(rows: Sequence[Told]) -> Iterator[tuple[Told, Payment | None]]:
    """Yield each row of money in beside the one attempt of ours that it may have paid, or None.

    An attempt is offered once. It has no receipt: it ended without money, waits, or was confirmed
    by a query, which names none.
    """
    taken: set[int] = set()
    for at in range(0, len(rows), _CHUNK):
        chunk = rows[at : at + _CHUNK]
        found = _candidates(chunk)
        for row in chunk:
            fitting = [each for each in found if each.id not in taken and _fits(row, each)]
            named = [each for each in fitting if _is_named(row, each)]
            chosen = _the_one(named) or _the_one([p for p in fitting if _rings(row, p.phone)])
            if chosen is not None:
                taken.add(chosen.id)
            yield row, chosen


def _candidates(rows: Sequence[Told]) -> Sequence[Payment]:
    """Find the attempts without a receipt that were made in the time of these rows."""
    first, last = min(row.at for row in rows), max(row.at for row in rows)
    amounts = {row.cents for row in rows}
    query = (
        select(Payment)
        .join(Order)
        .where(
            Payment.mpesa_receipt.is_(None),
            Payment.amount_cents.in_(amounts),
            Payment.created_at.between(first - _PROMPT, last + SKEW),
        )
        .order_by(Payment.id)
        .limit(20 * _CHUNK)
    )
    return db.session.scalars(query).all()


def _fits(row: Told, payment: Payment) -> bool:
    since_prompt = row.at - payment.created_at
    return payment.amount_cents == row.cents and -SKEW <= since_prompt <= _PROMPT


def _is_named(row: Told, payment: Payment) -> bool:
    typed = row.account_ref.strip().upper()
    return bool(typed) and typed == payment.order.account_reference.upper()


def _the_one(found: Sequence[Payment]) -> Payment | None:
    """Pick the only candidate; of several attempts of one order, the newest that had money."""
    if len({payment.order_id for payment in found}) != 1:
        return None
    return max(found, key=lambda payment: (payment.is_settled, payment.id))


def _rings(row: Told, msisdn: str) -> bool:
    """Tell whether the number that a row shows, masked or whole, can be this one."""
    found = _NUMBER.match(row.party)
    if found is None:
        return False
    if found[4]:
        return msisdn == f"254{found[4]}"
    shown = len(found[1]) + len(found[3])
    national = msisdn.removeprefix("254")
    return shown >= 4 and national.startswith(found[1]) and national.endswith(found[3])


def disbursements_for(rows: Iterable[Told]) -> Iterator[tuple[Told, Disbursement | None]]:
    """Yield each row of money out beside the one refund or payout that it may be, or None."""
    taken: set[int] = set()
    for row in rows:
        found = [each for each in _outs_like(row) if each.id not in taken and _is_it(row, each)]
        chosen = found[0] if len(found) == 1 else None
        if chosen is not None:
            taken.add(chosen.id)
        yield row, chosen


def _outs_like(row: Told) -> Sequence[Disbursement]:
    query = (
        select(Disbursement)
        .outerjoin(Payment, Payment.id == Disbursement.payment_id)
        .outerjoin(
            Credit, or_(Credit.payment_id == Payment.id, Credit.id == Disbursement.credit_id)
        )
        .where(
            Disbursement.receipt.is_(None),
            Disbursement.amount_cents == row.cents,
            Disbursement.sends > 0,
            Disbursement.sent_at.between(row.at - _OUT_WAIT, row.at + SKEW),
            or_(
                Disbursement.channel != Channel.REVERSAL,
                Credit.receipt == (row.linked or ""),
            ),
        )
        .limit(20)
    )
    return db.session.scalars(query).all()


def _is_it(row: Told, record: Disbursement) -> bool:
    # A reversal was found by the receipt that it takes back; a payout has only its number.
    return record.channel == Channel.REVERSAL or _rings(row, record.msisdn)
