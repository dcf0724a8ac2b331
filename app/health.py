"""Whether this process can do its work: for people, for whoever restarts it, and for balancers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

from flask import Blueprint, Flask, current_app, jsonify
from flask.typing import ResponseReturnValue
from pydantic import Field
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from app.accounts.guard import open_to_all
from app.config import Environment
from app.extensions import db
from app.jobs import Jobs, QueueAway
from app.openapi import Answer, documented, one_of
from app.payments import provider
from app.schema import is_behind
from app.settings.service import settings

health_api = Blueprint("health_api", __name__, url_prefix="/api")

_STOPPING = "lipa_is_stopping"


def stops_when(app: Flask, is_stopping: Callable[[], bool]) -> None:
    """Have balancers told to send nobody new as soon as ``is_stopping`` says so."""
    app.extensions[_STOPPING] = is_stopping


class HealthAnswer(Answer):
    """How this process is; with 503 ``problems`` says what is wrong."""

    status: Annotated[str, one_of(["ok", "unwell"])]
    environment: Annotated[str, one_of(Environment)]
    problems: list[str] = Field(examples=[[]])


class LivenessAnswer(Answer):
    """That this process answers, and nothing else."""

    status: Annotated[str, one_of(["ok"])]


class ReadinessAnswer(Answer):
    """Whether to send requests here. With ``degraded`` payments go on without what is named."""

    status: Annotated[str, one_of(["ok", "degraded", "unwell"])]
    problems: list[str] = Field(examples=[[]])


@health_api.get("/health")
@documented("Ask whether the shop can do its work", {200: HealthAnswer, 503: HealthAnswer})
@open_to_all
def health() -> ResponseReturnValue:
    """Answer 200 when the database answers and M-Pesa is configured, else 503 with the reason."""
    problems = []
    try:
        db.session.execute(text("SELECT 1 FROM people LIMIT 1"))
        if not provider.is_configured():
            problems.append("M-Pesa credentials are not set")
    except SQLAlchemyError:
        db.session.rollback()
        problems.append("the database does not answer, or `flask db upgrade` has not been run")
    answer = HealthAnswer(
        status="unwell" if problems else "ok",
        environment=str(settings().mpesa_environment),
        problems=problems,
    )
    return jsonify(answer.model_dump()), 503 if problems else 200


@health_api.get("/health/live")
@documented("Ask whether this process answers", LivenessAnswer)
@open_to_all
def live() -> ResponseReturnValue:
    """Answer 200 and touch nothing: a restart would mend neither a database nor M-Pesa."""
    return jsonify(LivenessAnswer(status="ok").model_dump())


@health_api.get("/health/ready")
@documented(
    "Ask whether to send this process requests", {200: ReadinessAnswer, 503: ReadinessAnswer}
)
@open_to_all
def ready() -> ResponseReturnValue:
    """Answer 503 while a request would be in vain here: for balancers, about this process alone."""
    problems = _in_the_way()
    losses = [] if problems else _done_without()
    answer = ReadinessAnswer(
        status="unwell" if problems else "degraded" if losses else "ok",
        problems=problems or losses,
    )
    return jsonify(answer.model_dump()), 503 if problems else 200


def _in_the_way() -> list[str]:
    is_stopping = current_app.extensions.get(_STOPPING)
    if is_stopping is not None and is_stopping():
        return ["this process is stopping"]
    try:
        return ["the database is older than this program: run `flask prepare`"] * is_behind()
    except SQLAlchemyError:
        return ["the database does not answer"]


def _done_without() -> list[str]:
    """Say what is away that payments go on without."""
    jobs: Jobs = current_app.extensions["lipa_jobs"]
    if not current_app.extensions["lipa_settings"].redis_url:
        return []
    try:
        jobs.ask_after()
    except QueueAway as error:
        return [str(error)]
    return []
