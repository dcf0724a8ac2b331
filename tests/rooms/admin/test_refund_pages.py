"""Money back: the form on a payment's page, the road with its reason, and the refund's own page."""

from __future__ import annotations

import pytest

from app.disbursements.states import OutStatus
from app.payments.models import Payment
from tests.rooms.admin.desk import Desk, flashed, hidden, problems, section, title
from tests.support.app import Account, Shop, together
from tests.support.daraja import FakeDaraja, paid, unpaid

ROOM = "/admin/payments"


@pytest.fixture
def payment(shop: Shop, shopper: Account) -> Payment:
    """KES 1,500 that came in a moment ago."""
    return shop.completed(shopper)


def path_of(payment: Payment) -> str:
    return f"{ROOM}/{payment.public_ref}"


def send_back(desk: Desk, payment: Payment, amount: str, reason: str = "Broken") -> str:
    """Send money back by the form of a payment's page, and return where it leads."""
    key = hidden(desk.read(path_of(payment)), "form_key")
    return desk.sent(f"{path_of(payment)}/refund", amount=amount, reason=reason, form_key=key)


def test_a_payment_s_page_tells_its_story_and_offers_what_is_left(
    shop: Shop, desk: Desk, payment: Payment
) -> None:
    page = desk.read(path_of(payment))
    assert "0712 *** 678" in page
    assert "0712345678" not in page
    assert "254712345678" not in page
    assert str(payment.mpesa_receipt) in page
    assert 'name="amount" value="1500"' in page
    assert "Reversal: it is whole and was paid within 24 hours." in page
    assert "Sales" in section(page, "books-heading")
    assert "wanjiku" in section(page, "timeline-heading").lower()
    assert path_of(payment) in desk.read("/admin")
    for name in (payment.id, payment.uuid):
        assert payment.public_ref in desk.read(f"{ROOM}/{name}")


def test_a_part_goes_back_by_b2c_and_the_rest_can_follow(
    shop: Shop, desk: Desk, daraja: FakeDaraja, payment: Payment
) -> None:
    refund = send_back(desk, payment, "600")
    page = desk.read(refund)
    assert title(page) == "On its way"
    assert "B2C: only a part goes back, and a reversal takes a payment whole." in page
    assert path_of(payment) in page
    assert [sent["Amount"] for sent in daraja.payouts] == [600]
    shop.paid_out(shop.outs()[0])
    assert title(desk.read(refund)) == "Paid"
    left = desk.read(path_of(payment))
    assert 'name="amount" value="900"' in left
    assert refund in left
    assert refund in desk.read("/admin/refunds")
    assert "refund_asked".replace("_", " ").capitalize() in section(left, "timeline-heading")


def test_whatever_is_left_goes_back_where_no_amount_is_given(
    shop: Shop, desk: Desk, payment: Payment
) -> None:
    send_back(desk, payment, "")
    [record] = shop.outs()
    assert (record.amount_cents, record.channel) == (150_000, "reversal")
    assert "Nothing is left to send back." in desk.read(path_of(payment))


@pytest.mark.parametrize(
    ("amount", "reason", "words"),
    [
        ("1501", "Broken", "KES 1,500 of this payment can be refunded."),
        ("0", "Broken", "must be a whole number"),
        ("-5", "Broken", "must be a whole number"),
        ("10.50", "Broken", "must be a whole number"),
        ("9", "Broken", "M-Pesa pays out KES 10 at least."),
        ("100", "", "Say why"),
        ("100", "x" * 501, "Say why"),
    ],
)
def test_d7_what_cannot_go_back_is_explained_and_nothing_is_sent(
    shop: Shop, desk: Desk, payment: Payment, amount: str, reason: str, words: str
) -> None:
    """D7."""
    key = hidden(desk.read(path_of(payment)), "form_key")
    form = {"amount": amount, "reason": reason, "form_key": key}
    answer = desk.send(f"{path_of(payment)}/refund", **form)
    assert answer.status_code in (400, 409)
    assert words in problems(answer.text)[0]
    assert f'name="amount" value="{amount}"' in answer.text
    assert shop.outs() == []
    # The key was given back: once it is mended, the same form does its work.
    led = desk.sent(f"{path_of(payment)}/refund", amount="100", reason="Broken", form_key=key)
    assert led == f"/admin/refunds/{shop.outs()[0].public_ref}"


def test_d4_d7_a_double_click_sends_back_once(
    shop: Shop, desk: Desk, daraja: FakeDaraja, payment: Payment
) -> None:
    """D4, D7: the second press hears of the first one's refund, or is led to the payment."""
    key = hidden(desk.read(path_of(payment)), "form_key")
    form = {"amount": "100", "reason": "Broken", "form_key": key}
    clients = [Desk(shop, desk.who) for _ in range(4)]
    led = together(4, lambda number: clients[number].sent(f"{path_of(payment)}/refund", **form))
    refund = f"/admin/refunds/{shop.outs()[0].public_ref}"
    assert refund in led
    assert set(led) <= {refund, path_of(payment)}
    assert len(shop.outs()) == len(daraja.payouts) == 1
    assert desk.sent(f"{path_of(payment)}/refund", **form) == refund


