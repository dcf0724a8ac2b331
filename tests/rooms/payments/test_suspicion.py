"""S4-108: what looks like somebody trying is told in the log and on the admin's page."""

from __future__ import annotations

import logging
import re

import pytest

from app.limits import UNPROVEN_CALLBACKS
from app.monitoring import OneLine
from app.payments.suspicion import MANY_CALLBACKS, MANY_FAILURES, Pattern, patterns
from tests.support.app import SAFARICOM, STRANGER, Account, Shop, later, standing
from tests.support.daraja import FakeDaraja, paid, refuse, unpaid


def seen(shop: Shop) -> list[Pattern]:
    with shop.app.app_context():
        return patterns()


def forge(shop: Shop, count: int, peer: str = STRANGER) -> None:
    """Post so many different callbacks that are not proven."""
    for number in range(count):
        shop.callback(paid(f"ws_CO_forged_{peer}_{number}"), peer=peer)


def fail(shop: Shop, who: Account, count: int, code: int = 1037, phone: str = "0712345678") -> None:
    for _ in range(count):
        order = shop.order(who)
        shop.pay(who, order, phone_number=phone)
        payment = shop.payment(order)
        shop.callback(unpaid(payment.checkout_request_id, code), token=payment.callback_token)


def admin_page(shop: Shop, admin: Account) -> str:
    return shop.client().get("/admin", headers=admin.headers | {"Accept": "text/html"}).text


def test_s4_108_many_unproven_callbacks_from_one_address_are_a_pattern(
    shop: Shop, admin: Account
) -> None:
    """S4-108."""
    forge(shop, MANY_CALLBACKS - 1)
    forge(shop, 3, peer="203.0.113.77")
    assert seen(shop) == []
    assert "Suspicious" not in admin_page(shop, admin)
    shop.callback(b"one more, of any kind", peer=STRANGER)
    (pattern,) = seen(shop)
    assert (pattern.kind, pattern.subject) == ("callbacks", STRANGER)
    assert pattern.count == MANY_CALLBACKS
    page = admin_page(shop, admin)
    assert "Suspicious in the last hour" in page
    assert re.search(rf"<code>{re.escape(STRANGER)}</code></td>\s*<td[^>]*>{MANY_CALLBACKS}<", page)


def test_s4_108_forged_callbacks_with_one_proof_count_too(shop: Shop, shopper: Account) -> None:
    """S4-108: a leaked token, and a caller on the list without a token."""
    payment = shop.prompted(shopper)
    for number in range(MANY_CALLBACKS):
        shop.callback(
            paid(payment.checkout_request_id, amount=number + 1),
            token=payment.callback_token,
            peer=STRANGER,
        )
        shop.callback(paid(payment.checkout_request_id, amount=number + 1), peer=SAFARICOM)
    assert {pattern.subject for pattern in seen(shop)} == {STRANGER, SAFARICOM}
    assert shop.credits() == []


def test_s4_108_proven_callbacks_are_no_pattern_however_many(shop: Shop, shopper: Account) -> None:
    """S4-108."""
    for number in range(MANY_CALLBACKS + 2):
        payment = shop.prompted(shopper)
        body = paid(payment.checkout_request_id, receipt=f"UKL4XX{number:04d}")
        shop.callback(body, token=payment.callback_token)
    assert seen(shop) == []


def test_s4_108_many_failed_payments_on_one_phone_are_a_pattern(
    shop: Shop, shopper: Account, other_shopper: Account, admin: Account
) -> None:
    """S4-108: whoever sends the prompts, the phone is one, and its number is masked."""
    fail(shop, shopper, MANY_FAILURES - 2)
    fail(shop, other_shopper, 1)
    fail(shop, shopper, MANY_FAILURES - 1, phone="0722000111")
    assert seen(shop) == []
    fail(shop, other_shopper, 1, code=1032)
    (pattern,) = seen(shop)
    assert (pattern.kind, pattern.subject) == ("failures", "0712 *** 678")
    assert pattern.count == MANY_FAILURES
    page = admin_page(shop, admin)
    assert "Failed payments on one phone" in page
    assert "712345678" not in page


def test_s4_108_what_failed_at_our_end_says_nothing_about_a_phone(
    shop: Shop, shopper: Account, daraja: FakeDaraja
) -> None:
    """S4-108."""
    daraja.push_answer = refuse("Wrong credentials")
    for _ in range(MANY_FAILURES + 1):
        shop.pay(shopper, shop.order(shopper))
    assert seen(shop) == []


def test_s4_108_an_hour_later_it_is_forgotten(shop: Shop, shopper: Account) -> None:
    """S4-108."""
    forge(shop, MANY_CALLBACKS)
    fail(shop, shopper, MANY_FAILURES)
    assert len(seen(shop)) == 2
    with later(3700):
        assert seen(shop) == []


def test_s4_108_each_pattern_is_one_warning_an_hour(
    shop: Shop, shopper: Account, caplog: pytest.LogCaptureFixture
) -> None:
    """S4-108."""
    forge(shop, MANY_CALLBACKS)
    fail(shop, shopper, MANY_FAILURES)
    with caplog.at_level(logging.INFO):
        for _ in range(3):
            shop.sweep()
    rows = [row for row in caplog.records if row.getMessage().startswith("suspicious:")]
    assert {(row.name, row.levelname) for row in rows} == {("payments.mpesa", "WARNING")}
    lines = [OneLine().format(row) for row in rows]
    assert len(lines) == 2
    assert f"from one address, {STRANGER}: {MANY_CALLBACKS} since" in lines[0]
    assert f"on one phone, 0712 *** 678: {MANY_FAILURES} since" in lines[1]


def test_s4_108_a_flood_beyond_the_limit_is_told_once(
    shop: Shop, caplog: pytest.LogCaptureFixture
) -> None:
    """S4-108, S4-107: what is refused is not kept, so it is told at the door."""
    most = int(UNPROVEN_CALLBACKS.partition("/")[0])
    with caplog.at_level(logging.WARNING), standing():
        for _ in range(most):
            assert shop.callback(b"{}", peer=STRANGER).status_code == 200
        for _ in range(3):
            assert shop.callback(b"{}", peer=STRANGER).status_code == 429
    told = [row.getMessage() for row in caplog.records if "flood" in row.getMessage()]
    assert told == [
        f"suspicious: a flood of callbacks without proof, {STRANGER}: "
        f"more than {UNPROVEN_CALLBACKS} are refused"
    ]
