"""The log: one event a line, nothing secret, no whole phone number."""

from __future__ import annotations

import logging

import pytest

from app.monitoring import OneLine, redact
from tests.support.app import Account, Shop
from tests.support.daraja import paid


def formatted(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [OneLine().format(record) for record in caplog.records]


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ("from 254712345678.", "from 254712***678."),
        ("+254712345678", "+254712***678"),
        ("0712345678", "0712***678"),
        ('"PhoneNumber":254712345678}', '"PhoneNumber":254712***678}'),
        ("Authorization: Bearer abc.def-ghi_jkl", "Authorization: Bearer ***"),
        ("?token=abc-DEF_123", "?token=***"),
    ],
)
def test_numbers_and_tokens_are_masked(written: str, kept: str) -> None:
    assert redact(written) == kept


@pytest.mark.parametrize(
    "identifier",
    [
        "ws_CO_04052026210410237712345678",
        "ws_CO_230920262019337708374149",
        "ws_CO_170820261404032708374149",
        "ws_co_170820261404032708374149",
    ],
)
def test_a_checkout_request_id_does_not_carry_the_number_it_ends_in(identifier: str) -> None:
    assert identifier[-9:-3] not in redact(f"STK query of {identifier}: pending")
    assert identifier[-9:] not in redact(identifier)


def test_one_event_is_one_line(caplog: pytest.LogCaptureFixture) -> None:
    """F10."""
    with caplog.at_level(logging.INFO):
        logging.getLogger("t").info("%s", "one\ntwo\r\nERROR forged \x1b[31m\u2028 three")
    [line] = formatted(caplog)
    assert len(line.splitlines()) == 1
    assert "\x1b" not in line


def test_the_raw_callback_is_logged_and_its_secrets_are_not(
    shop: Shop, shopper: Account, caplog: pytest.LogCaptureFixture
) -> None:
    """S4-78, S4-83, S2-57, S2-58, C-40."""
    payment = shop.prompted(shopper)
    with caplog.at_level(logging.INFO):
        shop.callback(paid(payment.checkout_request_id), token=payment.callback_token)
    raw = [row for row in caplog.records if row.getMessage().startswith("M-Pesa callback RAW:")]
    assert [row.name for row in raw] == ["payments.mpesa"]
    written = "\n".join(formatted(caplog))
    assert "UKL4XX00XX" in written, "S2-55"
    for secret in (payment.callback_token, "254712345678", "712345678", shopper.access):
        assert secret not in written


def test_a_callback_cannot_forge_a_line(shop: Shop, caplog: pytest.LogCaptureFixture) -> None:
    """F10."""
    with caplog.at_level(logging.INFO):
        shop.callback(b'{"a": 1}\n2026-11-21T00:00:00Z INFO payments.mpesa paid\r\x1b[2J')
    assert all(len(line.splitlines()) == 1 for line in formatted(caplog))


def test_a_request_is_logged_without_its_query(
    shop: Shop, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        answer = shop.client().get("/sign-in?next=/orders&secret=hush")
    assert answer.headers["X-Request-ID"] in caplog.text
    assert "hush" not in caplog.text
