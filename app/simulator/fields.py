"""Reading the fields of requests, one at a time, as Daraja does; each reader raises DarajaFault."""

import json
import re
from collections.abc import Collection, Mapping
from typing import Any, Final
from urllib.parse import urlsplit

from flask import request

from app.simulator.bodies import json_object
from app.simulator.faults import bad_field, bad_payload
from app.simulator.numbers import is_msisdn

SHORTCODE: Final = re.compile(r"\d{5,7}", re.ASCII)
WHOLE_SHILLINGS: Final = re.compile(r"[1-9]\d{0,11}", re.ASCII)
TIMESTAMP: Final = re.compile(r"\d{14}", re.ASCII)
_FORMS: Final = {
    SHORTCODE: "5 to 7 digits",
    WHOLE_SHILLINGS: "a whole number of shillings, 1 or more",
    TIMESTAMP: "14 digits, yyyyMMddHHmmss",
}
_LONGEST_SHOWN: Final = 40
_NOT_IN_A_URL: Final = re.compile(r"[\x00-\x20<>\x7f]")


def request_body(first_field: str) -> dict[str, Any]:
    """The request's JSON object."""
    if request.mimetype != "application/json":
        # Seen in a public issue: the body is not read, so its first field is missing.
        raise bad_field(first_field, "Content-Type must be application/json.")
    try:
        return json_object()
    except ValueError as error:
        raise bad_payload(str(error)) from None


def as_text(value: Any) -> str | None:
    """Numbers and numeric strings are equally welcome (recorded); 10.0 is a whole number."""
    if isinstance(value, str):
        return value.strip()
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value) if abs(value) < 10**15 else None
    return None


def matching(body: Mapping[str, Any], name: str, pattern: re.Pattern[str]) -> str:
    text = as_text(body.get(name))
    if text is None or not pattern.fullmatch(text):
        raise bad_field(name, _complaint(body, name, _FORMS.get(pattern, "in its proper form")))
    return text


def _complaint(body: Mapping[str, Any], name: str, form: str) -> str:
    """What is wrong with a field that holds no secret, with the beginning of what came."""
    if name not in body:
        return f"{name} is missing."
    came = json.dumps(body[name], ensure_ascii=False)
    shown = came if len(came) <= _LONGEST_SHOWN else f"{came[:_LONGEST_SHOWN]}…"
    return f"{name} must be {form}; {shown} came."


def one_of(body: Mapping[str, Any], name: str, known: Collection[str]) -> str:
    text = as_text(body.get(name))
    if text is None or text not in known:
        raise bad_field(name, _complaint(body, name, f"one of {', '.join(known)}"))
    return text


def cents(body: Mapping[str, Any], name: str = "Amount") -> int:
    """An amount, which is whole shillings on the wire."""
    return int(matching(body, name, WHOLE_SHILLINGS)) * 100


def msisdn(body: Mapping[str, Any], name: str) -> str:
    text = as_text(body.get(name))
    if text is None or not is_msisdn(text):
        raise bad_field(name, _complaint(body, name, "12 digits, 2547… or 2541…"))
    return text


def text(body: Mapping[str, Any], name: str, called: str | None = None) -> str:
    found = as_text(body.get(name))
    if not found:
        raise bad_field(called or name, f"{name} is missing or empty.")
    return found


def words(body: Mapping[str, Any], name: str, least: int, most: int) -> str:
    """A text of documented length; where `least` is 0 it may be left out."""
    value = body.get(name)
    found = "" if value is None and least == 0 else as_text(value)
    if found is None or not least <= len(found) <= most:
        raise bad_field(name, f"{name} must have {least} to {most} characters.")
    return found


def url(body: Mapping[str, Any], name: str) -> str:
    """Any http or https address without spaces or placeholders; it need not be reachable."""
    value = body.get(name)
    if not isinstance(value, str) or _NOT_IN_A_URL.search(value):
        raise bad_field(name, f"{name} is missing, or has spaces or placeholders.")
    try:
        parts = urlsplit(value)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if not usable:
        raise bad_field(name, f"{name} must be an http or https address.")
    return value