def test_a_form_that_was_used_does_not_send_something_else_back(
    shop: Shop, desk: Desk, payment: Payment
) -> None:
    key = hidden(desk.read(path_of(payment)), "form_key")
    path = f"{path_of(payment)}/refund"
    desk.sent(path, amount="100", reason="Broken", form_key=key)
    refused = desk.send(path, amount="200", reason="Broken", form_key=key)
    assert refused.status_code == 409
    assert "This form was sent before, with something else in it." in refused.text
    for broken in ("", "short", "x" * 65):
        assert desk.send(path, amount="200", reason="x", form_key=broken).status_code == 409
    assert [record.amount_cents for record in shop.outs()] == [10_000]


def test_what_a_shopper_asks_for_above_the_limit_is_released_by_an_admin(
    shop: Shop, desk: Desk, shopper: Account, daraja: FakeDaraja, payment: Payment
) -> None:
    shop.set(refund_auto_approve_limit=0)
    record = shop.refund(shopper, payment, 500)
    page = desk.read(f"/admin/refunds/{record.public_ref}")
    assert title(page) == "Waits for another admin"
    assert "refunds above KES 0 need another person's yes" in page
    assert "0712 345 678" in section(page, "approve-heading")
    told = desk.told(f"/admin/refunds/{record.public_ref}/approve")
    assert title(told) == "On its way"
    assert len(daraja.payouts) == 1


def test_money_set_aside_offers_its_refund_until_it_has_gone_back(
    shop: Shop, desk: Desk, shopper: Account
) -> None:
    """Late money is set aside by a person; the next step is to send it back."""
    order = shop.order(shopper)
    late = shop.prompted(shopper, order)
    shop.callback(unpaid(late.checkout_request_id), token=late.callback_token)
    shop.client().post(f"/api/orders/{order['id']}/cancel", headers=shopper.headers)
    shop.callback(paid(late.checkout_request_id), token=late.callback_token)
    page = desk.read("/admin")
    assert "Money came for an order that was closed" in page
    assert f'href="{path_of(late)}#refund">Send it back now' in page
    [question] = shop.questions()
    desk.sent(f"/admin/questions/set_aside/{question.subject_id}", why="She does not want it")
    aside = section(desk.read("/admin"), "aside-heading")
    assert f'href="{path_of(late)}#refund">Send KES 1,500 back' in aside
    send_back(desk, late, "500")
    aside = section(desk.read("/admin"), "aside-heading")
    assert "Send KES 1,000 back" in aside
    assert "KES 500 are asked for or on their way." in aside
    send_back(desk, late, "1000")
    for record in shop.outs():
        shop.paid_out(record)
    assert "aside-heading" not in desk.read("/admin")


def test_money_of_a_question_can_go_back_without_being_set_aside_first(
    shop: Shop, desk: Desk, shopper: Account
) -> None:
    payment = shop.prompted(shopper)
    body = paid(payment.checkout_request_id, amount=1000)
    shop.callback(body, token=payment.callback_token)
    assert "Less came than was asked for" in desk.read("/admin")
    send_back(desk, payment, "")
    assert "Less came than was asked for" not in desk.read("/admin")
    shop.paid_out(shop.outs()[0])
    assert "aside-heading" not in desk.read("/admin")


def test_a_refund_that_failed_leads_back_to_its_payment(
    shop: Shop, desk: Desk, payment: Payment
) -> None:
    refund = send_back(desk, payment, "500")
    shop.declined(shop.outs()[0])
    page = desk.read(refund)
    assert title(page) == "Not paid"
    assert f'href="{path_of(payment)}">To the payment' in page
    assert "A refund has failed" in desk.read("/admin")
    send_back(desk, payment, "500")
    assert "A refund has failed" not in desk.read("/admin")
    assert [record.status for record in shop.outs()] == [OutStatus.FAILED, OutStatus.PROCESSING]


def test_what_brought_no_money_has_no_form(shop: Shop, desk: Desk, shopper: Account) -> None:
    payment = shop.prompted(shopper)
    assert "refund-heading" not in desk.read(path_of(payment))
    key = "k" * 20
    answer = desk.send(f"{path_of(payment)}/refund", amount="10", reason="x", form_key=key)
    assert answer.status_code == 409
    assert desk.open(f"{ROOM}/TXN20261121090000K7Q").status_code == 404
    assert desk.open(f"{ROOM}/nonsense").status_code == 404
    assert flashed(desk.read("/admin/refunds")) == []
