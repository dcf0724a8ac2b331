"""Processes that die at a chosen moment, as by a kill."""

from __future__ import annotations

import pkgutil
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from unittest import mock


class Died(BaseException):
    """The process ended here. No error handler of the program may catch this."""


@contextmanager
def dying(moment: str | None, begin_anew: Callable[[], None]) -> Iterator[list[str]]:
    """Stop this thread's work before or after a call, such as ``before app.x.y``, and begin anew.

    Yields a list that holds the moment if it came. None is a life without such a moment.
    """
    death: list[str] = []
    if moment is None:
        yield death
        return
    when, _, target = moment.partition(" ")
    original, process = pkgutil.resolve_name(target), threading.current_thread()

    def stop(*args: Any, **options: Any) -> Any:
        if threading.current_thread() is not process:
            return original(*args, **options)
        if when == "after":
            original(*args, **options)
        death.append(moment)
        raise Died(moment)

    with mock.patch(target, stop):
        try:
            yield death
        except Died:
            begin_anew()
