"""The guide with ``/api/payments/`` for a school: status and lists."""

from __future__ import annotations

import re
from typing import Any

import pytest
from sqlalchemy import event

from app.core.clock import iso_seconds
from app.dialects.courses import STATUS_WORDS
from app.extensions import db
from app.payments.signals import check_wanted
from app.payments.states import Status
from tests.documents.s3 import (
    ADMIN,
    CALLBACK,
    COURSE,
    ERROR_KEYS,
    MY,
    PHONE,
    PREFIX,
    RECEIPT,
    begun,
    call_back,
    course,
    get,
    initiate,
    newest,
    post,
    refused,
    sample,
    status,
    told,
)
from tests.services.engines import sqlite_will_do
from tests.support.app import Account, Shop, later
from tests.support.daraja import FakeDaraja, ended, html, unpaid

TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")
OWN_KEYS = {"id", "course", "amount", "status", "created_at"}


# Status.


def test_s3_38_to_s3_41_s3_82_s3_84_a_paid_payment_has_the_printed_status(
    shop: Shop, shopper: Account
) -> None:
    """S3-38, S3-39, S3-40, S3-41, S3-82, S3-84."""
    payment = call_back(shop, begun(shop, shopper))
    body = told(shop, shopper, payment)
    assert body == {
        "id": payment.id,
        "checkout_request_id": payment.checkout_request_id,
        "amount": "5000",
        "status": "completed",
        "phone": PHONE,
        "mpesa_receipt": RECEIPT,
        "created_at": iso_seconds(payment.created_at),
    }
    assert type(body["id"]) is int
    assert TIME.fullmatch(body["created_at"])


@pytest.mark.parametrize(
    ("code", "word"), [(1, "failed"), (2001, "failed"), (1032, "cancelled"), (1037, "expired")]
)
def test_s3_41_every_end_without_money_has_its_word(
    shop: Shop, shopper: Account, code: int, word: str
) -> None:
    """S3-41: C-18."""
    payment = begun(shop, shopper)
    assert told(shop, shopper, payment)["status"] == "pending"
    body = unpaid(payment.checkout_request_id, code)
    shop.callback(body, token=payment.callback_token, path=CALLBACK)
    answer = told(shop, shopper, payment)
    assert (answer["status"], answer["mpesa_receipt"]) == (word, None)


def test_s3_41_every_status_has_a_word_here() -> None:
    """S3-41: C-18."""
    assert set(STATUS_WORDS) == set(Status)
    assert set(STATUS_WORDS.values()) == {
        *("pending", "completed", "failed", "cancelled", "expired"),
    }


def test_s3_39_s3_87_a_payment_is_its_owners_and_the_admins(
    shop: Shop, shopper: Account, other_shopper: Account, admin: Account
) -> None:
    """S3-39, S3-87: C-10."""
    payment = begun(shop, shopper)
    for name in (payment.id, payment.uuid, payment.public_ref):
        assert status(shop, shopper, name).get_json()["id"] == payment.id
        refused(status(shop, other_shopper, name), 404, "NOT_FOUND")
        refused(status(shop, None, name), 401, "UNAUTHORIZED")
    assert status(shop, admin, payment.id).status_code == 200


@pytest.mark.parametrize("name", ["0", "-1", "999999999", "9" * 40, "abc", "TXN", "%00", "1.5"])
def test_s3_38_a_name_of_nothing_is_not_found(shop: Shop, shopper: Account, name: str) -> None:
    """S3-38."""
    answer = status(shop, shopper, name)
    assert answer.status_code in (400, 404)
    assert set(answer.get_json()) == ERROR_KEYS


@pytest.mark.parametrize("word", ["my", "admin", "b2c", "callback", "initiate", "transactions"])
def test_s3_38_a_documented_word_is_never_taken_for_an_id(
    shop: Shop, shopper: Account, word: str
) -> None:
    """S3-38: C-4, C-5."""
    refused(status(shop, shopper, word), 404, "NOT_FOUND")
    for path in (f"{PREFIX}/{word}", f"{PREFIX}/{word}/"):
        assert get(shop, shopper, path).status_code not in (301, 302, 307, 308)


def test_s3_73_the_status_is_read_at_home_and_wakes_a_question_that_is_due(
    shop: Shop, shopper: Account, daraja: FakeDaraja
) -> None:
    """S3-73."""
    woken: list[Any] = []

    def note(_: object, payment_id: int, **more: object) -> None:
        woken.append(payment_id)

    payment = begun(shop, shopper)
    with check_wanted.connected_to(note):
        assert told(shop, shopper, payment)["status"] == "pending"
        assert woken == []
        with later(20):
            assert told(shop, shopper, payment)["status"] == "pending"
            assert woken == [payment.id]
            assert daraja.queries == []
            daraja.query_answer = ended("0", "The service request is processed successfully.")
            shop.ask(payment)
            assert told(shop, shopper, payment)["status"] == "completed"


