"""What happens is told: signed, in the same transaction, once more after every failure."""

from __future__ import annotations

from uuid import UUID

import pytest
from sqlalchemy import select, update

from app.accounts.models import Person
from app.core.unit_of_work import transaction
from app.extensions import db
from app.webhooks import delivery, endpoints, posting
from app.webhooks.courier import Courier
from app.webhooks.delivery import MOST_TRIES, PAUSES_SECONDS, due_endpoints, serve
from app.webhooks.events import CHOICES, emit
from app.webhooks.models import Delivery, DeliveryState, Endpoint
from tests.rooms.webhooks.listening import Listening
from tests.support.app import Account, Shop, later, together
from tests.support.daraja import unpaid

EVERYTHING = list(CHOICES)


def add(shop: Shop, owner: Account, url: str, events: list[str] = EVERYTHING) -> tuple[int, str]:
    with shop.app.app_context():
        endpoint, secret = endpoints.add(url, events, _person(owner))
        return endpoint.id, secret


def _person(account: Account) -> Person:
    return db.session.get_one(Person, account.id)


def turn(shop: Shop) -> list[str]:
    """Let everybody have a turn for whom something is due."""
    with shop.app.app_context():
        return [serve(endpoint_id) for endpoint_id in due_endpoints()]


def log(shop: Shop, endpoint_id: int) -> list[Delivery]:
    with shop.app.app_context():
        return endpoints.deliveries(endpoint_id)


def test_a_payment_is_told_with_a_signature_that_its_secret_makes(
    keyed: Shop, owner: Account, shopper: Account, listening: Listening
) -> None:
    endpoint_id, secret = add(keyed, owner, listening.url)
    payment = keyed.completed(shopper, price=1240)
    assert turn(keyed) == ["done"]
    [heard] = listening.heard
    assert heard.marks == [heard.mark_by(secret)]
    assert heard.headers["Lipa-Event-Id"] == heard.body["id"]
    assert UUID(heard.body["id"])
    assert heard.body["type"] == "payment.completed"
    data = heard.body["data"]
    assert data["transaction_id"] == payment.public_ref
    assert (data["amount"], data["currency"], data["receipt"]) == (
        1240,
        "KES",
        payment.mpesa_receipt,
    )
    assert data["phone"] == "0712 *** 678", "no whole number leaves the shop"
    [told] = log(keyed, endpoint_id)
    assert (told.state, told.answer_status, told.answer, told.tries) == (
        "delivered",
        200,
        "thanks",
        1,
    )
    assert turn(keyed) == [], "what is delivered is not sent again"


def test_only_what_was_asked_for_is_told(
    keyed: Shop, owner: Account, shopper: Account, listening: Listening
) -> None:
    endpoint_id, _ = add(keyed, owner, listening.url, ["payment.cancelled"])
    keyed.completed(shopper)
    prompt = keyed.prompted(shopper)
    keyed.callback(unpaid(prompt.checkout_request_id, 1032), token=prompt.callback_token)
    assert [told.type for told in log(keyed, endpoint_id)] == ["payment.cancelled"]


def test_money_out_is_told_from_being_asked_for_to_its_end(
    keyed: Shop, owner: Account, listening: Listening
) -> None:
    endpoint_id, _ = add(keyed, owner, listening.url, ["payout.*"])
    supplier = keyed.supplier(owner, "Kamau", "0722000111")
    keyed.payout(owner, supplier, 70)
    types = [told.type for told in reversed(log(keyed, endpoint_id))]
    assert types[-1] == "payout.processing"
    assert set(types) <= {"payout.queued", "payout.processing"}


def test_no_commit_no_event(keyed: Shop, owner: Account, listening: Listening) -> None:
    endpoint_id, _ = add(keyed, owner, listening.url)

    def fail() -> None:
        with transaction() as session:
            assert emit(session, "alert.opened", {"kind": "float_low"}) == 1
            session.flush()
            raise ZeroDivisionError

    with keyed.app.app_context(), pytest.raises(ZeroDivisionError):
        fail()
    assert log(keyed, endpoint_id) == []


def test_what_is_not_taken_is_tried_later_each_time_and_given_up_after_the_last(
    keyed: Shop, owner: Account, listening: Listening
) -> None:
    endpoint_id, _ = add(keyed, owner, listening.url)
    listening.status, listening.answer = 500, b"<script>alert(1)</script>" * 20
    with keyed.app.app_context():
        endpoints.send_test(endpoint_id, _person(owner))
    passed = 0.0
    for number, pause in enumerate([*PAUSES_SECONDS, 0], start=1):
        with later(passed):
            assert turn(keyed) == ["failed"]
            assert turn(keyed) == [], "not sooner than its pause allows"
        assert len(listening.heard) == number
        passed += pause + 1
    assert len({heard.body["id"] for heard in listening.heard}) == 1
    [told] = log(keyed, endpoint_id)
    assert (told.state, told.tries) == ("given_up", MOST_TRIES)
    assert told.answer is not None
    assert len(told.answer) == 200
    with later(passed + 90_000):
        assert turn(keyed) == []
    with keyed.app.app_context():
        listening.status = 204
        assert endpoints.deliver_again(endpoint_id, _person(owner)) == 1
    assert turn(keyed) == ["done"]
    assert [told.state for told in log(keyed, endpoint_id)] == ["delivered"]


