"""F7 and F10: one event is one line, and no line has a secret or a whole phone number."""

from __future__ import annotations

import json
import logging
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.monitoring import JsonLines, OneLine, current_request_id, redact
from app.monitoring.redaction import names_a_secret
from tests.support.app import Shop, application

FORMATTERS = [OneLine(), JsonLines()]
PHONES = st.from_regex(r"(?:\+?254|0)[127][0-9]{8}", fullmatch=True)
#: What may stand around a number without making it another number.
AROUND = st.text(
    st.characters(exclude_categories=["Nd", "Cs"], exclude_characters="+ -"), max_size=20
)


def record(message: str, *args: object, **extra: Any) -> logging.LogRecord:
    made = logging.LogRecord("t", logging.INFO, __file__, 1, message, args, None)
    vars(made).update(extra)
    return made


def failed(message: str) -> logging.LogRecord:
    made = record("it failed")
    try:
        raise ValueError(message)
    except ValueError as error:
        made.exc_info = (ValueError, error, error.__traceback__)
    return made


@given(AROUND, PHONES, AROUND)
def test_f7_no_phone_number_gets_through_whole(before: str, phone: str, after: str) -> None:
    """F7."""
    masked = redact(before + phone + after)
    assert phone not in masked
    assert phone[-9:] not in masked
    assert redact(masked) == masked


@given(st.text(max_size=200))
def test_f7_masking_is_idempotent_and_ends_for_any_text(text: str) -> None:
    """F7."""
    assert redact(redact(text)) == redact(text)


@given(st.text(max_size=200))
def test_f10_any_text_is_one_line_of_json(text: str) -> None:
    """F10: newlines, controls and odd spaces included."""
    for made in (record("%s", text), record("x", more=text), failed(text)):
        line = JsonLines().format(made)
        assert len(line.splitlines()) == 1
        assert line.isascii()
        assert line.isprintable()
        assert json.loads(line)["logger"] == "t"


@given(st.sampled_from(["\n", "\r", "\r\n", "\x1b[31m", "\u2028", "\x85", "\x0b", "\x0c", "\x1c"]))
def test_f10_nobody_forges_a_line(mark: str) -> None:
    """F10: neither by a result's description nor by a name of a browser."""
    for formatter in FORMATTERS:
        line = formatter.format(record("agent=%s", f"x{mark}2026-11-21T00:00:00Z INFO paid"))
        assert len(line.splitlines()) == 1, (formatter, mark)


@pytest.mark.parametrize(
    "written",
    [
        "password=hunter2secret",
        'password="hunter2secret with spaces"',
        "{'password': 'hunter2secret'}",
        '{"Password": "hunter2secret", "x": 1}',
        "MPESA_B2C_INITIATOR_PASSWORD=hunter2secret",
        "passkey: hunter2secret",
        "consumer_secret=hunter2secret&x=1",
        '"SecurityCredential":"hunter2secret"',
        "SECRET_KEY=hunter2secret",
        "access_token=hunter2secret",
        "Authorization: Bearer hunter2secret",
        "Authorization: Basic hunter2secret",
        "/cb?token=hunter2secret",
        "whsec_hunter2secret",
        "/pay/c2b/hunter2secret/confirm",
    ],
)
def test_f7_no_secret_gets_through(written: str) -> None:
    """F7."""
    for formatter in FORMATTERS:
        for made in (record(written), record("%s", written), failed(written)):
            assert "hunter2secret" not in formatter.format(made)
    assert "hunter2secret" not in JsonLines().format(record("x", more=written))


@pytest.mark.parametrize("written", ["PIN 1234", "pin: 1234", "PIN is 1234", '"Pin":"1234"'])
def test_f7_no_pin_gets_through(written: str) -> None:
    """F7."""
    assert "1234" not in redact(written)


@pytest.mark.parametrize(
    "written",
    [
        "payment TXN4K7QD2XW9ZB5M3FJH: pending -> completed (payment_confirmed)",
        "access token fetched",
        "payment 17 tried 3x: the token store is away",
        "KES 1,240 of 1,240 came in",
        "127.0.0.1:5000 pin pad ready",
        "id=0a1b2c3d4e5f6071 GET /admin/pin 200 12ms",
    ],
)
def test_what_is_no_secret_stays_readable(written: str) -> None:
    assert redact(written) == written


@pytest.mark.parametrize(
    ("name", "is_secret"),
    [
        *((name, True) for name in ("password", "PIN", "consumer_secret", "CallbackToken")),
        *((name, True) for name in ("SecurityCredential", "Authorization", "api_key")),
        *((name, False) for name in ("status", "pinned", "tokens_left", "keyboard", "spinner")),
    ],
)
def test_names_say_what_is_secret(name: str, is_secret: bool) -> None:
    assert names_a_secret(name) is is_secret


def test_f7_what_is_handed_over_with_an_event_is_masked_too() -> None:
    """F7: fields beside the message, however deep."""
    made = record(
        "asked",
        phone="0712345678",
        msisdn=254712345678,
        attempts=3,
        password="hunter2",
        answer={"ResultCode": 0, "token": "hunter2", "rows": [{"Passkey": "hunter2"}]},
        something=object(),
    )
    line = JsonLines().format(made)
    told = json.loads(line)
    assert told["attempts"] == 3
    assert told["phone"] == "0712***678"
    assert told["answer"]["ResultCode"] == 0
    for secret in ("712345678", "hunter2"):
        assert secret not in line


def test_json_names_what_it_is_about_and_keeps_a_traceback_in_one_string() -> None:
    reference = "TXN4K7QD2XW9ZB5M3FJH"
    told = json.loads(JsonLines().format(record("payment %s: done", reference)))
    assert told["payment"] == reference
    assert set(told) == {"at", "level", "logger", "message", "payment"}
    trace = json.loads(JsonLines().format(failed("no such thing")))["trace"]
    assert trace.startswith("Traceback")
    assert "ValueError: no such thing" in trace


def test_a_request_s_id_is_made_here_and_joins_log_and_answer(
    shop: Shop, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        answer = shop.client().get("/api/products", headers={"X-Request-ID": "a-stranger-s-id"})
    request_id = answer.headers["X-Request-ID"]
    assert re.fullmatch(r"[0-9a-f]{16}", request_id)
    assert f"id={request_id}" in caplog.text
    assert current_request_id() is None, "the thread goes on to another request"


def test_a_request_s_id_is_taken_from_our_own_proxy_if_it_is_well_formed(
    tmp_path: Path,
) -> None:
    good = ["0123456789abcdef", "b7e1-4c0d.A_9"]
    bad = ["short", "x" * 65, "has a space", "forged\u2028line-", "", "-begins-with-a-dash"]
    with application(f"sqlite:///{tmp_path / 'lipa.db'}", tmp_path, trusted_proxies=1) as app:
        for told in good + bad:
            headers = {"X-Request-ID": told.encode().decode("latin-1")}
            answer = app.test_client().get("/api/products", headers=headers)
            assert (answer.headers["X-Request-ID"] == told) is (told in good), told
