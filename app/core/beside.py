"""A thread beside the server: it works whenever it is woken, and looks by itself now and then."""

from __future__ import annotations

import threading
from collections.abc import Callable

STOP_SECONDS = 2.0


class Beside:
    """Calls ``work`` once at its start, then after each ``wake``, and every so many seconds.

    ``work`` sees to its own errors, and looks at ``is_ending`` where it goes on for long.
    """

    def __init__(
        self, name: str, work: Callable[[], object], look_every_seconds: float | None = None
    ) -> None:
        self._name, self._work, self._look_every = name, work, look_every_seconds
        self._wanted = threading.Event()
        self._ending = threading.Event()
        self._thread: threading.Thread | None = None

    @property
    def is_running(self) -> bool:
        return self._thread is not None

    @property
    def is_ending(self) -> bool:
        return self._ending.is_set()

    def start(self) -> None:
        self._ending.clear()
        self._wanted.set()
        self._thread = threading.Thread(target=self._run, name=self._name, daemon=True)
        self._thread.start()

    def wake(self, _sender: object = None) -> None:
        """Have it work now; a signal can be connected to this."""
        self._wanted.set()

    def take_no_more(self) -> None:
        """Let it begin nothing new. Returns at once."""
        self._ending.set()
        self._wanted.set()

    def stop(self, seconds: float = STOP_SECONDS) -> None:
        """Let it begin nothing new, and wait so long at most for what it has in hand."""
        self.take_no_more()
        if self._thread is not None:
            self._thread.join(seconds)
        self._thread = None

    def rest(self, seconds: float) -> None:
        """Let ``work`` pause, and no longer than until the end."""
        self._ending.wait(seconds)

    def _run(self) -> None:
        while not self._ending.is_set():
            self._wanted.wait(self._look_every)
            self._wanted.clear()
            self._work()
