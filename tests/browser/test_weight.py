"""What a first payment costs to load: every byte of the road, as it came over the wire."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Response, expect

from tests.browser.conftest import NewContext
from tests.browser.people import Handset, Shopper, new_msisdn, pay_button

MOST_BYTES = 30_000
#: Pages, styles, our scripts and what these ask for; and, beside them, what comes later or never.
KINDS = {"document": "pages", "stylesheet": "styles", "script": "scripts", "fetch": "answers"}


@dataclass(frozen=True)
class Piece:
    """One answer: its path, what it is, and the bytes of its body as they were sent."""

    path: str
    kind: str
    size: int


def test_the_whole_first_payment_is_lighter_than_30_kilobytes(
    new_context: NewContext, capsys: pytest.CaptureFixture[str]
) -> None:
    """Shelf, cart, checkout, dialog, success and receipt, in a browser that has nothing yet."""
    known = Shopper(new_context(), new_msisdn())
    known.register()
    shopper = Shopper(new_context(storage_state=known.context.storage_state()), known.msisdn)
    answers: list[Response] = []
    shopper.page.on("response", lambda answer: answers.append(answer))
    shopper.buy()
    Handset(new_context(), shopper.msisdn).enter_pin()
    shopper.sees_success()
    shopper.page.get_by_role("link", name="See the receipt").click()
    expect(shopper.page.get_by_role("article")).to_be_visible()
    shopper.page.wait_for_load_state("networkidle")
    pieces = _loaded(answers)
    road = [piece for piece in pieces if piece.kind != "later"]
    with capsys.disabled():
        _print(pieces)
    without_scripts = sum(piece.size for piece in road if piece.kind in ("pages", "styles"))
    assert without_scripts < MOST_BYTES
    assert sum(piece.size for piece in road) < MOST_BYTES
    assert {"pages", "styles", "scripts"} <= {piece.kind for piece in road}


def _loaded(answers: list[Response]) -> list[Piece]:
    """Weigh what was sent; a static file comes once, and then from the browser's own store."""
    once = {answer.url: answer for answer in reversed(answers) if "/static/" in answer.url}
    sent = [
        answer
        for answer in answers
        if answer.status == 200 and once.get(answer.url, answer) is answer
    ]
    return [_piece(answer) for answer in sent]


def _piece(answer: Response) -> Piece:
    path = urlsplit(answer.url).path
    kind = KINDS.get(answer.request.resource_type, "later")
    # The client of the sockets comes when a prompt is on the phone; pictures are no part of paying.
    is_later = "/vendor/" in path or Path(path).suffix in (".svg", ".webp")
    return Piece(path, "later" if is_later else kind, answer.request.sizes()["responseBodySize"])


def _print(pieces: list[Piece]) -> None:
    print("\nThe road of a first payment, bytes on the wire:")
    for kind in (*KINDS.values(), "later"):
        ours = [piece for piece in pieces if piece.kind == kind]
        print(f"  {kind:8} {sum(piece.size for piece in ours):6}")
        for piece in ours:
            print(f"    {piece.size:6} {piece.path}")


def test_the_client_of_the_sockets_is_loaded_after_a_payment_has_begun(shopper: Shopper) -> None:
    asked: list[str] = []
    shopper.page.on("request", lambda request: asked.append(request.url))
    shopper.go_to_checkout()
    shopper.page.wait_for_load_state("networkidle")
    expect(pay_button(shopper.page)).to_be_visible()
    assert [url for url in asked if "/vendor/" in url] == []
    with shopper.page.expect_request("**/vendor/socket.io*/**"):
        shopper.press_pay()
