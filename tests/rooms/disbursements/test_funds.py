"""The float: what is known of it, what may leave, and what waits until there is more."""

from __future__ import annotations

from unittest import mock

import pytest

from app.disbursements import funds, provider
from app.disbursements.models import Disbursement
from app.extensions import db
from app.ledger.models import Account as Books
from tests.support import results
from tests.support.app import STRANGER, Account, Shop, later, together
from tests.support.daraja import FakeDaraja, html
from tests.support.money_out import secret_of

SHORTCODE = "600000"
MINUTE = 60


def available(shop: Shop) -> int | None:
    """What may still leave, in shillings; None while nothing is known."""
    with shop.app.app_context():
        cents = funds.available_cents(db.session(), SHORTCODE)
    return None if cents is None else cents // 100


def ask(shop: Shop) -> str:
    with shop.app.app_context():
        return funds.ask()


def queued(shop: Shop, admin: Account, amount: int) -> Disbursement:
    """A payout that was not sent yet, since Daraja's gateway turned it away."""
    shop.daraja.out_answer = html(403)
    record = shop.payout(admin, amount=amount)
    shop.daraja.out_answer = shop.daraja.accept_out
    shop.daraja.requests.clear()
    return record


def test_while_nothing_is_known_of_the_float_it_is_simply_sent(shop: Shop, admin: Account) -> None:
    assert available(shop) is None
    assert shop.payout(admin).status == "processing"


def test_the_balance_is_learned_from_its_question(
    shop: Shop, admin: Account, daraja: FakeDaraja
) -> None:
    shop.float_is(admin, 228_037.5)
    [asked] = daraja.balance_questions
    assert (asked["CommandID"], asked["PartyA"]) == ("AccountBalance", SHORTCODE)
    [reading] = shop.readings()
    assert (reading.utility_cents, reading.working_cents) == (22_803_750, 70_000_000)
    assert (reading.charges_cents, reading.problem) == (-154_000, None)
    assert available(shop) == 228_037


def test_a_till_s_balance_stands_under_another_name(shop: Shop, admin: Account) -> None:
    ask(shop)
    token = secret_of(shop.daraja.balance_questions[-1]["ResultURL"], "balance")
    shop.result(results.balance_told(700, account="Merchant Account"), balance=token)
    assert available(shop) == 700


@pytest.mark.parametrize(
    "told",
    ["", "Utility Account", "Utility Account|KES|x|y|0|0", "Working Account|KES|5.00|5.00|0|0", 7],
)
def test_a_balance_that_cannot_be_read_is_not_known(
    shop: Shop, admin: Account, told: object
) -> None:
    ask(shop)
    token = secret_of(shop.daraja.balance_questions[-1]["ResultURL"], "balance")
    body = results.balance_told(700)
    body["Result"]["ResultParameters"] = results.items(AccountBalance=told)
    assert shop.result(body, balance=token).status_code == 200
    assert available(shop) is None
    assert shop.readings()[0].problem is not None


@pytest.mark.parametrize("lines", ["Utility Account|KES|0.00|0.00|0.00|0.00", "Utility Account|-|"])
def test_an_empty_float_is_known_to_be_empty_and_only_when_it_is_said(
    shop: Shop, admin: Account, lines: str
) -> None:
    ask(shop)
    token = secret_of(shop.daraja.balance_questions[-1]["ResultURL"], "balance")
    body = results.balance_told(700)
    body["Result"]["ResultParameters"] = results.items(AccountBalance=lines)
    shop.result(body, balance=token)
    assert available(shop) == (0 if "0.00" in lines else None)


def test_the_answer_to_a_balance_question_counts_once_and_with_its_secret_only(
    shop: Shop, admin: Account
) -> None:
    ask(shop)
    token = secret_of(shop.daraja.balance_questions[-1]["ResultURL"], "balance")
    for wrong in ("a-guess", None):
        shop.result(results.balance_told(10**6), balance=wrong)
    assert available(shop) is None
    shop.result(results.balance_told(700), balance=token, peer=STRANGER)
    shop.result(results.balance_told(800), balance=token)
    assert available(shop) == 700


