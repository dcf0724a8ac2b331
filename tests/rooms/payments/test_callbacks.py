"""Callbacks: kept first, believed with proof, settled once."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from sqlalchemy import event, update

from app.extensions import db
from app.payments import inbox
from app.payments.models import Payment
from tests.support.app import SAFARICOM, STRANGER, Account, Shop, later, together
from tests.support.daraja import FakeDaraja, bare, ended, html, paid, reset, unpaid

ACCEPTED = {"ResultCode": 0, "ResultDesc": "Accepted"}


def test_both_proofs_settle_at_once(shop: Shop, shopper: Account, daraja: FakeDaraja) -> None:
    """S4-39 to S4-41, S3-81, S3-82."""
    order = shop.order(shopper)
    payment = shop.prompted(shopper, order)
    answer = shop.callback(paid(payment.checkout_request_id), token=payment.callback_token)
    assert (answer.status_code, answer.get_json()) == (200, ACCEPTED)
    settled = shop.fresh(payment)
    assert (settled.status, settled.mpesa_receipt) == ("completed", "UKL4XX00XX")
    assert settled.received_cents == 150_000
    now = shop.order_now(shopper, order)
    assert (now["status"], now["amount_paid"], now["amount_due"]) == ("paid", 1500, 0)
    assert shop.status(shopper, order)["payment_reference"] == "UKL4XX00XX", "S4-37"
    assert daraja.queries == []


@pytest.mark.parametrize("proof", ["token", "origin"])
def test_one_proof_is_believed_only_after_daraja_confirms(
    shop: Shop, shopper: Account, daraja: FakeDaraja, proof: str
) -> None:
    order = shop.order(shopper)
    payment = shop.prompted(shopper, order)
    given: dict[str, Any] = {"peer": SAFARICOM}
    if proof == "token":
        given = {"peer": STRANGER, "token": payment.callback_token}
    assert shop.callback(paid(payment.checkout_request_id), **given).get_json() == ACCEPTED
    assert shop.fresh(payment).status == "pending"
    shop.sweep()
    assert shop.fresh(payment).status == "pending", "Daraja says it is still processing"
    daraja.query_answer = ended("0", "The service request is processed successfully.")
    with later(60):
        shop.sweep()
    settled = shop.fresh(payment)
    assert (settled.status, settled.mpesa_receipt) == ("completed", "UKL4XX00XX")
    assert settled.evidence == "callback and query"
    assert shop.order_now(shopper, order)["status"] == "paid"


@pytest.mark.parametrize("proof", ["token", "origin"])
def test_one_proof_of_a_failure_ends_nothing_by_itself(
    shop: Shop, shopper: Account, proof: str
) -> None:
    payment = shop.prompted(shopper)
    token = payment.callback_token if proof == "token" else None
    peer = STRANGER if proof == "token" else SAFARICOM
    shop.callback(unpaid(payment.checkout_request_id), token=token, peer=peer)
    assert shop.fresh(payment).status == "pending"


def test_no_proof_changes_nothing_and_is_kept(
    shop: Shop, shopper: Account, daraja: FakeDaraja
) -> None:
    payment = shop.prompted(shopper)
    answer = shop.callback(paid(payment.checkout_request_id), peer=STRANGER)
    assert (answer.status_code, answer.get_json()) == (200, ACCEPTED)
    with later(30):
        shop.sweep()
    unchanged = shop.fresh(payment)
    assert (unchanged.status, unchanged.mpesa_receipt) == ("pending", None)
    [kept] = shop.inbox()
    assert (kept.origin_proven, kept.token_payment_id, kept.peer) == (False, None, STRANGER)
    assert len(daraja.queries) == 1, "at most it causes a question"


def test_a_forged_receipt_is_not_taken_over_when_the_query_confirms(
    shop: Shop, shopper: Account, daraja: FakeDaraja
) -> None:
    """A callback without proof may come before a true success: its details are nobody's."""
    payment = shop.prompted(shopper)
    forged = paid(payment.checkout_request_id, receipt="FORGED0001")
    shop.callback(forged, peer=STRANGER)
    daraja.query_answer = ended("0")
    with later(30):
        shop.sweep()
    settled = shop.fresh(payment)
    assert (settled.status, settled.mpesa_receipt) == ("completed", None)


