"""Everything that the page of one payment shows, for whichever form leads back to it."""

from __future__ import annotations

import secrets

from flask import render_template, request

from app.accounts.guard import require_person
from app.accounts.roles import May
from app.core.clock import nairobi, now
from app.core.codes import in_words
from app.core.errors import LipaError
from app.disbursements import refunds
from app.disbursements.listing import names_of
from app.disbursements.models import Channel
from app.ledger.service import transfers_of
from app.payments import by_hand
from app.payments.heard import heard_of
from app.payments.inbox import Rehearsed
from app.payments.models import Payment
from app.payments.queries import timeline_of


def payment_page(
    payment: Payment,
    refusal: LipaError | None = None,
    *,
    form: str = "",
    rehearsed: tuple[int, Rehearsed] | None = None,
) -> str:
    """Render a payment's page; with a refusal, its form is filled as it was sent.

    ``form`` names which of the page's forms was refused.
    """
    person = require_person()
    left = refunds.refundable_cents(payment)
    road, why = refunds.road_for(payment, left, (payment.received_cents or 0) - left)
    timeline = timeline_of(payment)
    return render_template(
        "admin/payment.html",
        payment=payment,
        left_cents=left,
        road=road,
        why=why,
        is_reversal=road is Channel.REVERSAL,
        refunds=refunds.refunds_of(payment),
        timeline=timeline,
        in_words=in_words,
        names=names_of(entry.actor for entry in timeline),
        transfers=transfers_of(payment.public_ref),
        heard=heard_of(payment, with_raw=person.may(May.SERVE)),
        rehearsed=rehearsed,
        settlements=by_hand.settlements_of(payment),
        may_settle=by_hand.is_open(payment),
        may={str(what): person.may(what) for what in May},
        form_key=secrets.token_urlsafe(24),
        today=nairobi(now()).strftime("%Y-%m-%dT%H:%M"),
        refused_form=form if refusal else "",
        values=request.form if refusal else {},
        problem=refusal.message if refusal else None,
        problem_field=refusal.details.get("field") if refusal else None,
    )
