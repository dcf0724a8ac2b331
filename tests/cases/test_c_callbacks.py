"""C1 to C9: callbacks that repeat, contradict, come early, late or never, or are forged."""

from __future__ import annotations

import json
from typing import Any

import pytest

from app.payments import keeping
from app.payments.models import Payment
from tests.cases.books import completions_announced, everything, steps_offered
from tests.cases.people import cancel_order, decide
from tests.support.app import SAFARICOM, STRANGER, Account, Shop, later, together
from tests.support.daraja import Answer, FakeDaraja, ended, paid, still_processing, unpaid

ANOTHER_STRANGER = "2001:db8::9"
SUCCESS = "The service request is processed successfully."


def pay_for(shop: Shop, payment: Payment, receipt: str = "UKL4XX00XX") -> None:
    """Let Daraja call back with the money, with both proofs."""
    body = paid(payment.checkout_request_id, receipt=receipt)
    assert shop.callback(body, token=payment.callback_token).status_code == 200


def end_unpaid(shop: Shop, payment: Payment, code: int = 1032) -> None:
    body = unpaid(payment.checkout_request_id, code)
    assert shop.callback(body, token=payment.callback_token).status_code == 200


@pytest.mark.parametrize("at_once", [False, True], ids=["five in a row", "ten at once"])
def test_c1_copies_of_a_callback_are_one_credit_and_one_announcement(
    shop: Shop, shopper: Account, at_once: bool
) -> None:
    order = shop.order(shopper)
    payment = shop.prompted(shopper, order)
    body = paid(payment.checkout_request_id)

    def post(_: int = 0) -> int:
        return shop.callback(body, token=payment.callback_token).status_code

    answers = together(10, post) if at_once else [post() for _ in range(5)]
    assert set(answers) == {200}
    [credit] = shop.credits()
    assert (credit.amount_cents, credit.receipt) == (150_000, "UKL4XX00XX")
    assert completions_announced(shop, payment) == 1
    now = shop.order_now(shopper, order)
    assert (now["status"], now["amount_paid"]) == ("paid", 1500)


@pytest.mark.parametrize("with_token", [True, False], ids=["token", "no token"])
def test_c2_a_callback_before_the_push_is_answered_is_held_and_matched(
    shop: Shop, shopper: Account, daraja: FakeDaraja, with_token: bool
) -> None:
    order = shop.order(shopper)
    seen: list[object] = []

    def call_back_first(push: dict[str, Any]) -> Answer:
        answer = daraja.accept(push)
        token = push["CallBackURL"].partition("token=")[2] if with_token else None
        body = paid(json.loads(answer.body)["CheckoutRequestID"])
        seen.append(shop.callback(body, token=token).status_code)
        seen.append(len(shop.inbox()))
        return answer

    daraja.push_answer = call_back_first
    daraja.query_answer = ended("0", SUCCESS)
    assert shop.pay(shopper, order).status_code == 200
    assert seen == [200, 1], "it is kept before anybody knows whose it is"
    with later(40):
        shop.sweep()
    [payment] = shop.payments(order)
    assert (payment.status, payment.mpesa_receipt) == ("completed", "UKL4XX00XX")
    assert [message.payment_id for message in shop.inbox()] == [payment.id]
    assert shop.order_now(shopper, order)["status"] == "paid"
    assert len(daraja.queries) == (0 if with_token else 1)


@pytest.mark.parametrize("code", [1032, 1037])
def test_c3_a_failure_after_the_success_is_only_logged(
    shop: Shop, shopper: Account, code: int
) -> None:
    payment = shop.prompted(shopper)
    pay_for(shop, payment)
    before = everything(shop)
    end_unpaid(shop, payment, code)
    assert everything(shop) == before
    assert str(shop.inbox()[-1].verdict) == "ignored: the payment is completed"