def test_the_token_of_another_attempt_proves_nothing(
    shop: Shop, shopper: Account, other_shopper: Account
) -> None:
    mine, theirs = shop.prompted(shopper), shop.prompted(other_shopper)
    shop.callback(paid(mine.checkout_request_id), token=theirs.callback_token)
    assert shop.fresh(mine).status == shop.fresh(theirs).status == "pending"


def test_a_foreign_merchant_request_id_takes_the_proof_away(shop: Shop, shopper: Account) -> None:
    payment = shop.prompted(shopper)
    body = paid(payment.checkout_request_id, merchant_request_id="not-ours")
    shop.callback(body, token=payment.callback_token)
    assert shop.fresh(payment).status == "pending"


def test_a_bare_success_is_never_believed_without_a_query(
    shop: Shop, shopper: Account, daraja: FakeDaraja
) -> None:
    """S0-18, C-12."""
    payment = shop.prompted(shopper)
    shop.callback(bare(payment.checkout_request_id), token=payment.callback_token)
    assert shop.fresh(payment).status == "pending"
    daraja.query_answer = ended("0")
    shop.sweep()
    settled = shop.fresh(payment)
    assert (settled.status, settled.mpesa_receipt, settled.evidence) == ("completed", None, "query")
    assert settled.received_cents == 150_000


def test_a_receipt_comes_later_to_a_payment_that_a_query_confirmed(
    shop: Shop, shopper: Account, daraja: FakeDaraja
) -> None:
    """C-12, C13."""
    payment = shop.prompted(shopper)
    daraja.query_answer = ended("0")
    with later(20):
        shop.sweep()
    assert shop.fresh(payment).mpesa_receipt is None
    shop.callback(paid(payment.checkout_request_id), token=payment.callback_token)
    settled = shop.fresh(payment)
    assert (settled.status, settled.mpesa_receipt) == ("completed", "UKL4XX00XX")
    assert [entry.event for entry in shop.timeline(payment)] == [
        "created",
        "push_accepted",
        "payment_confirmed",
        "receipt_learned",
    ]


@pytest.mark.parametrize("amount", [1, 1499, 1501, 15_000, 1500.5])
def test_another_amount_than_asked_goes_before_a_person(
    shop: Shop, shopper: Account, amount: float
) -> None:
    order = shop.order(shopper)
    payment = shop.prompted(shopper, order)
    shop.callback(paid(payment.checkout_request_id, amount=amount), token=payment.callback_token)
    settled = shop.fresh(payment)
    standing = "short" if amount < 1500 else "over"
    assert (settled.status, settled.review_reason) == ("review", standing)
    known = min(round(amount * 100), 150_000)
    assert settled.received_cents == known, "a prompt cannot move more than it asks for"
    now = shop.order_now(shopper, order)
    assert now["status"] == "review"
    assert now["review"] is True
    assert shop.status(shopper, order)["status"] == "pending"


@pytest.mark.parametrize("amount", [0, -1500, "-1500", "abc", True, "NaN", "Infinity", [], {}])
def test_a_nonsense_amount_is_never_credited(shop: Shop, shopper: Account, amount: object) -> None:
    order = shop.order(shopper)
    payment = shop.prompted(shopper, order)
    body = paid(payment.checkout_request_id, amount=amount)
    assert shop.callback(body, token=payment.callback_token).status_code == 200
    after = shop.fresh(payment)
    assert (after.status, after.received_cents) == ("pending", None), "Daraja is asked instead"
    assert after.next_check_at is not None
    assert shop.order_now(shopper, order)["status"] == "pending"


