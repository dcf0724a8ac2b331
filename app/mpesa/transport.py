"""The road to Daraja: token, circuit breaker, and posts of which one knows what came of them.

What is posted, and what an answer means, is for those who use it.
"""

from __future__ import annotations

import hashlib
import logging
import re
from typing import Any

import requests

from app.mpesa.answers import TOO_MUCH, body_of, is_usable, says_invalid_token
from app.mpesa.breaker import Breakers, RoadClosed
from app.mpesa.messages import RefusalKind
from app.mpesa.settings import MpesaSettings
from app.mpesa.tokens import LEASE_SECONDS, AccessToken, TokenCache, TokenUnavailable
from app.mpesa.wires import REPEATS_COST_SECONDS, Wires, never_connected

logger = logging.getLogger("payments.mpesa")

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


class Transport:
    """Posts to Daraja with this account's token."""

    def __init__(
        self, settings: MpesaSettings, wires: Wires, tokens: TokenCache, breakers: Breakers
    ) -> None:
        self._settings = settings
        self._wires = wires
        self._tokens = tokens
        self._breakers = breakers

    def move(self, url: str, body: dict[str, Any], road: str) -> requests.Response:
        """Post what may move money: sent once, whatever happens.

        The one repeat is after a refused token: the gateway turned that request away before
        M-Pesa saw it. Raises NotSent or TokenRefused when it certainly was not sent, and
        requests' errors when nobody knows.
        """
        return self._post(self._wires.pushes, url, body, road)

    def question(self, url: str, body: dict[str, Any], road: str) -> requests.Response:
        """Post what moves nothing; a connection that was not made is tried again. Raises alike."""
        return self._post(self._wires.questions, url, body, road)

    def test(self) -> None:
        """Fetch a token. Raises TokenRefused, or something else when nothing usable answers."""
        self._fetch_token()

    def _post(
        self, session: requests.Session, url: str, body: dict[str, Any], road: str
    ) -> requests.Response:
        response = self._send(session, url, body, road, token := self._token())
        if says_invalid_token(response):
            logger.info("Daraja refused the access token: getting another and asking again")
            self._tokens.forget(self._account, token)
            response = self._send(session, url, body, road, self._token())
        return response

    def _send(
        self, session: requests.Session, url: str, body: dict[str, Any], road: str, token: str
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
            return self._breakers.road(url, road).guard(post, is_usable)
        except RoadClosed as error:
            raise NotSent(str(error)) from error
        except requests.ConnectionError as error:
            if never_connected(error):
                raise NotSent(f"Failed to connect to M-Pesa API ({_name(error)})") from error
            raise

    @property
    def _timeout(self) -> tuple[float, float]:
        return self._settings.connect_timeout_seconds, self._settings.read_timeout_seconds

    @property
    def _account(self) -> str:
        account = f"{self._settings.token_url} {self._settings.consumer_key}"
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
        url = self._settings.token_url

        def get() -> requests.Response:
            return self._wires.questions.get(
                url,
                auth=(self._settings.consumer_key or "", self._settings.consumer_secret or ""),
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
