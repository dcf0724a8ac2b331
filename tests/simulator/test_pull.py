"""Pull transactions: a shop asks what was paid to it."""

import re
from datetime import datetime, timedelta
from typing import Any

import pytest
from flask.testing import FlaskClient

from app.simulator.c2b_rules import MOST_REGISTERED, C2bRules
from app.simulator.clock import NAIROBI, utc_now
from app.simulator.factory import create_simulator
from app.simulator.pull import PAGE
from app.simulator.records import LedgerEntry, Movement
from app.simulator.settings import SimulatorSettings
from app.simulator.simulator import EXTENSION, Simulator
from tests.simulator.client import B2C_SHORTCODE, SHORTCODE, Daraja, new_msisdn
from tests.simulator.test_b2c import REQUEST_ID, envelope

REGISTER, QUERY = "/pulltransactions/v1/register", "/pulltransactions/v1/query"
FORM = "%Y-%m-%d %H:%M:%S"
REGISTRATION = {
    "ShortCode": B2C_SHORTCODE,
    "RequestType": "Pull",
    "NominatedNumber": "254712345678",
    "CallBackURL": "https://shop.test/pull",
}


def in_nairobi(instant: datetime) -> str:
    return instant.astimezone(NAIROBI).strftime(FORM)


def question(**changes: Any) -> dict[str, Any]:
    now = utc_now()
    return {
        "ShortCode": B2C_SHORTCODE,
        "StartDate": in_nairobi(now - timedelta(days=3)),
        "EndDate": in_nairobi(now),
        "OffSetValue": "0",
    } | changes


def entry(
    number: int, moved_at: datetime, kind: Movement = "c2b", shop: str = B2C_SHORTCODE
) -> LedgerEntry:
    return LedgerEntry(
        kind=kind,
        receipt=f"UKL{number:07d}",
        msisdn="254722000000",
        shortcode=shop,
        amount_cents=168_00,
        moved_at=moved_at,
        originator_conversation_id=f"o-{number}",
        conversation_id=f"c-{number}",
        account_reference="INV-7",
    )


class Shop:
    """A simulator in this process, whose ledger a test can write."""

    def __init__(self) -> None:
        app = create_simulator(SimulatorSettings())
        self.simulator: Simulator = app.extensions[EXTENSION]
        self.client: FlaskClient = app.test_client()
        token = self.simulator.tokens.issue("simulator-key")
        self._headers = {"Authorization": f"Bearer {token}"}
        self.ask(REGISTER, REGISTRATION)

    def ask(self, path: str, body: dict[str, Any]) -> Any:
        return self.client.post(path, json=body, headers=self._headers).get_json()

    def receipts(self, **changes: Any) -> list[str]:
        (rows,) = self.ask(QUERY, question(**changes))["Response"]
        return [row["transactionId"] for row in rows]


@pytest.fixture
def shop() -> Shop:
    return Shop()


def test_a_shop_registers_once_and_is_told_so_the_second_time(daraja: Daraja):
    first, second = (daraja.call("POST", REGISTER, json=REGISTRATION).json() for _ in range(2))
    assert re.fullmatch(REQUEST_ID, first.pop("ResponseRefID"))
    assert first == {
        "ResponseStatus": "1000",
        "ShortCode": B2C_SHORTCODE,
        "ResponseDescription": "Shortcode Registered Successfully",
    }
    assert second["ResponseStatus"] == "1001"


