"""What must not be kept of what went over the wire: secrets, wherever they stand.

In the place of each stands a name such as `$PASSWORD`, which a shell can fill in again.
"""

import base64
import binascii
import json
import re
from collections.abc import Iterable, Mapping
from typing import Final
from urllib.parse import parse_qsl, urlencode, urlsplit

TOKEN: Final = "$TOKEN"  # noqa: S105
BASIC: Final = "$CONSUMER_KEY:$CONSUMER_SECRET"
ADDRESS: Final = "$SECRET"
OTHER: Final = "$SECRET"
PLACEHOLDER: Final = re.compile(
    r"\$(?:TOKEN|CONSUMER_KEY|CONSUMER_SECRET|PASSWORD|SECURITY_CREDENTIAL|PASSKEY|PIN|SECRET)\b"
)

_BY_NAME: Final[Mapping[str, str]] = {
    "password": "$PASSWORD",
    "securitycredential": "$SECURITY_CREDENTIAL",
    "access_token": TOKEN,
    "token": TOKEN,
    "passkey": "$PASSKEY",
    "consumer_key": "$CONSUMER_KEY",
    "consumerkey": "$CONSUMER_KEY",
    "consumer_secret": "$CONSUMER_SECRET",
    "consumersecret": "$CONSUMER_SECRET",
    "secret": OTHER,
    "pin": "$PIN",
    "app_key": OTHER,
    "appkey": OTHER,
}
#: Shorter ones would be found in half of all words.
_SHORTEST_SECRET: Final = 6
_SHORTEST_ENCODED: Final = 16

# A string with the colon that makes it a name, or whatever stands without quotation marks.
_PIECE: Final = re.compile(
    r'"(?P<text>(?:[^"\\]|\\.)*)"(?P<colon>\s*:)?|[^\s"{}\[\],:]+', re.DOTALL
)
_NAMED: Final = re.compile(
    rf"\b(?P<name>{'|'.join(_BY_NAME)})(?P<sign>[\"']?\s*[:=]\s*)(?P<value>'[^']*'?|[^\s,;&}}\]\"']+)",
    re.IGNORECASE,
)
_URL: Final = re.compile(r"\b[a-z][a-z0-9+.-]{0,20}://[^\s\"'<>\\]+", re.IGNORECASE)
# What is surely a word; a token of some length practically never looks like one.
_WORD: Final = re.compile(r"[a-z_]{0,20}|v\d{1,2}", re.ASCII)


class Masks:
    """Masks what is secret by its name, as part of an address, or because it is `known`."""

    def __init__(self, known: Iterable[str]) -> None:
        """`known` are the secrets of the settings, whole."""
        self._known = tuple(sorted({s for s in known if len(s) >= _SHORTEST_SECRET}, key=len))

    def also(self, *known: str) -> "Masks":
        return Masks((*self._known, *known))

    def text(self, text: str) -> str:
        """Mask a body. What is JSON keeps every byte that is not secret, 1.00 included."""
        masked = self._pieces(text)
        if not _is_json(text):
            masked = _NAMED.sub(_named, masked)
            masked = _URL.sub(lambda found: address(found[0]), masked)
        return self._without_known(masked)

    def header(self, name: str, value: str) -> str:
        if name.lower() != "authorization":
            return self._without_known(value)
        scheme = value.partition(" ")[0].lower()
        if scheme == "bearer":
            return f"Bearer {TOKEN}"
        return f"Basic {BASIC}" if scheme == "basic" else OTHER

    def _pieces(self, text: str) -> str:
        secret: str | None = None
        is_address = False

        def masked(piece: re.Match[str]) -> str:
            nonlocal secret, is_address
            if piece["colon"] is not None:
                name = _decoded(piece["text"]).lower()
                secret, is_address = _BY_NAME.get(name), name.endswith("url")
                return piece[0]
            if secret is not None and piece[0] != "null":
                return f'"{secret}"'
            if piece["text"] is None:
                return piece[0]
            before = _decoded(piece["text"])
            after = self._value(before, is_address)
            return piece[0] if after == before else json.dumps(after, ensure_ascii=False)

        return _PIECE.sub(masked, text)

    def _value(self, value: str, is_address: bool) -> str:
        if self._holds_known(value):
            return OTHER
        if is_address:
            return address(value)
        return _URL.sub(lambda found: address(found[0]), value)

    def _holds_known(self, value: str) -> bool:
        """Whether it is a secret in base64, such as a password under a misspelt name."""
        if len(value) < _SHORTEST_ENCODED:
            return False
        try:
            inside = base64.b64decode(value, validate=True).decode(errors="replace")
        except (binascii.Error, ValueError):
            return False
        return any(secret in inside for secret in self._known)

    def _without_known(self, text: str) -> str:
        for secret in reversed(self._known):
            text = text.replace(secret, OTHER)
        return text


def address(url: str) -> str:
    """An address without its secrets: whatever in path and query is not surely a word."""
    try:
        parts = urlsplit(url)
        host = parts.netloc.rpartition("@")[2]
    except ValueError:
        return ADDRESS
    root = f"{parts.scheme}://{host}" if parts.scheme else host
    path = "/".join(part if _WORD.fullmatch(part) else ADDRESS for part in parts.path.split("/"))
    query = "&".join(
        f"{name if _WORD.fullmatch(name) else ADDRESS}={ADDRESS}"
        for name, _ in parse_qsl(parts.query, keep_blank_values=True)
    )
    return f"{root}{path}" + (f"?{query}" if query else "")


def own_query(query: str) -> str:
    """The query of a request to the simulator itself, in which words are no secrets."""
    pairs = [
        (name, value if _WORD.fullmatch(value) and name.lower() not in _BY_NAME else ADDRESS)
        for name, value in parse_qsl(query, keep_blank_values=True)
    ]
    return urlencode(pairs, safe="$")


def _named(found: re.Match[str]) -> str:
    return f"{found['name']}{found['sign']}{_BY_NAME[found['name'].lower()]}"


def _decoded(text: str) -> str:
    try:
        decoded: str = json.loads(f'"{text}"', strict=False)
    except ValueError:
        return text
    return decoded


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True
