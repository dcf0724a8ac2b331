"""Dynamic QR: a picture that the M-Pesa app scans in place of typing a paybill and an account."""

from __future__ import annotations

import base64
import binascii
import logging
from dataclasses import dataclass
from typing import Any

import requests

from app.mpesa.answers import body_of, error_of, read_text
from app.mpesa.messages import plain
from app.mpesa.transport import NotSent, TokenRefused, Transport

logger = logging.getLogger("payments.mpesa")

ROAD = "qr"
#: The picture's side as it is asked for; Daraja wants it as a string (documented).
PIXELS = 300
#: Far above any picture of that size: a larger one is no QR code of ours.
MOST_BYTES = 200_000
_PAYBILL = "PB"
_PNG = b"\x89PNG\r\n\x1a\n"
_NAME_LENGTH = 40
_REFERENCE_LENGTH = 12


@dataclass(frozen=True)
class QrWanted:
    """What the picture is to fill in. ``amount`` is whole shillings."""

    merchant: str
    reference: str
    amount: int
    shortcode: str


@dataclass(frozen=True)
class QrMade:
    """The picture, as the bytes of a PNG."""

    png: bytes


@dataclass(frozen=True)
class QrNotMade:
    """There is no picture. Nothing else depends on it."""

    why: str


QrAnswer = QrMade | QrNotMade


class DynamicQr:
    """Asks for pictures by the same road as everything else. They move nothing."""

    def __init__(self, root: str, transport: Transport) -> None:
        self._url = f"{root}/mpesa/qrcode/v1/generate"
        self._daraja = transport

    def make(self, wanted: QrWanted) -> QrAnswer:
        """Have Daraja draw a picture. It answers at once, without a callback (documented)."""
        try:
            response = self._daraja.question(self._url, _body(wanted), ROAD)
        except (TokenRefused, NotSent) as error:
            return QrNotMade(str(error))
        except requests.RequestException as error:
            return QrNotMade(type(error).__name__)
        answer = read_qr(response)
        why = f": {answer.why}" if isinstance(answer, QrNotMade) else ""
        logger.info("dynamic QR: HTTP %s%s", response.status_code, why)
        return answer


def read_qr(response: requests.Response) -> QrAnswer:
    """Type the answer. Success has been recorded with the code "00"; the documentation prints a
    conversation's id there, so the picture itself decides.
    """
    body = body_of(response)
    code, message = error_of(body)
    if response.status_code != 200 or code:
        return QrNotMade(f"{code} {message}".strip() or f"HTTP {response.status_code}")
    try:
        png = base64.b64decode(str(body.get("QRCode", "")), validate=True)
    except (binascii.Error, ValueError):
        return QrNotMade("the picture is not base64")
    if not png.startswith(_PNG) or len(png) > MOST_BYTES:
        told = read_text(body.get("ResponseDescription"), 100)
        return QrNotMade(f"there is no PNG in the answer ({told})")
    return QrMade(png)


def _body(wanted: QrWanted) -> dict[str, Any]:
    return {
        "MerchantName": plain(wanted.merchant)[:_NAME_LENGTH],
        "RefNo": plain(wanted.reference)[:_REFERENCE_LENGTH],
        "Amount": wanted.amount,
        "TrxCode": _PAYBILL,
        "CPI": wanted.shortcode,
        "Size": str(PIXELS),
    }