@pytest.mark.parametrize("verb", ["GET", "POST"])
def test_payments_by_hand_and_by_prompt_are_told_in_the_documented_shape(daraja: Daraja, verb: str):
    daraja.call("POST", REGISTER, json=REGISTRATION | {"ShortCode": SHORTCODE})
    msisdn = new_msisdn()
    by_hand = daraja.pay(msisdn, 70, shortcode=SHORTCODE, account="inv 7").json()["receipt"]
    checkout = daraja.prompt(msisdn, 80)
    daraja.answer(checkout, pin="1234")
    answer = daraja.call(verb, QUERY, json=question(ShortCode=SHORTCODE)).json()
    assert re.fullmatch(REQUEST_ID, answer["ResponseRefID"])
    assert (answer["ResponseCode"], answer["ResponseMessage"]) == ("1000", "Success")
    # One array inside another.
    ((first, second),) = answer["Response"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", first.pop("trxDate"))
    assert first == {
        "transactionId": by_hand,
        "msisdn": int(msisdn[3:]),
        "sender": "MPESA",
        "transactiontype": "c2b-pay-bill-debit",
        "billreference": "inv 7",
        "amount": "70.00",
        "organizationname": "LIPA DEMO SHOP",
    }
    assert (second["amount"], second["billreference"]) == ("80.00", "ABC123")


def test_dates_are_nairobis_although_a_z_stands_behind_them(shop: Shop):
    moved_at = utc_now() - timedelta(hours=1)
    shop.simulator.world.record(entry(1, moved_at))
    (rows,) = shop.ask(QUERY, question())["Response"]
    assert rows[0]["trxDate"] == f"{moved_at.astimezone(NAIROBI):%Y-%m-%dT%H:%M:%S}Z"


def test_nothing_is_one_empty_array_inside_another(shop: Shop):
    answer = shop.ask(QUERY, question())
    assert (answer["ResponseCode"], answer["Response"]) == ("1001", [[]])


def test_who_has_not_registered_is_told_nothing(shop: Shop):
    shop.simulator.world.record(entry(1, utc_now(), shop=SHORTCODE))
    assert shop.ask(QUERY, question(ShortCode=SHORTCODE))["Response"] == [[]]


def test_only_the_shops_own_payments_are_told_and_no_money_that_left(shop: Shop):
    now = utc_now()
    for number, (kind, code) in enumerate(
        [("c2b", B2C_SHORTCODE), ("b2c", B2C_SHORTCODE), ("c2b", SHORTCODE), ("reversal", "600000")]
    ):
        shop.simulator.world.record(entry(number, now, kind, code))  # type: ignore[arg-type]
    assert shop.receipts() == ["UKL0000000"]


def test_nothing_older_than_48_hours_is_told(shop: Shop):
    now = utc_now()
    shop.simulator.world.record(entry(1, now - timedelta(hours=48, minutes=1)))
    shop.simulator.world.record(entry(2, now - timedelta(hours=47, minutes=59)))
    assert shop.receipts() == ["UKL0000002"]


def test_the_dates_bound_what_is_told_to_the_second(shop: Shop):
    at = (utc_now() - timedelta(hours=5)).replace(microsecond=600_000)
    for number in range(-1, 2):
        shop.simulator.world.record(entry(number + 1, at + timedelta(seconds=number)))
    start = at.replace(microsecond=0)
    told = shop.receipts(StartDate=in_nairobi(start), EndDate=in_nairobi(start))
    assert told == ["UKL0000001"]


def test_a_page_has_100_rows_and_the_offset_counts_rows(shop: Shop):
    now = utc_now() - timedelta(minutes=1)
    for number in range(PAGE + 3):
        shop.simulator.world.record(entry(number, now))
    assert len(shop.receipts()) == 100
    assert shop.receipts(OffSetValue=100) == [f"UKL{n:07d}" for n in (100, 101, 102)]
    assert shop.receipts(OffSetValue="102") == ["UKL0000102"]
    assert shop.receipts(OffSetValue="999999999") == []


@pytest.mark.parametrize(
    ("path", "field", "value"),
    [
        (REGISTER, "ShortCode", "1"),
        (REGISTER, "RequestType", "pull"),
        (REGISTER, "NominatedNumber", "0712345678"),
        (REGISTER, "CallBackURL", ""),
        (QUERY, "ShortCode", None),
        (QUERY, "StartDate", "2026-11-21"),
        (QUERY, "StartDate", "0001-01-01 00:00:00"),
        (QUERY, "EndDate", "2026-02-30 00:00:00"),
        (QUERY, "EndDate", 7),
        (QUERY, "OffSetValue", "-1"),
        (QUERY, "OffSetValue", None),
        (QUERY, "OffSetValue", "1" * 10),
    ],
)
def test_each_bad_field_is_named(daraja: Daraja, path: str, field: str, value: Any):
    body = (REGISTRATION if path == REGISTER else question()) | {field: value}
    refused = daraja.call("POST", path, json=body)
    assert envelope(refused) == (400, "400.002.02", f"Bad Request - Invalid {field}")


def test_the_end_of_time_is_no_error(shop: Shop):
    shop.simulator.world.record(entry(1, utc_now()))
    assert shop.receipts(EndDate="9999-12-31 23:59:59") == ["UKL0000001"]


def test_a_bad_token_is_refused(daraja: Daraja):
    stranger = {"Authorization": "Bearer abc"}
    answer = daraja.call("POST", QUERY, json=question(), headers=stranger)
    text = "Error Occurred - Invalid Access Token - abc"
    assert envelope(answer) == (401, "401.003.01", text)


def test_no_more_shops_are_kept_than_there_is_room_for():
    rules = C2bRules()
    assert all(rules.register_pull(str(n)) for n in range(MOST_REGISTERED + 1))
    assert not rules.pulls("0")
    assert rules.pulls(str(MOST_REGISTERED))
