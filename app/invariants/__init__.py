"""What must always be true of the books, as questions to the database that name every offender.

``flask check_invariants`` asks them all. None of them writes, and none trusts the code that did.
"""

from __future__ import annotations

from collections.abc import Iterator

from app.invariants import money_in, money_out
from app.invariants.against import against_ledger, read_ledger
from app.invariants.rules import Violation

__all__ = ["Violation", "against_ledger", "read_ledger", "violations"]


def violations() -> Iterator[Violation]:
    """Yield everything in the books that contradicts a rule."""
    for check in (*money_in.CHECKS, *money_out.CHECKS):
        yield from check()
