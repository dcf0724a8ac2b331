"""MpesaService: one shortcode's conversation with Daraja over HTTP."""

from __future__ import annotations

import base64
import hashlib
import logging
import re
from collections.abc import Callable
from datetime import datetime
from typing import Any

import requests

from app.core.clock import daraja_timestamp, now
from app.mpesa.answers import (
    TOO_MUCH,
    body_of,
    is_usable,
    read_push,
    read_query,
    says_invalid_token,
)
from app.mpesa.breaker import Breakers, RoadClosed
from app.mpesa.messages import (
    PushAnswer,
    PushRefused,
    PushUnanswered,
    QueryAnswer,
    QueryUnanswered,
    RefusalKind,
    StkPush,
)
from app.mpesa.settings import MpesaSettings
from app.mpesa.tokens import LEASE_SECONDS, AccessToken, TokenCache, TokenUnavailable
from app.mpesa.wires import REPEATS_COST_SECONDS, Wires, never_connected

logger = logging.getLogger("payments.mpesa")

#: Documented limits of the texts in a prompt. Longer ones are shortened here, kept whole by us.
ACCOUNT_REFERENCE_LENGTH = 12
DESCRIPTION_LENGTH = 13
_TOKEN = re.compile(r"[\x21-\x7e]{1,2048}")


class TokenRefused(Exception):
    """Daraja does not accept the consumer key and secret."""

    def __init__(self, status: int, description: str) -> None:
        self.status = status
        super().__init__(description)


class NotSent(Exception):
    """The request certainly never reached M-Pesa."""

    def __init__(self, description: str, kind: RefusalKind = "unreachable") -> None:
        self.kind: RefusalKind = kind
        super().__init__(description)


def _plain(text: str) -> str:
    """Keep what every part of Daraja takes: letters, digits, a few marks and single blanks."""
    return " ".join(re.sub(r"[^A-Za-z0-9 ._-]", " ", text).split()) or "Payment"


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
        self._wires = wires
        self._tokens = tokens
        self._breakers = breakers
        self._clock = clock

    def push(self, prompt: StkPush) -> PushAnswer:
        """Ask Daraja to show a prompt on a phone. Sent at most once.

        The one repeat is after a refused token: the gateway turned that request away before
        M-Pesa saw it.
        """
        url, body = self.settings.push_url, self._push_body(prompt)
        try:
            response = self._post(self._wires.pushes, url, body)
        except TokenRefused as error:
            return PushRefused("credentials", str(error.status), str(error))
        except NotSent as error:
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
            response = self._post(self._wires.questions, url, body)
        except (TokenRefused, NotSent) as error:
            return QueryUnanswered(str(error))
        except requests.RequestException as error:
            return QueryUnanswered(type(error).__name__)
        answer = read_query(response)
        logger.info("STK query of %s: %s", checkout_request_id, answer)
        return answer

    def test_connection(self) -> None:
        """Fetch a token. Raises TokenRefused, or something else when nothing usable answers."""
        self._fetch_token()

    def _post(self, session: requests.Session, url: str, body: dict[str, Any]) -> requests.Response:
        response = self._send(session, url, body, token := self._token())
        if says_invalid_token(response):
            logger.info("Daraja refused the access token: getting another and asking again")
            self._tokens.forget(self._account, token)
            response = self._send(session, url, body, self._token())
        return response

    def _send(
        self, session: requests.Session, url: str, body: dict[str, Any], token: str
    ) -> requests.Response:
        def post() -> requests.Response:
            return session.post(
                url,
                json=body,
                headers={"Authorization": f"Bearer {token}"},
                timeout=self._timeout,
                allow_redirects=False,
            )

        try:
            return self._breakers.road(url, "stk").guard(post, is_usable)
        except RoadClosed as error:
            raise NotSent(str(error)) from error
        except requests.ConnectionError as error:
            if never_connected(error):
                raise NotSent(f"Failed to connect to M-Pesa API ({_name(error)})") from error
            raise

    @property
    def _timeout(self) -> tuple[float, float]:
        return self.settings.connect_timeout_seconds, self.settings.read_timeout_seconds

    @property
    def _account(self) -> str:
        account = f"{self.settings.token_url} {self.settings.consumer_key}"
        return hashlib.sha256(account.encode()).hexdigest()

    def _token(self) -> str:
        lease_seconds = max(LEASE_SECONDS, sum(self._timeout) + REPEATS_COST_SECONDS)
        try:
            return self._tokens.get(self._account, self._fetch_token, lease_seconds)
        except (RoadClosed, TokenUnavailable) as error:
            raise NotSent(str(error)) from error
        except requests.RequestException as error:
            # Without a token nothing can have been sent, however this request ended.
            raise NotSent(f"Failed to connect to M-Pesa API ({_name(error)})") from error

    def _fetch_token(self) -> AccessToken:
        url = self.settings.token_url

        def get() -> requests.Response:
            return self._wires.questions.get(
                url,
                auth=(self.settings.consumer_key or "", self.settings.consumer_secret or ""),
                timeout=self._timeout,
                allow_redirects=False,
            )

        response = self._breakers.road(url, "token").guard(get, _is_not_5xx)
        body = body_of(response)
        value = body.get("access_token")
        if response.status_code != 200 or not isinstance(value, str) or not _TOKEN.fullmatch(value):
            raise _no_token(response.status_code, bool(body))
        logger.info("access token fetched")
        return AccessToken(value, _seconds(body.get("expires_in")))

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
            "AccountReference": _plain(prompt.account_reference)[:ACCOUNT_REFERENCE_LENGTH],
            "TransactionDesc": _plain(prompt.description)[:DESCRIPTION_LENGTH],
        }

    def _query_body(self, checkout_request_id: str) -> dict[str, Any]:
        return self._signed() | {"CheckoutRequestID": checkout_request_id}


def _is_not_5xx(response: requests.Response) -> bool:
    return response.status_code < 500


def _no_token(status: int, has_body: bool) -> TokenRefused | NotSent:
    """Say why there is no token. A wrong key or secret is HTTP 400, empty (recorded traffic)."""
    if status == 429 or (status in TOO_MUCH and not has_body):
        return NotSent("Daraja's gateway asks for fewer requests", "throttled")
    if 400 <= status < 500:
        return TokenRefused(status, "Invalid credentials: no access token given")
    return NotSent(f"Daraja's token service answered HTTP {status} without a token")


def _name(error: Exception) -> str:
    return type(error).__name__


def _seconds(expires_in: object) -> float:
    # Recorded answers carry the string "3599"; one documentation sample has a bare number.
    try:
        seconds = float(str(expires_in))
    except ValueError:
        return 3599.0
    return seconds if seconds > 0 else 3599.0
