"""MpesaService: one shortcode's conversation with Daraja over HTTP."""

from __future__ import annotations

import base64
import logging
from collections.abc import Callable
from datetime import datetime
from typing import Any

import requests

from app.core.clock import daraja_timestamp, now
from app.mpesa.answers import body_of, read_push, read_query, says_invalid_token
from app.mpesa.messages import (
    PushAnswer,
    PushRefused,
    PushUnanswered,
    QueryAnswer,
    QueryUnanswered,
    StkPush,
)
from app.mpesa.settings import MpesaSettings
from app.mpesa.tokens import AccessToken, TokenCache

logger = logging.getLogger("payments.mpesa")

POOL_SIZE = 64
#: Documented limits of the texts in a prompt. Longer ones are shortened here, kept whole by us.
ACCOUNT_REFERENCE_LENGTH = 12
DESCRIPTION_LENGTH = 13


class TokenRefused(Exception):
    """Daraja gave no access token: wrong credentials, or nothing that can be read."""

    def __init__(self, status: int, description: str) -> None:
        self.status = status
        super().__init__(description)


def pooled_session() -> requests.Session:
    """Return a session that keeps connections and never repeats a request by itself."""
    session = requests.Session()
    adapter = requests.adapters.HTTPAdapter(
        pool_connections=4, pool_maxsize=POOL_SIZE, max_retries=0
    )
    session.mount("http://", adapter)
    session.mount("https://", adapter)
    # A proxy or netrc of the machine must not decide where money goes.
    session.trust_env = False
    return session


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
        session: requests.Session,
        tokens: TokenCache,
        clock: Callable[[], datetime] = now,
    ) -> None:
        settings.require()
        self.settings = settings
        self._session = session
        self._tokens = tokens
        self._clock = clock

    def push(self, prompt: StkPush) -> PushAnswer:
        """Ask Daraja to show a prompt on a phone. Sent at most once.

        The one repeat is after a refused token: the gateway turned that request away before
        M-Pesa saw it.
        """
        try:
            response = self._post(self.settings.push_url, self._push_body(prompt))
        except TokenRefused as error:
            return PushRefused("credentials", str(error.status), str(error))
        except _NotSent as error:
            return PushRefused("unreachable", "not_sent", str(error))
        except requests.RequestException as error:
            logger.warning("STK push: no answer (%s)", type(error).__name__)
            return PushUnanswered(type(error).__name__)
        answer = read_push(response)
        logger.info("STK push: HTTP %s, %s", response.status_code, answer)
        return answer

    def query(self, checkout_request_id: str) -> QueryAnswer:
        """Ask Daraja how a prompt ended. Moves nothing."""
        try:
            response = self._post(self.settings.query_url, self._query_body(checkout_request_id))
        except (TokenRefused, _NotSent) as error:
            return QueryUnanswered(str(error))
        except requests.RequestException as error:
            return QueryUnanswered(type(error).__name__)
        answer = read_query(response)
        logger.info("STK query of %s: %s", checkout_request_id, answer)
        return answer

    def test_connection(self) -> None:
        """Fetch a token. Raises TokenRefused, or requests' errors when nothing answers."""
        self._fetch_token()

    def _post(self, url: str, body: dict[str, Any]) -> requests.Response:
        response = self._send(url, body, token := self._token())
        if says_invalid_token(response):
            logger.info("Daraja refused the access token: fetching one more and asking again")
            self._tokens.forget(self._account, token)
            response = self._send(url, body, self._token())
        return response

    def _send(self, url: str, body: dict[str, Any], token: str) -> requests.Response:
        try:
            return self._session.post(
                url,
                json=body,
                headers={"Authorization": f"Bearer {token}"},
                timeout=self._timeout,
                allow_redirects=False,
            )
        except (requests.exceptions.ConnectTimeout, requests.exceptions.SSLError) as error:
            raise _NotSent(f"Failed to connect to M-Pesa API ({type(error).__name__})") from error
        except requests.ConnectionError as error:
            if _never_connected(error):
                raise _NotSent("Failed to connect to M-Pesa API") from error
            raise

    @property
    def _timeout(self) -> tuple[float, float]:
        return self.settings.connect_timeout_seconds, self.settings.read_timeout_seconds

    @property
    def _account(self) -> str:
        return f"{self.settings.token_url} {self.settings.consumer_key}"

    def _token(self) -> str:
        try:
            return self._tokens.get(self._account, self._fetch_token)
        except requests.RequestException as error:
            # Without a token nothing can have been sent, however this request ended.
            raise _NotSent(f"Failed to connect to M-Pesa API ({type(error).__name__})") from error

    def _fetch_token(self) -> AccessToken:
        response = self._session.get(
            self.settings.token_url,
            auth=(self.settings.consumer_key or "", self.settings.consumer_secret or ""),
            timeout=self._timeout,
            allow_redirects=False,
        )
        body = body_of(response)
        value = body.get("access_token")
        if response.status_code >= 500:
            raise _NotSent(f"Daraja's token service answered HTTP {response.status_code}")
        if response.status_code != 200 or not isinstance(value, str) or not value:
            # A wrong key or secret gets HTTP 400 with an empty body (recorded traffic).
            raise TokenRefused(response.status_code, "Invalid credentials: no access token given")
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
            "AccountReference": prompt.account_reference[:ACCOUNT_REFERENCE_LENGTH],
            "TransactionDesc": prompt.description[:DESCRIPTION_LENGTH],
        }

    def _query_body(self, checkout_request_id: str) -> dict[str, Any]:
        return self._signed() | {"CheckoutRequestID": checkout_request_id}


class _NotSent(Exception):
    """The request certainly never reached M-Pesa."""


def _never_connected(error: requests.ConnectionError) -> bool:
    """Tell a refused connection or unknown host from one that broke after sending."""
    cause = error.args[0] if error.args else None
    reason = getattr(cause, "reason", cause)
    return type(reason).__name__ in ("NewConnectionError", "NameResolutionError")


def _seconds(expires_in: object) -> float:
    # Recorded answers carry the string "3599"; one documentation sample has a bare number.
    try:
        return float(str(expires_in))
    except ValueError:
        return 3599.0
