"""The doors that Daraja posts to about the paybill: may this be paid, and this has been paid."""

from __future__ import annotations

import logging

from flask import Blueprint, jsonify, request
from flask.typing import ResponseReturnValue
from sqlalchemy.exc import SQLAlchemyError

from app.accounts.guard import for_provider
from app.core.errors import Busy
from app.extensions import db
from app.mpesa.origin import is_proven
from app.payments.paybill import inbox, validation
from app.payments.paybill.registration import PREFIX, registration_of
from app.payments.webhook import callback_body, log_raw, spend_unproven
from app.settings.service import settings

logger = logging.getLogger("payments.mpesa")

paybill_doors = Blueprint("paybill_doors", __name__, url_prefix=PREFIX)
#: Every value is a string in C2B (documentation).
ACCEPTED = {"ResultCode": "0", "ResultDesc": "Accepted"}


@paybill_doors.post("/<token>/confirmation")
@for_provider
def confirmation(token: str) -> ResponseReturnValue:
    """Keep the news, acknowledge it, and act on it as far as its proofs allow.

    The money has moved, so there is nothing to refuse; the sweep finds what was not acted on.
    """
    notice_id, _proven = _keep(inbox.CONFIRMATION, token)
    if notice_id is None:
        logger.info("C2B confirmation: repeated, kept already")
        return jsonify(ACCEPTED)
    try:
        inbox.handle_again(notice_id)
    except Exception:
        db.session.rollback()
        logger.exception("C2B notice %s is kept and will be handled by the sweep", notice_id)
    return jsonify(ACCEPTED)


@paybill_doors.post("/<token>/validation")
@for_provider
def validate(token: str) -> ResponseReturnValue:
    """Say whether this may be paid. Trouble of ours is no reason to turn money away."""
    raw = callback_body(request)
    try:
        notice_id, proven = _keep(inbox.VALIDATION, token)
        code = validation.judge(raw, is_proven=proven)
        if notice_id is not None:
            inbox.close_validation(notice_id, raw, code)
    except (SQLAlchemyError, Busy):
        db.session.rollback()
        logger.exception("a C2B validation could not be looked up: accepted")
        code = validation.ACCEPTED
    told = "Accepted" if code == validation.ACCEPTED else "Rejected"
    return jsonify(ResultCode=code, ResultDesc=told)


def _keep(kind: str, token: str) -> tuple[int | None, bool]:
    """Keep a body; return its id, None for a repetition, and whether any proof came with it."""
    raw, peer = callback_body(request), request.remote_addr or ""
    origin_proven = is_proven(peer, settings().callback_networks)
    registration_id = registration_of(token)
    log_raw(raw)
    if not origin_proven and registration_id is None:
        spend_unproven(peer)
    notice_id = inbox.ingest(
        kind=kind,
        raw=raw,
        peer=peer,
        headers=request.headers,
        origin_proven=origin_proven,
        registration_id=registration_id,
    )
    return notice_id, origin_proven or registration_id is not None