@pytest.mark.parametrize("code", [1032, 1037])
def test_c3_a_success_after_the_failure_wins(shop: Shop, shopper: Account, code: int) -> None:
    order = shop.order(shopper)
    payment = shop.prompted(shopper, order)
    end_unpaid(shop, payment, code)
    pay_for(shop, payment)
    assert shop.fresh(payment).status == "completed"
    assert shop.order_now(shopper, order)["status"] == "paid"


def test_c3_of_a_success_and_a_failure_at_once_the_money_wins(shop: Shop, shopper: Account) -> None:
    orders = [shop.order(shopper) for _ in range(5)]
    for number, order in enumerate(orders):
        payment = shop.prompted(shopper, order)

        def call_back(failed: int, payment: Payment = payment, number: int = number) -> None:
            if failed:
                end_unpaid(shop, payment)
            else:
                pay_for(shop, payment, f"UKL4RACE0{number}")

        together(2, call_back)
    assert {shop.order_now(shopper, order)["status"] for order in orders} == {"paid"}


@pytest.mark.parametrize(
    ("code", "payment_is", "order_is"),
    [("0", "completed", "paid"), ("1032", "cancelled", "pending")],
)
def test_c4_what_a_lost_callback_would_have_said_is_found_out_with_nobody_watching(
    shop: Shop, shopper: Account, daraja: FakeDaraja, code: str, payment_is: str, order_is: str
) -> None:
    order = shop.order(shopper)
    payment = shop.prompted(shopper, order)
    daraja.query_answer = ended(code, SUCCESS)
    with later(60):
        shop.sweep()
    assert shop.fresh(payment).status == payment_is
    assert shop.order_now(shopper, order)["status"] == order_is
    assert len(daraja.queries) == 1


@pytest.mark.parametrize("told", [still_processing, ended("1037")], ids=["4999", "1037"])
def test_c5_money_twenty_seconds_after_the_prompts_end_simply_pays(
    shop: Shop, shopper: Account, daraja: FakeDaraja, told: Any
) -> None:
    daraja.query_answer = told
    order = shop.order(shopper)
    payment = shop.prompted(shopper, order)
    with later(70):
        shop.sweep()
    with later(80):
        pay_for(shop, payment)
    assert shop.order_now(shopper, order)["status"] == "paid"
    assert [credit.standing for credit in shop.credits()] == ["exact"]
    assert shop.questions() == []


@pytest.mark.parametrize("closed", ["cancelled", "expired"])
def test_c5_money_for_a_closed_order_is_late_and_a_person_decides(
    shop: Shop, shopper: Account, admin: Account, closed: str
) -> None:
    goods, course = shop.product(stock=3), shop.product(kind="course", name="German A1")
    items = [{"product_id": goods, "quantity": 1}, {"product_id": course, "quantity": 1}]
    body = {"items": items}
    order = shop.client().post("/api/orders", json=body, headers=shopper.headers).get_json()
    payment = shop.prompted(shopper, order)
    end_unpaid(shop, payment, 1037)
    if closed == "cancelled":
        assert cancel_order(shop, shopper, order).status_code == 200
    else:
        with later(3000):
            shop.sweep()
    assert shop.order_now(shopper, order)["status"] == closed

    news = paid(payment.checkout_request_id, amount=3000)
    shop.callback(news, token=payment.callback_token)
    now = shop.order_now(shopper, order)
    assert (now["status"], now["amount_paid"], now["review"]) == ("review", 3000, True)
    [credit] = shop.credits()
    assert (credit.standing, credit.amount_cents) == ("late", 300_000)
    assert shop.stock(goods) == 3, "nothing is taken from the shelf in silence"
    mine = shop.client().get("/api/courses/mine", headers=shopper.headers)
    assert mine.get_json()["total"] == 0, "and no place is given"
    assert steps_offered(shop) == {"late_money": ["accept", "set_aside"]}
    decide(shop, admin, "set_aside", credit.id)
    assert (shop.credits()[0].decision, shop.questions()) == ("set_aside", [])


