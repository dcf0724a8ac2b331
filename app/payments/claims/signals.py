"""What claims tell the rest of the program, always after a commit."""

from __future__ import annotations

from blinker import Namespace

_signals = Namespace()

#: A claim is to be looked at. Keywords: ``claim_id``, ``at`` (UTC moment).
claim_due = _signals.signal("claim-due")
