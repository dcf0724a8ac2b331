"""Words for the short codes that rows keep: of events, reasons, and what was written with a deed.

They are written as they stand inside a sentence; a page makes the first letter a capital one.
"""

from __future__ import annotations

from app.core.texts import marked

_EVENTS = {
    "created": marked("created"),
    "push_accepted": marked("push accepted"),
    "push_refused": marked("push refused"),
    "push_unanswered": marked("push unanswered"),
    "payment_confirmed": marked("payment confirmed"),
    "payment_declined": marked("payment declined"),
    "payer_cancelled": marked("payer cancelled"),
    "prompt_timed_out": marked("prompt timed out"),
    "went_quiet": marked("went quiet"),
    "late_confirmation": marked("late confirmation"),
    "settled_by_hand": marked("settled by hand"),
    "settlement_proposed": marked("settlement proposed"),
    "settlement_refused": marked("settlement refused"),
    "settlement_lapsed": marked("settlement lapsed"),
    "order_closed": marked("order closed"),
    "second_money": marked("second money"),
    "receipt_learned": marked("receipt learned"),
    "receipt_withdrawn": marked("receipt withdrawn"),
    "refund_asked": marked("refund asked"),
    "seen": marked("seen"),
    "placed": marked("placed"),
    "paid_in_full": marked("paid in full"),
    "cancelled": marked("cancelled"),
    "expired": marked("expired"),
    "money_questioned": marked("money questioned"),
    "money_accepted": marked("money accepted"),
    "acknowledged": marked("acknowledged"),
    "ask_again_planned": marked("ask again planned"),
    "asked_again": marked("asked again"),
    "ask_again_stopped": marked("ask again stopped"),
    "ask_again_dropped": marked("ask again dropped"),
    "ask_again_refused": marked("ask again refused"),
    "claim_made": marked("claim made"),
    "claim_settled": marked("claim settled"),
    "claim_refused": marked("claim refused"),
    "claim_with_person": marked("claim before a person"),
    "claim_closed": marked("claim closed"),
}
_REASONS = {
    "amount_differs": marked("amount differs"),
    "receipt_reused": marked("receipt reused"),
    "receipt_differs": marked("receipt differs"),
    "hand_withdrawn": marked("hand withdrawn"),
    "no_answer": marked("no answer"),
    "paid_but_out_of_stock": marked("paid but out of stock"),
    "part_paid": marked("part paid"),
}
_MONEY = {
    "exact": marked("exact"),
    "short": marked("short"),
    "over": marked("over"),
    "late": marked("late"),
    "second": marked("second"),
    "unmatched": marked("unmatched"),
    "accepted": marked("accepted"),
    "rest_asked": marked("rest asked"),
    "assigned": marked("assigned"),
    "set_aside": marked("set aside"),
}
#: How a payment's end came to be known, in the words of payments.evidence.
_PROOFS = {
    "callback with both proofs": marked("callback with both proofs"),
    "callback and query": marked("callback and query"),
    "callback with one proof": marked("callback with one proof"),
    "query": marked("query"),
    "hand, from the statement": marked("hand, from the statement"),
    "test endpoint": marked("test endpoint"),
}
_DETAILS = {
    "amount": marked("amount"),
    "before": marked("before"),
    "credit": marked("credit"),
    "deliveries": marked("deliveries"),
    "description": marked("description"),
    "events": marked("events"),
    "file": marked("file"),
    "format": marked("format"),
    "from": marked("from"),
    "host": marked("host"),
    "kind": marked("kind"),
    "name": marked("name"),
    "needs_person": marked("needs person"),
    "order": marked("order"),
    "order_status": marked("order status"),
    "outcome": marked("outcome"),
    "payment": marked("payment"),
    "payment_status": marked("payment status"),
    "payouts": marked("payouts"),
    "price": marked("price"),
    "receipt": marked("receipt"),
    "role": marked("role"),
    "rows": marked("rows"),
    "search": marked("search"),
    "settlement": marked("settlement"),
    "sign_ins_ended": marked("sign ins ended"),
    "state": marked("state"),
    "stock": marked("stock"),
    "to": marked("to"),
    "told": marked("told"),
    "total": marked("total"),
    "whole_phones": marked("whole phones"),
}
#: What the books call a movement.
_BOOKS = {
    "paid": marked("paid"),
    "short money": marked("short money"),
    "over money": marked("over money"),
    "late money": marked("late money"),
    "unmatched money": marked("unmatched money"),
    "another amount than was believed": marked("another amount than was believed"),
    "payout sent": marked("payout sent"),
    "payout arrived": marked("payout arrived"),
    "payout did not leave": marked("payout did not leave"),
    "refund sent": marked("refund sent"),
    "refund arrived": marked("refund arrived"),
    "refund did not leave": marked("refund did not leave"),
    "M-Pesa's charge": marked("M-Pesa's charge"),
}
_WORDS = _EVENTS | _REASONS | _MONEY | _PROOFS | _DETAILS | _BOOKS


def in_words(code: str) -> str:
    """Return a code as people read it, to be translated where it is shown; unknown ones as such."""
    return _WORDS.get(code) or code.replace("_", " ")
