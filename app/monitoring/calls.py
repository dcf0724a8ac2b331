"""Every request to Daraja among the figures: its kind, how it ended, and how long it took."""

from __future__ import annotations

import time
from typing import Any
from urllib.parse import urlsplit

import requests
from requests.adapters import BaseAdapter

from app.monitoring.meters import count_call

_KINDS = {
    "/oauth/": "token",
    "/mpesa/stkpush/": "push",
    "/mpesa/stkpushquery/": "push_query",
    "/mpesa/b2c/": "b2c",
    "/mpesa/reversal/": "reversal",
    "/mpesa/transactionstatus/": "status_query",
    "/mpesa/accountbalance/": "balance",
    "/mpesa/c2b/": "c2b",
}


class Counted(BaseAdapter):
    """Passes requests on to another adapter, and counts them."""

    def __init__(self, inner: BaseAdapter) -> None:
        super().__init__()
        self._inner = inner

    def send(
        self, request: requests.PreparedRequest, *args: Any, **given: Any
    ) -> requests.Response:
        began, outcome = time.monotonic(), "unreachable"
        try:
            response = self._inner.send(request, *args, **given)
            outcome = f"{response.status_code // 100}xx"
            return response
        except requests.Timeout:
            outcome = "timeout"
            raise
        finally:
            kind = kind_of(urlsplit(request.url or "").path)
            count_call(kind, outcome, time.monotonic() - began)

    def close(self) -> None:
        self._inner.close()


def count_calls(session: requests.Session) -> None:
    """Have everything that a session sends counted."""
    for scheme in ("http://", "https://"):
        session.mount(scheme, Counted(session.get_adapter(scheme)))


def kind_of(path: str) -> str:
    """Name a request to Daraja by its path: one of few words."""
    return next((kind for part, kind in _KINDS.items() if part in path), "other")
