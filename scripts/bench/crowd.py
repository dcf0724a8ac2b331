"""So many at once: each of a crowd asks for its share of a file, one request after the other.

``python -m scripts.bench.crowd URL FILE CONNECTIONS`` posts each line of the file, a JSON body,
to the path that stands beside it. Whoever is asked to come again (503 with Retry-After) does so,
as a page or a program would, and waits all that time. It is a program of its own, on greenlets, so
that its time is not the server's; wrk, which is quicker still, cannot tell when the last answer
came.
"""

from __future__ import annotations

from gevent import monkey

monkey.patch_all()

import json  # noqa: E402
import sys  # noqa: E402
import time  # noqa: E402
from http.client import HTTPConnection, HTTPException  # noqa: E402
from pathlib import Path  # noqa: E402
from typing import Any  # noqa: E402
from urllib.parse import urlsplit  # noqa: E402

from gevent.event import Event  # noqa: E402
from gevent.pool import Pool  # noqa: E402

PATIENCE_SECONDS = 60
MOST_TRIES = 6


class Crowd:
    """Everybody has a connection and their own requests, and all begin at the same moment."""

    def __init__(self, url: str, lines: list[dict[str, Any]], size: int) -> None:
        parts = urlsplit(url)
        self._place = (parts.hostname or "", parts.port or 80)
        self._shares = [lines[number::size] for number in range(size)]
        self._begin = Event()
        self.times: list[float] = []
        self.wrong: dict[str, int] = {}
        self.again = 0

    def run(self) -> float:
        """Send everything; return how many seconds passed until the last answer."""
        pool = Pool(len(self._shares))
        for share in self._shares:
            pool.spawn(self._go_on, share)
        began = time.monotonic()
        self._begin.set()
        pool.join(raise_error=True)
        return time.monotonic() - began

    def _go_on(self, share: list[dict[str, Any]]) -> None:
        self._begin.wait()
        connection = HTTPConnection(*self._place, timeout=PATIENCE_SECONDS)
        for line in share:
            began = time.monotonic()
            told = self._patiently(connection, line)
            self.times.append(time.monotonic() - began)
            if told != "200":
                self.wrong[told] = self.wrong.get(told, 0) + 1
        connection.close()

    def _patiently(self, connection: HTTPConnection, line: dict[str, Any]) -> str:
        told, wait = self._ask(connection, line)
        for _ in range(MOST_TRIES - 1):
            if told != "503" or wait is None:
                break
            self.again += 1
            time.sleep(float(wait))
            # The server has closed what was idle so long.
            connection.close()
            told, wait = self._ask(connection, line)
        return told

    def _ask(self, connection: HTTPConnection, line: dict[str, Any]) -> tuple[str, str | None]:
        """Return the status, or an error's name, and after how many seconds to come again."""
        try:
            connection.request("POST", line["path"], json.dumps(line["body"]), line["headers"])
            answer = connection.getresponse()
            answer.read()
        except (OSError, HTTPException) as error:
            connection.close()
            return type(error).__name__, None
        return str(answer.status), answer.headers["Retry-After"]


def main() -> None:
    url, file, size = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
    crowd = Crowd(url, [json.loads(line) for line in file.read_text().splitlines()], size)
    seconds = crowd.run()
    told = {"times": sorted(crowd.times), "wrong": crowd.wrong, "again": crowd.again}
    print(json.dumps({"seconds": seconds, **told}))


if __name__ == "__main__":
    main()
