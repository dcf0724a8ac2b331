"""The six settings that may be stored, under the names that guides and the admin page use."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import urlsplit

from app.config import Environment

MAX_LENGTH = 500
_SHORTCODE = re.compile(r"[0-9]{5,7}")
_ODD = re.compile(r"[^\x21-\x7e]")


def _secret(value: str) -> str:
    if _ODD.search(value):
        raise ValueError("has a space or a character that Daraja never gives. Copy it again")
    return value


def _shortcode(value: str) -> str:
    if not _SHORTCODE.fullmatch(value):
        raise ValueError("must be 5 to 7 digits, such as 174379")
    return value


def _environment(value: str) -> str:
    try:
        return Environment(value.lower()).value
    except ValueError:
        raise ValueError(f"must be one of {', '.join(Environment)}") from None


def _address(value: str) -> str:
    try:
        parts = urlsplit(value)
        readable = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        readable = False
    if not readable or _ODD.search(value) or parts.fragment or parts.username is not None:
        raise ValueError("must be a whole address, such as https://shop.example/callback")
    return value


@dataclass(frozen=True)
class Key:
    """One setting. ``attribute`` is its name in Settings, ``variable`` in the environment.

    The value of a secret is written and never shown. ``check`` returns the value as it is kept
    and raises ValueError, in words that follow the key's name.
    """

    name: str
    attribute: str
    variable: str
    label: str
    hint: str
    check: Callable[[str], str]
    is_secret: bool = False
    is_required: bool = False

    def readable(self, text: str) -> str:
        """Return a value as it is kept. Raises ValueError for one that cannot be right."""
        value = text.strip()
        if not value:
            raise ValueError("is blank")
        if len(value) > MAX_LENGTH:
            raise ValueError(f"is longer than {MAX_LENGTH} characters")
        return self.check(value)


KEYS = (
    Key(
        "mpesa_consumer_key",
        "mpesa_consumer_key",
        "MPESA_CONSUMER_KEY",
        "Consumer key",
        "Of your app on the developer portal.",
        _secret,
        is_secret=True,
        is_required=True,
    ),
    Key(
        "mpesa_consumer_secret",
        "mpesa_consumer_secret",
        "MPESA_CONSUMER_SECRET",
        "Consumer secret",
        "Of the same app.",
        _secret,
        is_secret=True,
        is_required=True,
    ),
    Key(
        "mpesa_business_shortcode",
        "mpesa_shortcode",
        "MPESA_SHORTCODE",
        "Business shortcode",
        "Your paybill number.",
        _shortcode,
        is_required=True,
    ),
    Key(
        "mpesa_passkey",
        "mpesa_passkey",
        "MPESA_PASSKEY",
        "Passkey",
        "For STK push, of the same shortcode.",
        _secret,
        is_secret=True,
        is_required=True,
    ),
    Key(
        "mpesa_environment",
        "mpesa_environment",
        "MPESA_ENVIRONMENT",
        "Environment",
        "simulator, sandbox or production. It counts from the next start of the shop.",
        _environment,
    ),
    Key(
        "mpesa_callback_url",
        "mpesa_callback_url",
        "MPESA_CALLBACK_URL",
        "Callback address",
        "Where Daraja posts results; https:// in production.",
        _address,
    ),
)
BY_NAME = {key.name: key for key in KEYS}
ENVIRONMENT = BY_NAME["mpesa_environment"]
CALLBACK_URL = BY_NAME["mpesa_callback_url"]
