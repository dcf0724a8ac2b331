"""What this room tells the rest of the program, always after a commit."""

from __future__ import annotations

from blinker import Namespace

_signals = Namespace()

#: A statement has work left: reading, asking Daraja, comparing. Keyword: ``statement_id``.
work_wanted = _signals.signal("statement-work-wanted")