def test_it_is_asked_for_once_a_minute(shop: Shop, daraja: FakeDaraja) -> None:
    assert [ask(shop), ask(shop)] == ["Daraja is asked", "asked a moment ago"]
    with later(61):
        assert ask(shop) == "Daraja is asked"
    assert len(daraja.balance_questions) == 2


def test_of_many_who_find_it_short_at_once_one_asks(
    shop: Shop, admin: Account, daraja: FakeDaraja
) -> None:
    shop.float_is(admin, 10)
    with later(61):
        said = together(5, lambda _: ask(shop))
    assert sorted(said) == ["Daraja is asked"] + ["asked a moment ago"] * 4
    assert len(daraja.balance_questions) == 2


def test_a_question_that_could_not_be_put_is_not_put_again_at_once(
    shop: Shop, daraja: FakeDaraja
) -> None:
    daraja.ask_answer = html(502)
    assert ask(shop).startswith("Daraja could not be asked")
    assert ask(shop) == "asked a moment ago"
    assert shop.readings()[0].problem == "OutUnanswered"


def test_what_has_been_sent_since_is_not_there_any_more(shop: Shop, admin: Account) -> None:
    shop.float_is(admin, 10_000)
    first, second = shop.payout(admin, amount=3000), shop.payout(admin, amount=2000)
    assert available(shop) == 5000
    shop.declined(first)
    assert available(shop) == 8000
    shop.paid_out(second)
    assert available(shop) == 8000


def test_a_payment_s_own_result_tells_what_is_left_after_it(shop: Shop, admin: Account) -> None:
    first, second = shop.payout(admin, amount=3000), shop.payout(admin, amount=2000)
    shop.paid_out(first, utility=7000)
    assert available(shop) == 5000, "the second may not be counted in it"
    shop.paid_out(second, utility=5000)
    assert available(shop) == 2000, "and neither may the first, for all that is known"
    with later(MINUTE):
        shop.float_is(admin, 5000)
    assert available(shop) == 5000


def test_a_result_that_comes_late_does_not_bring_back_what_has_gone_since(
    shop: Shop, admin: Account
) -> None:
    slow = shop.payout(admin, amount=1000)
    quick = shop.payout(admin, amount=4000)
    shop.paid_out(quick, utility=5000)
    shop.paid_out(slow, utility=9000)
    assert available(shop) == 5000, "9,000 were there before the other one left"


def test_more_than_there_is_waits_and_says_how_much_is_missing(
    shop: Shop, admin: Account, daraja: FakeDaraja
) -> None:
    """D6."""
    shop.float_is(admin, 3000)
    answer = shop.ask_payout(admin, amount=5000)
    data = answer.get_json()["data"]
    assert (answer.status_code, data["status"], data["held"]) == (202, "queued", "float_short")
    [record] = shop.outs()
    why = shop.out_timeline(record)[-1].why
    assert "KES 3,000" in why
    assert "KES 2,000" in why
    assert SHORTCODE in why
    assert daraja.moves == []
    assert shop.balances() == {}


def test_two_halves_at_once_are_not_more_than_the_whole(
    shop: Shop, admin: Account, daraja: FakeDaraja
) -> None:
    """D6."""
    shop.float_is(admin, 1000)
    supplier = shop.supplier(admin)
    together(4, lambda _: shop.ask_payout(admin, supplier, amount=600))
    assert sorted(record.held or "" for record in shop.outs()) == ["", *["float_short"] * 3]
    assert len(daraja.payouts) == 1
    assert shop.balances() == {Books.MPESA: -60_000, Books.IN_TRANSIT: 60_000}


