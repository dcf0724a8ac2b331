"""What wakes the sender."""

from __future__ import annotations

from blinker import Namespace

_signals = Namespace()

#: A delivery was written. No keywords: whoever sends looks into the table.
delivery_staged = _signals.signal("delivery-staged")