def test_c5_money_after_the_retry_was_paid_is_the_second_and_is_to_go_back(
    shop: Shop, shopper: Account, admin: Account
) -> None:
    product = shop.product(stock=3)
    order = shop.order(shopper, product)
    first = shop.prompted(shopper, order)
    end_unpaid(shop, first, 1037)
    retry = shop.prompted(shopper, order)
    pay_for(shop, retry, "UKL4RETRY0")
    pay_for(shop, first, "UKL40FIRST")
    now = shop.order_now(shopper, order)
    assert (now["status"], now["amount_paid"], now["review"]) == ("paid", 3000, True)
    assert {credit.receipt: credit.standing for credit in shop.credits()} == {
        "UKL4RETRY0": "exact",
        "UKL40FIRST": "second",
    }
    assert shop.stock(product) == 2
    assert steps_offered(shop) == {"second_money": ["set_aside"]}
    [question] = shop.questions()
    decide(shop, admin, "set_aside", question.subject_id)
    assert shop.questions() == []


def test_c6_an_unknown_id_without_proof_is_kept_and_nobody_is_asked(
    shop: Shop, daraja: FakeDaraja
) -> None:
    daraja.query_answer = ended("0", SUCCESS)
    before = everything(shop)
    assert shop.callback(paid("ws_CO_nobody"), peer=STRANGER).status_code == 200
    with later(60):
        shop.sweep()
    assert everything(shop) == before
    assert (len(shop.inbox()), daraja.queries) == (1, [])


@pytest.mark.parametrize(
    ("answer", "credited"),
    [
        (ended("0", SUCCESS), [("unmatched", 150_000, "UKL4XX00XX")]),
        (ended("1032"), []),
        (still_processing, []),
    ],
    ids=["confirmed", "denied", "silent"],
)
def test_c6_an_unknown_id_from_a_proven_address_is_money_only_if_daraja_says_so(
    shop: Shop, daraja: FakeDaraja, answer: Any, credited: list[object]
) -> None:
    daraja.query_answer = answer
    assert shop.callback(paid("ws_CO_nobody")).status_code == 200
    assert daraja.queries == []
    with later(60):
        shop.sweep()
    assert [query["CheckoutRequestID"] for query in daraja.queries] == ["ws_CO_nobody"]
    found = [(c.standing, c.amount_cents, c.receipt) for c in shop.credits()]
    assert found == credited
    assert steps_offered(shop) == ({"unmatched_money": ["assign"]} if credited else {})
    books = everything(shop)
    assert (books["orders"], books["payments"]) == ([], [])


def test_c6_what_strangers_send_is_kept_within_bounds(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keeping, "MOST_UNPROVEN", 20)
    for number in range(60):
        peer = f"203.0.113.{number % 3}"
        assert shop.callback(paid(f"ws_CO_nobody_{number}"), peer=peer).status_code == 200
    shop.callback(paid("ws_CO_proven_by_origin"))
    shop.sweep()
    kept = [message.checkout_request_id for message in shop.inbox()]
    newest = [f"ws_CO_nobody_{number}" for number in range(40, 60)]
    assert kept == [*newest, "ws_CO_proven_by_origin"]