@pytest.mark.parametrize("amount", [1500, 1500.0, "1500", "1500.00"])
def test_the_amount_may_come_as_any_kind_of_number(
    shop: Shop, shopper: Account, amount: object
) -> None:
    """C-13, S2-32, S3-37."""
    payment = shop.prompted(shopper)
    shop.callback(paid(payment.checkout_request_id, amount=amount), token=payment.callback_token)
    assert shop.fresh(payment).status == "completed"


def test_ten_copies_at_once_credit_once(shop: Shop, shopper: Account) -> None:
    """S3-65: one credit, one row in the timeline, every copy acknowledged."""
    order = shop.order(shopper)
    payment = shop.prompted(shopper, order)
    body = paid(payment.checkout_request_id)
    answers = together(10, lambda _: shop.callback(body, token=payment.callback_token))
    assert [answer.status_code for answer in answers] == [200] * 10
    completed = [row for row in shop.timeline(payment) if row.to_status == "completed"]
    assert len(completed) == 1
    assert shop.order_now(shopper, order)["amount_paid"] == 1500
    assert len(shop.inbox()) == 1


def test_ten_different_bodies_at_once_credit_once(shop: Shop, shopper: Account) -> None:
    order = shop.order(shopper)
    payment = shop.prompted(shopper, order)

    def post(number: int) -> int:
        body = paid(payment.checkout_request_id)
        body["Body"]["stkCallback"]["ResultDesc"] = f"copy {number}"
        return shop.callback(body, token=payment.callback_token).status_code

    assert together(10, post) == [200] * 10
    assert len([row for row in shop.timeline(payment) if row.to_status == "completed"]) == 1
    assert shop.order_now(shopper, order)["amount_paid"] == 1500
    assert all(message.handled_at for message in shop.inbox())


def test_a_failure_after_the_success_is_ignored(shop: Shop, shopper: Account) -> None:
    order = shop.order(shopper)
    payment = shop.prompted(shopper, order)
    shop.callback(paid(payment.checkout_request_id), token=payment.callback_token)
    shop.callback(unpaid(payment.checkout_request_id, 1032), token=payment.callback_token)
    assert shop.fresh(payment).status == "completed"
    assert shop.order_now(shopper, order)["status"] == "paid"
    assert str(shop.inbox()[-1].verdict).startswith("ignored")


@pytest.mark.parametrize(
    ("code", "ending"), [(1032, "cancelled"), (1037, "expired"), (1, "failed"), (2001, "failed")]
)
def test_a_late_success_beats_every_unpaid_end(
    shop: Shop, shopper: Account, code: int, ending: str
) -> None:
    order = shop.order(shopper)
    payment = shop.prompted(shopper, order)
    shop.callback(unpaid(payment.checkout_request_id, code), token=payment.callback_token)
    assert shop.fresh(payment).status == ending
    assert shop.status(shopper, order)["status"] == "failed", "C-20"
    shop.callback(paid(payment.checkout_request_id), token=payment.callback_token)
    assert shop.fresh(payment).status == "completed"
    assert shop.order_now(shopper, order)["status"] == "paid"
    assert shop.timeline(payment)[-1].event == "late_confirmation"


def test_money_for_an_order_that_another_attempt_paid_is_kept_for_a_person(
    shop: Shop, shopper: Account
) -> None:
    order = shop.order(shopper)
    first = shop.prompted(shopper, order)
    shop.callback(unpaid(first.checkout_request_id, 1037), token=first.callback_token)
    second = shop.prompted(shopper, order)
    for payment, receipt in ((second, "UKL4SECOND"), (first, "UKL40FIRST")):
        body = paid(payment.checkout_request_id, receipt=receipt)
        shop.callback(body, token=payment.callback_token)
    assert shop.fresh(second).status == "completed"
    over = shop.fresh(first)
    assert (over.status, over.review_reason) == ("review", "second")
    now = shop.order_now(shopper, order)
    assert (now["status"], now["amount_paid"], now["review"]) == ("paid", 3000, True)
    assert {attempt["receipt"] for attempt in now["payments"]} == {"UKL4SECOND", "UKL40FIRST"}


