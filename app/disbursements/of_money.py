"""Picking the refunds of money, whichever way they name it."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import ColumnElement, Select, select, union_all

from app.disbursements.models import Disbursement

Ids = Sequence[int] | Select[int] | Select[int | None]


def back_from(payments: Ids, money: Ids) -> ColumnElement[bool]:
    """Pick the records that name one of these payments, or of these credits.

    Each is found by its own index; a plain OR of the two reads the whole table.
    """
    by_payment = select(Disbursement.id).where(Disbursement.payment_id.in_(payments))
    by_credit = select(Disbursement.id).where(Disbursement.credit_id.in_(money))
    return Disbursement.id.in_(union_all(by_payment, by_credit))
