"""M-Pesa's own QR code for an order: made once for each amount, and kept."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from sqlalchemy import ColumnElement, and_, select, update

from app.core.clock import now
from app.core.errors import NotFound
from app.core.money import whole_shillings
from app.core.statements import insert_or_nothing, rows_changed
from app.core.texts import marked
from app.core.unit_of_work import end_reads, transaction
from app.extensions import db
from app.mpesa.qr import DynamicQr, QrMade, QrNotMade, QrWanted
from app.mpesa.settings import MissingSettings
from app.orders.models import Order
from app.payments.link_models import OrderQr
from app.payments.provider import transport
from app.settings.service import mpesa_settings, settings

#: M-Pesa is asked once in this time for a picture that it did not give.
PAUSE = timedelta(minutes=10)
_CLOSED = marked("This order cannot be paid by hand now, so there is no QR code for it.")
_NONE = marked("M-Pesa gives no QR code for this order just now. Type the numbers instead.")


def may_come(order: Order, state: Mapping[str, Any]) -> bool:
    """Tell whether a page may show the picture: there is one, or M-Pesa can be asked for it.

    ``state`` is the order's state, see ``order_state``.
    """
    if not _can_be_scanned(state):
        return False
    waits = OrderQr.png.is_(None) & (OrderQr.asked_at > now() - PAUSE)
    mine = _of(order.id, state["due_cents"])
    return db.session.scalar(select(OrderQr.id).where(mine, waits)) is None


def png_of(order: Order, state: Mapping[str, Any]) -> bytes:
    """Return the picture that fills in paybill, account and amount as bytes of a PNG.

    M-Pesa is asked at most once in PAUSE. Raises NotFound where there is none.
    """
    if not _can_be_scanned(state):
        raise NotFound(_CLOSED)
    wanted, order_id, due_cents = _wanted(order, state), order.id, state["due_cents"]
    mine = _of(order_id, due_cents)
    kept = db.session.scalar(select(OrderQr.png).where(mine))
    if kept is not None:
        return kept
    answer = _ask(wanted) if _take_turn(order_id, due_cents) else None
    if not isinstance(answer, QrMade):
        raise NotFound(_NONE)
    with transaction() as session:
        session.execute(update(OrderQr).where(mine).values(png=answer.png))
    return answer.png


def _can_be_scanned(state: Mapping[str, Any]) -> bool:
    # M-Pesa takes whole shillings: a rest of cents cannot be paid by hand at all.
    return bool(state["by_hand"]) and state["due_cents"] % 100 == 0


def _wanted(order: Order, state: Mapping[str, Any]) -> QrWanted:
    amount = whole_shillings(state["due_cents"])
    return QrWanted(settings().shop_name, order.reference, amount, state["by_hand"]["paybill"])


def _ask(wanted: QrWanted) -> QrMade | QrNotMade:
    try:
        account = mpesa_settings()
        account.require()
    except MissingSettings as error:
        return QrNotMade(str(error))
    end_reads()
    return DynamicQr(settings().daraja_root, transport(account)).make(wanted)


def _take_turn(order_id: int, amount_cents: int) -> bool:
    """Decide who asks: of many who look at once, one."""
    names = {"order_id": order_id, "amount_cents": amount_cents}
    moment = now()
    with transaction() as session:
        row = {**names, "asked_at": moment}
        if insert_or_nothing(session, OrderQr, row, list(names)) is not None:
            return True
        is_due = OrderQr.png.is_(None) & (OrderQr.asked_at <= moment - PAUSE)
        again = update(OrderQr).where(_of(order_id, amount_cents), is_due)
        return rows_changed(session, again.values(asked_at=moment)) == 1


def _of(order_id: int, amount_cents: int) -> ColumnElement[bool]:
    return and_(OrderQr.order_id == order_id, OrderQr.amount_cents == amount_cents)
