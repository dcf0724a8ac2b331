"""The MpesaService of this application, built from the settings of the moment."""

from __future__ import annotations

from typing import Any

from flask import Flask, current_app

from app.mpesa.service import MpesaService, pooled_session
from app.mpesa.settings import MissingSettings
from app.mpesa.tokens import TokenCache
from app.settings.service import mpesa_settings


def prepare(app: Flask) -> None:
    """Make what all requests share: one connection pool and one token cache."""
    app.extensions["lipa_daraja"] = (pooled_session(), TokenCache())


def mpesa() -> MpesaService:
    """Return the service for the present settings. Raises MissingSettings."""
    session, tokens = _shared()
    return MpesaService(mpesa_settings(), session, tokens)


def is_configured() -> bool:
    """Tell whether every credential is set."""
    try:
        mpesa_settings().require()
    except MissingSettings:
        return False
    return True


def _shared() -> Any:
    return current_app.extensions["lipa_daraja"]
