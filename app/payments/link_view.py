"""How a shared link is shown to the person who shares it: address, QR code, ways to send it."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import quote

import segno
from flask import request
from markupsafe import Markup

from app.settings.service import public_root, settings
from app.tunnel import NoTunnel

#: Modules of white around the code, as its standard asks.
_BORDER = 4
#: Pixels of a module: large enough for a phone's camera, small enough for a phone's screen.
_SCALE = 4


@dataclass(frozen=True)
class ShownLink:
    """A link by its path. What else is shown is made of the shop's public address."""

    path: str

    @property
    def url(self) -> str:
        return f"{_root()}{self.path}"

    @property
    def qr(self) -> Markup:
        """Return the address as an SVG picture, to be put into a page."""
        code = segno.make_qr(self.url, error="m")
        # Everything in it is drawn by segno from our own address.
        return Markup(  # noqa: S704
            code.svg_inline(scale=_SCALE, light="#fff", dark="#000", border=_BORDER)
        )

    def sms(self, words: str) -> str:
        """Return an address that opens a text message with these words and the link."""
        return f"sms:?body={quote(f'{words} {self.url}', safe='')}"

    def whatsapp(self, words: str) -> str:
        """Return an address that opens WhatsApp with these words and the link."""
        return f"https://wa.me/?text={quote(f'{words} {self.url}', safe='')}"


def _root() -> str:
    """Return where the shop is for others: its public address, else the one that was asked for."""
    if settings().public_url:
        try:
            return public_root()
        except NoTunnel:
            # The tunnel is away for a moment; the address of the page itself is at hand.
            pass
    return request.host_url.rstrip("/")
