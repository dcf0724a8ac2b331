"""Where a shop under test may be made to die: names for moments, put around the product.

Nothing in the product knows of this. The launcher lays these wrappers around it in the processes
that it makes, and a moment kills its whole process group by SIGKILL when it is the armed one.
"""

from __future__ import annotations

import functools
import http.client
import json
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any

from flask import has_request_context
from sqlalchemy import event
from sqlalchemy.orm import Session

from tests.crash.arming import ARMED_FILE, DONE_SUFFIX

#: The function that runs at this moment, innermost of those with a name here.
_scope: ContextVar[str] = ContextVar("scope", default="other")
_writing: ContextVar[bool] = ContextVar("writing", default=False)
_counting = threading.Lock()
_reached: dict[str, int] = {}

#: A part of Daraja's paths, and what a request to it is called here.
_CALLS = {
    "stkpush/": "push",
    "stkpushquery/": "query",
    "oauth/": "token",
    "b2c/": "b2c",
    "reversal/": "reversal",
    "transactionstatus/": "status",
}


def lay() -> None:
    """Put every moment in its place. To be called once, after the application is imported."""
    from app.core import unit_of_work
    from app.mpesa.service import MpesaService

    for name, function in (_money_in() | _money_out()).items():
        replace_everywhere(function, _scoped(name, function))
    for name, method in (("push", MpesaService.push), ("query", MpesaService.query)):
        setattr(MpesaService, method.__name__, _scoped(name, method))
    replace_everywhere(unit_of_work.transaction, _watched(unit_of_work.transaction))
    event.listen(Session, "before_commit", lambda _session: _commit_reaches("before_commit"))
    event.listen(Session, "after_commit", lambda _session: _commit_reaches("after_commit"))
    _watch_the_wire()


def _money_in() -> dict[str, Callable[..., Any]]:
    """What happens to a payment, by the name that its moments have here."""
    from app.payments import engine, inbox, initiate, keeping, settle, webhook

    return {
        "initiate": initiate.initiate,
        "intent": initiate._write_intent,
        "answer": initiate.record_answer,
        "callback": webhook.receive_stk_callback,
        "ingest": keeping.ingest,
        "handle": inbox.handle,
        "settle": settle.settle,
        "ask": engine.ask,
        "sweep": engine.sweep,
    }


def _money_out() -> dict[str, Callable[..., Any]]:
    """What happens to a payout or a refund, by the name that its moments have here."""
    from app.disbursements import approvals, asking, machine, refunds, results, sending
    from app.disbursements import webhook as doors
    from app.suppliers import payouts

    return {
        "payout": payouts.ask,
        "refund": refunds.ask,
        "approve": approvals.approve,
        "send": sending.send,
        "claim": sending._claim,
        "record": sending.record_answer,
        "result": doors.receive_result,
        "keep": results.ingest,
        "hear": results.handle,
        "conclude": machine.conclude,
        "question": asking._claim,
    }


def replace_everywhere(original: object, substitute: object) -> None:
    """Put a substitute wherever a module of the product holds the original by some name."""
    for module in app_modules():
        for name, value in list(vars(module).items()):
            if value is original:
                setattr(module, name, substitute)


def app_modules() -> list[Any]:
    """Return the modules of the product that are imported by now."""
    return [module for name, module in sys.modules.items() if name.partition(".")[0] == "app"]


def reach(moment: str) -> None:
    """End the process group here and now when this is the moment that is armed."""
    file = Path(os.environ[ARMED_FILE])
    try:
        armed = json.loads(file.read_text())
    except FileNotFoundError:
        return
    if armed["moment"] != moment or not _fits(armed["where"]) or not _is_due(armed):
        return
    file.rename(file.with_suffix(DONE_SUFFIX))
    os.killpg(os.getpgrp(), signal.SIGKILL)


def _fits(where: str) -> bool:
    here = "request" if has_request_context() else "background"
    return where in (here, "anywhere")


def _is_due(armed: dict[str, Any]) -> bool:
    with _counting:
        count = _reached[armed["id"]] = _reached.get(armed["id"], 0) + 1
    return count == armed["occurrence"]


def _scoped(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function)
    def wrapper(*args: Any, **options: Any) -> Any:
        reach(f"{name}.enter")
        mark = _scope.set(name)
        try:
            result = function(*args, **options)
        finally:
            _scope.reset(mark)
        reach(f"{name}.leave")
        return result

    return wrapper


def _watched(transaction: Callable[[], Any]) -> Callable[[], Any]:
    """Tell the commit of a write from one that only ends a read."""

    @contextmanager
    def wrapper() -> Iterator[Session]:
        before = _writing.get()
        # A transaction begins by ending whatever read was open, and that is no write.
        _writing.set(False)
        try:
            with transaction() as session:
                _writing.set(True)
                yield session
        finally:
            _writing.set(before)

    return wrapper


def _commit_reaches(moment: str) -> None:
    if _writing.get():
        reach(f"{_scope.get()}.{moment}")
        reach(f"any.{moment}")


def _watch_the_wire() -> None:
    """Name the moments between a request to Daraja and the reading of its answer."""
    begin, respond = http.client.HTTPConnection.putrequest, http.client.HTTPConnection.getresponse

    def putrequest(self: Any, method: str, url: str, *args: Any, **options: Any) -> None:
        self.crash_call = next((name for part, name in _CALLS.items() if part in url), "other")
        begin(self, method, url, *args, **options)

    def getresponse(self: Any, *args: Any, **options: Any) -> Any:
        reach(f"{self.crash_call}.sent")
        response = respond(self, *args, **options)
        reach(f"{self.crash_call}.answered")
        return response

    http.client.HTTPConnection.putrequest = putrequest  # type: ignore[method-assign]
    http.client.HTTPConnection.getresponse = getresponse  # type: ignore[method-assign]