@pytest.mark.parametrize("ending", ["cancelled", "expired"])
def test_money_for_a_closed_order_does_not_revive_it_silently(
    shop: Shop, shopper: Account, ending: str
) -> None:
    product = shop.product(stock=3)
    order = shop.order(shopper, product)
    payment = shop.prompted(shopper, order)
    shop.callback(unpaid(payment.checkout_request_id), token=payment.callback_token)
    if ending == "cancelled":
        shop.client().post(f"/api/orders/{order['id']}/cancel", headers=shopper.headers)
    else:
        with later(3600):
            shop.sweep()
    assert shop.order_now(shopper, order)["status"] == ending
    shop.callback(paid(payment.checkout_request_id), token=payment.callback_token)
    after = shop.fresh(payment)
    assert (after.status, after.review_reason) == ("review", "late")
    now = shop.order_now(shopper, order)
    assert (now["status"], now["amount_paid"]) == ("review", 1500)
    assert shop.stock(product) == 3, "a person decides whether the goods go out"


def test_a_receipt_settles_one_payment_only(
    shop: Shop, shopper: Account, other_shopper: Account
) -> None:
    first, second_order = shop.prompted(shopper), shop.order(other_shopper)
    second = shop.prompted(other_shopper, second_order)
    for payment in (first, second):
        shop.callback(paid(payment.checkout_request_id), token=payment.callback_token)
    assert shop.fresh(first).status == "completed"
    reused = shop.fresh(second)
    assert (reused.status, reused.review_reason) == ("pending", "receipt_reused")
    assert (reused.mpesa_receipt, reused.received_cents) == (None, None)
    assert shop.order_now(other_shopper, second_order)["amount_paid"] == 0


def test_one_receipt_for_ten_orders_at_once_pays_one_of_them(shop: Shop, shopper: Account) -> None:
    payments = [shop.prompted(shopper) for _ in range(10)]

    def post(number: int) -> int:
        payment = payments[number]
        body = paid(payment.checkout_request_id)
        return shop.callback(body, token=payment.callback_token).status_code

    assert together(10, post) == [200] * 10
    shop.sweep()
    states = sorted(shop.fresh(payment).status for payment in payments)
    assert states == ["completed"] + ["pending"] * 9, "Daraja is asked about the others"


@pytest.mark.parametrize("proofs", ["both", "token", "origin"])
def test_a_callback_may_overtake_the_answer_to_its_push(
    shop: Shop, shopper: Account, daraja: FakeDaraja, proofs: str
) -> None:
    order = shop.order(shopper)

    def answer_after_the_callback(push: dict[str, Any]) -> Any:
        answer = daraja.accept(push)
        checkout_request_id = shop.app.json.loads(answer.body)["CheckoutRequestID"]
        token = push["CallBackURL"].partition("token=")[2] if proofs != "origin" else None
        peer = STRANGER if proofs == "token" else SAFARICOM
        shop.callback(paid(checkout_request_id), token=token, peer=peer)
        return answer

    daraja.push_answer = answer_after_the_callback
    daraja.query_answer = ended("0")
    assert shop.pay(shopper, order).status_code == 200
    if proofs != "both":
        assert shop.payment(order).status == "pending"
        with later(30):
            shop.sweep()
    settled = shop.payment(order)
    assert (settled.status, settled.mpesa_receipt) == ("completed", "UKL4XX00XX")
    assert shop.order_now(shopper, order)["amount_paid"] == 1500


@pytest.mark.parametrize("peer", [SAFARICOM, STRANGER])
@pytest.mark.parametrize("script", [html(502), reset])
def test_the_token_brings_an_unanswered_push_home(
    shop: Shop, shopper: Account, daraja: FakeDaraja, peer: str, script: Any
) -> None:
    daraja.push_answer = script
    order = shop.order(shopper)
    assert shop.pay(shopper, order).status_code == 202
    payment = shop.payment(order)
    daraja.query_answer = ended("0")
    shop.callback(paid("ws_CO_never_heard_of"), token=payment.callback_token, peer=peer)
    if peer == STRANGER:
        assert shop.fresh(payment).status == "unconfirmed"
        shop.sweep()
        assert daraja.queries[-1]["CheckoutRequestID"] == "ws_CO_never_heard_of"
    settled = shop.fresh(payment)
    assert (settled.status, settled.checkout_request_id) == ("completed", "ws_CO_never_heard_of")
    assert shop.order_now(shopper, order)["status"] == "paid"


