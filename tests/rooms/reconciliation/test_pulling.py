"""The last 48 hours asked of Daraja, and compared like any statement."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
import requests_mock

from app.core.clock import nairobi, now
from app.reconciliation.models import Phase
from tests.rooms.admin.desk import Desk, problems, title
from tests.support.app import Account, Shop
from tests.support.daraja import TOKEN_PATH
from tests.support.statements import differences, kinds, path_of, receipt, worked

PULL = "/admin/reconciliation/pull"


@pytest.fixture
def wire(shop: Shop) -> Any:
    root = shop.daraja.url
    with requests_mock.Mocker(real_http=True) as wire:
        wire.get(f"{root}{TOKEN_PATH}", json={"access_token": "a-token", "expires_in": "3599"})
        registered = {"ResponseStatus": "1000", "ResponseDescription": "Registered"}
        wire.post(f"{root}/pulltransactions/v1/register", json=registered)
        yield wire


def told(wire: requests_mock.Mocker, shop: Shop, *rows: dict[str, Any]) -> None:
    body = {"ResponseCode": "1000", "ResponseMessage": "Success", "Response": [list(rows)]}
    wire.post(f"{shop.daraja.url}/pulltransactions/v1/query", json=body)


def row(name: str, amount: object = 1500) -> dict[str, Any]:
    at = nairobi(now() - timedelta(minutes=30))
    return {
        "transactionId": name,
        "trxDate": at.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "msisdn": 712345678,
        "transactiontype": "c2b-pay-bill-debit",
        "billreference": "NOBODY",
        "amount": amount,
    }


def test_what_m_pesa_tells_is_compared_with_the_books(
    shop: Shop, desk: Desk, shopper: Account, wire: requests_mock.Mocker
) -> None:
    payment = shop.completed(shopper, price=1500)
    stranger = receipt()
    told(wire, shop, row(str(payment.mpesa_receipt)), row(stranger, "99.00"), row("?", 1))
    statement = worked(shop, desk.sent(PULL, nominated_number="0722 000 111"))
    assert kinds(differences(shop, statement)) == [("in_not_ours", stranger)]
    assert statement.in_cents == 1_599_00
    [doubt] = statement.doubts
    assert "readable transactionId" in doubt
    assert title(desk.read(path_of(statement))) == "1 difference to look at"


def test_money_that_m_pesa_does_not_tell_of_is_found(
    shop: Shop, desk: Desk, shopper: Account, wire: requests_mock.Mocker
) -> None:
    payment = shop.completed(shopper)
    told(wire, shop)
    from tests.rooms.reconciliation.test_closing import yesterday

    yesterday(shop, payment, now() - timedelta(hours=20))
    statement = worked(shop, desk.sent(PULL))
    assert kinds(differences(shop, statement)) == [("not_theirs", payment.mpesa_receipt)]


def test_only_one_question_is_under_way(shop: Shop, desk: Desk, wire: requests_mock.Mocker) -> None:
    desk.sent(PULL)
    answer = desk.send(PULL)
    assert answer.status_code == 409
    assert "being asked already" in problems(answer.text)[0]


def test_a_refusal_is_shown_in_words(shop: Shop, desk: Desk, wire: requests_mock.Mocker) -> None:
    root = f"{shop.daraja.url}/pulltransactions/v1"
    refusal = {"errorCode": "401.003.01", "errorMessage": "no apiproduct match found"}
    wire.post(f"{root}/query", json=refusal, status_code=401)
    statement = worked(shop, desk.sent(PULL))
    assert statement.phase == Phase.REFUSED
    assert "has no right to pull" in desk.read(path_of(statement))
    wire.post(f"{root}/register", json=refusal, status_code=401)
    answer = desk.send(PULL, nominated_number="0722000111")
    assert answer.status_code == 503
    assert "has no right to pull" in problems(answer.text)[0]
    assert desk.send(PULL, nominated_number="not a number").status_code == 400
