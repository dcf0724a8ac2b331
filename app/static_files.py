"""Static files under addresses that change with them, and answers that are light on the wire.

A page names ``/static/v/<version>/css/lipa.css``. The version is made of what all the files hold,
so a browser keeps them for a year without asking, and a new version of the shop brings new ones.
Scripts name each other by relative addresses, which lie under the same version. The plain
``/static/…`` stays for other people's pages; there a browser asks each time whether its copy is
still good.

Pages are compressed although they hold a form token (the BREACH attack reads a secret by the
lengths of many compressed answers). The attacker would have to make a victim's browser fetch
pages thousands of times with its cookies, and a cookie with SameSite=Lax is not sent with what
another site's page fetches; what is left, opening window after window, is seen by its victim and
far too slow. A token alone changes nothing either: it is useless without the cookie it belongs to.
"""

from __future__ import annotations

import hashlib
from functools import lru_cache
from pathlib import Path
from typing import Any

from flask import Flask, Response, request
from flask_compress import Compress

YEAR_SECONDS = 365 * 24 * 3600
#: Everything else is compressed already, is streamed, or is for programs that have time.
_COMPRESSED = [
    "text/html",
    "text/css",
    "text/javascript",
    "application/json",
    "image/svg+xml",
]


def install(app: Flask, *, is_kept: bool) -> None:
    """Serve static files, and compress what is worth it.

    With ``is_kept`` pages name them by version; a developer's browser asks each time instead.
    """
    folder = Path(app.static_folder or "")
    version = _version_of(folder)

    def static(filename: str, version: str | None = None) -> Response:
        response = app.send_static_file(filename)
        if response.status_code == 206:
            return response
        # Read as a whole it can be compressed; a stream or a part of a file is not.
        response.direct_passthrough = False
        body = response.get_data() if response.status_code == 200 else b""
        # The file is open until now, also where nothing of it is sent.
        response.close()
        response.set_data(body)
        return response

    app.view_functions["static"] = static
    app.add_url_rule("/static/v/<version>/<path:filename>", endpoint="static")
    if is_kept:
        app.url_defaults(lambda endpoint, values: _add_version(endpoint, values, version))
    _compress(app)
    app.after_request(lambda response: _let_keep(response, version))


def _compress(app: Flask) -> None:
    app.config.update(
        COMPRESS_ALGORITHM=["br", "gzip"],
        COMPRESS_LEVEL=6,
        COMPRESS_BR_LEVEL=6,
        COMPRESS_MIMETYPES=_COMPRESSED,
        # What goes in one packet as it is, the answer to a poll for one, gets there no sooner.
        COMPRESS_MIN_SIZE=1_000,
        # What is streamed goes out as it comes: the length of a file stays known.
        COMPRESS_STREAMS=False,
    )
    Compress(app)


def _add_version(endpoint: str, values: dict[str, Any], version: str) -> None:
    if endpoint == "static":
        values.setdefault("version", version)


def _let_keep(response: Response, version: str) -> Response:
    """Let browsers keep a file whose address names what is in it."""
    is_named = (request.view_args or {}).get("version") == version
    if request.endpoint == "static" and is_named and response.status_code in (200, 304):
        response.headers["Cache-Control"] = f"public, max-age={YEAR_SECONDS}, immutable"
    return response


@lru_cache
def _version_of(folder: Path) -> str:
    """Return a name for what the static files hold as this process starts."""
    digest = hashlib.sha256()
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        digest.update(path.relative_to(folder).as_posix().encode())
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()[:12]