def test_two_halves_are_not_more_than_the_whole_while_news_of_the_float_come_in(
    shop: Shop, admin: Account, daraja: FakeDaraja
) -> None:
    """D6: whoever counts on an older reading and whoever counts on a newer one wait alike."""
    earlier = shop.payout(admin, amount=100)
    records = [queued(shop, admin, 600) for _ in range(3)]
    with later(MINUTE):
        shop.float_is(admin, 1100)
    body = results.paid_out(earlier, utility=1000)

    def act(number: int) -> None:
        if number == 3:
            shop.result(body, token=earlier.token)
        else:
            shop.take_turn(records[number])

    with later(2 * MINUTE):
        together(4, act)
    assert len(daraja.payouts) <= 1


def test_what_waits_is_sent_once_the_float_is_known_to_be_enough(
    shop: Shop, admin: Account, daraja: FakeDaraja
) -> None:
    shop.float_is(admin, 3000)
    record = shop.payout(admin, amount=5000)
    with later(61):
        assert ask(shop) == "Daraja is asked"
        token = secret_of(daraja.balance_questions[-1]["ResultURL"], "balance")
        shop.result(results.balance_told(5000), balance=token)
        shop.sweep_out()
    after = shop.out(record)
    assert (after.status, after.held) == ("processing", None)
    assert len(daraja.payouts) == 1


def test_while_something_waits_daraja_is_asked_for_the_balance(
    shop: Shop, admin: Account, daraja: FakeDaraja
) -> None:
    shop.float_is(admin, 3000)
    shop.payout(admin, amount=5000)
    assert len(daraja.balance_questions) == 1, "it was asked a moment ago"
    for number in (1, 2):
        with later(310 * number):
            shop.sweep_out()
        assert len(daraja.balance_questions) == 1 + number
    assert daraja.moves == []


def test_a_smaller_one_overtakes_what_waits(shop: Shop, admin: Account) -> None:
    shop.float_is(admin, 3000)
    shop.payout(admin, amount=5000)
    assert shop.payout(admin, amount=2000).status == "processing"


def test_a_balance_that_is_never_told_does_not_hold_money_back_for_ever(
    shop: Shop, admin: Account, daraja: FakeDaraja
) -> None:
    """Who may pay need not be allowed to see the balance."""
    earlier = shop.payout(admin, amount=100)
    shop.paid_out(earlier, utility=200)
    record = shop.payout(admin, amount=5000)
    assert record.held == "float_short"
    for number in range(1, funds.MOST_VAIN_QUESTIONS + 1):
        assert shop.out(record).status == "queued"
        token = secret_of(daraja.balance_questions[-1]["ResultURL"], "balance")
        shop.result(results.no_status(21), balance=token)
        with later(310 * number):
            shop.sweep_out()
    assert shop.out(record).status == "processing"
    assert len(daraja.payouts) == 2


def test_a_reversal_does_not_ask_for_float(shop: Shop, shopper: Account, admin: Account) -> None:
    shop.float_is(admin, 0)
    payment = shop.completed(shopper)
    assert shop.refund(shopper, payment, 1500).status == "processing"


def test_a_refund_by_b2c_waits_for_float_like_a_payout(
    shop: Shop, shopper: Account, admin: Account
) -> None:
    shop.float_is(admin, 0)
    answer = shop.ask_refund(shopper, shop.completed(shopper), 500)
    assert (answer.status_code, answer.get_json()["status"]) == (202, "queued")
    assert shop.outs()[0].held == "float_short"


def test_the_balance_cannot_be_asked_for_without_settings_and_nothing_breaks(
    shop: Shop, admin: Account, daraja: FakeDaraja
) -> None:
    shop.float_is(admin, 10)
    away = mock.patch.object(provider, "doors", side_effect=provider.NotConfigured("x"))
    with later(MINUTE), away, pytest.raises(provider.NotConfigured):
        ask(shop)
    assert len(daraja.balance_questions) == 1
