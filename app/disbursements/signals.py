"""What the machine for money out tells the rest of the program, always after a commit."""

from __future__ import annotations

from blinker import Namespace

_signals = Namespace()

#: A record is to be looked at: sent, asked about or lapsed, whatever is due.
#: Keywords: ``disbursement_id``, ``at`` (UTC moment).
turn_wanted = _signals.signal("turn-wanted")
