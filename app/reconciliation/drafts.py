"""What a comparison handles before anything is written: rows as told, and differences in draft."""

from __future__ import annotations

import re
from datetime import datetime
from typing import NamedTuple

from app.reconciliation.models import DifferenceKind

MOST_WORDS = 400
_WHOLE_NUMBER = re.compile(r"(?<![0-9])(254|0)([17][0-9]{2})[0-9]{3}([0-9]{3})(?![0-9])")


class Told(NamedTuple):
    """A receipt of one side of a statement, with all its rows taken together. Cents positive."""

    receipt: str
    at: datetime
    cents: int
    details: str
    party: str
    account_ref: str
    linked: str

    @property
    def words(self) -> str:
        """Say in one line what the statement says, with numbers shown in part."""
        named = f"account {self.account_ref}" if self.account_ref else ""
        parts = dict.fromkeys(part for part in (self.details, self.party, named) if part)
        # The details mostly repeat who it was.
        told = [part for part in parts if part == self.details or part not in self.details]
        return _WHOLE_NUMBER.sub(r"0\2***\3", ", ".join(told))[:MOST_WORDS]


class Draft(NamedTuple):
    """One difference. Money that went out is negative."""

    kind: DifferenceKind
    receipt: str | None
    at: datetime
    theirs_cents: int
    ours_cents: int
    subject: str | None
    what: str

    @property
    def key(self) -> tuple[str, str | None, int, int, str | None]:
        """What makes it the same difference when it is found again."""
        return self.kind, self.receipt, self.theirs_cents, self.ours_cents, self.subject
