"""The doors behind the order's page: its state as JSON, calling off, and numbers to choose from."""

from __future__ import annotations

from typing import Any

import pytest
from werkzeug.test import TestResponse

from app.accounts.models import Person
from app.extensions import db
from app.payments.methods import keep
from tests.support.app import Account, Shop
from tests.support.daraja import unpaid

JSON = {"Accept": "application/json", "Origin": "http://localhost"}
PAGE = {"Accept": "text/html", "Origin": "http://localhost"}
#: What is left of 1,500 bytes by the headers of IP, TCP and TLS.
ONE_PACKET_BYTES = 1_400
SWAHILI = {"Accept-Language": "sw"}


def state(shop: Shop, account: Account, order: dict[str, Any], **more: str) -> TestResponse:
    headers = {**JSON, **account.headers, **more}
    return shop.client().get(f"/orders/{order['id']}/state", headers=headers)


def test_the_open_page_hears_the_state_in_its_reader_s_language(
    shop: Shop, shopper: Account
) -> None:
    order = shop.order(shopper)
    told = state(shop, shopper, order).get_json()["data"]
    assert (told["title"], told["can_pay"]) == ("Not paid yet", True)
    assert (told["order_id"], told["order_url"]) == (order["id"], f"/orders/{order['id']}")
    said = state(shop, shopper, order, **SWAHILI).get_json()["data"]
    assert {**told, "title": "", "message": ""} == {**said, "title": "", "message": ""}
    assert said["title"] != told["title"]
    assert said["message"] != told["message"]


@pytest.mark.parametrize("language", ["en", "sw"])
def test_the_state_goes_in_one_packet_with_its_headers(
    shop: Shop, shopper: Account, language: str
) -> None:
    order = shop.order(shopper)
    sent = {"Accept-Encoding": "gzip", "Accept-Language": language}
    before = state(shop, shopper, order, **sent)
    shop.prompted(shopper, order)
    for answer in (before, state(shop, shopper, order, **sent)):
        lines = (f"{name}: {value}\r\n" for name, value in answer.headers.items())
        assert len(answer.data) + sum(map(len, lines)) < ONE_PACKET_BYTES


def test_nobody_hears_the_state_of_another_person_s_order(
    shop: Shop, shopper: Account, other_shopper: Account
) -> None:
    order = shop.order(shopper)
    answer = state(shop, other_shopper, order)
    assert answer.status_code == 404
    unknown = state(shop, other_shopper, {"id": "00000000-0000-4000-8000-000000000000"})
    assert answer.get_json() == unknown.get_json()
    stranger = shop.client().get(f"/orders/{order['id']}/state", headers=JSON)
    assert stranger.status_code == 401


def test_calling_off_is_answered_as_it_was_asked(shop: Shop, shopper: Account) -> None:
    order = shop.order(shopper)
    path = f"/orders/{order['id']}/stop-asking"
    told = shop.client().post(path, headers={**JSON, **shopper.headers})
    assert told.get_json()["data"]["again_seconds"] is None
    page = shop.client().post(path, headers={**PAGE, **shopper.headers})
    assert (page.status_code, page.location) == (303, f"/orders/{order['id']}")


def test_nobody_whose_prompt_may_have_taken_money_hears_that_nothing_was_charged(
    shop: Shop, shopper: Account
) -> None:
    told = []
    for was_asked in (False, True):
        order = shop.order(shopper)
        if was_asked:
            payment = shop.prompted(shopper, order)
            body = unpaid(payment.checkout_request_id, 1037)
            shop.callback(body, token=payment.callback_token)
        client, head = shop.client(), {**PAGE, **shopper.headers}
        path = f"/orders/{order['id']}"
        client.post(f"{path}/cancel", headers=head)
        page = client.get(path, headers=head).text
        assert "The order is cancelled." in page
        told.append(("Nothing was charged" in page, "If money left your phone" in page))
    assert told == [(True, False), (False, True)]


def test_the_numbers_that_a_person_has_kept_are_offered_and_nobody_else_s(
    shop: Shop, shopper: Account, other_shopper: Account
) -> None:
    with shop.app.app_context():
        for account, number in ((shopper, "254711000111"), (other_shopper, "254722000222")):
            keep(db.session.get_one(Person, account.id), number, is_default=False)
    order = shop.order(shopper)
    page = shop.client().get(f"/orders/{order['id']}", headers={**PAGE, **shopper.headers}).text
    assert '<option value="0711000111">' in page
    assert "0722000222" not in page
