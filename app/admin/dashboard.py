"""The plots of the back office's first page, as the tables that they are drawn from."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from babel.dates import format_date
from flask_babel import gettext as _

from app.core.clock import nairobi
from app.core.money import shillings_number
from app.figures.attempts import Seconds
from app.figures.periods import HOUR
from app.figures.service import Figures, Step
from app.languages import language, money


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
    if whole < 60:
        return _("%(seconds)s s", seconds=whole)
    return _("%(minutes)s min %(seconds)s s", minutes=whole // 60, seconds=whole % 60)


def _takings(figures: Figures) -> Plot:
    rows = tuple(
        Row(
            step.at,
            _name(step, figures),
            (
                Cell(money(step.taken.cents), shillings_number(step.taken.cents)),
                Cell(str(step.taken.count)),
            ),
        )
        for step in figures.steps
    )
    return Plot(
        "takings",
        _("Takings by hour") if _is_hourly(figures) else _("Takings by day"),
        _("Everything that came in, refunds not taken off."),
        (_("Takings"), _("Times")),
        1,
        "bars",
        "KES",
        rows,
    )


def _success(figures: Figures) -> Plot:
    rows = tuple(
        Row(
            step.at,
            _name(step, figures),
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
        _("Success rate by hour") if _is_hourly(figures) else _("Success rate by day"),
        _("Of the payments that ended, the share that was paid."),
        (_("Rate"), _("Paid"), _("Failed")),
        1,
        "lines",
        "%",
        rows,
    )


def _speed(figures: Figures) -> Plot:
    rows = tuple(
        Row(step.at, _name(step, figures), _within(step.ends.took)) for step in figures.steps
    )
    return Plot(
        "speed",
        _("From prompt to result by hour")
        if _is_hourly(figures)
        else _("From prompt to result by day"),
        _("How long it took from asking for a payment until its money was booked."),
        (_("Half within"), _("95% within")),
        2,
        "lines",
        "s",
        rows,
    )


def _callbacks(figures: Figures) -> Plot:
    rows = tuple(
        Row(step.at, _name(step, figures), _within(step.ends.callback_took))
        for step in figures.steps
    )
    return Plot(
        "callbacks",
        _("From prompt to callback by hour")
        if _is_hourly(figures)
        else _("From prompt to callback by day"),
        _(
            "How long until Daraja's callback came, whatever it said. Where results are quicker "
            "than this, callbacks are late, and it was our questions that found them."
        ),
        (_("Half within"), _("95% within")),
        2,
        "lines",
        "s",
        rows,
    )


def _within(seconds: Seconds) -> tuple[Cell, ...]:
    marks = (seconds.percentile(50), seconds.percentile(95))
    return tuple(Cell(duration(mark), mark) for mark in marks)


def _name(step: Step, figures: Figures) -> str:
    if _is_hourly(figures):
        return step.name
    return format_date(nairobi(step.at).date(), "d MMM", locale=language())


def _is_hourly(figures: Figures) -> bool:
    return figures.period.step == HOUR
