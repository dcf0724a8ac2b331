"""The payment API dialect, ``/api/payment/…``: bare objects, TXN names and error codes."""

from __future__ import annotations

from flask import Blueprint

from app.core.errors import LipaError
from app.dialects.payment_api.methods import method_doors
from app.dialects.payment_api.paying import paying_doors
from app.dialects.payment_api.records import record_doors
from app.dialects.payment_api.trials import trial_doors
from app.dialects.payment_api.words import (
    ERROR_WORDS,
    PLAIN_CODES,
    STATUS_WORDS,
    in_our_words,
)
from app.openapi import chapter

__all__ = [
    "ERROR_WORDS",
    "PLAIN_CODES",
    "STATUS_WORDS",
    "payment_api_dialect",
    "payment_api_trials",
]

chapter(
    "payment_api_dialect",
    "payment_api_trials",
    title="Payment API dialect",
    about="Bare objects, integer order numbers, TXN names, error codes, and shillings as decimal "
    "numbers, for programs with a bearer token.",
    statuses=STATUS_WORDS,
    words=ERROR_WORDS,
    plain=PLAIN_CODES,
)

payment_api_dialect = Blueprint("payment_api_dialect", __name__, url_prefix="/api/payment")
for _doors in (paying_doors, record_doors, method_doors):
    payment_api_dialect.register_blueprint(_doors)
payment_api_dialect.register_error_handler(LipaError, in_our_words)

#: Registered outside production only.
payment_api_trials = Blueprint("payment_api_trials", __name__, url_prefix="/api/payment/test")
payment_api_trials.register_blueprint(trial_doors)
payment_api_trials.register_error_handler(LipaError, in_our_words)
