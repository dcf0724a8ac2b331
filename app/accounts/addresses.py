"""Where a form may send somebody next."""

from __future__ import annotations

from urllib.parse import urlsplit


def own_address(wanted: str | None) -> str:
    """Return where to go next: a path of this shop, or its front page for anything else."""
    if not wanted or not wanted.startswith("/") or wanted.startswith(("//", "/\\")):
        return "/"
    parts = urlsplit(wanted)
    clean = wanted.isprintable() and "\\" not in wanted and not parts.scheme and not parts.netloc
    return wanted if clean else "/"
