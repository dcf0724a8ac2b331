"""The MpesaService of this application, built from the settings of the moment."""

from __future__ import annotations

from typing import NamedTuple

from flask import Flask, current_app
from redis import Redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from app.config import Settings
from app.monitoring.calls import count_calls
from app.mpesa.breaker import Breakers
from app.mpesa.service import MpesaService
from app.mpesa.settings import MissingSettings, MpesaSettings
from app.mpesa.tokens import TokenCache
from app.mpesa.transport import Transport
from app.mpesa.wires import Wires
from app.payments.token_store import DatabaseShelf
from app.settings.service import mpesa_settings

#: A payment waits no longer for a Redis that hangs.
REDIS_SECONDS = 0.25


class Shared(NamedTuple):
    """What all requests of one process share."""

    wires: Wires
    tokens: TokenCache
    breakers: Breakers


def prepare(app: Flask) -> None:
    """Make the connection pools, the token cache and the circuit breakers."""
    settings: Settings = app.extensions["lipa_settings"]
    breakers = Breakers(_redis(settings.redis_url) if settings.redis_url else None)
    wires = Wires()
    for session in (wires.pushes, wires.questions):
        count_calls(session)
    app.extensions["lipa_daraja"] = Shared(wires, TokenCache(DatabaseShelf()), breakers)


def mpesa() -> MpesaService:
    """Return the service for the present settings. Raises MissingSettings."""
    return MpesaService(mpesa_settings(), *_shared())


def transport(account: MpesaSettings) -> Transport:
    """Return the road to Daraja for other requests of the same account."""
    return Transport(account, *_shared())


def is_configured() -> bool:
    """Tell whether every credential is set."""
    try:
        mpesa_settings().require()
    except MissingSettings:
        return False
    return True


def breaker_states() -> dict[str, str]:
    """Return ``closed``, ``open`` or ``half-open`` for every road to Daraja in use, by name."""
    return _shared().breakers.states()


def _shared() -> Shared:
    found: Shared = current_app.extensions["lipa_daraja"]
    return found


def _redis(url: str) -> Redis:
    return Redis.from_url(
        url,
        socket_timeout=REDIS_SECONDS,
        socket_connect_timeout=REDIS_SECONDS,
        retry=Retry(NoBackoff(), 0),
    )
