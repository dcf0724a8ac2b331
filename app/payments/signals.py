"""What the payment engine tells the rest of the program, always after a commit.

Services send, and know nobody who listens: realtime.py and jobs.py connect themselves.
"""

from __future__ import annotations

from blinker import Namespace

_signals = Namespace()

#: An announcement was staged in the outbox. No keywords: whoever sends looks there.
announcement_staged = _signals.signal("announcement-staged")
#: A payment is to be asked about. Keywords: ``payment_id``, ``at`` (UTC moment).
check_wanted = _signals.signal("check-wanted")
#: A prompt is to be sent once more by itself. Keywords: ``payment_id``, ``at`` (UTC moment).
repeat_wanted = _signals.signal("repeat-wanted")
#: Somebody is watching a payment whose end is not known. Keyword: ``payment_id``.
payment_watched = _signals.signal("payment-watched")
