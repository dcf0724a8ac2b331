"""Everything about one payment in one file, for a dispute: readable, complete, and checkable."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import zipfile
from typing import Any

from flask import render_template

from app.audit.models import AuditEntry
from app.audit.service import Wanted, head, newest
from app.core.clock import now
from app.core.codes import in_words
from app.disbursements.listing import names_of
from app.disbursements.models import Disbursement
from app.disbursements.refunds import refunds_of
from app.exports.cells import harmless, moment, money, phone
from app.exports.writing import BYTE_ORDER_MARK
from app.ledger.service import transfers_of
from app.payments.heard import heard_of, messages_of
from app.payments.models import InboxMessage, Payment
from app.payments.queries import timeline_of
from app.payments.sealing import SealedBody, opened

MOST_AUDIT_ROWS = 500


def evidence_of(payment: Payment) -> bytes:
    """Return a payment's evidence as a ZIP with a manifest of SHA-256 sums.

    It holds the whole phone number, which a dispute needs, and no secret of ours.
    """
    wanted = Wanted(subject=f"payment {payment.public_ref}")
    audit = list(reversed(newest(limit=MOST_AUDIT_ROWS, wanted=wanted)))
    files = {
        "summary.html": _summary(payment, audit).encode(),
        "payment.json": _json(_facts(payment)),
        "timeline.csv": _timeline(payment).encode(),
        "audit.json": _json([_audit_row(entry) for entry in audit]),
        **{f"callbacks/{one.id}.json": _body(payment, one) for one in messages_of(payment)},
    }
    return _zipped({**files, "MANIFEST.txt": _manifest(payment, files).encode()})


def _zipped(files: dict[str, bytes]) -> bytes:
    paper = io.BytesIO()
    with zipfile.ZipFile(paper, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return paper.getvalue()


def _manifest(payment: Payment, files: dict[str, bytes]) -> str:
    """Say what is in it, so that a change of any file shows; ``sha256sum -c`` reads the sums."""
    rows, last_hash = head()
    sums = [f"{hashlib.sha256(content).hexdigest()}  {name}" for name, content in files.items()]
    told = [
        f"# Evidence of payment {payment.public_ref}, made {moment(now())}",
        f"# The audit trail ended with row {rows}, {last_hash}",
    ]
    return "\n".join([*told, *sums]) + "\n"


def _summary(payment: Payment, audit: list[AuditEntry]) -> str:
    timeline = timeline_of(payment)
    return render_template(
        "admin/payment_evidence.html",
        payment=payment,
        whole_phone=phone(payment.phone, whole=True),
        timeline=timeline,
        in_words=in_words,
        names=names_of(entry.actor for entry in timeline),
        heard=heard_of(payment, with_raw=False),
        refunds=refunds_of(payment),
        transfers=transfers_of(payment.public_ref),
        audit=audit,
        made_at=now(),
    )


def _facts(payment: Payment) -> dict[str, Any]:
    order, came = payment.order, payment.received_cents
    return {
        "payment": payment.public_ref,
        "uuid": str(payment.uuid),
        "status": payment.status,
        "phone": payment.phone,
        "asked_for_kes": str(money(payment.amount_cents)),
        "came_in_kes": None if came is None else str(money(came)),
        "mpesa_receipt": payment.mpesa_receipt,
        "checkout_request_id": payment.checkout_request_id,
        "merchant_request_id": payment.merchant_request_id,
        "result_code": payment.result_code,
        "result_desc": payment.result_desc,
        "known_by": payment.evidence,
        "begun": moment(payment.created_at),
        "completed": moment(payment.completed_at),
        "last_asked": moment(payment.last_asked_at),
        "order": {
            "number": order.number,
            "reference": order.reference,
            "status": order.status,
            "total_kes": str(money(order.total_cents)),
            "lines": [
                {"name": line.name, "quantity": line.quantity, "kes": str(money(line.total_cents))}
                for line in order.lines
            ],
        },
        "refunds": [_refund(refund) for refund in refunds_of(payment)],
        "ledger": [
            {
                "at": moment(line.at),
                "from": line.credit,
                "to": line.debit,
                "kes": str(money(line.amount_cents)),
                "what": line.what,
            }
            for line in transfers_of(payment.public_ref)
        ],
    }


def _refund(refund: Disbursement) -> dict[str, Any]:
    return {
        "name": refund.public_ref,
        "status": refund.status,
        "kes": str(money(refund.amount_cents)),
        "mpesa_receipt": refund.receipt,
        "asked": moment(refund.created_at),
        "completed": moment(refund.completed_at),
    }


def _timeline(payment: Payment) -> str:
    entries = timeline_of(payment)
    names = names_of(entry.actor for entry in entries)
    paper = io.StringIO()
    writer = csv.writer(paper, quoting=csv.QUOTE_ALL)
    writer.writerow(("When", "What", "From", "To", "Who", "Why", "Request"))
    for entry in entries:
        who = names.get(entry.actor, entry.actor)
        statuses = (entry.from_status, entry.to_status)
        row = (moment(entry.at), entry.event, *statuses, who, entry.why, entry.request_id or "")
        writer.writerow([harmless(cell) for cell in row])
    return BYTE_ORDER_MARK + paper.getvalue()


def _audit_row(entry: AuditEntry) -> dict[str, Any]:
    return {
        "id": entry.id,
        "at": entry.at.isoformat(timespec="microseconds"),
        "actor_id": entry.actor_id,
        "actor": entry.actor,
        "action": entry.action,
        "subject": entry.subject,
        "detail": entry.detail,
        "request_id": entry.request_id,
        "previous": entry.previous_hash,
        "hash": entry.hash,
    }


def _body(payment: Payment, message: InboxMessage) -> bytes:
    """Return a callback's bytes as they came; only our own secret is taken out, if it is there."""
    try:
        return opened(message.raw).replace(payment.callback_token.encode(), b"***")
    except SealedBody as error:
        return error.message.encode()


def _json(value: object) -> bytes:
    return json.dumps(value, indent=2, ensure_ascii=False, sort_keys=True).encode()
