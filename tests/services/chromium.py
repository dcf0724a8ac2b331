"""The browser that is installed on this machine; Playwright downloads none of its own."""

from __future__ import annotations

import os
import shutil
import subprocess

from tests.services.launch import ServiceMissingError

#: The first is the same engine without windows, which costs a third less.
PROGRAMS = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
MISSING = (
    "Chromium is not installed. Install it: sudo apt-get install chromium; "
    "or name a browser: CHROMIUM=/path/to/chrome"
)
VERSION_SECONDS = 30

# Without the first a browser refuses to run as root; the others keep it from
# looking for a graphics card, for updates and for anything beyond loopback.
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


def find_chromium() -> str:
    """The path of a browser that starts. Raises ServiceMissingError when there is none."""
    for name in (os.environ.get("CHROMIUM"), *PROGRAMS):
        path = shutil.which(name) if name else None
        if path and _starts(path):
            return path
    raise ServiceMissingError(MISSING)


def _starts(path: str) -> bool:
    """Whether it is a browser and not Ubuntu's notice that one should be had as a snap."""
    try:
        answer = subprocess.run([path, "--version"], capture_output=True, timeout=VERSION_SECONDS)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return answer.returncode == 0
