"""Pull transactions on the wire: what is asked, page by page, and what the answers mean."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
import requests
import requests_mock

from app.mpesa import pull
from app.mpesa.breaker import Breakers
from app.mpesa.pull import PAGE, PullRefused, PullTransactions, read_pulled
from app.mpesa.tokens import TokenCache
from app.mpesa.transport import Transport
from app.mpesa.wires import Wires
from tests.rooms.mpesa.speaking import TOKEN_URL, mpesa_settings, sent_to

ROOT = "https://daraja.test"
QUERY, REGISTER = (f"{ROOT}/pulltransactions/v1/{what}" for what in ("query", "register"))
UNTIL = datetime(2026, 11, 21, 13, 5, tzinfo=UTC)
SINCE = UNTIL - timedelta(hours=48)
#: The documentation's own row.
ROW = {
    "transactionId": "yzlyrEsRG1",
    "trxDate": "2020-08-05T10:13:00Z",
    "msisdn": 722000000,
    "sender": "UAT2",
    "transactiontype": "c2b-pay-bill-debit",
    "billreference": "37207636392",
    "amount": "168.00",
    "organizationname": "Daraja Pull API Test",
}


@pytest.fixture
def wire() -> Any:
    with requests_mock.Mocker() as wire:
        wire.get(TOKEN_URL, json={"access_token": "a-token", "expires_in": "3599"})
        yield wire


def service() -> PullTransactions:
    transport = Transport(mpesa_settings(), Wires(), TokenCache(), Breakers())
    return PullTransactions(transport, ROOT, "174379")


def answer(*rows: Any) -> dict[str, Any]:
    return {"ResponseCode": "1000", "ResponseMessage": "Success", "Response": [list(rows)]}


NONE = {"ResponseCode": "1001", "ResponseMessage": "None", "Response": [[]]}


def test_a_row_is_read_as_the_documentation_writes_it() -> None:
    row = read_pulled(ROW)
    assert (row.receipt, row.amount, row.msisdn) == (
        "YZLYRESRG1",
        Decimal("168.00"),
        "254722000000",
    )
    # The Z is not believed: Nairobi's quarter past ten.
    assert row.at == datetime(2020, 8, 5, 7, 13, tzinfo=UTC)


@pytest.mark.parametrize(
    "change",
    [
        {"transactionId": "<b>"},
        {"transactionId": None},
        {"amount": "NaN"},
        {"amount": "-5"},
        {"amount": None},
        {"trxDate": "soon"},
    ],
)
def test_a_row_that_cannot_be_read_is_said(change: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="has no readable"):
        read_pulled(ROW | change)


def test_pages_are_asked_for_until_one_is_not_full(wire: requests_mock.Mocker) -> None:
    full = answer(*[ROW] * PAGE)
    wire.post(QUERY, [{"json": full}, {"json": full}, {"json": answer(ROW)}])
    assert [len(page) for page in service().pages(SINCE, UNTIL)] == [100, 100, 1]
    asked = [sent.json() for sent in sent_to(wire, QUERY)]
    assert [body["OffSetValue"] for body in asked] == ["0", "100", "200"]
    assert asked[0] == {
        "ShortCode": "174379",
        "StartDate": "2026-11-19 16:05:00",
        "EndDate": "2026-11-21 16:05:00",
        "OffSetValue": "0",
    }


def test_no_payments_are_no_refusal(wire: requests_mock.Mocker) -> None:
    wire.post(QUERY, json=NONE)
    assert list(service().pages(SINCE, UNTIL)) == []


def test_there_is_a_limit_to_pages(
    wire: requests_mock.Mocker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pull, "MOST_PAGES", 3)
    wire.post(QUERY, json=answer(*[ROW] * PAGE))
    with pytest.raises(PullRefused, match="more than 300 payments"):
        list(service().pages(SINCE, UNTIL))
    assert len(sent_to(wire, QUERY)) == 3


_NO_PRODUCT = {
    "errorCode": "401.003.01",
    "errorMessage": "Error Occurred - Invalid Access Token - Invalid API call as no apiproduct "
    "match found",
}


@pytest.mark.parametrize(
    ("reply", "why"),
    [
        ({"json": _NO_PRODUCT, "status_code": 401}, "has no right to pull"),
        ({"text": "<html>Bad Gateway</html>", "status_code": 502}, "HTTP 502"),
        ({"text": "", "status_code": 200}, "HTTP 200"),
        ({"json": {"errorCode": "x", "errorMessage": "No"}, "status_code": 200}, "No"),
        ({"json": {"ResponseCode": "1000", "Response": "?"}}, "cannot be read"),
        ({"exc": requests.ReadTimeout}, "did not answer"),
    ],
)
def test_every_refusal_is_in_words(
    wire: requests_mock.Mocker, reply: dict[str, Any], why: str
) -> None:
    wire.post(QUERY, **reply)
    with pytest.raises(PullRefused, match=why):
        list(service().pages(SINCE, UNTIL))


@pytest.mark.parametrize("key", ["ResponseStatus", "Response Status"])
@pytest.mark.parametrize("status", ["1000", "1001"])
def test_a_shortcode_is_registered_once_or_was_already(
    wire: requests_mock.Mocker, key: str, status: str
) -> None:
    wire.post(REGISTER, json={key: status, "ResponseDescription": "As you wish"})
    assert service().register("254722000000", "https://shop.test/cb") == "As you wish"
    [sent] = sent_to(wire, REGISTER)
    assert sent.json()["NominatedNumber"] == "254722000000"
    wire.post(REGISTER, json={"ResponseStatus": "9", "ResponseDescription": "No such shop"})
    with pytest.raises(PullRefused, match="No such shop"):
        service().register("254722000000", "https://shop.test/cb")
