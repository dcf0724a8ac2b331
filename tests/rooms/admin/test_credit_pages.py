"""Money paid by hand: its page, and the form that sends it back."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from app.accounts.roles import Role
from app.payments.models import Credit
from tests.rooms.admin.desk import Desk, hidden, problems, section, title
from tests.support.app import Account, Shop, together
from tests.support.daraja import FakeDaraja
from tests.support.paybill import Paybill
from tests.support.staff import staff

SECOND = "UKL7ZZ99ZZ"


@pytest.fixture
def paybill(shop: Shop) -> Iterator[Paybill]:
    paybill = Paybill(shop)
    paybill.register()
    yield paybill
    paybill.close()


@pytest.fixture
def second(shop: Shop, paybill: Paybill, shopper: Account) -> Credit:
    """KES 1,500 that came by hand for an order that had been paid by hand before."""
    order = shop.order(shopper)
    paybill.pay(order["reference"])
    paybill.pay(order["reference"], receipt=SECOND)
    return shop.credits()[-1]


def path_of(credit: Credit) -> str:
    return f"/admin/credits/{credit.id}"


def send_back(desk: Desk, credit: Credit, **form: str) -> str:
    """Send money back by the form of its page, and return where it leads."""
    key = hidden(desk.read(path_of(credit)), "form_key")
    return desk.sent(f"{path_of(credit)}/refund", reason="Paid twice", form_key=key, **form)


def test_the_queue_leads_to_the_money_and_the_money_back_to_who_paid(
    shop: Shop, desk: Desk, daraja: FakeDaraja, second: Credit
) -> None:
    queue = desk.read("/admin")
    assert f'href="{path_of(second)}#refund">Send it back now' in queue
    desk.sent(f"/admin/questions/set_aside/{second.id}", why="One too many")
    aside = section(desk.read("/admin"), "aside-heading")
    assert f'href="{path_of(second)}#refund">Send KES 1,500 back' in aside
    page = desk.read(path_of(second))
    assert "2547 ***** 678" in page
    assert "Reversal: it is whole and was paid within 24 hours." in page
    refund = send_back(desk, second, amount="1500", payer="")
    assert title(desk.read(refund)) == "On its way"
    assert f'href="{path_of(second)}">KES 1,500 paid by hand' in desk.read(refund)
    assert "whoever paid it" in desk.read(refund)
    assert "Nothing is left to send back." in desk.read(path_of(second))
    assert "KES 1,500 are asked for" in section(desk.read("/admin"), "aside-heading")
    assert path_of(second) in desk.read("/admin/refunds")
    shop.paid_out(shop.outs()[0])
    assert "aside-heading" not in desk.read("/admin")
    assert [asked["TransactionID"] for asked in daraja.moves] == [SECOND]


def test_the_order_s_page_leads_to_it_and_shows_what_went_back(
    shop: Shop, desk: Desk, second: Credit
) -> None:
    order = next(
        line.partition('"')[0]
        for line in desk.read(path_of(second)).split('href="')
        if line.startswith("/admin/orders/")
    )
    assert f'href="{path_of(second)}#refund">Send back KES 1,500 paid by hand' in desk.read(order)
    refund = send_back(desk, second, amount="600", payer="0712 345 678")
    page = desk.read(order)
    assert refund in section(page, "money-heading")
    assert "Refund asked" in section(page, "timeline-heading")


def test_what_is_wrong_is_told_beside_its_field_and_the_form_can_be_sent_again(
    shop: Shop, desk: Desk, second: Credit
) -> None:
    path, key = path_of(second), hidden(desk.read(path_of(second)), "form_key")
    form = {"amount": "600", "reason": "Paid twice", "form_key": key}
    refused = desk.send(f"{path}/refund", payer="0712 345 679", **form)
    assert refused.status_code == 400
    [problem] = problems(refused.text)
    assert problem.startswith("This number did not pay it (2547 ***** 678).")
    assert 'value="0712 345 679"' in refused.text
    assert shop.outs() == []
    led = desk.sent(f"{path}/refund", payer="0712 345 678", **form)
    assert led == f"/admin/refunds/{shop.outs()[0].public_ref}"


def test_d4_d7_a_double_click_sends_money_paid_by_hand_back_once(
    shop: Shop, desk: Desk, daraja: FakeDaraja, second: Credit
) -> None:
    """D4, D7."""
    key = hidden(desk.read(path_of(second)), "form_key")
    form = {"amount": "1500", "payer": "", "reason": "Paid twice", "form_key": key}
    clients = [Desk(shop, desk.who) for _ in range(4)]
    path = f"{path_of(second)}/refund"
    led = together(4, lambda number: clients[number].sent(path, **form))
    assert f"/admin/refunds/{shop.outs()[0].public_ref}" in led
    assert len(shop.outs()) == len(daraja.moves) == 1


def test_who_only_looks_sends_nothing_back(shop: Shop, second: Credit) -> None:
    viewer = Desk(shop, staff(shop, "otieno", Role.VIEWER))
    assert "<form" not in section(viewer.read(path_of(second)), "refund-heading")
    form = {"amount": "1500", "reason": "Mine", "form_key": "k" * 24}
    assert viewer.send(f"{path_of(second)}/refund", **form).status_code == 403
    assert shop.outs() == []


def test_a_failed_refund_leads_back_to_its_money(shop: Shop, desk: Desk, second: Credit) -> None:
    refund = send_back(desk, second, amount="1500", payer="")
    shop.declined(shop.outs()[0])
    assert f'href="{path_of(second)}">To the money' in desk.read(refund)
    assert "B2C: M-Pesa has declined" in desk.read(path_of(second))


def test_there_is_no_page_of_money_that_is_not_there_or_is_a_payment_s(
    shop: Shop, desk: Desk, shopper: Account
) -> None:
    payment = shop.completed(shopper)
    [credit] = shop.credits()
    assert desk.open(path_of(credit)).location == f"/admin/payments/{payment.public_ref}"
    for name in ("999", "9" * 30, "x"):
        assert desk.open(f"/admin/credits/{name}").status_code == 404
