"""The accounts of shops, as the simulator's own JSON tells and sets them."""

from typing import Any

import pytest

from tests.simulator.client import B2C_SHORTCODE, Daraja, new_msisdn


def test_what_a_phone_pays_fills_the_working_account_and_not_the_float(daraja: Daraja):
    before = daraja.accounts("174379")
    daraja.answer(daraja.prompt(new_msisdn(), 40), pin="1234")
    after = daraja.accounts("174379")
    assert after == before | {"working": 40, "received": 40}


def test_accounts_can_be_set_and_read(daraja: Daraja):
    answer = daraja.set_accounts(utility=5_000, working=7)
    assert answer.status_code == 200
    assert answer.json() == daraja.accounts()
    assert answer.json() == {
        "shortcode": B2C_SHORTCODE,
        "name": "LIPA DEMO SHOP",
        "utility": 5_000,
        "working": 7,
        "charges_paid": 0,
        "received": 0,
        "paybill_charge": 0,
    }
    daraja.call("POST", "/simulator/api/reset")
    assert daraja.accounts()["utility"] == 1_000_000


@pytest.mark.parametrize(
    "body",
    [{}, {"float": 1}, {"utility": -1}, {"utility": True}, {"utility": "5"}, {"utility": 10**13}],
)
def test_accounts_that_make_no_sense_are_refused(daraja: Daraja, body: dict[str, Any]):
    answer = daraja.set_accounts(**body)
    assert (answer.status_code, answer.json()["code"]) == (400, "VALIDATION_ERROR")
    assert daraja.accounts()["utility"] == 1_000_000


def test_a_shortcode_has_5_to_7_digits(daraja: Daraja):
    assert daraja.call("GET", "/simulator/api/shortcodes/12").status_code == 404
    assert daraja.set_accounts("12345678", utility=1).status_code == 404
