"""Keeping callbacks before anybody understands them, however many come at once.

What is told by a body does not matter here: its proofs are found, and it is kept with them. Once
that is committed Daraja may be told so.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import Any

from flask import current_app
from sqlalchemy import bindparam, delete, select
from sqlalchemy.orm import Session
from werkzeug.datastructures import Headers

from app.core.clock import now
from app.core.statements import insert_new
from app.core.together import Together
from app.core.unit_of_work import end_reads, transaction
from app.extensions import db
from app.payments.models import InboxMessage, Payment
from app.payments.sealing import kept

MAX_BODY_BYTES = 64 * 1024
#: Only this many callbacks without any proof are kept; the oldest make room.
MOST_UNPROVEN = 10_000
_KEPT_HEADERS = ("Content-Type", "User-Agent", "Businessshortcode", "X-Forwarded-For")
_TOKEN = re.compile(r"[A-Za-z0-9_-]{1,64}")
_OF_TOKENS = select(Payment.id, Payment.callback_token).where(
    Payment.callback_token.in_(bindparam("tokens", expanding=True))
)


@dataclass(frozen=True)
class Posted:
    """A callback as it came, with the token of its address."""

    raw: bytes
    path: str
    peer: str
    headers: Headers
    origin_proven: bool
    token: str | None


def payment_of_token(token: str | None) -> int | None:
    """Return the payment whose secret this is."""
    return _payments_of_tokens(db.session(), [token]).get(token or "")


def ingest(posted: Posted, *, in_a_burst: bool = False) -> int | None:
    """Keep a callback; return its inbox id, or None when the very same one is kept already.

    A repetition keeps nothing new. Those that come at one moment are kept by one commit. Raises
    whatever the database raises: the caller must not acknowledge what was not kept.
    """
    # Nobody holds a connection while waiting for the common commit.
    end_reads()
    together: Together[Posted, int | None] = current_app.extensions.setdefault(
        "lipa_inbox", Together(_keep)
    )
    return together.do(posted, in_a_crowd=in_a_burst)


def _keep(letters: Sequence[Posted]) -> list[int | None]:
    """Keep callbacks in one transaction; return their inbox ids, None for repetitions."""
    with transaction() as session:
        payments = _payments_of_tokens(session, [posted.token for posted in letters])
        rows = [_row(posted, payments.get(posted.token or "")) for posted in letters]
        # In one order everywhere: two processes that keep the same ones never wait in a circle.
        inserted = sorted(rows, key=itemgetter("natural_key"))
        ids = insert_new(session, InboxMessage, inserted, key="natural_key")
    return [ids.pop(row["natural_key"], None) for row in rows]


def _payments_of_tokens(session: Session, tokens: Sequence[str | None]) -> dict[str, int]:
    """Return the payments whose secrets are among these."""
    told = {token for token in tokens if token and _TOKEN.fullmatch(token)}
    if not told:
        return {}
    rows = session.execute(_OF_TOKENS, {"tokens": list(told)})
    return {row.callback_token: row.id for row in rows}


def _row(posted: Posted, token_payment_id: int | None) -> dict[str, Any]:
    headers = posted.headers
    proofs = f"{token_payment_id or ''}|{posted.origin_proven}|".encode()
    return {
        "natural_key": hashlib.sha256(proofs + posted.raw).hexdigest(),
        "path": posted.path[:255],
        "peer": posted.peer[:64],
        "headers": {name: headers[name][:255] for name in _KEPT_HEADERS if name in headers},
        "raw": kept(posted.raw),
        "origin_proven": posted.origin_proven,
        "token_payment_id": token_payment_id,
        "received_at": now(),
    }


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
