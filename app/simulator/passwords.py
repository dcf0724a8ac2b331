"""What is wrong with a Password, in words and without a word of a passkey."""

import re
from collections.abc import Mapping
from typing import Final

_DIGITS_AT_START: Final = re.compile(r"\d{5,7}(?!\d)", re.ASCII)
_DIGITS_AT_END: Final = re.compile(r"\d{14}\Z", re.ASCII)
_FEW_DIGITS: Final = re.compile(r"\d{1,20}", re.ASCII)


def what_differs(
    inside: bytes, shortcode: str, timestamp: str, merchants: Mapping[str, frozenset[str]]
) -> str:
    """Compare what a Password decodes to with shortcode + passkey + timestamp, part by part."""
    try:
        text = inside.decode()
    except UnicodeDecodeError:
        return "Password decodes to bytes that are no text; it must not be encrypted or hashed."
    around = _around_known_passkey(text, merchants)
    if around is None:
        return _by_the_look(text, shortcode, timestamp)
    found_shortcode, owners, found_timestamp = around
    said = _compared(found_shortcode, shortcode, found_timestamp, timestamp)
    if shortcode not in owners:
        said.append(f"It holds the passkey of {', '.join(sorted(owners))}, not of {shortcode}.")
    return " ".join(said)


def _around_known_passkey(
    text: str, merchants: Mapping[str, frozenset[str]]
) -> tuple[str, set[str], str] | None:
    """What stands before and behind a passkey that is known, and whose it is."""
    for passkey in {passkey for passkeys in merchants.values() for passkey in passkeys}:
        before, found, behind = text.partition(passkey)
        if found:
            owners = {code for code, passkeys in merchants.items() if passkey in passkeys}
            return before, owners, behind
    return None


def _by_the_look(text: str, shortcode: str, timestamp: str) -> str:
    start, end = _DIGITS_AT_START.match(text), _DIGITS_AT_END.search(text)
    begins = shortcode if text.startswith(shortcode) else start[0] if start else ""
    ends = end[0] if end else ""
    if said := _compared(begins, shortcode, ends, timestamp):
        return " ".join(said)
    length = len(text) - len(shortcode) - len(timestamp)
    return (
        f"Password decodes to the right shortcode and timestamp, but the passkey between them "
        f"({length} characters) is not one of {shortcode}."
    )


def _compared(found: str, shortcode: str, found_at: str, timestamp: str) -> list[str]:
    """A sentence, or none, about the two parts that are no secret."""
    wrong = []
    if found != shortcode:
        wrong.append(f"shortcode {_shown(found)}, expected {shortcode}")
    if found_at != timestamp:
        wrong.append(f"timestamp {_shown(found_at)}, expected {timestamp}")
    return [f"Password decodes to {', and '.join(wrong)}."] if wrong else []


def _shown(found: str) -> str:
    """What was found, where it can only be what it should be; else it may hold a passkey."""
    if not found:
        return "(none)"
    return found if _FEW_DIGITS.fullmatch(found) else f"({len(found)} other characters)"
