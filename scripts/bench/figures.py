"""What a benchmark finds: figures with their targets, printed as a table and kept as JSON."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Figure:
    """One finding. A target of None is only told; otherwise it is a least, or a most, value."""

    section: str
    engine: str
    what: str
    value: float
    unit: str
    least: float | None = None
    most: float | None = None

    @property
    def is_met(self) -> bool | None:
        if self.least is None and self.most is None:
            return None
        above = self.least is None or self.value >= self.least
        return above and (self.most is None or self.value <= self.most)

    def as_json(self) -> dict[str, Any]:
        return asdict(self) | {"met": self.is_met}


def line(figure: Figure) -> str:
    target = ""
    if figure.least is not None:
        target = f"≥ {figure.least:g}"
    elif figure.most is not None:
        target = f"≤ {figure.most:g}"
    verdict = {None: "", True: "met", False: "MISSED"}[figure.is_met]
    return (
        f"{figure.section:<12} {figure.engine:<11} {figure.what:<52} "
        f"{figure.value:>10.4g} {figure.unit:<6} {target:>10} {verdict}"
    )
