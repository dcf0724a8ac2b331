"""Dynamic QR: a real picture, made at once."""

import base64
import re
import struct
import zlib
from typing import Any

import pytest
import requests
import segno

from tests.simulator.client import Daraja
from tests.simulator.test_b2c import REQUEST_ID, envelope

WANTED = {
    "MerchantName": "TEST SUPERMARKET",
    "RefNo": "Invoice Test",
    "Amount": 1,
    "TrxCode": "BG",
    "CPI": "373132",
    "Size": "300",
}
SAYS = "M-PESA BG\n373132\n1\nInvoice Test\nTEST SUPERMARKET"


def generate(daraja: Daraja, **changes: Any) -> requests.Response:
    body = {k: v for k, v in (WANTED | changes).items() if v is not ...}
    return daraja.call("POST", "/mpesa/qrcode/v1/generate", json=body)


def dark(png: bytes) -> list[list[bool]]:
    """Which pixels of a black and white PNG are dark, read by hand."""
    assert png.startswith(b"\x89PNG\r\n\x1a\n")
    at, packed = 8, b""
    while at < len(png):
        length, kind = struct.unpack(">I4s", png[at : at + 8])
        data = png[at + 8 : at + 8 + length]
        if kind == b"IHDR":
            width, height, depth, colour = struct.unpack(">IIBB", data[:10])
            assert (depth, colour) == (1, 0)
        packed += data if kind == b"IDAT" else b""
        at += 12 + length
    raw, row_bytes = zlib.decompress(packed), (width + 7) // 8
    rows, above = [], bytes(row_bytes)
    for n in range(height):
        written, *row = raw[n * (row_bytes + 1) : (n + 1) * (row_bytes + 1)]
        # The two of PNG's filters that a picture of squares needs: none, and "as above".
        assert written in (0, 2)
        above = (
            bytes((b + a) % 256 for b, a in zip(row, above, strict=True)) if written else bytes(row)
        )
        bits = "".join(f"{byte:08b}" for byte in above)[:width]
        rows.append([bit == "0" for bit in bits])
    return rows


def test_a_picture_is_made_at_once(daraja: Daraja):
    answer = generate(daraja)
    body = answer.json()
    assert answer.status_code == 200
    assert list(body) == ["ResponseCode", "RequestID", "ResponseDescription", "QRCode"]
    assert body["ResponseCode"] == "00"
    assert body["ResponseDescription"] == "QR Code Successfully Generated."
    assert re.fullmatch(REQUEST_ID, body["RequestID"])


def test_the_picture_is_a_square_png_that_says_what_was_asked(daraja: Daraja):
    pixels = dark(base64.b64decode(generate(daraja).json()["QRCode"]))
    width = len(pixels)
    assert 200 < width <= 300
    assert all(len(row) == width for row in pixels)
    symbol = segno.make_qr(SAYS.encode())
    modules = len(symbol.matrix)
    scale = width // (modules + 8)
    inside = range(4 * scale, (4 + modules) * scale, scale)
    seen = [[pixels[y][x] for x in inside] for y in inside]
    assert seen == [[bool(module) for module in row] for row in symbol.matrix]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("MerchantName", ...),
        ("RefNo", ""),
        ("RefNo", "x" * 101),
        ("Amount", 0),
        ("TrxCode", "XX"),
        ("CPI", "abc"),
        ("Size", "0"),
        ("Size", "20"),
        ("Size", "2001"),
    ],
)
def test_each_bad_field_is_named(daraja: Daraja, field: str, value: Any):
    refused = generate(daraja, **{field: value})
    assert envelope(refused) == (400, "400.002.02", f"Bad Request - Invalid {field}")


def test_the_longest_fields_fit(daraja: Daraja):
    assert generate(daraja, MerchantName="é" * 100, RefNo="ß" * 100).status_code == 200


def test_a_bad_token_is_refused(daraja: Daraja):
    stranger = {"Authorization": "Bearer abc"}
    answer = daraja.call("POST", "/mpesa/qrcode/v1/generate", json=WANTED, headers=stranger)
    assert envelope(answer) == (404, "404.001.03", "Invalid Access Token")