def test_two_who_send_at_once_send_it_once(
    keyed: Shop, owner: Account, listening: Listening
) -> None:
    endpoint_id, _ = add(keyed, owner, listening.url)
    with keyed.app.app_context():
        for _ in range(6):
            endpoints.send_test(endpoint_id, _person(owner))

    def send(_: int) -> str:
        with keyed.app.app_context():
            try:
                return serve(endpoint_id)
            finally:
                db.session.remove()

    assert set(together(4, send)) == {"done"}
    ids = [heard.body["id"] for heard in listening.heard]
    assert len(ids) == len(set(ids)) == 6


def test_a_try_that_died_is_made_again_and_its_late_end_changes_nothing(
    keyed: Shop, owner: Account, listening: Listening
) -> None:
    endpoint_id, _ = add(keyed, owner, listening.url)
    with keyed.app.app_context():
        endpoints.send_test(endpoint_id, _person(owner))
        dead = delivery._claim(endpoint_id)
    assert dead is not None
    assert turn(keyed) == [], "somebody may be at it"
    with later(delivery.LEASE_SECONDS + 1):
        assert turn(keyed) == ["done"]
    with keyed.app.app_context():
        delivery._record(dead, posting.Outcome(1, 500))
    [told] = log(keyed, endpoint_id)
    assert (told.state, told.tries) == ("delivered", 2)


def test_one_who_hangs_holds_up_nobody_else(
    keyed: Shop, owner: Account, listening: Listening
) -> None:
    with Listening() as stuck:
        stuck.hold.clear()
        stuck_id, _ = add(keyed, owner, stuck.url)
        quick_id, _ = add(keyed, owner, listening.url)
        with keyed.app.app_context():
            for endpoint_id in (stuck_id, quick_id, quick_id):
                endpoints.send_test(endpoint_id, _person(owner))
        courier = Courier(keyed.app)
        courier.start()
        try:
            stuck.wait()
            listening.wait()
            listening.wait()
        finally:
            stuck.hold.set()
            courier.stop()


def test_one_who_does_not_answer_is_cut_off_after_the_time_for_one_try(
    keyed: Shop, owner: Account, listening: Listening, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(posting, "SECONDS", 0.3)
    listening.hold.clear()
    endpoint_id, _ = add(keyed, owner, listening.url)
    with keyed.app.app_context():
        endpoints.send_test(endpoint_id, _person(owner))
    assert turn(keyed) == ["failed"]
    [told] = log(keyed, endpoint_id)
    assert told.answer_status is None
    assert told.problem is not None
    assert told.problem.startswith("no answer within")


def test_redirects_are_not_followed(keyed: Shop, owner: Account, listening: Listening) -> None:
    with Listening() as other:
        listening.status, listening.location = 307, other.url
        endpoint_id, _ = add(keyed, owner, listening.url)
        with keyed.app.app_context():
            endpoints.send_test(endpoint_id, _person(owner))
        assert turn(keyed) == ["failed"]
        assert other.heard == []
    [told] = log(keyed, endpoint_id)
    assert (told.answer_status, told.problem) == (307, "redirects are not followed")


def test_a_new_secret_signs_beside_the_old_one_for_a_day(
    keyed: Shop, owner: Account, listening: Listening
) -> None:
    endpoint_id, old = add(keyed, owner, listening.url)
    with keyed.app.app_context():
        new = endpoints.rotate(endpoint_id, _person(owner))
        endpoints.send_test(endpoint_id, _person(owner))
    turn(keyed)
    heard = listening.heard[-1]
    assert heard.marks == [heard.mark_by(new), heard.mark_by(old)]
    with later(24 * 3600 + 1), keyed.app.app_context():
        endpoints.send_test(endpoint_id, _person(owner))
        turn(keyed)
    heard = listening.heard[-1]
    assert heard.marks == [heard.mark_by(new)]
    with keyed.app.app_context():
        kept = db.session.get_one(Endpoint, endpoint_id)
        assert new.encode() not in kept.secret


def test_while_paused_news_is_kept_and_afterwards_sent(
    keyed: Shop, owner: Account, shopper: Account, listening: Listening
) -> None:
    endpoint_id, _ = add(keyed, owner, listening.url)
    with keyed.app.app_context():
        endpoints.pause(endpoint_id, _person(owner))
    keyed.completed(shopper)
    assert turn(keyed) == []
    with keyed.app.app_context():
        endpoints.resume(endpoint_id, _person(owner))
    assert turn(keyed) == ["done"]
    with keyed.app.app_context():
        endpoints.remove(endpoint_id, _person(owner))
    keyed.completed(shopper)
    assert turn(keyed) == []


def test_what_ended_long_ago_is_forgotten_and_what_waits_is_not(
    keyed: Shop, owner: Account, listening: Listening
) -> None:
    endpoint_id, _ = add(keyed, owner, listening.url)
    with keyed.app.app_context():
        for _ in range(2):
            endpoints.send_test(endpoint_id, _person(owner))
        first = db.session.scalar(select(Delivery.id).order_by(Delivery.id).limit(1))
        with transaction() as session:
            done = update(Delivery).where(Delivery.id == first)
            session.execute(done.values(state=DeliveryState.DELIVERED))
        assert delivery.prune() == 0
        with later(delivery.KEPT.total_seconds() + 1):
            assert delivery.prune() == 1
    assert [told.state for told in log(keyed, endpoint_id)] == ["waiting"]
