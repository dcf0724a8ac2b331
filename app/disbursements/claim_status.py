"""Asking M-Pesa what became of a receipt that a shopper names.

As for the paybill's news, the question needs the initiator of money out, and its answer comes to
an address that only this one question carried. Without an initiator a person decides.
"""

from __future__ import annotations

import logging
import secrets
from datetime import timedelta

from sqlalchemy import or_, select

from app.core.clock import now
from app.core.errors import ProviderUnavailable
from app.core.texts import marked, said
from app.core.unit_of_work import end_reads
from app.disbursements import provider
from app.disbursements.provider import NotConfigured
from app.disbursements.receipt_status import addresses
from app.extensions import db
from app.mpesa.c2b import C2b
from app.mpesa.out_codes import DECLINED, transaction_outcome
from app.mpesa.out_messages import OutAccepted, OutResult
from app.mpesa.results import read_result, stated_cents
from app.payments.claims import checking
from app.payments.claims.changing import change, fresh, put_before_person, refuse
from app.payments.claims.found import found_in
from app.payments.claims.models import Claim, ClaimState
from app.payments.claims.words import NOT_COMPLETED
from app.payments.provider import transport
from app.payments.schedule import CLOCK_SET_BACK_SECONDS
from app.settings.service import mpesa_settings, public_root, settings

logger = logging.getLogger("payments.mpesa")

SWEEP_LIMIT = 100
#: Pauses between questions about one claim, in seconds; after the last a person decides.
_PAUSES = (30, 60, 120, 300)
#: What is due later than this was written before the clock was set back.
_NEVER = timedelta(seconds=_PAUSES[-1] + CLOCK_SET_BACK_SECONDS)
#: A payment of this moment may not be known yet, so "unknown" is believed the second time.
_ENOUGH_UNKNOWN = 2
#: Answers about the shop's own account, which say nothing of the receipt.
_OUR_FAULT = ("credentials", "not_permitted", "credential_locked", "shortcode_inactive")


def sweep() -> int:
    """Go on with all claims that are due; return how many there were."""
    moment = now()
    is_due = or_(Claim.next_try_at <= moment, Claim.next_try_at > moment + _NEVER)
    query = select(Claim.id).where(Claim.state == ClaimState.CHECKING, is_due)
    due = list(db.session.scalars(query.order_by(Claim.next_try_at).limit(SWEEP_LIMIT)))
    for claim_id in due:
        try:
            check(claim_id)
        except Exception:
            # One claim that cannot be worked on must not keep the others waiting.
            db.session.rollback()
            logger.exception("the sweep could not finish claim %s", claim_id)
    return len(due)


def check(claim_id: int) -> str:
    """Go on with one claim, if it is due: by the books, by what is known, else by asking M-Pesa."""
    claim = fresh(claim_id)
    moment = now()
    due = claim.next_try_at or moment
    if claim.state != ClaimState.CHECKING or moment < due <= moment + _NEVER:
        return "not due"
    if checking.look_in_books(claim_id):
        return "the books knew it"
    if claim.found_cents is not None:
        return checking.act(claim_id)
    return _ask(claim_id, claim.tries)


def hear(token: str, raw: bytes) -> str | None:
    """Hear the answer to a question about a claim; None for a secret that is not of one.

    Raises Unreadable.
    """
    claim = db.session.scalar(select(Claim).where(Claim.query_token == token))
    if claim is None:
        return None
    result = read_result(raw)
    if result.code != "0":
        return _not_told(claim, result)
    cents = stated_cents(result)
    outcome = transaction_outcome(str(result.parameters.get("TransactionStatus") or ""))
    if outcome == "unclear":
        return "no end yet"
    if cents is None or result.receipt not in (None, claim.code):
        return put_before_person(
            claim.id, marked("M-Pesa's answer names no amount, or another receipt")
        )
    if outcome != "paid":
        return refuse(claim.id, NOT_COMPLETED, marked("M-Pesa says that it brought no money"))
    return checking.hear(claim.id, found_in(result, cents))


def _ask(claim_id: int, tries: int) -> str:
    try:
        out, root = provider.money_out(), public_root()
    except (NotConfigured, ProviderUnavailable) as error:
        why = said("M-Pesa cannot be asked: {error}", error=str(error))
        return checking.give_up(claim_id, why)
    if tries >= len(_PAUSES):
        why = said("M-Pesa was asked {count} times in vain", count=tries)
        return checking.give_up(claim_id, why)
    code, token = fresh(claim_id).code, secrets.token_urlsafe(32)
    later = now() + timedelta(seconds=_PAUSES[tries])
    turn = {"tries": tries + 1, "query_token": token, "next_try_at": later}
    if not change(claim_id, turn, tries=tries):
        return "not due"
    end_reads()
    service = C2b(settings().daraja_root, transport(mpesa_settings()))
    answer = service.ask_receipt(out.settings, code, addresses(root, token))
    logger.info("claim %s: M-Pesa is asked about %s: %s", claim_id, code, answer)
    return "M-Pesa is asked" if isinstance(answer, OutAccepted) else f"not asked: {answer}"


def _not_told(claim: Claim, result: OutResult) -> str:
    told = said("M-Pesa cannot tell: {told}", told=f"{result.code} {result.description}")
    if DECLINED.get(result.code) in _OUR_FAULT:
        return checking.give_up(claim.id, told)
    if claim.tries < _ENOUGH_UNKNOWN:
        return told
    return checking.unknown(claim.id, told)