@pytest.mark.parametrize("peer", [STRANGER, ANOTHER_STRANGER])
def test_c7_a_shopper_who_forges_his_success_is_not_paid(
    shop: Shop, shopper: Account, daraja: FakeDaraja, peer: str
) -> None:
    """He knows every id of his payment, and Safaricom's addresses; the token he cannot know."""
    order = shop.order(shopper)
    payment = shop.prompted(shopper, order)
    guesses = [None, "", payment.checkout_request_id, payment.public_ref, str(payment.uuid)]
    guesses += [order["id"], order["reference"], shopper.access, "null", "*"]
    for number, guess in enumerate(guesses):
        forged = paid(
            payment.checkout_request_id,
            receipt=f"UKLFORGED{number}",
            merchant_request_id=payment.merchant_request_id,
        )
        answer = shop.client().post(
            "/api/payments/mpesa/callback",
            json=forged,
            query_string={"token": guess} if guess is not None else None,
            headers={"X-Forwarded-For": SAFARICOM, "Forwarded": f"for={SAFARICOM}"},
            environ_overrides={"REMOTE_ADDR": peer},
        )
        assert answer.status_code == 200
        shop.sweep()
    assert shop.fresh(payment).status == "pending"
    assert (len(daraja.queries), shop.credits()) == (1, []), "one question, and its answer decides"
    daraja.query_answer = ended("1032")
    with later(60):
        shop.sweep()
    assert shop.fresh(payment).status == "cancelled"
    now = shop.order_now(shopper, order)
    assert (now["status"], now["amount_paid"]) == ("pending", 0)


@pytest.mark.parametrize("proof", ["origin", "leaked token"])
@pytest.mark.parametrize(
    ("answer", "status"),
    [
        (ended("0", SUCCESS), "completed"),
        (ended("1032"), "cancelled"),
        (still_processing, "pending"),
    ],
    ids=["0", "1032", "4999"],
)
def test_c8_with_one_proof_daraja_decides(
    shop: Shop, shopper: Account, daraja: FakeDaraja, proof: str, answer: Any, status: str
) -> None:
    order = shop.order(shopper)
    payment = shop.prompted(shopper, order)
    daraja.query_answer = answer
    shop.callback(
        paid(payment.checkout_request_id),
        token=payment.callback_token if proof == "leaked token" else None,
        peer=STRANGER if proof == "leaked token" else SAFARICOM,
    )
    assert (shop.fresh(payment).status, shop.credits()) == ("pending", [])
    shop.sweep()
    assert len(daraja.queries) == 1
    assert shop.fresh(payment).status == status
    assert len(shop.credits()) == (1 if status == "completed" else 0)


@pytest.mark.parametrize("proofs", ["both", "token", "origin", "none"])
def test_c9_an_old_success_replayed_does_nothing_for_a_new_order(
    shop: Shop, shopper: Account, daraja: FakeDaraja, proofs: str
) -> None:
    """Word for word as it came, to the old payment's address or to the new one's."""
    old = shop.prompted(shopper)
    pay_for(shop, old)
    order = shop.order(shopper)
    new = shop.prompted(shopper, order)
    peer = SAFARICOM if proofs in ("both", "origin") else STRANGER
    for token in (old.callback_token, new.callback_token):
        given = token if proofs in ("both", "token") else None
        shop.callback(paid(old.checkout_request_id), token=given, peer=peer)
    shop.sweep()
    assert shop.fresh(new).status == "pending"
    assert shop.order_now(shopper, order)["amount_paid"] == 0
    assert len(shop.credits()) == 1
    assert daraja.queries == []


@pytest.mark.parametrize("proofs", ["both", "token", "origin"])
def test_c9_a_receipt_that_is_reused_is_credited_once(
    shop: Shop, shopper: Account, daraja: FakeDaraja, proofs: str
) -> None:
    pay_for(shop, shop.prompted(shopper))
    order = shop.order(shopper)
    new = shop.prompted(shopper, order)
    shop.callback(
        paid(new.checkout_request_id),
        token=None if proofs == "origin" else new.callback_token,
        peer=STRANGER if proofs == "token" else SAFARICOM,
    )
    assert shop.fresh(new).status == "pending"
    assert len(shop.credits()) == 1
    daraja.query_answer = ended("0", SUCCESS)
    with later(20):
        shop.sweep()
    settled = shop.fresh(new)
    assert (settled.status, settled.mpesa_receipt) == ("completed", None), "by Daraja's own word"
    assert [credit.receipt for credit in shop.credits()] == ["UKL4XX00XX", None]
    assert new.id in shop.asked_about()
