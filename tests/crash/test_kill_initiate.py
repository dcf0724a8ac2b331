"""Killed while a payment is started: cases A1, A2 and A3."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from tests.crash.arming import Death
from tests.crash.databases import on_both, sqlite_only
from tests.crash.till import Sale, Till


def request_dies_at(moment: str) -> Death:
    return Death(moment, "request")


def killed_at_the_start(till: Till, death: Death) -> Sale:
    """Sell something, and have the shop die while the shopper presses Pay; nobody answers her."""
    sale = till.sell()
    assert till.dies(death, lambda: till.initiate(sale)).status is None
    return sale


def presses_pay_again(till: Till, sale: Sale) -> None:
    """Press Pay once more with another phone: no second prompt may come of it."""
    (first,) = till.buyer.order(sale.order)["payments"]
    again = till.initiate(sale)
    assert again.status in (200, 202)
    assert again.data["transaction_id"] == first["transaction_id"]
    assert till.daraja.prompts(sale.phones[-1]) == []


def test_a1_killed_before_the_intent_is_stored_nothing_has_happened(till: Till) -> None:
    sale = killed_at_the_start(till, request_dies_at("intent.before_commit"))
    till.shop.start()
    assert till.buyer.order(sale.order)["payments"] == []
    till.pays_again(sale)
    assert len(till.buyer.order(sale.order)["payments"]) == 1


def test_a1_killed_before_the_push_leaves_the_attempt_ends_and_the_shopper_may_pay(
    till: Till,
) -> None:
    sales = []
    for moment in ("intent.after_commit", "push.enter"):
        sales.append(killed_at_the_start(till, request_dies_at(moment)))
        till.shop.start()
        presses_pay_again(till, sales[-1])
    till.wait_for_calm(*sales)
    for sale in sales:
        (attempt,) = till.buyer.order(sale.order)["payments"]
        assert attempt["status"] in ("expired", "failed")
        assert till.daraja.prompts(sale.phones[0]) == []
        till.pays_again(sale)


@on_both(
    ("moment", "act"),
    [("push.sent", "pay"), ("push.answered", "pay"), ("push.answered", "cancel")],
    postgresql=[("push.answered", "pay")],
)
def test_a2_killed_with_the_push_on_the_wire_its_end_is_found(
    till: Till, moment: str, act: str
) -> None:
    sale = killed_at_the_start(till, request_dies_at(moment))
    till.shop.start()
    presses_pay_again(till, sale)
    till.act(sale, act)
    till.wait_for_calm(sale)
    assert till.buyer.order(sale.order)["status"] == ("paid" if act == "pay" else "pending")
    if act != "pay":
        till.pays_again(sale)


def test_a2_killed_while_daraja_is_silent_the_money_is_found(till: Till) -> None:
    sale = till.sell()
    msisdn = sale.new_phone()
    till.daraja.arm("hang", msisdn, seconds=2)
    with ThreadPoolExecutor(1) as hand:
        waiting = hand.submit(till.buyer.initiate, sale.order, msisdn)
        till.shown(sale)
        till.shop.kill()
        assert waiting.result().status is None
    till.shop.start()
    presses_pay_again(till, sale)
    till.act(sale, "pay")
    till.wait_for_calm(sale)
    assert till.buyer.order(sale.order)["status"] == "paid"


@sqlite_only
def test_a2_when_no_news_can_come_home_the_attempt_ends_before_a_person(till: Till) -> None:
    """Killed on the wire, and paid while the shop was away: no id to ask by, and no callback."""
    sale = killed_at_the_start(till, request_dies_at("push.sent"))
    till.act(sale, "pay")
    lost = till.daraja.prompts(sale.phones[0])[0]["checkout_request_id"]
    till.wait_for_delivery(lost)
    till.shop.start()
    till.wait_until_ended(sale)
    (attempt,) = till.buyer.order(sale.order)["payments"]
    assert attempt["reason"] == "no_answer"
    assert till.buyer.order(sale.order)["status"] != "paid"


@on_both(
    ("moment", "act"),
    [
        ("push.leave", "pay"),
        ("answer.before_commit", "pay"),
        ("answer.before_commit", "cancel"),
        ("answer.after_commit", "pay"),
        ("initiate.leave", "cancel"),
    ],
    postgresql=[("answer.before_commit", "pay"), ("answer.after_commit", "pay")],
)
def test_a3_killed_after_the_answer_the_end_is_found(till: Till, moment: str, act: str) -> None:
    sale = killed_at_the_start(till, request_dies_at(moment))
    till.shop.start()
    presses_pay_again(till, sale)
    till.act(sale, act)
    till.wait_for_calm(sale)
    assert till.buyer.order(sale.order)["status"] == ("paid" if act == "pay" else "pending")
    if act != "pay":
        till.pays_again(sale)


def test_a3_paid_while_the_shop_was_away_the_engine_finds_the_money(till: Till) -> None:
    sale = killed_at_the_start(till, request_dies_at("answer.after_commit"))
    prompt = till.shown(sale)
    till.act(sale, "pay")
    assert till.wait_for_delivery(prompt["checkout_request_id"]) == [None]
    till.shop.start()
    till.wait_for_calm(sale)
    assert till.buyer.order(sale.order)["status"] == "paid"


@sqlite_only
def test_a3_killed_beside_a_prompt_that_nobody_answers_the_attempt_expires(till: Till) -> None:
    sales = []
    for moment in ("push.answered", "push.leave", "answer.after_commit"):
        sales.append(killed_at_the_start(till, request_dies_at(moment)))
        till.shop.start()
        presses_pay_again(till, sales[-1])
    till.wait_for_calm(*sales)
    for sale in sales:
        (attempt,) = till.buyer.order(sale.order)["payments"]
        assert attempt["status"] == "expired"
        till.pays_again(sale)


def test_a10_after_all_these_kills_every_invariant_holds(till: Till) -> None:
    till.shop.flask("check_invariants")
