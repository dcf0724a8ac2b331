"""What is paid at the paybill is told too, although no attempt of ours brought it."""

from __future__ import annotations

from tests.rooms.webhooks.listening import Listening
from tests.rooms.webhooks.test_deliveries import add, turn
from tests.support.app import Account, Shop
from tests.support.paybill import Paybill


def test_money_by_hand_is_told_with_its_receipt_and_its_order(
    keyed: Shop, owner: Account, shopper: Account, listening: Listening
) -> None:
    paybill = Paybill(keyed)
    paybill.register()
    add(keyed, owner, listening.url)
    order = keyed.order(shopper)
    paybill.pay(order["reference"], 500)
    paybill.pay(order["reference"], 1000, receipt="UKL7ZZ99ZZ")
    while turn(keyed):
        pass
    paybill.close()
    told = [(heard.body["type"], heard.body["data"]) for heard in listening.heard]
    assert [kind for kind, _ in told] == ["order.money_by_hand", "order.paid_by_hand"]
    part, whole = (data for _, data in told)
    assert (part["order_id"], part["received"], part["standing"]) == (order["id"], 500, "short")
    assert (whole["status"], whole["receipt"]) == ("paid", "UKL7ZZ99ZZ")


def test_a_prompt_s_success_is_told_with_what_was_received(
    keyed: Shop, owner: Account, shopper: Account, listening: Listening
) -> None:
    add(keyed, owner, listening.url)
    keyed.completed(shopper, price=1500)
    while turn(keyed):
        pass
    [told] = [heard.body["data"] for heard in listening.heard]
    assert (told["status"], told["amount"], told["received"]) == ("completed", 1500, 1500)
