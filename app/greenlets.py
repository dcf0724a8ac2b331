"""Greenlets in place of threads, in a web process where WEB_SERVER=gevent asks for them."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from dotenv import dotenv_values

ROOT = Path(__file__).resolve().parent.parent

Result = TypeVar("Result")

_in_use = False


def use_if_asked() -> None:
    """Turn threads, locks and sockets into greenlets' own. Called before they are imported.

    What has taken a lock or a socket of the other kind by then would stop every greenlet.
    """
    global _in_use
    if _are_asked_for():
        from gevent import monkey

        monkey.patch_all()
        _in_use = True


def _are_asked_for() -> bool:
    """Tell what the settings will say, without reading them: they import half the program."""
    asked = os.environ.get("WEB_SERVER")
    if not asked:
        file = os.environ.get("LIPA_ENV_FILE") or ROOT / ".env"
        asked = dotenv_values(file).get("WEB_SERVER")
    return (asked or "").strip().lower() == "gevent"


def are_in_use() -> bool:
    """Tell whether this process runs greenlets in place of threads."""
    return _in_use


def aside(work: Callable[[], Result]) -> Result:
    """Do what keeps a processor busy: in a real thread where every greenlet would wait for it."""
    if not _in_use:
        return work()
    from gevent import get_hub

    done: Result = get_hub().threadpool.apply(work)
    return done
