"""Links that open one order to whoever has them: to pay it, or to see its receipt.

A link is worth what it opens, so it is guarded like a password: 192 random bits, of which the
database keeps only a digest and half of what they are made of. The other half is SECRET_KEY.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Sequence
from datetime import timedelta

from flask import current_app
from sqlalchemy import ColumnElement, func, select, update
from sqlalchemy.orm import Session

from app.accounts.models import Person
from app.core.clock import now
from app.core.errors import Conflict, NotFound, RateLimited
from app.core.statements import rows_changed
from app.core.texts import marked, said
from app.core.unit_of_work import transaction
from app.extensions import db
from app.orders import service as orders
from app.orders.models import Order
from app.orders.states import OrderStatus
from app.payments.asking import ask_soon
from app.payments.initiate import readable_phone, start
from app.payments.link_models import Opens as Opens
from app.payments.link_models import SharedLink, new_seed
from app.payments.models import Payment, TimelineEntry
from app.payments.queries import attempts_of
from app.payments.states import Status

#: Prompts that strangers may send by links, in this time: for one order, and to one phone.
WINDOW = timedelta(hours=1)
PROMPTS_PER_ORDER = 6
PROMPTS_PER_PHONE = 3
_CLOSED = marked("This order is closed, so there is nothing to pay by a link.")
_NO_LINK = marked("This link does not work, or not any more. Ask whoever sent it for a new one.")
_TOKEN_BYTES = 24
_TOKEN = re.compile(r"[A-Za-z0-9_-]{32}")


def make(order_ref: object, person: Person, opens: Opens) -> str:
    """Make a link to an order of this person's and return its token; an older one ends.

    Raises NotFound for somebody else's order, and Conflict for paying what is not open.
    """
    order_id, person_id = orders.find_order(order_ref, person).id, person.id
    with transaction() as session:
        order = orders.lock_order(session, order_id)
        if opens is Opens.PAYING and order.status != OrderStatus.PENDING:
            raise Conflict(_CLOSED)
        _end(session, order_id, opens)
        seed = new_seed()
        token = _token(opens, seed)
        digest = _digest(token)
        link = SharedLink(order_id=order_id, opens=opens, seed=seed, digest=digest)
        link.made_by = person_id
        session.add(link)
    return token


def end(order_ref: object, person: Person, opens: Opens) -> bool:
    """End a link to an order of this person's; False where there was none. Raises NotFound."""
    order_id = orders.find_order(order_ref, person).id
    with transaction() as session:
        return _end(session, order_id, opens) > 0


def present(order: Order, opens: Opens) -> str | None:
    """Return the token of an order's open link. For whoever the order belongs to.

    None, too, where it was made with another SECRET_KEY: a new one has to be made.
    """
    query = select(SharedLink).where(SharedLink.order_id == order.id, *_open(opens))
    link = db.session.scalar(query)
    if link is None:
        return None
    token = _token(link.opens, link.seed)
    return token if _digest(token) == link.digest else None


def opened(token: str, opens: Opens) -> SharedLink:
    """Return the link that a token belongs to. Raises NotFound, alike for wrong and for ended."""
    link = None
    if _TOKEN.fullmatch(token):
        by_digest = SharedLink.digest == _digest(token)
        link = db.session.scalar(select(SharedLink).where(by_digest, *_open(opens)))
    if link is None:
        raise NotFound(_NO_LINK)
    return link


def pay(link: SharedLink, phone: str) -> Payment:
    """Send a prompt for the link's order to a phone. Raises a LipaError when nothing was sent.

    RateLimited keeps a link from being used to pester phones.
    """
    number = readable_phone(phone)
    _require_prompts_left(link.order_id, number)
    return start(link.order, number, asker=f"link {link.id}")


def check_now(link: SharedLink) -> None:
    """Have the order's newest attempt asked about as soon as the pause allows."""
    newest = next(iter(attempts_of(link.order)), None)
    if newest is not None:
        ask_soon(newest.id)


def _require_prompts_left(order_id: int, number: str) -> None:
    wait = int(WINDOW.total_seconds())
    if _sent_by_links(Payment.phone == number) >= PROMPTS_PER_PHONE:
        raise RateLimited(
            said(
                "This phone has had {count} prompts by a link within the hour. Pay by hand, use "
                "another phone, or try again in an hour. Nothing was charged.",
                count=PROMPTS_PER_PHONE,
            ),
            retry_after_seconds=wait,
        )
    if _sent_by_links(Payment.order_id == order_id) >= PROMPTS_PER_ORDER:
        raise RateLimited(
            said(
                "{count} prompts were sent for this order within the hour. Pay by hand, or try "
                "again in an hour. Nothing was charged.",
                count=PROMPTS_PER_ORDER,
            ),
            retry_after_seconds=wait,
        )


def without_the_owners_ends(attempts: Sequence[Payment]) -> list[Payment]:
    """Leave out which prompts of the owner's came to nothing, and why: their balance, their PIN.

    Those that may still bring money stay, since nobody is to pay beside them.
    """
    over = (Status.FAILED, Status.CANCELLED)
    private = {each.id for each in attempts if each.status in over and not each.ask_again_at}
    by_link = select(TimelineEntry.payment_id).where(
        TimelineEntry.payment_id.in_(private), *_begun_by_link()
    )
    private -= set(db.session.scalars(by_link)) if private else set()
    return [each for each in attempts if each.id not in private]


def _begun_by_link() -> tuple[ColumnElement[bool], ...]:
    return (TimelineEntry.event == "created", TimelineEntry.actor.startswith("link "))


def _sent_by_links(which: ColumnElement[bool]) -> int:
    """Count the attempts within the hour that strangers have begun."""
    query = (
        select(func.count())
        .select_from(Payment)
        .join(TimelineEntry, TimelineEntry.payment_id == Payment.id)
        .where(which, Payment.created_at > now() - WINDOW)
        .where(*_begun_by_link())
    )
    return db.session.scalar(query) or 0


def _end(session: Session, order_id: int, opens: Opens) -> int:
    which = update(SharedLink).where(SharedLink.order_id == order_id, *_open(opens))
    return rows_changed(session, which.values(ended_at=now()))


def _open(opens: Opens) -> Sequence[ColumnElement[bool]]:
    return (SharedLink.opens == opens, SharedLink.ended_at.is_(None))


def _token(opens: str, seed: str) -> str:
    key = str(current_app.config["SECRET_KEY"]).encode()
    told = hmac.digest(key, f"link to {opens}: {seed}".encode(), hashlib.sha256)
    return base64.urlsafe_b64encode(told[:_TOKEN_BYTES]).decode()


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
