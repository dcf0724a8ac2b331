"""C-40: in production a callback's body is kept encrypted, and read as it came by whoever needs it.

Outside production it is kept as it is. A row says by itself which, whatever comes later.
"""

from __future__ import annotations

import json
from typing import Any

import pytest
from cryptography.fernet import Fernet
from sqlalchemy import update

from app.config import Environment
from app.core.unit_of_work import transaction
from app.payments import inbox, sealing
from app.payments.models import InboxMessage, Payment
from tests.support.app import SAFARICOM, STRANGER, Account, Shop, later
from tests.support.daraja import FakeDaraja, ended, paid

KEY, OTHER_KEY = Fernet.generate_key().decode(), Fernet.generate_key().decode()
LIVE: dict[str, Any] = {
    "mpesa_environment": Environment.PRODUCTION,
    "settings_encryption_key": KEY,
    "mpesa_consumer_key": "key",
    "mpesa_consumer_secret": "secret",
    "mpesa_shortcode": "600123",
    "mpesa_passkey": "passkey",
    "mpesa_callback_url": "https://shop.test/api/payments/mpesa/callback",
}
PHONE = b"254712345678"
MEND = "SETTINGS_ENCRYPTION_KEY is not the one"


@pytest.fixture
def payment(shop: Shop, shopper: Account) -> Payment:
    """Of a shop in production, its prompt open."""
    shop.set(**LIVE)
    return shop.prompted(shopper)


def opened(shop: Shop) -> list[bytes]:
    with shop.app.app_context():
        return [sealing.opened(message.raw) for message in shop.inbox()]


def raw_of(payment: Payment) -> bytes:
    return json.dumps(paid(payment.checkout_request_id), indent=1).encode()


def unhandled(shop: Shop, payment: Payment, monkeypatch: pytest.MonkeyPatch) -> int:
    """A callback that is kept, and that the process had no time to act on."""
    with monkeypatch.context() as patch:
        patch.setattr("app.payments.webhook._handle", lambda _inbox_id: None)
        shop.callback(raw_of(payment), token=payment.callback_token)
    return shop.inbox()[-1].id


def replay(shop: Shop, inbox_id: int, *more: str) -> tuple[int, str]:
    done = shop.app.test_cli_runner().invoke(args=["callbacks", "replay", str(inbox_id), *more])
    return done.exit_code, done.output


def test_in_production_what_is_stored_gives_nothing_away_and_the_payment_settles(
    shop: Shop, payment: Payment
) -> None:
    shop.callback(raw_of(payment), token=payment.callback_token)
    (message,) = shop.inbox()
    assert message.raw.startswith(sealing.SEALED)
    for secret in (PHONE, b"UKL4XX00XX", b"stkCallback"):
        assert secret not in message.raw
    assert opened(shop) == [raw_of(payment)], "byte for byte"
    assert shop.fresh(payment).status == "completed"


def test_outside_production_a_body_is_kept_as_it_is(shop: Shop, shopper: Account) -> None:
    payment = shop.prompted(shopper)
    shop.callback(raw_of(payment), token=payment.callback_token)
    assert [message.raw for message in shop.inbox()] == [raw_of(payment)]


def test_a_repetition_is_known_as_one_though_each_sealing_looks_different(
    shop: Shop, payment: Payment
) -> None:
    for _ in range(3):
        shop.callback(raw_of(payment), token=payment.callback_token)
    assert len(shop.inbox()) == 1


@pytest.mark.parametrize("mark", [sealing.SEALED, sealing.PLAIN, b"\x00", b""])
@pytest.mark.parametrize("live", [True, False])
def test_no_sender_can_make_a_body_look_sealed(shop: Shop, live: bool, mark: bytes) -> None:
    if live:
        shop.set(**LIVE)
    raw = mark + b"whatever follows"
    assert shop.callback(raw, peer=STRANGER).status_code == 200
    assert opened(shop) == [raw]
    (message,) = shop.inbox()
    assert message.handled_at is not None
    assert str(message.verdict).startswith("unreadable")


