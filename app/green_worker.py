"""gunicorn's greenlet worker, with a limit to how long a request may take to come.

The head of a request has ``keepalive`` seconds, which gunicorn looks after; its body is timed here.
"""

from __future__ import annotations

from typing import Any

from gunicorn.workers.ggevent import GeventWorker

from app.patience import patience


class PatientGreenWorker(GeventWorker):
    def run(self) -> None:
        patience.start()
        super().run()

    def handle_request(self, listener_name: Any, req: Any, sock: Any, addr: Any) -> Any:
        patience.begin(sock)
        try:
            return super().handle_request(listener_name, req, sock, addr)
        finally:
            patience.end(sock)
