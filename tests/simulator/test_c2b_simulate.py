"""C2B simulate: payments that a program makes up."""

import re
from typing import Any

import pytest

from tests.simulator.c2b_shop import Shop
from tests.simulator.client import B2C_SHORTCODE, Daraja, new_msisdn
from tests.simulator.test_b2c import REQUEST_ID, envelope


@pytest.mark.parametrize("version", ["v1", "v2"])
def test_a_program_can_make_a_payment_up(shop: Shop, daraja: Daraja, version: str):
    shop.register()
    answer = daraja.simulate(new_msisdn(), 7, version)
    body = answer.json()
    assert answer.status_code == 200
    assert re.fullmatch(REQUEST_ID, body.pop("OriginatorCoversationID"))
    assert body == {
        "ResponseCode": "0",
        "ResponseDescription": "Accept the service request successfully.",
    }
    told = shop.confirmations()[0].body
    assert (told["TransAmount"], told["BillRefNumber"]) == ("7.00", "INV-0042")
    assert daraja.ledger()[0]["receipt"] == told["TransID"]


def test_numbers_are_as_welcome_as_strings_and_a_till_has_no_account(shop: Shop, daraja: Daraja):
    shop.register()
    msisdn = int(new_msisdn())
    more: dict[str, Any] = {
        "ShortCode": int(B2C_SHORTCODE),
        "Msisdn": msisdn,
        "BillRefNumber": None,
    }
    answer = daraja.simulate("", 1, CommandID="CustomerBuyGoodsOnline", **more)
    assert answer.status_code == 200
    assert shop.confirmations()[0].body["TransactionType"] == "Buy Goods"


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("ShortCode", ...),
        ("CommandID", "PayBill"),
        ("Amount", "1.5"),
        ("Amount", 0),
        ("Msisdn", "0712345678"),
        ("BillRefNumber", ...),
        ("BillRefNumber", "x" * 21),
    ],
)
def test_each_bad_field_of_a_simulation_is_named(daraja: Daraja, field: str, value: Any):
    answer = daraja.simulate(new_msisdn(), **{field: value})
    assert envelope(answer) == (400, "400.002.02", f"Bad Request - Invalid {field}")
