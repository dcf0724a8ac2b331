"""MpesaService: one shortcode's conversation with Daraja over HTTP."""

from __future__ import annotations

import base64
import logging
from collections.abc import Callable
from datetime import datetime
from typing import Any

import requests

from app.core.clock import daraja_timestamp, now
from app.mpesa.answers import read_push, read_query
from app.mpesa.breaker import Breakers
from app.mpesa.messages import (
    PushAnswer,
    PushRefused,
    PushUnanswered,
    QueryAnswer,
    QueryUnanswered,
    StkPush,
    plain,
)
from app.mpesa.phone import masked
from app.mpesa.settings import MpesaSettings
from app.mpesa.tokens import TokenCache
from app.mpesa.transport import NotSent, TokenRefused, Transport
from app.mpesa.wires import Wires

logger = logging.getLogger("payments.mpesa")

#: Documented limits of the texts in a prompt. Longer ones are shortened here, kept whole by us.
ACCOUNT_REFERENCE_LENGTH = 12
DESCRIPTION_LENGTH = 13
#: Prompts and questions about them share a road, apart from money out.
ROAD = "stk"


def password(shortcode: str, passkey: str, timestamp: str) -> str:
    """Return Daraja's password: base64 of shortcode, passkey and timestamp joined."""
    return base64.b64encode(f"{shortcode}{passkey}{timestamp}".encode()).decode()


class MpesaService:
    """Speak to Daraja. Raises MissingSettings when credentials are absent; every answer that
    Daraja gives, or fails to give, comes back as a type of messages.py and never as an error.
    """

    def __init__(
        self,
        settings: MpesaSettings,
        wires: Wires,
        tokens: TokenCache,
        breakers: Breakers,
        clock: Callable[[], datetime] = now,
    ) -> None:
        settings.require()
        self.settings = settings
        self._daraja = Transport(settings, wires, tokens, breakers)
        self._clock = clock

    def push(self, prompt: StkPush) -> PushAnswer:
        """Ask Daraja to show a prompt on a phone. Sent at most once."""
        url, body = self.settings.push_url, self._push_body(prompt)
        logger.info(
            "STK push request: KES %s for %s from %s",
            prompt.amount,
            body["AccountReference"],
            masked(prompt.phone),
        )
        try:
            response = self._daraja.move(url, body, ROAD)
        except TokenRefused as error:
            logger.error("STK push: not sent, HTTP %s: %s", error.status, error)
            return PushRefused("credentials", str(error.status), str(error))
        except NotSent as error:
            logger.warning("STK push: not sent (%s)", error)
            return PushRefused(error.kind, "not_sent", str(error))
        except requests.RequestException as error:
            logger.warning("STK push: no answer (%s)", type(error).__name__)
            return PushUnanswered(type(error).__name__)
        answer = read_push(response)
        logger.info("STK push: HTTP %s, %s", response.status_code, answer)
        return answer

    def query(self, checkout_request_id: str) -> QueryAnswer:
        """Ask Daraja how a prompt ended. Moves nothing."""
        url, body = self.settings.query_url, self._query_body(checkout_request_id)
        try:
            response = self._daraja.question(url, body, ROAD)
        except (TokenRefused, NotSent) as error:
            logger.warning("STK query of %s: not sent (%s)", checkout_request_id, error)
            return QueryUnanswered(str(error))
        except requests.RequestException as error:
            why = type(error).__name__
            logger.warning("STK query of %s: no answer (%s)", checkout_request_id, why)
            return QueryUnanswered(why)
        answer = read_query(response)
        logger.info("STK query of %s: %s", checkout_request_id, answer)
        return answer

    def test_connection(self) -> None:
        """Fetch a token. Raises TokenRefused, or something else when nothing usable answers."""
        self._daraja.test()

    def _signed(self) -> dict[str, Any]:
        timestamp = daraja_timestamp(self._clock())
        shortcode, passkey = self.settings.shortcode or "", self.settings.passkey or ""
        return {
            "BusinessShortCode": shortcode,
            "Password": password(shortcode, passkey, timestamp),
            "Timestamp": timestamp,
        }

    def _push_body(self, prompt: StkPush) -> dict[str, Any]:
        return self._signed() | {
            "TransactionType": "CustomerPayBillOnline",
            "Amount": prompt.amount,
            "PartyA": prompt.phone,
            "PartyB": self.settings.shortcode,
            "PhoneNumber": prompt.phone,
            "CallBackURL": prompt.callback_url,
            "AccountReference": plain(prompt.account_reference)[:ACCOUNT_REFERENCE_LENGTH],
            "TransactionDesc": plain(prompt.description)[:DESCRIPTION_LENGTH],
        }

    def _query_body(self, checkout_request_id: str) -> dict[str, Any]:
        return self._signed() | {"CheckoutRequestID": checkout_request_id}
