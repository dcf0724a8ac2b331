"""A Daraja that takes its time: every push is accepted after so many seconds, whatever its load.

``python -m scripts.bench.daraja PORT SECONDS``. ``GET /counts`` tells how often what was asked for,
and ``GET /asked`` when each prompt was asked about, by its CheckoutRequestID.
"""

from __future__ import annotations

from gevent import monkey

monkey.patch_all()

import itertools  # noqa: E402
import json  # noqa: E402
import sys  # noqa: E402
import time  # noqa: E402
from collections import Counter, defaultdict  # noqa: E402
from collections.abc import Iterable  # noqa: E402
from typing import Any  # noqa: E402

from gevent.pywsgi import WSGIServer  # noqa: E402

_numbers = itertools.count(1)
_counts: Counter[str] = Counter()
_asked: defaultdict[str, list[float]] = defaultdict(list)


class Daraja:
    def __init__(self, seconds: float) -> None:
        self._seconds = seconds

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        path = environ["PATH_INFO"]
        body = environ["wsgi.input"].read()
        if path == "/delay":
            self._seconds = float(json.loads(body)["seconds"])
            answer: dict[str, Any] = {}
        elif path == "/counts":
            answer = dict(_counts)
        elif path == "/asked":
            answer = dict(_asked)
        else:
            answer = self._answer(path, body)
        raw = json.dumps(answer).encode()
        headers = [("Content-Type", "application/json"), ("Content-Length", str(len(raw)))]
        start_response("200 OK", headers)
        return [raw]

    def _answer(self, path: str, body: bytes) -> dict[str, Any]:
        kind = (
            "tokens" if path.startswith("/oauth/") else "queries" if "query" in path else "pushes"
        )
        _counts[kind] += 1
        if kind == "tokens":
            return {"access_token": "a" * 28, "expires_in": "3599"}
        number = next(_numbers)
        if kind == "queries":
            _asked[json.loads(body)["CheckoutRequestID"]].append(time.monotonic())
            return {
                "requestId": f"q-{number}",
                "errorCode": "500.001.1001",
                "errorMessage": "The transaction is being processed",
            }
        time.sleep(self._seconds)
        return {
            "MerchantRequestID": f"bench-{number}",
            "CheckoutRequestID": f"ws_CO_{time.time_ns()}{number}",
            "ResponseCode": "0",
            "ResponseDescription": "Success. Request accepted for processing",
            "CustomerMessage": "Success. Request accepted for processing",
        }


def main() -> None:
    port, seconds = int(sys.argv[1]), float(sys.argv[2])
    WSGIServer(("127.0.0.1", port), Daraja(seconds), backlog=4096, log=None).serve_forever()


if __name__ == "__main__":
    main()
