"""Dynamic QR: a picture that a person scans in place of typing."""

import base64
import io
import re
from collections.abc import Mapping
from typing import Any, Final

import segno
from flask import Blueprint, Response, jsonify

from app.simulator.faults import bad_field, bad_token
from app.simulator.fields import cents, matching, one_of, request_body, words
from app.simulator.oauth import require_token
from app.simulator.simulator import current_simulator

#: Buy goods, withdraw at an agent, paybill, send to a phone, send to a business (documented).
TRANSACTION_CODES: Final = ("BG", "WA", "PB", "SM", "SB")
LARGEST_PIXELS: Final = 2_000
_PARTY: Final = re.compile(r"\d{5,12}", re.ASCII)
_PIXELS: Final = re.compile(r"[1-9]\d{0,3}", re.ASCII)

qr = Blueprint("qr", __name__)
qr.before_request(require_token(bad_token))


@qr.post("/mpesa/qrcode/v1/generate")
def generate() -> Response:
    """Answers at once; there is no callback."""
    body = request_body("MerchantName")
    text, pixels = _read(body)
    return jsonify(
        # In production; the documentation prints a conversation's id here.
        ResponseCode="00",
        RequestID=current_simulator().identifiers.request_id(),
        ResponseDescription="QR Code Successfully Generated.",
        QRCode=base64.b64encode(_picture(text, pixels)).decode(),
    )


def _read(body: Mapping[str, Any]) -> tuple[str, int]:
    """What the picture says and how wide it is.

    What Safaricom's own pictures say is not published: here it is the fields, one to a line.
    """
    name, reference = words(body, "MerchantName", 1, 100), words(body, "RefNo", 1, 100)
    shillings = cents(body) // 100
    code = one_of(body, "TrxCode", TRANSACTION_CODES)
    party = matching(body, "CPI", _PARTY)
    pixels = int(matching(body, "Size", _PIXELS))
    if pixels > LARGEST_PIXELS:
        raise bad_field("Size", f"Size must be at most {LARGEST_PIXELS} pixels.")
    return f"M-PESA {code}\n{party}\n{shillings}\n{reference}\n{name}", pixels


def _picture(text: str, pixels: int) -> bytes:
    """A square PNG, as wide as asked or a little less: a module has a whole number of pixels."""
    symbol = segno.make_qr(text.encode(errors="replace"))
    scale = pixels // symbol.symbol_size()[0]
    if scale == 0:
        raise bad_field("Size", "Size is too small for what the picture has to say.")
    png = io.BytesIO()
    symbol.save(png, kind="png", scale=scale)
    return png.getvalue()