def test_s3_73_a_prompt_of_unknown_fate_is_pending_and_can_be_followed(
    shop: Shop, shopper: Account, daraja: FakeDaraja
) -> None:
    """S3-73."""
    daraja.push_answer = html(502)
    course_id = course(shop)
    for _ in range(2):
        answer = initiate(shop, shopper, course_id)
        assert answer.status_code == 202
        body = answer.get_json()
        assert body.pop("message")
        assert body == {
            "success": True,
            "checkout_request_id": None,
            "merchant_request_id": None,
            "status": "pending",
        }
        followed = get(shop, shopper, answer.headers["Location"]).get_json()
        assert (followed["status"], followed["checkout_request_id"]) == ("pending", None)
    assert len(daraja.pushes) == 1
    body = sample("ws_co_123456789")
    shop.callback(body, token=newest(shop).callback_token, path=CALLBACK)
    assert told(shop, shopper, newest(shop))["status"] == "completed"


# Lists.


def test_s3_42_to_s3_44_s3_85_own_payments_are_a_bare_array(
    shop: Shop, shopper: Account, other_shopper: Account
) -> None:
    """S3-42, S3-43, S3-44, S3-85."""
    assert get(shop, shopper, MY).get_json() == []
    payment = call_back(shop, begun(shop, shopper))
    begun(shop, other_shopper)
    (row,) = get(shop, shopper, MY).get_json()
    assert row == {
        "id": payment.id,
        "course": COURSE,
        "amount": "5000",
        "status": "completed",
        "created_at": iso_seconds(payment.created_at),
    }
    refused(get(shop, None, MY), 401, "UNAUTHORIZED")


def test_s3_44_payments_for_other_things_are_listed_without_a_course(
    shop: Shop, shopper: Account
) -> None:
    """S3-44."""
    shop.prompted(shopper)
    begun(shop, shopper)
    rows = get(shop, shopper, MY).get_json()
    assert [(row["course"], row["amount"]) for row in rows] == [(COURSE, "5000"), (None, "1500")]


def test_s3_43_s3_45_the_lists_are_bounded_and_paged(shop: Shop, admin: Account) -> None:
    """S3-43, S3-45."""
    ids = [begun(shop, admin, course(shop)).id for _ in range(3)]
    for path in (MY, ADMIN):
        twos = [f"{path}?page={page}&per_page=2" for page in (1, 2, 3)]
        pages = [get(shop, admin, two).get_json() for two in twos]
        assert [[row["id"] for row in page] for page in pages] == [ids[:0:-1], ids[:1], []]
        for wrong in ("page=0", "page=abc", "page=-1", "per_page=0", "page=1.5"):
            refused(get(shop, admin, f"{path}?{wrong}"), 400, "VALIDATION_ERROR")
        assert len(get(shop, admin, f"{path}?per_page=1000000&page=1").get_json()) == 3


@sqlite_will_do
def test_s3_43_a_page_has_at_most_a_hundred_rows_and_few_questions_to_the_database(
    shop: Shop, shopper: Account, admin: Account
) -> None:
    """S3-43."""
    shop.set(rate_limit_initiate="1000/minute")
    course_id = course(shop)
    for _ in range(101):
        failed = begun(shop, shopper, course_id)
        body = unpaid(failed.checkout_request_id)
        shop.callback(body, token=failed.callback_token, path=CALLBACK)
    asked: list[str] = []
    with shop.app.app_context():
        engine = db.engine

    def count(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        asked.append(statement)

    event.listen(engine, "before_cursor_execute", count)
    try:
        for who, path in ((shopper, MY), (admin, ADMIN)):
            asked.clear()
            assert len(get(shop, who, path).get_json()) == 100
            assert len(asked) < 10
    finally:
        event.remove(engine, "before_cursor_execute", count)


def test_s3_45_s3_46_s3_88_the_admins_list_has_everybodys_payments(
    shop: Shop, shopper: Account, other_shopper: Account, admin: Account
) -> None:
    """S3-45, S3-46, S3-88."""
    paid = call_back(shop, begun(shop, shopper))
    begun(shop, other_shopper)
    answer = post(
        shop,
        None,
        "/payments/checkout/",
        {"phone_number": "0718643064", "amount": 100, "reference": "INV-1", "description": "x"},
    )
    assert answer.status_code == 200
    rows = get(shop, admin, ADMIN).get_json()
    assert [(row["user"], row["course"]) for row in rows] == [
        (None, None),
        (other_shopper.email, COURSE),
        (shopper.email, COURSE),
    ]
    assert rows[-1] == told(shop, admin, paid) | {"user": shopper.email, "course": COURSE}
    refused(get(shop, None, ADMIN), 401, "UNAUTHORIZED")
    refused(get(shop, shopper, ADMIN), 403, "FORBIDDEN")
