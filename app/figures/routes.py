"""The figures, as JSON, for whoever watches the shop with a program."""

from __future__ import annotations

from flask import Blueprint, jsonify, request
from flask.typing import ResponseReturnValue
from pydantic import Field

from app.accounts.guard import staff_only
from app.accounts.roles import May
from app.core.clock import iso_seconds
from app.core.money import shillings_number
from app.figures import service
from app.figures.attempts import Seconds
from app.figures.periods import days_from
from app.figures.service import Step
from app.figures.words import ABOUT
from app.limits import status_limit
from app.openapi import Answer, Moment, chapter, documented

figures_api = Blueprint("figures_api", __name__, url_prefix="/api/admin/figures")
chapter(
    "figures_api",
    title="Figures",
    about="How payments do, in numbers, for whoever watches the shop.",
)

#: The simulator and the sandbox have whole shillings only; money that comes in by hand need not.
Money = int | float


class Failures(Answer):
    reason: str = Field(examples=["cancelled"])
    count: int


class Took(Answer):
    """Seconds that half and that 95 percent of them took at most; null where nothing happened."""

    half: int | None
    most: int | None


class StepAnswer(Answer):
    """One hour of a day, or one day of several."""

    at: Moment
    takings: Money = Field(description="Kenyan shillings.", examples=[1500])
    initiated: int
    successful: int
    failed: int
    success_rate: float | None
    payment_seconds: Took
    callback_seconds: Took


class FiguresAnswer(Answer):
    """Rates are from 0 to 1, and null of nothing."""

    days: int = Field(examples=[1])
    start: Moment
    end: Moment
    success_rate: float | None = Field(description=str(ABOUT["success_rate"]))
    callback_receipt_rate: float | None = Field(description=str(ABOUT["callback_receipt_rate"]))
    failed_transactions: list[Failures] = Field(description=str(ABOUT["failed_transactions"]))
    average_payment_seconds: float | None = Field(description=str(ABOUT["average_payment_time"]))
    total_initiated: int = Field(description=str(ABOUT["total_initiated"]))
    successful: int = Field(description=str(ABOUT["successful"]))
    failed: int = Field(description=str(ABOUT["failed"]))
    in_review: int
    still_open: int
    pending_over_5_minutes: int = Field(description=str(ABOUT["pending_over_5_minutes"]))
    callback_failures: int = Field(description=str(ABOUT["callback_failures"]))
    steps: list[StepAnswer]


@figures_api.get("")
@documented(
    "Tell the figures of some days",
    FiguresAnswer,
    query={"days": "1 for today by hours, 7 or 30 by days. Nairobi's days; 1 unless told."},
)
@staff_only(May.SEE)
@status_limit
def tell() -> ResponseReturnValue:
    figures = service.figures(days_from(request.args.get("days")))
    period, ends = figures.period, figures.ends
    answer = FiguresAnswer(
        days=period.days,
        start=iso_seconds(period.start),
        end=iso_seconds(period.end),
        success_rate=ends.success.rate,
        callback_receipt_rate=ends.callbacks.rate,
        failed_transactions=[
            Failures(reason=reason, count=count) for reason, count in ends.reasons.most_common()
        ],
        average_payment_seconds=ends.took.average,
        total_initiated=ends.initiated,
        successful=ends.successful,
        failed=ends.failed,
        in_review=ends.in_review,
        still_open=ends.open,
        pending_over_5_minutes=service.glance().standing.long_pending.count,
        callback_failures=figures.callback_failures,
        steps=[_told(step) for step in figures.steps],
    )
    return jsonify(answer.model_dump())


def _told(step: Step) -> StepAnswer:
    return StepAnswer(
        at=iso_seconds(step.at),
        takings=shillings_number(step.taken.cents),
        initiated=step.ends.initiated,
        successful=step.ends.successful,
        failed=step.ends.failed,
        success_rate=step.ends.success.rate,
        payment_seconds=_took(step.ends.took),
        callback_seconds=_took(step.ends.callback_took),
    )


def _took(seconds: Seconds) -> Took:
    return Took(half=seconds.percentile(50), most=seconds.percentile(95))
