"""Saying where a chaos run stands: on a terminal in one line, into a pipe now and then."""

from __future__ import annotations

import sys
import time

PIPE_SECONDS = 10
_last = 0.0


def progress(text: str) -> None:
    """Say where the run stands; the next thing said takes its place."""
    global _last
    if sys.stdout.isatty():
        print(f"\r\x1b[K  {text}", end="", flush=True)
    elif time.monotonic() - _last > PIPE_SECONDS:
        _last = time.monotonic()
        print(f"  {text}", flush=True)


def say(text: str) -> None:
    """Say something that stays."""
    start = "\r\x1b[K" if sys.stdout.isatty() else ""
    print(f"{start}{text}", flush=True)
