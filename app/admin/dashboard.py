"""The plots of the back office's first page, as the tables that they are drawn from."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from app.core.money import kes, shillings_number
from app.figures.attempts import Seconds
from app.figures.periods import HOUR
from app.figures.service import Figures


@dataclass(frozen=True)
class Cell:
    """What a table shows; ``value`` is what is drawn of it, None where nothing is."""

    shown: str
    value: float | None = None


@dataclass(frozen=True)
class Row:
    at: datetime
    name: str
    cells: tuple[Cell, ...]


@dataclass(frozen=True)
class Plot:
    """One table by hours or days. Its first ``drawn`` columns are plotted, in ``unit``."""

    id: str
    title: str
    about: str
    columns: tuple[str, ...]
    drawn: int
    kind: Literal["bars", "lines"]
    unit: Literal["KES", "%", "s"]
    rows: tuple[Row, ...]


def plots(figures: Figures) -> tuple[Plot, ...]:
    """Return what is plotted of a period, in the order of the page."""
    return (_takings(figures), _success(figures), _speed(figures), _callbacks(figures))


def duration(seconds: float | None) -> str:
    """Write how long something took: ``14 s``, ``2 min 5 s``; a dash for nothing."""
    if seconds is None:
        return "–"
    whole = round(seconds)
    return f"{whole} s" if whole < 60 else f"{whole // 60} min {whole % 60} s"


def _takings(figures: Figures) -> Plot:
    rows = tuple(
        Row(
            step.at,
            step.name,
            (
                Cell(kes(step.taken.cents), shillings_number(step.taken.cents)),
                Cell(str(step.taken.count)),
            ),
        )
        for step in figures.steps
    )
    return Plot(
        "takings",
        f"Takings by {_step(figures)}",
        "Everything that came in, refunds not taken off.",
        ("Takings", "Times"),
        1,
        "bars",
        "KES",
        rows,
    )


def _success(figures: Figures) -> Plot:
    rows = tuple(
        Row(
            step.at,
            step.name,
            (
                Cell(str(step.ends.success), step.ends.success.percent),
                Cell(str(step.ends.successful)),
                Cell(str(step.ends.failed)),
            ),
        )
        for step in figures.steps
    )
    return Plot(
        "success",
        f"Success rate by {_step(figures)}",
        "Of the payments that ended, the share that was paid.",
        ("Rate", "Paid", "Failed"),
        1,
        "lines",
        "%",
        rows,
    )


def _speed(figures: Figures) -> Plot:
    return Plot(
        "speed",
        f"From prompt to result by {_step(figures)}",
        "How long it took from asking for a payment until its money was booked.",
        ("Half within", "95% within"),
        2,
        "lines",
        "s",
        tuple(Row(step.at, step.name, _within(step.ends.took)) for step in figures.steps),
    )


def _callbacks(figures: Figures) -> Plot:
    return Plot(
        "callbacks",
        f"From prompt to callback by {_step(figures)}",
        "How long until Daraja's callback came, whatever it said. Where results are quicker than "
        "this, callbacks are late, and it was our questions that found them.",
        ("Half within", "95% within"),
        2,
        "lines",
        "s",
        tuple(Row(step.at, step.name, _within(step.ends.callback_took)) for step in figures.steps),
    )


def _within(seconds: Seconds) -> tuple[Cell, ...]:
    marks = (seconds.percentile(50), seconds.percentile(95))
    return tuple(Cell(duration(mark), mark) for mark in marks)


def _step(figures: Figures) -> str:
    return "hour" if figures.period.step == HOUR else "day"
