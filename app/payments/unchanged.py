"""Polls whose answer has not changed: one statement finds that out, and the answer is given again.

A page that waits for its payment asks every few seconds, and nearly always it hears the same. Who
asks, whether they may, and how the order stands is worked out by the view, which leaves here what
its answer was made of. When the very same request comes again, one statement tells whether all
of that still stands in the books. Whatever has changed, is due or is doubtful goes the whole way.
"""

from __future__ import annotations

import io
import re
import time
from collections.abc import Callable, Iterable
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any
from uuid import UUID

from flask import Flask, request
from sqlalchemy import Engine, bindparam, select
from sqlalchemy.exc import SQLAlchemyError

from app.accounts.guard import current_sign_in
from app.accounts.models import Person, SignIn
from app.accounts.sign_ins import lets_in
from app.accounts.tokens import expiry_of_request
from app.config import Settings
from app.core import request_ids
from app.core.clock import now
from app.limits import Allowance
from app.monitoring.http import tell
from app.orders.models import Order
from app.payments.asking import next_question_at
from app.payments.models import Payment
from app.payments.reading import ONLY_WAITS, Reading
from app.payments.view import seconds_left

StartResponse = Callable[..., Any]
Environ = dict[str, Any]

#: After so long an answer is worked out anew, whatever the books say.
KEPT = timedelta(seconds=30)
MOST_KEPT = 4_000
MOST_BODY_BYTES = 512
_LEFT_BY_VIEW = "lipa.unchanged"
_SECONDS_LEFT = re.compile(rb'(?<="seconds_left":)\d+')
#: Written anew for each answer.
_OWN_HEADERS = frozenset({"Content-Length", request_ids.HEADER})
#: An answer with one of these is that one request's, or cannot be put together from halves.
_NOT_FOR_TWO = frozenset({"Set-Cookie", "Content-Encoding"})
#: All of a request that an answer may depend on. What is not named here is read by nobody.
_READ = (
    "wsgi.url_scheme",
    "SCRIPT_NAME",
    "PATH_INFO",
    "QUERY_STRING",
    "CONTENT_TYPE",
    "HTTP_HOST",
    "HTTP_AUTHORIZATION",
    "HTTP_COOKIE",
    "HTTP_ORIGIN",
    "HTTP_SEC_FETCH_SITE",
    "HTTP_X_CSRF_TOKEN",
    "HTTP_ACCEPT",
    "HTTP_ACCEPT_LANGUAGE",
    "HTTP_ACCEPT_ENCODING",
)

#: What an answer tells of an attempt, when it is asked about, and the language it is told in.
_FACTS = (
    Payment.status,
    Payment.prompt_expires_at,
    Payment.next_check_at,
    Payment.last_asked_at,
    Payment.checks,
    Payment.ask_again_at,
    Payment.result_code,
    Payment.result_desc,
    Payment.reason,
    Payment.review_reason,
    Payment.reviewed_at,
    Payment.mpesa_receipt,
)
_FOUND = (
    select(*_FACTS, Person.language)
    .join(Payment.order)
    .join(Person, Person.id == Order.person_id)
    .join(SignIn, SignIn.person_id == Person.id)
    .where(
        Payment.id == bindparam("payment_id"),
        ONLY_WAITS,
        SignIn.uuid == bindparam("sign_in"),
        lets_in(bindparam("moment")),
    )
)


@dataclass(frozen=True)
class _Made:
    """What an answer was made of: these facts, for this sign-in, and until when that will do."""

    payment_id: int
    person_id: int
    sign_in: UUID
    facts: tuple[Any, ...]
    prompt_expires_at: datetime
    until: datetime


@dataclass(frozen=True)
class _Answer:
    """An answer as it went out, in two halves with the seconds that are left between them."""

    made: _Made
    headers: list[tuple[str, str]]
    before: bytes
    after: bytes

    def body(self) -> bytes:
        return b"%b%d%b" % (self.before, seconds_left(self.made.prompt_expires_at), self.after)


def leave(reading: Reading) -> None:
    """Say what this request's answer is made of, where an order only waits for its open prompt."""
    sign_in, expiry = current_sign_in(), expiry_of_request()
    if not reading.only_waits or _LEFT_BY_VIEW not in request.environ:
        return
    if sign_in is not None and expiry is not None:
        payment, person = reading.attempts[0], sign_in.person
        due = (next_question_at(payment), payment.prompt_expires_at, expiry, now() + KEPT)
        made = _Made(
            payment_id=payment.id,
            person_id=person.id,
            sign_in=sign_in.uuid,
            facts=(*(getattr(payment, fact.key) for fact in _FACTS), person.language),
            prompt_expires_at=payment.prompt_expires_at,
            until=min(moment for moment in due if moment is not None),
        )
        request.environ[_LEFT_BY_VIEW].append(made)


