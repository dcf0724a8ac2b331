"""One id joins what a request wrote down, its lines in the log, and its answer."""

from __future__ import annotations

from app.audit.service import newest
from tests.support.app import Account, Shop, later
from tests.support.daraja import ended

HEADER = "X-Request-ID"


def test_the_timeline_of_a_payment_names_the_requests_that_made_it(
    shop: Shop, shopper: Account
) -> None:
    order = shop.order(shopper)
    answer = shop.pay(shopper, order)
    entries = shop.timeline(shop.payment(order))
    assert {entry.request_id for entry in entries} == {answer.headers[HEADER]}


def test_what_the_background_does_names_no_request(shop: Shop, shopper: Account) -> None:
    payment = shop.prompted(shopper)
    known = len(shop.timeline(payment))
    shop.daraja.query_answer = ended("1032")
    with later(60):
        shop.sweep()
    told = shop.timeline(payment)[known:]
    assert [entry.request_id for entry in told] == [None]


def test_the_audit_trail_names_the_request_of_a_deed(shop: Shop, admin: Account) -> None:
    body = {"name": "Kiondo", "kind": "goods", "price": 1500}
    answer = shop.client().post("/api/products", json=body, headers=admin.headers)
    assert answer.status_code == 201, answer.text
    with shop.app.app_context():
        [entry] = newest(limit=1)
    assert (entry.action, entry.request_id) == ("product.created", answer.headers[HEADER])
