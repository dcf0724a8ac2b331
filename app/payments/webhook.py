"""The door that Daraja posts to, behind every documented callback address."""

from __future__ import annotations

import logging

from flask import Request, jsonify
from flask.typing import ResponseReturnValue

from app.core.errors import RateLimited
from app.core.limiting import spend
from app.core.reading import whole_body
from app.extensions import db
from app.limits import UNPROVEN_CALLBACKS
from app.monitoring import redact
from app.mpesa.origin import is_proven
from app.payments import inbox, keeping
from app.payments.afterwards import afterwards
from app.settings.service import settings

logger = logging.getLogger("payments.mpesa")

ACCEPTED = {"ResultCode": 0, "ResultDesc": "Accepted"}


def receive_stk_callback(request: Request) -> ResponseReturnValue:
    """Keep a callback, acknowledge it, and act on it as far as its proofs allow.

    The acknowledgement says only that the body is kept. Nothing that goes wrong afterwards is
    Daraja's business: the sweep finds what was kept and not handled.
    """
    raw = callback_body(request)
    peer = request.remote_addr or ""
    origin_proven = is_proven(peer, settings().callback_networks)
    token = request.args.get("token")
    log_raw(raw)
    if not origin_proven and keeping.payment_of_token(token) is None:
        spend_unproven(peer)
    posted = keeping.Posted(raw, request.path, peer, request.headers, origin_proven, token)
    later = afterwards()
    with later.one_in_hand():
        inbox_id = keeping.ingest(posted, in_a_burst=later.is_wanted)
        if inbox_id is None:
            logger.info("M-Pesa callback: repeated, kept already")
        elif later.is_wanted:
            later.take(inbox_id)
        else:
            _handle(inbox_id)
    return jsonify(ACCEPTED)


def callback_body(request: Request) -> bytes:
    """Return what was posted, as far as callbacks may be long. Raises RequestEntityTooLarge."""
    request.max_content_length = keeping.MAX_BODY_BYTES
    return whole_body(request)


def log_raw(raw: bytes) -> None:
    """Write the body down; in production no log, wherever it goes, gets a whole phone number."""
    told = raw.decode("utf-8", "replace")
    logger.info("M-Pesa callback RAW: %s", redact(told) if settings().is_production else told)


def spend_unproven(peer: str) -> None:
    """Count a body that comes without any proof. Raises RateLimited."""
    if not spend(UNPROVEN_CALLBACKS, "unproven-callback", peer):
        if spend("1/hour", "suspicion", "flood", peer):
            logger.warning(
                "suspicious: a flood of callbacks without proof, %s: more than %s are refused",
                peer,
                UNPROVEN_CALLBACKS,
            )
        raise RateLimited(
            "Too many callbacks without proof from this address.", retry_after_seconds=60
        )


def _handle(inbox_id: int) -> None:
    try:
        inbox.handle_again(inbox_id)
    except Exception:
        db.session.rollback()
        logger.exception("callback %s is kept and will be handled by the sweep", inbox_id)
