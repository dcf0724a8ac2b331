"""Reading what strangers send."""

import json
from typing import Any

from flask import request


def bounded_body() -> bytes:
    """The request's body, whole; raises RequestEntityTooLarge beyond the application's limit."""
    body = request.get_data()
    # A body sent in chunks is cut at the limit in silence; reading on from there raises.
    request.stream.read(1)
    return body


def json_object() -> dict[str, Any]:
    """The request's JSON object, whatever its content type; raises ValueError, saying what it is.

    Never raises RecursionError, which the parser does at a few thousand nested brackets.
    """
    body = bounded_body()
    try:
        value = json.loads(body.decode("utf-8"))
    except RecursionError:
        raise ValueError("The body is nested too deeply.") from None
    except ValueError:
        raise ValueError("The body is not JSON in UTF-8.") from None
    if not isinstance(value, dict):
        raise ValueError("The body is JSON, but not an object.")
    if b"\\u" in body and not _is_text(value):
        raise ValueError("The body has half a character, written as \\ud800 or the like.")
    return value


def _is_text(value: dict[str, Any]) -> bool:
    """Whether every character can be written: JSON can name halves that no encoding has."""
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except (UnicodeEncodeError, RecursionError):
        return False
    return True