class Unchanged:
    """WSGI layer that gives the answer of one address again while all it was made of stands."""

    def __init__(self, app: Flask, engine: Engine, path: str) -> None:
        self._app, self._whole_way = app, app.wsgi_app
        self._engine, self._path = engine, path
        if engine.dialect.name == "postgresql":
            # One statement needs no BEGIN before it and no ROLLBACK after it, each a trip.
            self._engine = engine.execution_options(isolation_level="AUTOCOMMIT")
        self._allowance = Allowance()
        self._kept: dict[bytes, _Answer] = {}

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        if environ["PATH_INFO"] != self._path or not _has_short_body(environ):
            return self._whole_way(environ, start_response)
        began_at, key = time.monotonic(), _key_of(environ)
        answer = self._kept.get(key)
        if answer is not None and self._stands(answer.made):
            return self._give_again(answer, began_at, environ, start_response)
        return self._work_out(key, environ, start_response)

    @property
    def _settings(self) -> Settings:
        found: Settings = self._app.extensions["lipa_settings"]
        return found

    def _stands(self, made: _Made) -> bool:
        """Ask the books, and count the poll as the view would; when in doubt, say no."""
        moment = now()
        if moment >= made.until:
            return False
        values = {"payment_id": made.payment_id, "sign_in": made.sign_in, "moment": moment}
        try:
            with self._engine.connect() as connection:
                found = connection.execute(_FOUND, values).first()
        except SQLAlchemyError:
            return False
        limit = self._settings.rate_limit_status
        return found == made.facts and self._allowance.take(limit, made.person_id)

    def _give_again(
        self, answer: _Answer, began_at: float, environ: Environ, start_response: StartResponse
    ) -> list[bytes]:
        trusted = self._settings.trusted_proxies > 0
        request_id = request_ids.begin(environ.get("HTTP_X_REQUEST_ID"), trusted=trusted)
        body = answer.body()
        own = [("Content-Length", str(len(body))), (request_ids.HEADER, request_id)]
        start_response("200 OK", answer.headers + own)
        took = time.monotonic() - began_at
        tell("POST", self._path, self._path, 200, took, request_id, is_news=False)
        request_ids.end()
        return [body]

    def _work_out(
        self, key: bytes, environ: Environ, start_response: StartResponse
    ) -> Iterable[bytes]:
        """Go the whole way, and keep the answer if the view has left what it is made of."""
        told: list[tuple[str, list[tuple[str, str]]]] = []

        def start(status: str, headers: list[tuple[str, str]], *rest: Any) -> Any:
            told.append((status, headers))
            return start_response(status, headers, *rest)

        self._kept.pop(key, None)
        # A list, since layers on the way may hand on a copy of the environ.
        left: list[_Made] = []
        environ[_LEFT_BY_VIEW] = left
        chunks = self._whole_way(environ, start)
        if not left:
            return chunks
        with closing(chunks):  # type: ignore[type-var]  # Flask's have an end that is called
            body = b"".join(chunks)
        self._keep(key, left[0], *told[-1], body)
        return [body]

    def _keep(
        self, key: bytes, made: _Made, status: str, headers: list[tuple[str, str]], body: bytes
    ) -> None:
        names = {name for name, _ in headers}
        halves = _SECONDS_LEFT.split(body)
        if status != "200 OK" or len(halves) != 2 or names & _NOT_FOR_TWO:
            return
        if len(self._kept) >= MOST_KEPT:
            self._kept.clear()
        kept = [(name, value) for name, value in headers if name not in _OWN_HEADERS]
        self._kept[key] = _Answer(made, kept, *halves)


def _has_short_body(environ: Environ) -> bool:
    """Tell whether this posts a body short enough to be looked at before anybody has said yes."""
    length = environ.get("CONTENT_LENGTH") or ""
    is_number = length.isascii() and length.isdigit() and len(length) < 9
    return environ["REQUEST_METHOD"] == "POST" and is_number and int(length) <= MOST_BODY_BYTES


def _key_of(environ: Environ) -> bytes:
    """Return what makes a request the very same; its body is put back for whoever reads it next."""
    body = environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"]))
    environ["wsgi.input"] = io.BytesIO(body)
    # Hashed, so that no token is kept.
    return sha256(repr([body, *map(environ.get, _READ)]).encode()).digest()