def test_a_course_is_given_once_and_goods_are_kept(shop: Shop, shopper: Account) -> None:
    """S3-83."""
    course, goods = shop.product(kind="course", name="German A1"), shop.product(stock=2)
    items = [{"product_id": course, "quantity": 1}, {"product_id": goods, "quantity": 1}]
    client = shop.client()
    for receipt in ("UKL40FIRST", "UKL4SECOND"):
        answer = client.post("/api/orders", json={"items": items}, headers=shopper.headers)
        order = answer.get_json()
        payment = shop.prompted(shopper, order)
        body = paid(payment.checkout_request_id, amount=3000, receipt=receipt)
        shop.callback(body, token=payment.callback_token)
        assert shop.order_now(shopper, order)["status"] == "paid"
    courses = client.get("/api/courses/mine", headers=shopper.headers).get_json()
    assert [row["course"] for row in courses["results"]] == ["German A1"]
    assert shop.stock(goods) == 0
    with later(7200):
        shop.sweep()
    assert shop.stock(goods) == 0, "what was paid for does not go back on the shelf"


def test_a_code_may_come_as_a_text_that_is_no_number(shop: Shop, shopper: Account) -> None:
    payment = shop.prompted(shopper)
    shop.callback(unpaid(payment.checkout_request_id, "E3008"), token=payment.callback_token)
    assert (shop.fresh(payment).status, shop.fresh(payment).result_code) == ("failed", "E3008")


def test_still_processing_in_a_callback_ends_nothing(shop: Shop, shopper: Account) -> None:
    payment = shop.prompted(shopper)
    shop.callback(unpaid(payment.checkout_request_id, 4999), token=payment.callback_token)
    assert shop.fresh(payment).status == "pending"


def test_every_step_of_a_payment_is_told_with_who_and_why(shop: Shop, shopper: Account) -> None:
    payment = shop.prompted(shopper)
    shop.callback(paid(payment.checkout_request_id), token=payment.callback_token)
    steps = [(row.from_status, row.event, row.to_status) for row in shop.timeline(payment)]
    assert steps == [
        ("", "created", "created"),
        ("created", "push_accepted", "pending"),
        ("pending", "payment_confirmed", "completed"),
    ]
    actors = [row.actor for row in shop.timeline(payment)]
    assert all(actors)
    assert actors[0] != actors[1], "the one who asked is not the one who answered"
    assert all(row.why for row in shop.timeline(payment))


def test_a_push_answer_committed_while_its_callback_is_matched_hides_nothing(
    shop: Shop, shopper: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The attempt learns its CheckoutRequestID between the two look-ups of the matching."""
    payment = shop.unanswered(shopper)
    monkeypatch.setattr("app.payments.webhook._handle", lambda _: None)
    shop.callback(paid("ws_CO_just_learned"), token=payment.callback_token)
    [kept] = shop.inbox()
    with shop.app.app_context():
        engine, learned = db.engine, threading.Event()

        def answer_arrives() -> None:
            with engine.begin() as connection:
                learn = update(Payment).values(checkout_request_id="ws_CO_just_learned")
                connection.execute(learn)

        def after_first_look(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
            if "FROM payments" in statement and not learned.is_set():
                learned.set()
                together(1, lambda _: answer_arrives())

        event.listen(engine, "after_cursor_execute", after_first_look)
        try:
            assert inbox.handle(kept.id) == "payment_confirmed"
        finally:
            event.remove(engine, "after_cursor_execute", after_first_look)
    assert shop.fresh(payment).status == "completed"
