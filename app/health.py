"""Whether this process can do its work."""

from __future__ import annotations

from flask import Blueprint, jsonify
from flask.typing import ResponseReturnValue
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from app.accounts.guard import open_to_all
from app.extensions import db
from app.payments import provider
from app.settings.service import settings

health_api = Blueprint("health_api", __name__, url_prefix="/api")


@health_api.get("/health")
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
    body = {
        "status": "unwell" if problems else "ok",
        "environment": str(settings().mpesa_environment),
        "problems": problems,
    }
    return jsonify(body), 503 if problems else 200
