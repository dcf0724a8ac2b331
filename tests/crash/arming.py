"""How a test says where the next death is to be: a file that the shop's processes look into."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from uuid import uuid4

#: The variable of the environment that names the file.
ARMED_FILE = "CRASH_FILE"
DONE_SUFFIX = ".done"


@dataclass(frozen=True)
class Death:
    """A moment of hooks.py, by name, and which of its occurrences is the last thing to happen.

    ``where`` is "request", "background" or "anywhere".
    """

    moment: str
    where: str = "anywhere"
    occurrence: int = 1

    def __str__(self) -> str:
        return f"{self.where}-{self.moment}-{self.occurrence}"


@dataclass
class Arming:
    """The file: written to arm, renamed by the process that dies, away when nothing is armed."""

    folder: Path
    file: Path = field(init=False)

    def __post_init__(self) -> None:
        self.file = self.folder / "death.json"

    def arm(self, death: Death) -> None:
        self.disarm()
        written = self.file.with_suffix(".new")
        body = {"id": uuid4().hex, "moment": death.moment, "where": death.where}
        written.write_text(json.dumps(body | {"occurrence": death.occurrence}))
        # A process must never read half of it.
        written.rename(self.file)

    def disarm(self) -> None:
        self.file.unlink(missing_ok=True)
        self.file.with_suffix(DONE_SUFFIX).unlink(missing_ok=True)

    @property
    def has_struck(self) -> bool:
        return self.file.with_suffix(DONE_SUFFIX).exists()
