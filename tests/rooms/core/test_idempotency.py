"""Keys of requests: written down first, carried out by one, kept, given back, taken over."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.accounts.models import Person
from app.core import idempotency
from app.core.clock import now
from app.core.errors import Busy, Conflict, IdempotencyMismatch
from app.core.idempotency import KEPT_HOURS, LEASE_SECONDS, Answer, IdempotencyKey, Run
from app.core.unit_of_work import transaction
from app.extensions import db
from app.idempotency import fingerprint
from tests.support.app import Shop, later, together

GOOD = Answer(200, {"Content-Type": "application/json"}, b'{"success": true}\n')
BROKEN = Answer(500, {}, b"{}")
CALLER = "person:1"


def begun(key: str = "k", caller: str = CALLER, body: str = "f") -> Run:
    """Begin a request that is not a repetition."""
    run = idempotency.begin(caller, key, body)
    assert isinstance(run, Run)
    return run


def bound(run: Run, subject: str = "payment:1") -> Run:
    with idempotency.running(run), transaction() as session:
        idempotency.bind(session, subject)
    return run


def kept() -> int:
    return int(db.session.scalar(select(func.count(IdempotencyKey.id))) or 0)


def row() -> IdempotencyKey:
    return db.session.scalars(select(IdempotencyKey)).one()


def test_d2_a_repetition_hears_the_first_answer(shop: Shop) -> None:
    with shop.app.app_context():
        idempotency.end(begun(), GOOD, nothing_sent=False)
        assert idempotency.begin(CALLER, "k", "f") == GOOD
        with later(24 * 3600):
            assert idempotency.begin(CALLER, "k", "f") == GOOD


def test_d2_a_key_is_written_down_before_its_request_is_carried_out(shop: Shop) -> None:
    with shop.app.app_context():
        begun()
    with shop.app.app_context():
        assert (row().state, row().caller, row().key) == ("running", CALLER, "k")
        with pytest.raises(Conflict) as refusal:
            idempotency.begin(CALLER, "k", "f")
    assert refusal.value.retry_after_seconds == 1


def test_d2_a_key_stands_for_one_request_while_it_runs_and_after(shop: Shop) -> None:
    with shop.app.app_context():
        run = begun()
        with pytest.raises(IdempotencyMismatch):
            idempotency.begin(CALLER, "k", "other")
        idempotency.end(run, GOOD, nothing_sent=False)
        with pytest.raises(IdempotencyMismatch):
            idempotency.begin(CALLER, "k", "other")


def test_d2_a_key_belongs_to_its_caller(shop: Shop) -> None:
    with shop.app.app_context():
        idempotency.end(begun(), GOOD, nothing_sent=False)
        begun(caller="person:2", body="other")
        begun(caller="address:203.0.113.9", body="other")
        assert kept() == 3


def test_d2_of_many_first_requests_one_is_carried_out(shop: Shop) -> None:
    def first(_: int) -> bool:
        with shop.app.app_context():
            try:
                begun()
            except Conflict:
                return False
            return True

    assert sum(together(8, first)) == 1


@pytest.mark.parametrize("status", [401, 403, 429, 500, 503])
def test_d2_an_answer_that_a_repetition_may_better_is_not_kept(shop: Shop, status: int) -> None:
    with shop.app.app_context():
        idempotency.end(begun(), Answer(status, {}, b""), nothing_sent=False)
        assert kept() == 0
        assert begun().subject is None


@pytest.mark.parametrize("status", [200, 202, 303, 400, 404, 409, 415, 422, 502])
def test_d2_every_other_answer_is_kept(shop: Shop, status: int) -> None:
    answer = Answer(status, {"Content-Type": "text/plain"}, b"\x00\xff")
    with shop.app.app_context():
        idempotency.end(begun(), answer, nothing_sent=False)
        assert idempotency.begin(CALLER, "k", "f") == answer


def test_d2_a_refusal_that_says_when_to_come_back_is_not_kept(shop: Shop) -> None:
    soon = {"Retry-After": "5"}
    with shop.app.app_context():
        idempotency.end(begun("refused"), Answer(409, soon, b""), nothing_sent=False)
        idempotency.end(begun("accepted"), Answer(202, soon, b""), nothing_sent=False)
        begun("refused")
        assert idempotency.begin(CALLER, "accepted", "f") == Answer(202, soon, b"")


def test_d2_a_dead_run_is_taken_over_after_the_lease_and_not_before(shop: Shop) -> None:
    with shop.app.app_context():
        bound(begun())
        with later(LEASE_SECONDS - 5), pytest.raises(Conflict):
            begun()
        with later(LEASE_SECONDS + 1):
            with pytest.raises(IdempotencyMismatch):
                begun(body="other")
            second = begun()
            with idempotency.running(second):
                assert idempotency.subject() == "payment:1"
            with pytest.raises(Conflict):
                begun()


def test_d2_of_many_who_take_a_dead_run_over_one_does(shop: Shop) -> None:
    with shop.app.app_context():
        bound(begun())

    def repeat(_: int) -> str | None:
        with shop.app.app_context():
            try:
                return begun().subject
            except Conflict:
                return None

    with later(LEASE_SECONDS + 1):
        assert sorted(together(8, repeat), key=str) == [None] * 7 + ["payment:1"]


def test_d2_what_a_run_binds_at_the_moment_it_is_taken_over_is_seen(shop: Shop) -> None:
    taken: list[str | None] = []

    def take_over() -> None:
        with shop.app.app_context():
            taken.append(begun().subject)

    with shop.app.app_context():
        run = begun()
        with later(LEASE_SECONDS + 1):
            taker = threading.Thread(target=take_over)
            with idempotency.running(run), transaction() as session:
                idempotency.bind(session, "payment:1")
                taker.start()
                threading.Event().wait(0.3)
            taker.join(10)
    assert taken == ["payment:1"]


def test_d2_a_run_that_was_taken_over_can_begin_and_keep_nothing(shop: Shop) -> None:
    def begin_something(session: Session) -> None:
        session.add(Person(email="njeri@example.com", name="Njeri", password_hash="x"))
        idempotency.bind(session, "payment:2")

    with shop.app.app_context():
        slept = begun()
        with later(LEASE_SECONDS + 1):
            second = begun()
            with (
                idempotency.running(slept),
                pytest.raises(Conflict),
                transaction() as session,
            ):
                begin_something(session)
            assert db.session.scalar(select(func.count(Person.id))) == 0
            idempotency.end(slept, Answer(409, {}, b"late"), nothing_sent=False)
            idempotency.end(slept, BROKEN, nothing_sent=True)
            idempotency.end(second, GOOD, nothing_sent=False)
            assert idempotency.begin(CALLER, "k", "f") == GOOD


def test_d2_an_accident_after_something_began_leaves_it_to_the_next_repetition(shop: Shop) -> None:
    with shop.app.app_context():
        idempotency.end(bound(begun()), BROKEN, nothing_sent=False)
        second = begun()
        assert second.subject == "payment:1"
        idempotency.end(second, Answer(503, {}, b""), nothing_sent=True)
        assert begun().subject == "payment:1", "what an earlier run began is not forgotten"


def test_d2_what_came_to_nothing_for_certain_is_forgotten(shop: Shop) -> None:
    with shop.app.app_context():
        idempotency.end(bound(begun()), Answer(503, {}, b""), nothing_sent=True)
        assert kept() == 0


def test_d2_a_binding_is_undone_with_its_transaction(shop: Shop) -> None:
    def bind_and_fail() -> None:
        with transaction() as session:
            idempotency.bind(session, "payment:1")
            raise ZeroDivisionError

    with shop.app.app_context():
        with idempotency.running(begun()), pytest.raises(ZeroDivisionError):
            bind_and_fail()
        assert row().subject is None


def test_d2_outside_a_keyed_request_there_is_nothing_to_bind(shop: Shop) -> None:
    with shop.app.app_context():
        begun()
        with transaction() as session:
            idempotency.bind(session, "payment:1")
        assert idempotency.subject() is None
        assert row().subject is None


def test_d2_a_database_that_fails_at_the_end_takes_no_answer_away(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    def busy(*_: object) -> None:
        raise Busy

    with shop.app.app_context():
        run = bound(begun())
        with monkeypatch.context() as patch:
            patch.setattr(idempotency, "_keep", busy)
            idempotency.end(run, GOOD, nothing_sent=False)
        with later(LEASE_SECONDS + 1):
            assert begun().subject == "payment:1"


def test_d2_keys_are_removed_when_their_time_is_over_a_batch_at_a_time(shop: Shop) -> None:
    long_ago = now() - timedelta(hours=KEPT_HOURS, minutes=1)
    lately = now() - timedelta(hours=KEPT_HOURS - 1)
    with shop.app.app_context():
        with transaction() as session:
            for number, started_at in enumerate([long_ago, lately, long_ago, long_ago]):
                session.add(
                    IdempotencyKey(
                        caller=CALLER, key=str(number), fingerprint="f", started_at=started_at
                    )
                )
        assert [idempotency.prune(2), idempotency.prune(2), idempotency.prune(2)] == [2, 1, 0]
        assert row().key == "1"


JSON = "application/json"
FORM = "application/x-www-form-urlencoded"
PAY = "/api/payments/mpesa/initiate"
BODY = '{"order_id": 1, "phone_number": "0712345678"}'


def printed(shop: Shop, path: str = PAY, body: str = BODY, kind: str = JSON) -> str:
    with shop.app.test_request_context(path, method="POST", data=body, content_type=kind) as made:
        return fingerprint(made.request)


@pytest.mark.parametrize(
    ("path", "body", "kind"),
    [
        (PAY, '{"phone_number":"0712345678",\n"order_id":1}', JSON),
        (PAY, BODY, f"{JSON}; charset=utf-8"),
        (f"{PAY}/", BODY, JSON),
    ],
)
def test_d2_what_asks_for_the_same_is_the_same_request(
    shop: Shop, path: str, body: str, kind: str
) -> None:
    assert printed(shop, path, body, kind) == printed(shop)


@pytest.mark.parametrize(
    ("path", "body", "kind"),
    [
        ("/api/payments/mpesa/query", BODY, JSON),
        (f"{PAY}?dry=1", BODY, JSON),
        (PAY, BODY.replace("1,", "2,"), JSON),
        (PAY, BODY.replace("1,", '"1",'), JSON),
        (PAY, BODY.replace("1,", "1.0,"), JSON),
        (PAY, BODY, "text/plain"),
        (PAY, "", JSON),
        (PAY, "{broken", JSON),
        (PAY, "[" * 100_000, JSON),
        (PAY, "9" * 10_000, JSON),
    ],
)
def test_d2_what_asks_for_something_else_is_another_request(
    shop: Shop, path: str, body: str, kind: str
) -> None:
    assert printed(shop, path, body, kind) != printed(shop)


def test_d2_a_form_is_told_apart_by_its_fields_even_when_it_was_read_before(shop: Shop) -> None:
    def read_first(body: str) -> str:
        with shop.app.test_request_context(
            "/checkout", method="POST", data=body, content_type=FORM
        ) as made:
            assert made.request.form
            return fingerprint(made.request)

    assert read_first("phone=1&phone=2") == read_first("phone=1&phone=2")
    assert read_first("phone=1&phone=2") != read_first("phone=1&phone=3")
    assert printed(shop, body="a=1", kind=FORM) != printed(shop, body="a=2", kind=FORM)
