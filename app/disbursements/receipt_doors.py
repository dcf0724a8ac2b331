"""The door for Daraja's answers to questions that stand for themselves: receipts, and proofs."""

from __future__ import annotations

import logging

from flask import Blueprint, jsonify, request
from flask.typing import ResponseReturnValue

from app import proving
from app.accounts.guard import for_provider
from app.disbursements import claim_status, receipt_status
from app.disbursements.receipt_status import RESULT_PREFIX
from app.extensions import db
from app.mpesa.bodies import Unreadable
from app.mpesa.origin import is_proven
from app.payments.paybill import inbox
from app.payments.webhook import ACCEPTED, callback_body, spend_unproven
from app.settings.service import settings

logger = logging.getLogger("payments.mpesa")

receipt_doors = Blueprint("receipt_doors", __name__, url_prefix=RESULT_PREFIX)


@receipt_doors.post("/<token>")
@for_provider
def result(token: str) -> ResponseReturnValue:
    """Keep an answer, and hear it where the secret is that of a question of ours."""
    raw, notice_id = _keep()
    if notice_id is None:
        return jsonify(ACCEPTED)
    try:
        told = receipt_status.hear(token, raw) or claim_status.hear(token, raw)
        told = told or proving.hear(token, raw)
        verdict = told or "an answer that nobody waits for"
    except Unreadable as error:
        verdict = f"unreadable: {error}"
    except Exception:
        db.session.rollback()
        logger.exception("answer %s is kept and was not acted on; it is asked for again", notice_id)
        verdict = "not acted on"
    inbox.close_answer(notice_id, verdict)
    return jsonify(ACCEPTED)


@receipt_doors.post("/<token>/timeout")
@for_provider
def time_out(token: str) -> ResponseReturnValue:
    """Hear that a question never came to its turn: it is asked again by itself."""
    _raw, notice_id = _keep()
    if notice_id is not None:
        inbox.close_answer(notice_id, "Daraja's queue ran out of time")
    return jsonify(ACCEPTED)


def _keep() -> tuple[bytes, int | None]:
    raw, peer = callback_body(request), request.remote_addr or ""
    origin_proven = is_proven(peer, settings().callback_networks)
    if not origin_proven:
        spend_unproven(peer)
    kept = inbox.ingest(
        kind=inbox.ANSWER,
        raw=raw,
        peer=peer,
        headers=request.headers,
        origin_proven=origin_proven,
        registration_id=None,
    )
    return raw, kept
