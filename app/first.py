"""What a web process does before it imports anything else of the program: run.py imports this."""

from __future__ import annotations

from app import greenlets

greenlets.use_if_asked()
