"""What stands in the audit trail, in sentences."""

from __future__ import annotations

from app.audit.models import AuditEntry

#: What may be chosen in the filter: how actions begin, and what that is about.
GROUPS = {
    "payment.": "Payments",
    "order.": "Orders",
    "refund.": "Refunds",
    "payout.": "Payouts",
    "run.": "Payout runs",
    "supplier.": "Suppliers",
    "product.": "Products",
    "statement.": "Statements",
    "day.": "Closed days",
    "difference.": "Differences with statements",
    "money.": "Money that was placed",
    "paybill.": "The paybill's addresses",
    "setting.": "Settings",
    "webhook.": "Webhooks",
    "export.": "Exports",
    "person.": "People and roles",
    "second_factor.": "Second factors",
}
_SENTENCES = {
    "person.signed_in": "signed in",
    "person.changed_password": "changed their password",
    "person.given_role": "gave a role to",
    "person.suspended": "suspended",
    "person.restored": "restored",
    "person.signed_out": "ended the sign-ins of",
    "second_factor.set_up": "set up their second factor",
    "second_factor.reset": "took away the second factor of",
    "payment.settled_by_hand": "settled by hand the",
    "payment.settlement_proposed": "proposed to settle by hand the",
    "payment.settlement_refused": "said no to settling by hand the",
    "payment.settlement_lapsed": "gave no answer in time to settling by hand the",
    "payment.evidence_taken": "took the evidence pack of the",
    "payment.accepted": "took the money of the",
    "payment.rest_asked": "asked for the rest of the",
    "payment.assigned": "gave money to the",
    "payment.set_aside": "set aside the money of the",
    "payment.seen": "took off the list the",
    "money.credited_by_statement": "credited by the statement the",
    "paybill.registered": "registered the",
    "paybill.refused": "tried in vain to register the",
    "paybill.portal": "prepared the portal's addresses of the",
    "paybill.unknown": "asked, without an answer, to register the",
    "paybill.believed": "believed the",
    "paybill.put_aside": "put aside the",
    "order.annotated": "wrote a note on the",
    "order.cancelled": "cancelled the",
    "order.given_more_time": "gave more time to the",
    "order.settled_with_shopper": "settled with the shopper the",
    "product.created": "put on the shelf the",
    "product.changed": "changed the",
    "product.retired": "took off the shelf the",
    "product.brought_back": "put back on the shelf the",
    "product.picture_changed": "gave another picture to the",
    "product.picture_removed": "took the picture of the",
    "statement.uploaded": "read in the",
    "statement.pulled": "had M-Pesa send the",
    "statement.compared_again": "compared again the",
    "day.closed": "closed the",
    "export.taken": "took the",
    "setting.tried": "tried the",
    "setting.stored": "stored the",
    "setting.cleared": "took back the",
    "supplier.added": "added the",
    "supplier.changed": "changed the",
    "supplier.number_changed": "changed the M-Pesa number of the",
    "supplier.number_proved": "made sure of the M-Pesa number of the",
    "run.uploaded": "read in the",
    "run.asked": "asked for the",
    "run.approved": "agreed to the",
    "run.called_off": "called off the",
    "refund.asked": "asked for the",
    "refund.approved": "agreed to the",
    "refund.called_off": "called off the",
    "refund.declared_paid": "wrote down as paid the",
    "refund.declared_not_paid": "wrote down as not paid the",
    "refund.acknowledged": "took off the list the",
    "payout.asked": "asked for the",
    "payout.approved": "agreed to the",
    "payout.called_off": "called off the",
    "payout.declared_paid": "wrote down as paid the",
    "payout.declared_not_paid": "wrote down as not paid the",
    "payout.acknowledged": "took off the list the",
}
#: These are about whoever did them.
_OWN = {"person.signed_in", "person.changed_password", "second_factor.set_up"}


def sentence(entry: AuditEntry) -> str:
    """Return what was done, to be read after the name of who did it."""
    done = _SENTENCES.get(entry.action)
    if entry.action in _OWN and done:
        return done
    if done is None:
        room, _, verb = entry.action.partition(".")
        done = f"{verb or room}:".replace("_", " ")
    return f"{done} {entry.subject.removeprefix('person ')}".rstrip(" :")
