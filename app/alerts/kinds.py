"""What can be wrong, and what one does about it."""

from __future__ import annotations

from typing import NamedTuple

SWEEP_QUIET = "sweep_quiet"


class Kind(NamedTuple):
    """Words for people. ``link`` may name the ``{subject}``."""

    title: str
    advice: str
    link: str = ""


KINDS = {
    "payments_stuck": Kind(
        "Payments whose end is not known",
        "Daraja tells no end of them. They are asked about again and again; if Daraja answers "
        "others, look at each and decide.",
        "/admin/payments?status=pending",
    ),
    "callbacks_failing": Kind(
        "Callbacks that could not be acted on",
        "They are kept and tried again. The log says why; “flask callbacks replay” tries one.",
        "/admin",
    ),
    "suspicious": Kind(
        "Somebody may be trying something",
        "The landing page says what it is and what to do.",
        "/admin",
    ),
    "breaker_open": Kind(
        "M-Pesa cannot be reached",
        "Nothing is sent until it answers again; that is tried every 30 seconds. “flask doctor” "
        "looks at the way there.",
        "/admin/settings",
    ),
    "float_low": Kind(
        "The float runs low",
        "Fill up the paying account, or payouts and refunds will wait.",
        "/admin/payouts",
    ),
    "out_unknown": Kind(
        "Money out whose end is not known",
        "Nothing of it is sent again. Look at the M-Pesa statement, then decide.",
        "/admin/payouts?status=unknown",
    ),
    "webhooks_given_up": Kind(
        "A webhook endpoint does not take its news",
        "Mend the other side, then have what was given up delivered again.",
        "/admin/webhooks/{subject}",
    ),
    SWEEP_QUIET: Kind(
        "The background does not run",
        "Nothing is asked about or sent by itself. Start the shop again; where EMBEDDED_WORKER is "
        "false, start “flask worker”.",
    ),
}
