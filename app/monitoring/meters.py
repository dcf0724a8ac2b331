"""What is counted while it happens, for Prometheus. Labels take few values, all of them known.

One process counts for itself. Several of one shop share a folder, in which each keeps its own
figures; whoever is asked adds them up. The folder has to be named before anything is counted.
"""

from __future__ import annotations

import hashlib
import logging
import os
from collections.abc import Callable
from contextlib import suppress
from functools import cache, wraps
from pathlib import Path
from typing import ParamSpec

from prometheus_client import CollectorRegistry, Counter, Histogram, values
from prometheus_client.multiprocess import MultiProcessCollector
from sqlalchemy.engine import make_url

logger = logging.getLogger("lipa.metrics")

#: Where prometheus_client looks for the folder.
FOLDER = "PROMETHEUS_MULTIPROC_DIR"
#: With a process's number behind it: that process counts here.
_MARK = "here-"
_METHODS = frozenset({"GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"})
#: Seconds. Ours are milliseconds; Daraja's are seconds; a prompt lives a minute and more.
_HTTP_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
_DARAJA_BUCKETS = (0.1, 0.25, 0.5, 1, 2, 3, 5, 10, 20, 30)
_PROMPT_BUCKETS = (2, 5, 10, 15, 20, 30, 45, 60, 90, 120, 300, 900, 3600)

#: How verdicts of the inbox begin; the rest of them moved a payment.
_VERDICTS = {
    "unreadable": "unreadable",
    "unknown CheckoutRequestID": "unknown",
    "repeated": "repeated",
    "ignored": "ignored",
    "not final yet": "not_final",
    "not proven": "unproven",
    "token fits, caller not on the list": "half_proven",
    "caller on the list, token missing or not fitting": "half_proven",
    "success without amount or receipt": "half_proven",
    "its receipt is another payment's": "receipt_reused",
}

Given = ParamSpec("Given")


def harmless(count: Callable[Given, None]) -> Callable[Given, None]:
    """Let nothing depend on a figure: a full disk costs the figure, and not the payment."""

    @wraps(count)
    def counted(*args: Given.args, **given: Given.kwargs) -> None:
        try:
            count(*args, **given)
        except (OSError, ValueError) as error:
            logger.warning("a figure was not counted (%s)", type(error).__name__)

    return counted


class Meters:
    """Every figure that is counted, in one registry."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.requests = self._times(
            "lipa_http_request_seconds",
            "Time to answer a request, by route and status.",
            ("method", "route", "status"),
            _HTTP_BUCKETS,
        )
        self.payments = self._counts(
            "lipa_payment_events_total", "What became of payments.", ("event",)
        )
        self.money_out = self._counts(
            "lipa_money_out_events_total", "What became of refunds and payouts.", ("event",)
        )
        self.prompts = self._times(
            "lipa_prompt_to_result_seconds",
            "From asking for a prompt to the end of the payment.",
            ("status",),
            _PROMPT_BUCKETS,
        )
        self.callbacks = self._counts(
            "lipa_callbacks_total", "Callbacks, by what they came to.", ("verdict",)
        )
        self.daraja = self._times(
            "lipa_daraja_request_seconds",
            "Time that Daraja took to answer, by kind of request and outcome.",
            ("kind", "outcome"),
            _DARAJA_BUCKETS,
        )

    def _counts(self, name: str, help_text: str, labels: tuple[str, ...]) -> Counter:
        return Counter(name, help_text, labels, registry=self.registry)

    def _times(
        self, name: str, help_text: str, labels: tuple[str, ...], buckets: tuple[float, ...]
    ) -> Histogram:
        return Histogram(name, help_text, labels, buckets=buckets, registry=self.registry)


@cache
def meters() -> Meters:
    """Return the figures of this process."""
    return Meters()


def folder_of(database_url: str, otherwise: Path) -> Path:
    """Return where the processes of one shop, which are those on one database, keep figures.

    It is beside a SQLite database, and in ``otherwise`` for a server's.
    """
    url = make_url(database_url)
    if url.get_backend_name() == "sqlite" and url.database:
        file = Path(url.database).resolve()
        return file.with_name(f"{file.stem}-metrics")
    place = f"{url.host}:{url.port}/{url.database}"
    return otherwise / f"metrics-{hashlib.sha256(place.encode()).hexdigest()[:12]}"


def share(folder: Path) -> None:
    """Keep figures in a folder that other processes of this shop use too. Call it at the start.

    What processes that have ended left there goes on counting until all have ended: a counter
    that fell would be read as a restart.
    """
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    _tidy(folder)
    (folder / f"{_MARK}{os.getpid()}").touch()
    os.environ[FOLDER] = str(folder)
    values.ValueClass = values.MultiProcessValue()  # type: ignore[no-untyped-call]


def leave(folder: Path) -> None:
    """Count there no more, and take the folder away if nobody else does."""
    (folder / f"{_MARK}{os.getpid()}").unlink(missing_ok=True)
    _tidy(folder)
    with suppress(OSError):
        folder.rmdir()


def _tidy(folder: Path) -> None:
    """Empty the folder unless somebody counts there."""
    marks = list(folder.glob(f"{_MARK}*"))
    if not any(_is_alive(int(mark.name.removeprefix(_MARK))) for mark in marks):
        for file in (*marks, *folder.glob("*.db")):
            file.unlink(missing_ok=True)


def readable() -> CollectorRegistry:
    """Return a registry that holds what all processes of this shop have counted."""
    folder = os.environ.get(FOLDER)
    if not folder:
        return meters().registry
    registry = CollectorRegistry()
    MultiProcessCollector(registry, folder)  # type: ignore[no-untyped-call]
    return registry


@harmless
def count_request(method: str, rule: str | None, status: int, seconds: float) -> None:
    """Count a request by its route's pattern: what people make up is one route together."""
    method = method if method in _METHODS else "other"
    meters().requests.labels(method, rule or "(none)", str(status)).observe(seconds)


@harmless
def count_call(kind: str, outcome: str, seconds: float) -> None:
    """Count a request to Daraja."""
    meters().daraja.labels(kind, outcome).observe(seconds)


@harmless
def count_callback(verdict: str) -> None:
    """Count a callback by the kind of its verdict, which goes on in words for people."""
    kind = _VERDICTS.get(verdict.partition(":")[0], "acted_on")
    meters().callbacks.labels(kind).inc()


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
