"""What is kept of each request that came in, and of each letter that went out."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from flask import Response, g, request
from werkzeug.datastructures import Headers
from werkzeug.exceptions import HTTPException

from app.simulator.bodies import bounded_body
from app.simulator.masking import Masks, address, own_query
from app.simulator.traffic import Exchange, Said, Traffic

_HEADERS_IN: Final = ("Authorization", "Content-Type", "Content-Length", "Accept", "User-Agent")
_HEADERS_BACK: Final = ("Content-Type",)


@dataclass(frozen=True, slots=True)
class Answered:
    """What a shop said to a letter, as far as it was read; `status` is None where nothing came."""

    status: int | None = None
    content_type: str = ""
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class Posting:
    """A letter on its way. `says` is for the developer, and so is what is wrong, if anything."""

    url: str
    headers: Mapping[str, str]
    body: bytes
    checkout_request_id: str | None = None
    conversation_id: str | None = None
    began: float = field(default_factory=time.monotonic)

    def record(self, traffic: Traffic, why: str, answered: Answered) -> None:
        masks, url = traffic.masks, address(self.url)
        headers = {name: masks.header(name, value) for name, value in self.headers.items()}
        back = {"Content-Type": answered.content_type} if answered.content_type else {}
        traffic.record(
            Exchange(
                direction="out",
                method="POST",
                path=url,
                url=url,
                status=answered.status,
                error_code=None,
                why=why,
                checkout_request_id=self.checkout_request_id,
                conversation_id=self.conversation_id,
                request=Said(headers, _text(self.body, masks)),
                answer=Said(back, _text(answered.body, masks)),
                milliseconds=_since(self.began),
            )
        )


def note_beginning() -> None:
    """Look at the clock when a request comes in."""
    g.began = time.monotonic()


def record_request(traffic: Traffic, response: Response) -> None:
    """Keep this request and its answer; an answer that was dropped reached nobody."""
    authorization = request.headers.get("Authorization", "")
    # Some refusals repeat the token, whatever it was.
    masks = traffic.masks.also(authorization.partition(" ")[2].strip())
    dropped = g.get("dropped", False)
    traffic.record(
        Exchange(
            direction="in",
            method=request.method,
            path=request.path,
            url=_own_url(),
            status=None if dropped else response.status_code,
            error_code=g.get("error_code"),
            why=g.get("why", "ok"),
            checkout_request_id=g.get("checkout_request_id"),
            conversation_id=g.get("conversation_id"),
            request=Said(_headers(request.headers, _HEADERS_IN, masks), _text(_asked(), masks)),
            answer=Said() if dropped else _answer(response, masks),
            milliseconds=_since(g.began) if "began" in g else None,
        )
    )


def _own_url() -> str:
    query = own_query(request.query_string.decode(errors="replace"))
    return request.base_url + (f"?{query}" if query else "")


def _asked() -> bytes:
    """The request's body, read now where a refusal came before anybody had read it."""
    try:
        return bounded_body()
    except (HTTPException, OSError):
        return b"(too large, or it broke off)"


def _answer(response: Response, masks: Masks) -> Said:
    headers = _headers(response.headers, _HEADERS_BACK, masks)
    return Said(headers, _text(response.get_data(), masks))


def _headers(headers: Headers, wanted: tuple[str, ...], masks: Masks) -> dict[str, str]:
    found = {name: headers.get(name) for name in wanted}
    return {name: masks.header(name, value) for name, value in found.items() if value}


def _text(body: bytes, masks: Masks) -> str:
    return masks.text(body.decode(errors="replace"))


def _since(began: float) -> int:
    return round((time.monotonic() - began) * 1000)
