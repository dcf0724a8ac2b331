"""An MpesaService by itself, and the words that pass between it and Daraja."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import requests_mock

from app.mpesa.breaker import Breakers
from app.mpesa.messages import StkPush
from app.mpesa.service import MpesaService
from app.mpesa.settings import MpesaSettings
from app.mpesa.tokens import TokenCache
from app.mpesa.wires import Wires

ROOT = "https://daraja.test"
TOKEN_URL = f"{ROOT}/oauth/v1/generate?grant_type=client_credentials"
PUSH_URL = f"{ROOT}/mpesa/stkpush/v1/processrequest"
QUERY_URL = f"{ROOT}/mpesa/stkpushquery/v1/query"
#: Where a redirect leads that nobody may follow.
ELSEWHERE = "https://elsewhere.test/"
PASSKEY = "bfb279f9aa9bdbcf158e97dd71a467cd2e0c893059b10f78e6b72ada1ed2c919"
#: 09:24:08 in Nairobi is 06:24:08 in UTC.
MOMENT = datetime(2021, 6, 28, 6, 24, 8, tzinfo=UTC)
PASSWORD = (
    "MTc0Mzc5YmZiMjc5ZjlhYTliZGJjZjE1OGU5N2RkNzFhNDY3Y2QyZTBjODkzMDU5YjEwZjc4ZTZiNzJhZGExZWQy"
    "YzkxOTIwMjEwNjI4MDkyNDA4"
)
PROMPT = StkPush(
    1500, "254712345678", "INV-2024-001", "Order 7", "https://shop.test/cb?token=t0k3n"
)
ACCEPTED = {
    "MerchantRequestID": "234f-43a9-ae11-d0b0c2dbe930108127",
    "CheckoutRequestID": "ws_CO_230920262019337708374149",
    "ResponseCode": "0",
    "ResponseDescription": "Success. Request accepted for processing",
    "CustomerMessage": "Success. Request accepted for processing",
}


def error(code: str, message: str) -> dict[str, str]:
    return {"requestId": "1c5b-4ba8", "errorCode": code, "errorMessage": message}


def mpesa_settings(**changes: Any) -> MpesaSettings:
    values: dict[str, Any] = {
        "consumer_key": "the-consumer-key",
        "consumer_secret": "the-consumer-secret",
        "shortcode": "174379",
        "passkey": PASSKEY,
        "callback_url": "https://shop.test/cb",
        "token_url": TOKEN_URL,
        "push_url": PUSH_URL,
        "query_url": QUERY_URL,
        "read_timeout_seconds": 0.3,
    }
    return MpesaSettings(**values | changes)


def at(root: str) -> dict[str, Any]:
    """The addresses of a Daraja that really listens."""
    return {
        "token_url": f"{root}/oauth/v1/generate?grant_type=client_credentials",
        "push_url": f"{root}/mpesa/stkpush/v1/processrequest",
        "query_url": f"{root}/mpesa/stkpushquery/v1/query",
    }


def service(
    wires: Wires | None = None, breakers: Breakers | None = None, **changes: Any
) -> MpesaService:
    """A service of its own; ``changes`` are settings."""
    parts = wires or Wires(), TokenCache(), breakers or Breakers()
    return MpesaService(mpesa_settings(**changes), *parts, clock=lambda: MOMENT)


def sent_to(wire: requests_mock.Mocker, url: str) -> list[Any]:
    path = url.partition("?")[0]
    return [asked for asked in wire.request_history if asked.url.partition("?")[0] == path]
