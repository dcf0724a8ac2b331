"""What can be wrong, and what one does about it."""

from __future__ import annotations

from typing import NamedTuple

from app.core.texts import marked

SWEEP_QUIET = "sweep_quiet"


class Kind(NamedTuple):
    """Words for people. ``link`` may name the ``{subject}``."""

    title: str
    advice: str
    link: str = ""


KINDS = {
    "payments_stuck": Kind(
        marked("Payments whose end is not known"),
        marked(
            "Daraja tells no end of them. They are asked about again and again; if Daraja answers "
            "others, look at each and decide."
        ),
        "/admin/payments?status=pending",
    ),
    "callbacks_failing": Kind(
        marked("Callbacks that could not be acted on"),
        marked(
            "They are kept and tried again. The log says why; “flask callbacks replay” tries one."
        ),
        "/admin",
    ),
    "suspicious": Kind(
        marked("Somebody may be trying something"),
        marked("The landing page says what it is and what to do."),
        "/admin",
    ),
    "breaker_open": Kind(
        marked("M-Pesa cannot be reached"),
        marked(
            "Nothing is sent until it answers again; that is tried every 30 seconds. "
            "“flask doctor” looks at the way there."
        ),
        "/admin/settings",
    ),
    "float_low": Kind(
        marked("The float runs low"),
        marked("Fill up the paying account, or payouts and refunds will wait."),
        "/admin/payouts",
    ),
    "out_unknown": Kind(
        marked("Money out whose end is not known"),
        marked("Nothing of it is sent again. Look at the M-Pesa statement, then decide."),
        "/admin/payouts?status=unknown",
    ),
    "webhooks_given_up": Kind(
        marked("A webhook endpoint does not take its news"),
        marked("Mend the other side, then have what was given up delivered again."),
        "/admin/webhooks/{subject}",
    ),
    SWEEP_QUIET: Kind(
        marked("The background does not run"),
        marked(
            "Nothing is asked about or sent by itself. Start the shop again; where "
            "EMBEDDED_WORKER is false, start “flask worker”."
        ),
    ),
}