def test_rows_stay_readable_when_the_environment_changes_in_either_direction(
    shop: Shop, payment: Payment, shopper: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    sealed = unhandled(shop, payment, monkeypatch)
    shop.restore_settings()
    shop.set(settings_encryption_key=KEY)
    assert replay(shop, sealed) == (0, "payment_confirmed\n")
    other = shop.prompted(shopper)
    body = json.dumps(paid(other.checkout_request_id, receipt="UKL4XX00XY")).encode()
    with monkeypatch.context() as patch:
        patch.setattr("app.payments.webhook._handle", lambda _inbox_id: None)
        shop.callback(body, token=other.callback_token)
    shop.set(**LIVE)
    assert replay(shop, shop.inbox()[-1].id) == (0, "payment_confirmed\n")
    assert shop.violations() == []


def test_the_sweep_acts_on_a_sealed_callback_that_was_left(
    shop: Shop, payment: Payment, monkeypatch: pytest.MonkeyPatch
) -> None:
    unhandled(shop, payment, monkeypatch)
    with later(30):
        shop.sweep()
    assert shop.fresh(payment).status == "completed"


def test_a_dry_run_reads_it_and_show_prints_it_as_it_came(
    shop: Shop, payment: Payment, monkeypatch: pytest.MonkeyPatch
) -> None:
    inbox_id = unhandled(shop, payment, monkeypatch)
    assert "Would say: payment_confirmed" in replay(shop, inbox_id, "--dry-run")[1]
    runner = shop.app.test_cli_runner()
    shown = runner.invoke(args=["callbacks", "show", str(inbox_id)])
    assert (shown.exit_code, shown.output.encode()) == (0, raw_of(payment) + b"\n")
    missing = runner.invoke(args=["callbacks", "show", "12345"])
    assert (missing.exit_code, missing.output) == (1, "There is no callback 12345.\n")


def test_the_receipt_of_a_sealed_callback_is_found_when_a_query_settles(
    shop: Shop, payment: Payment, daraja: FakeDaraja
) -> None:
    shop.callback(raw_of(payment), token=payment.callback_token, peer=STRANGER)
    daraja.query_answer = ended("0")
    shop.ask(payment)
    assert shop.fresh(payment).mpesa_receipt == "UKL4XX00XX"


# The key has been changed.


def test_under_another_key_every_command_says_so_and_the_old_key_mends_it(
    shop: Shop, payment: Payment, monkeypatch: pytest.MonkeyPatch
) -> None:
    inbox_id = unhandled(shop, payment, monkeypatch)
    shop.set(settings_encryption_key=OTHER_KEY)
    for more in ((), ("--dry-run",)):
        status, said = replay(shop, inbox_id, *more)
        assert status == 1
        assert MEND in said
        assert "Traceback" not in said
    shown = shop.app.test_cli_runner().invoke(args=["callbacks", "show", str(inbox_id)])
    assert shown.exit_code == 1
    assert MEND in shown.output
    shop.set(settings_encryption_key=KEY)
    assert replay(shop, inbox_id) == (0, "payment_confirmed\n")


@pytest.mark.parametrize("key", [None, "no key at all", OTHER_KEY], ids=["none", "short", "other"])
def test_under_no_usable_key_the_sweep_notes_why_and_goes_on(
    shop: Shop, payment: Payment, monkeypatch: pytest.MonkeyPatch, key: str | None
) -> None:
    unhandled(shop, payment, monkeypatch)
    shop.set(settings_encryption_key=key)
    with later(30):
        shop.sweep()
    (message,) = shop.inbox()
    assert (message.handled_at, message.tries) == (None, 1)
    assert MEND in str(message.verdict)
    shop.set(settings_encryption_key=KEY)
    with later(3600):
        shop.sweep()
    assert shop.fresh(payment).status == "completed"


def test_under_another_key_a_query_still_settles_without_the_receipt(
    shop: Shop, payment: Payment, daraja: FakeDaraja, caplog: pytest.LogCaptureFixture
) -> None:
    shop.callback(raw_of(payment), token=payment.callback_token, peer=STRANGER)
    shop.set(settings_encryption_key=OTHER_KEY)
    daraja.query_answer = ended("0")
    shop.ask(payment)
    after = shop.fresh(payment)
    assert (after.status, after.mpesa_receipt) == ("completed", None)
    assert MEND in caplog.text


def test_under_another_key_money_without_a_name_is_put_off_until_it_is_replayed(
    shop: Shop, daraja: FakeDaraja
) -> None:
    shop.set(**LIVE)
    shop.callback(paid("ws_CO_of_another_program"), peer=SAFARICOM)
    shop.set(settings_encryption_key=OTHER_KEY)
    daraja.query_answer = ended("0")
    with later(60):
        shop.sweep()
        shop.sweep()
    message = shop.inbox()[-1]
    assert message.next_try_at is None
    assert MEND in str(message.verdict)
    shop.set(settings_encryption_key=KEY)
    replay(shop, message.id)
    with later(60):
        shop.sweep()
    assert [credit.standing for credit in shop.credits()] == ["unmatched"]


def test_without_a_usable_key_production_keeps_nothing_and_acknowledges_nothing(
    shop: Shop, payment: Payment
) -> None:
    """What was not kept must not be acknowledged; the payment is found by a query."""
    shop.set(settings_encryption_key="no key at all")
    answer = shop.callback(raw_of(payment), token=payment.callback_token)
    assert answer.status_code == 503
    assert "SETTINGS_ENCRYPTION_KEY" in answer.get_json()["message"]
    assert shop.inbox() == []


def test_a_row_that_was_damaged_is_said_in_words(shop: Shop, payment: Payment) -> None:
    shop.callback(raw_of(payment), token=payment.callback_token)
    shop.written_by_hand = True
    with shop.app.app_context(), transaction() as session:
        session.execute(update(InboxMessage).values(raw=sealing.SEALED + b"damaged"))
    with shop.app.app_context(), pytest.raises(sealing.SealedBody):
        inbox.handle(shop.inbox()[0].id)
