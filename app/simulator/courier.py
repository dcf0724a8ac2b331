"""Letters to the shop, and their single journey."""

import logging
import queue
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final

import requests
from urllib3.exceptions import HTTPError

from app.simulator.recording import Answered, Posting
from app.simulator.traffic import Traffic

CONNECT_TIMEOUT_SECONDS: Final = 3.0
READ_TIMEOUT_SECONDS: Final = 10.0
#: Of the answer's body so much is read, for developers only.
MOST_READ_BYTES: Final = 16 * 1024
MOST_READING_SECONDS: Final = 2.0
WORKERS: Final = 16
MOST_WAITING: Final = 10_000

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Letter:
    """What is posted to one address. Written when things ended: later news is another letter.

    `says` is for the developer. One of the two ids tells what the letter is about.
    """

    url: str
    body: bytes
    says: str
    checkout_request_id: str | None = None
    conversation_id: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)

    def all_headers(self) -> dict[str, str]:
        return {"Content-Type": "application/json;charset=UTF-8", **self.headers}

    def posting(self) -> Posting:
        """The letter as it sets out now, to be recorded when its journey is over."""
        return Posting(
            self.url,
            self.all_headers(),
            self.body,
            self.checkout_request_id,
            self.conversation_id,
        )


class Courier:
    """Delivers letters from a bounded pool of threads; one attempt each, no retry.

    Two logged trials saw none after a 500 and a 502, and none is documented. When more than
    `MOST_WAITING` wait, further ones are lost, as they may be in life.
    """

    def __init__(
        self, traffic: Traffic, on_delivery: Callable[[Letter, bool], None] = lambda *_: None
    ) -> None:
        """`on_delivery` is told of a letter whether the shop answered it with 2xx."""
        self._traffic = traffic
        self._on_delivery = on_delivery
        self._waiting: queue.Queue[Letter] = queue.Queue(MOST_WAITING)
        self._start_lock = threading.Lock()
        self._started = False

    def send(self, letter: Letter) -> None:
        """Queue a letter; never blocks."""
        self._start()
        try:
            self._waiting.put_nowait(letter)
        except queue.Full:
            why = "the callback was lost: too many were waiting"
            self._record(letter, letter.posting(), why, Answered())

    def deliver(self, letter: Letter) -> None:
        """Deliver here and now; never raises."""
        posting, why = letter.posting(), letter.says
        try:
            answered = _post(letter)
        except (requests.RequestException, ValueError, OSError) as error:
            answered = Answered()
            why = f"the callback was not answered: {type(error).__name__}"
        self._record(letter, posting, why, answered)

    def waiting(self) -> int:
        """Letters that are queued or under way."""
        return self._waiting.unfinished_tasks

    def clear(self) -> None:
        while True:
            try:
                self._waiting.get_nowait()
                self._waiting.task_done()
            except queue.Empty:
                return

    def _start(self) -> None:
        with self._start_lock:
            if self._started:
                return
            self._started = True
            for number in range(WORKERS):
                threading.Thread(target=self._run, name=f"courier-{number}", daemon=True).start()

    def _run(self) -> None:
        while True:
            letter = self._waiting.get()
            try:
                self.deliver(letter)
            except Exception:
                # A worker that dies would slow every later callback, with nobody the wiser.
                log.exception("a callback could not be delivered")
            finally:
                self._waiting.task_done()

    def _record(self, letter: Letter, posting: Posting, why: str, answered: Answered) -> None:
        status = answered.status
        self._on_delivery(letter, status is not None and status < 300)
        posting.record(self._traffic, why, answered)


def _post(letter: Letter) -> Answered:
    with requests.Session() as session:
        # A proxy of the developer's environment does not belong between two local programs.
        session.trust_env = False
        with session.post(
            letter.url,
            data=letter.body,
            headers=letter.all_headers(),
            timeout=(CONNECT_TIMEOUT_SECONDS, READ_TIMEOUT_SECONDS),
            allow_redirects=False,
            # Nothing suggests that Daraja reads the answer's body, so it decides nothing here.
            stream=True,
        ) as response:
            kind = response.headers.get("Content-Type", "")
            return Answered(response.status_code, kind, _some_of(response))


def _some_of(response: requests.Response) -> bytes:
    """The beginning of the body, as far as it comes soon; never raises."""
    body, deadline = b"", time.monotonic() + MOST_READING_SECONDS
    with suppress(HTTPError, OSError, ValueError):
        while len(body) < MOST_READ_BYTES and time.monotonic() < deadline:
            piece = response.raw.read1(MOST_READ_BYTES - len(body), decode_content=True)
            if not piece:
                break
            body += piece
    return body
