"""What the payment engine tells the rest of the program, always after a commit.

Services send, and know nobody who listens: realtime.py and jobs.py connect themselves.
"""

from __future__ import annotations

from blinker import Namespace

_signals = Namespace()

#: A payment changed. Keywords: ``update`` (the ``payment_update`` event), ``person_uuid``.
payment_changed = _signals.signal("payment-changed")
#: A payment is to be asked about. Keywords: ``payment_id``, ``at`` (UTC moment).
check_wanted = _signals.signal("check-wanted")
