"""What stands in the audit trail, in sentences."""

from __future__ import annotations

from app.audit.models import AuditEntry
from app.core.codes import in_words
from app.core.texts import Said, marked, said

#: What may be chosen in the filter: how actions begin, and what that is about.
GROUPS = {
    "payment.": marked("Payments"),
    "order.": marked("Orders"),
    "refund.": marked("Refunds"),
    "payout.": marked("Payouts"),
    "run.": marked("Payout runs"),
    "supplier.": marked("Suppliers"),
    "product.": marked("Products"),
    "statement.": marked("Statements"),
    "day.": marked("Closed days"),
    "difference.": marked("Differences with statements"),
    "money.": marked("Money that was placed"),
    "paybill.": marked("The paybill's addresses"),
    "setting.": marked("Settings"),
    "webhook.": marked("Webhooks"),
    "export.": marked("Exports"),
    "person.": marked("People and roles"),
    "second_factor.": marked("Second factors"),
}
#: The sentence without a subject is about whoever did it.
_SENTENCES = {
    "person.signed_in": marked("signed in"),
    "person.changed_details": marked("changed their details"),
    "person.changed_password": marked("changed their password"),
    "person.took_data": marked("took along their own data"),
    "person.erased": marked("erased the account of {subject}"),
    "person.given_role": marked("gave a role to {subject}"),
    "person.suspended": marked("suspended {subject}"),
    "person.restored": marked("restored {subject}"),
    "person.signed_out": marked("ended the sign-ins of {subject}"),
    "second_factor.set_up": marked("set up their second factor"),
    "second_factor.reset": marked("took away the second factor of {subject}"),
    "payment.settled_by_hand": marked("settled by hand the {subject}"),
    "payment.settlement_proposed": marked("proposed to settle by hand the {subject}"),
    "payment.settlement_refused": marked("said no to settling by hand the {subject}"),
    "payment.settlement_lapsed": marked("gave no answer in time to settling by hand the {subject}"),
    "payment.evidence_taken": marked("took the evidence pack of the {subject}"),
    "payment.accepted": marked("took the money of the {subject}"),
    "payment.rest_asked": marked("asked for the rest of the {subject}"),
    "payment.assigned": marked("gave money to the {subject}"),
    "payment.set_aside": marked("set aside the money of the {subject}"),
    "payment.seen": marked("took off the list the {subject}"),
    "money.credited_by_statement": marked("credited by the statement the {subject}"),
    "paybill.registered": marked("registered the {subject}"),
    "paybill.refused": marked("tried in vain to register the {subject}"),
    "paybill.portal": marked("prepared the portal's addresses of the {subject}"),
    "paybill.unknown": marked("asked, without an answer, to register the {subject}"),
    "paybill.believed": marked("believed the {subject}"),
    "paybill.put_aside": marked("put aside the {subject}"),
    "order.annotated": marked("wrote a note on the {subject}"),
    "order.cancelled": marked("cancelled the {subject}"),
    "order.given_more_time": marked("gave more time to the {subject}"),
    "order.settled_with_shopper": marked("settled with the shopper the {subject}"),
    "product.created": marked("put on the shelf the {subject}"),
    "product.changed": marked("changed the {subject}"),
    "product.retired": marked("took off the shelf the {subject}"),
    "product.brought_back": marked("put back on the shelf the {subject}"),
    "product.picture_changed": marked("gave another picture to the {subject}"),
    "product.picture_removed": marked("took the picture of the {subject}"),
    "statement.uploaded": marked("read in the {subject}"),
    "statement.pulled": marked("had M-Pesa send the {subject}"),
    "statement.compared_again": marked("compared again the {subject}"),
    "day.closed": marked("closed the {subject}"),
    "export.taken": marked("took the {subject}"),
    "setting.tried": marked("tried the {subject}"),
    "setting.stored": marked("stored the {subject}"),
    "setting.cleared": marked("took back the {subject}"),
    "supplier.added": marked("added the {subject}"),
    "supplier.changed": marked("changed the {subject}"),
    "supplier.number_changed": marked("changed the M-Pesa number of the {subject}"),
    "supplier.number_proved": marked("made sure of the M-Pesa number of the {subject}"),
    "run.uploaded": marked("read in the {subject}"),
    "run.asked": marked("asked for the {subject}"),
    "run.approved": marked("agreed to the {subject}"),
    "run.called_off": marked("called off the {subject}"),
    "refund.asked": marked("asked for the {subject}"),
    "refund.approved": marked("agreed to the {subject}"),
    "refund.called_off": marked("called off the {subject}"),
    "refund.declared_paid": marked("wrote down as paid the {subject}"),
    "refund.declared_not_paid": marked("wrote down as not paid the {subject}"),
    "refund.acknowledged": marked("took off the list the {subject}"),
    "payout.asked": marked("asked for the {subject}"),
    "payout.approved": marked("agreed to the {subject}"),
    "payout.called_off": marked("called off the {subject}"),
    "payout.declared_paid": marked("wrote down as paid the {subject}"),
    "payout.declared_not_paid": marked("wrote down as not paid the {subject}"),
    "payout.acknowledged": marked("took off the list the {subject}"),
}
_SUBJECTS = {
    "credit": marked("credit {name}"),
    "day": marked("day {name}"),
    "difference": marked("difference {name}"),
    "export": marked("export {name}"),
    "order": marked("order {name}"),
    "paybill": marked("paybill {name}"),
    "payment": marked("payment {name}"),
    "payout": marked("payout {name}"),
    "product": marked("product {name}"),
    "refund": marked("refund {name}"),
    "run": marked("run {name}"),
    "setting": marked("setting {name}"),
    "statement": marked("statement {name}"),
    "supplier": marked("supplier {name}"),
    "webhook": marked("webhook {name}"),
}


def sentence(entry: AuditEntry) -> str:
    """Return what was done, to be read after the name of who did it."""
    done = _SENTENCES.get(entry.action)
    if done and (entry.subject or "{subject}" not in done):
        return Said(done, {"subject": _subject(entry.subject)})
    room, _, verb = entry.action.partition(".")
    if not entry.subject:
        return in_words(verb or room)
    return said("{deed}: {subject}", deed=in_words(verb or room), subject=_subject(entry.subject))


def _subject(subject: str) -> str:
    """Name what something was done to: a person by their e-mail alone."""
    kind, _, name = subject.partition(" ")
    if kind == "person":
        return name
    return Said(_SUBJECTS[kind], {"name": name}) if kind in _SUBJECTS and name else subject
