"""Whether this process can do its work."""

from __future__ import annotations

from typing import Annotated

from flask import Blueprint, jsonify
from flask.typing import ResponseReturnValue
from pydantic import Field
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from app.accounts.guard import open_to_all
from app.config import Environment
from app.extensions import db
from app.openapi import Answer, documented, one_of
from app.payments import provider
from app.settings.service import settings

health_api = Blueprint("health_api", __name__, url_prefix="/api")


class HealthAnswer(Answer):
    """How this process is; with 503 ``problems`` says what is wrong."""

    status: Annotated[str, one_of(["ok", "unwell"])]
    environment: Annotated[str, one_of(Environment)]
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
