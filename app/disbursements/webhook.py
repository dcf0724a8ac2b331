"""The doors that Daraja posts to about money out: results, and time-outs of its queue."""

from __future__ import annotations

import logging
import re

from flask import Request, jsonify
from flask.typing import ResponseReturnValue

from app.disbursements import results
from app.extensions import db
from app.mpesa.origin import is_proven
from app.payments.webhook import ACCEPTED, callback_body, log_raw, spend_unproven
from app.settings.service import settings

logger = logging.getLogger("payments.mpesa")

#: A queue's time-out is our own request come back, with the credential and the address's secret.
_SECRET = re.compile(rb'("SecurityCredential"\s*:\s*"|[?&](?:token|query|balance)=)[^"&]+')


def receive_result(request: Request, *, is_time_out: bool = False) -> ResponseReturnValue:
    """Keep what was posted, acknowledge it, and act on it as far as its proofs allow.

    The acknowledgement says only that the body is kept; the sweep finds what was not acted on.
    """
    raw, peer = callback_body(request), request.remote_addr or ""
    origin_proven = is_proven(peer, settings().callback_networks)
    to = results.addressed(request.args, is_time_out=is_time_out)
    log_raw(_SECRET.sub(rb"\1***", raw))
    if not origin_proven and to.id is None:
        spend_unproven(peer)
    message_id = results.ingest(
        raw=raw,
        path=request.path,
        peer=peer,
        headers=request.headers,
        origin_proven=origin_proven,
        to=to,
    )
    if message_id is None:
        logger.info("M-Pesa result: repeated, kept already")
    else:
        _handle(message_id)
    return jsonify(ACCEPTED)


def _handle(message_id: int) -> None:
    try:
        results.handle_again(message_id)
    except Exception:
        db.session.rollback()
        logger.exception("result %s is kept and will be handled by the sweep", message_id)
