"""Taking out of a text what no log may have: secrets, and the middle of phone numbers."""

from __future__ import annotations

import re

MASK = "***"
#: How deep, and how many parts, of what is handed over with an event are looked at.
_DEEPEST = 4
_MOST_PARTS = 50
# A CheckoutRequestID ends in the payer's number, a MSISDN is one: the middle digits go.
_CHECKOUT_ID = re.compile(r"(ws_CO_\d{14}\d*?)\d{6}(\d{3})\b", re.IGNORECASE)
_PHONE = re.compile(r"(?<!\d)(\+?254|0)[ -]?([127]\d{2})[ -]?\d{3}[ -]?(\d{3})(?!\d)")
_TOKEN = re.compile(r"(token=|Bearer |JWT |Basic )[A-Za-z0-9._~+/=-]+")
#: Addresses that Daraja posts to about the paybill have their secret in the path, and so have the
#: links to an order and to a receipt.
_SECRET_PATH = re.compile(r"(/pay/(?:c2b|result)/|/[pr]/(?=[A-Za-z0-9_-]{32}))[A-Za-z0-9_-]+")
#: A webhook's secret says by itself what it is.
_WEBHOOK_SECRET = re.compile(r"whsec_[A-Za-z0-9_-]+")
_SECRET_NAME = re.compile(
    r"(?:^|[_-])(?:pin|password|passwd|passphrase|passkey|pass_key|secret|token|credential"
    r"|authorization|cookie|api_?key|secret_key|encryption_key)$",
    re.IGNORECASE,
)
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
#: ``password=…``, ``"Password": "…"`` and the like. A PIN counts only where digits follow it.
_NAMED = re.compile(
    r"""(?i)\b((?:[a-z0-9]+[_-])*(?:password|passwd|passphrase|pass_?key|secret|security_?credential"""
    r"""|api_?key|access_token|refresh_token|csrf_token|secret_key|encryption_key)["']?\s*[=:]\s*)"""
    r"""(?:"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|[^\s"',;&}\])]+)"""
)
_PIN = re.compile(r"""(?i)\b(pin["']?(?:\s+(?:is|was))?\s*[=:]?\s*["']?)\d{4,6}(?!\d)""")


def redact(text: str) -> str:
    """Mask phone numbers, tokens, passwords and PINs in a text."""
    text = _TOKEN.sub(rf"\1{MASK}", text)
    text = _SECRET_PATH.sub(rf"\1{MASK}", text)
    text = _WEBHOOK_SECRET.sub(f"whsec_{MASK}", text)
    text = _NAMED.sub(rf"\1{MASK}", text)
    text = _PIN.sub(rf"\1{MASK}", text)
    text = _CHECKOUT_ID.sub(r"\1******\2", text)
    return _PHONE.sub(rf"\1\2{MASK}\3", text)


def names_a_secret(name: str) -> bool:
    """Tell whether what stands under this name is secret, such as ``CallbackToken``."""
    return bool(_SECRET_NAME.search(_CAMEL.sub("_", name)))


def redact_value(name: str, value: object, depth: int = 0) -> object:
    """Return a value as JSON may have it, with everything secret in it masked."""
    if names_a_secret(name) or depth > _DEEPEST:
        return MASK
    if value is None or isinstance(value, bool | float):
        return value
    if isinstance(value, dict):
        parts = list(value.items())[:_MOST_PARTS]
        return {redact(str(key)): redact_value(str(key), part, depth + 1) for key, part in parts}
    if isinstance(value, list | tuple | set | frozenset):
        return [redact_value("", part, depth + 1) for part in list(value)[:_MOST_PARTS]]
    masked = redact(str(value))
    return value if isinstance(value, int) and masked == str(value) else masked
