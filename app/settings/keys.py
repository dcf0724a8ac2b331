"""The six settings that may be stored, under the names that guides and the admin page use."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import urlsplit

from app.config import Environment
from app.core.texts import marked, said

MAX_LENGTH = 500
_SHORTCODE = re.compile(r"[0-9]{5,7}")
_ODD = re.compile(r"[^\x21-\x7e]")


def _secret(value: str) -> str:
    if _ODD.search(value):
        raise ValueError(
            marked("has a space or a character that Daraja never gives. Copy it again")
        )
    return value


def _shortcode(value: str) -> str:
    if not _SHORTCODE.fullmatch(value):
        raise ValueError(marked("must be 5 to 7 digits, such as 174379"))
    return value


def _environment(value: str) -> str:
    try:
        return Environment(value.lower()).value
    except ValueError:
        raise ValueError(said("must be one of {names}", names=", ".join(Environment))) from None


def _address(value: str) -> str:
    try:
        parts = urlsplit(value)
        readable = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        readable = False
    if not readable or _ODD.search(value) or parts.fragment or parts.username is not None:
        raise ValueError(marked("must be a whole address, such as https://shop.example/callback"))
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
            raise ValueError(marked("is blank"))
        if len(value) > MAX_LENGTH:
            raise ValueError(said("is longer than {most} characters", most=MAX_LENGTH))
        return self.check(value)


KEYS = (
    Key(
        "mpesa_consumer_key",
        "mpesa_consumer_key",
        "MPESA_CONSUMER_KEY",
        marked("Consumer key"),
        marked("Of your app on the developer portal."),
        _secret,
        is_secret=True,
        is_required=True,
    ),
    Key(
        "mpesa_consumer_secret",
        "mpesa_consumer_secret",
        "MPESA_CONSUMER_SECRET",
        marked("Consumer secret"),
        marked("Of the same app."),
        _secret,
        is_secret=True,
        is_required=True,
    ),
    Key(
        "mpesa_business_shortcode",
        "mpesa_shortcode",
        "MPESA_SHORTCODE",
        marked("Business shortcode"),
        marked("Your paybill number."),
        _shortcode,
        is_required=True,
    ),
    Key(
        "mpesa_passkey",
        "mpesa_passkey",
        "MPESA_PASSKEY",
        marked("Passkey"),
        marked("For STK push, of the same shortcode."),
        _secret,
        is_secret=True,
        is_required=True,
    ),
    Key(
        "mpesa_environment",
        "mpesa_environment",
        "MPESA_ENVIRONMENT",
        marked("Environment"),
        marked("simulator, sandbox or production. It counts from the next start of the shop."),
        _environment,
    ),
    Key(
        "mpesa_callback_url",
        "mpesa_callback_url",
        "MPESA_CALLBACK_URL",
        marked("Callback address"),
        marked("Where Daraja posts results; https:// in production."),
        _address,
    ),
)
BY_NAME = {key.name: key for key in KEYS}
ENVIRONMENT = BY_NAME["mpesa_environment"]
CALLBACK_URL = BY_NAME["mpesa_callback_url"]
