"""The shop's way to the simulator: its pages and JSON on the shop's own port.

A person who opens the shop needs no second port, and a browser no second origin. The shop
registers this blueprint outside production only.
"""

from typing import Final
from urllib.parse import quote

import requests
from flask import Blueprint, Response, current_app, jsonify, request

from app.simulator.bodies import bounded_body

CONNECT_TIMEOUT_SECONDS: Final = 3.0
READ_TIMEOUT_SECONDS: Final = 15.0
LARGEST_BODY_BYTES: Final = 64 * 1024
_HEADERS_BACK: Final = (
    "Content-Type",
    "Content-Disposition",
    "Cache-Control",
    "Location",
    "ETag",
    "Last-Modified",
)
_NOT_RUNNING: Final = (
    "The simulator is not running. Start it with `flask simulator`, or start the shop with "
    "`make run`, which brings it along."
)

front_door = Blueprint("front_door", __name__)


@front_door.route("/simulator/", defaults={"rest": ""}, methods=["GET", "POST"])
@front_door.route("/simulator/<path:rest>", methods=["GET", "POST"])
def forward(rest: str) -> Response:
    """Pass the request on. No cookie and no Authorization goes along: they are the shop's."""
    if any(part in (".", "..") for part in rest.split("/")):
        return _plain(404, "Not Found")
    request.max_content_length = LARGEST_BODY_BYTES
    body = bounded_body()
    try:
        answer = _ask(quote(rest, safe="/"), body)
    except (requests.ConnectionError, requests.Timeout):
        return _not_running()
    headers = {name: answer.headers[name] for name in _HEADERS_BACK if name in answer.headers}
    return Response(answer.content, answer.status_code, headers)


def _ask(rest: str, body: bytes) -> requests.Response:
    url = f"http://127.0.0.1:{current_app.config['SIMULATOR_PORT']}/simulator/{rest}"
    if request.query_string:
        url += "?" + request.query_string.decode("latin-1")
    content_type = request.headers.get("Content-Type")
    with requests.Session() as session:
        # A proxy of the environment does not belong between two local programs.
        session.trust_env = False
        return session.request(
            "POST" if request.method == "POST" else "GET",
            url,
            data=body or None,
            headers={"Content-Type": content_type} if content_type else {},
            timeout=(CONNECT_TIMEOUT_SECONDS, READ_TIMEOUT_SECONDS),
            allow_redirects=False,
        )


def _not_running() -> Response:
    if not request.path.startswith("/simulator/api/"):
        return _plain(503, _NOT_RUNNING)
    response = jsonify(
        success=False,
        status="error",
        error=_NOT_RUNNING,
        message=_NOT_RUNNING,
        code="PROVIDER_UNAVAILABLE",
        details={},
    )
    response.status_code = 503
    response.headers["Retry-After"] = "2"
    return response


def _plain(status: int, text: str) -> Response:
    headers = {"Retry-After": "2"} if status == 503 else {}
    return Response(f"{text}\n", status, headers, mimetype="text/plain")
