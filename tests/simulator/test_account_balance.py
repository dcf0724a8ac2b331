"""Account balance: what stands on a shop's accounts."""

import re
from typing import Any

import pytest

from tests.simulator.client import B2C_SHORTCODE, Daraja, Receiver, new_msisdn
from tests.simulator.test_b2c import envelope

PATH = "/mpesa/accountbalance/v1/query"


def told(daraja: Daraja, receiver: Receiver, **changes: Any) -> dict[str, Any]:
    answer = daraja.balance(**changes)
    assert answer.status_code == 200, answer.text
    (letter,) = receiver.wait_for_result(answer.json()["ConversationID"])
    return {**letter.result, "parameters": letter.parameters}


def test_every_account_is_told_in_one_string(daraja: Daraja, receiver: Receiver):
    daraja.set_accounts(utility=228_037, working=700_000)
    result = told(daraja, receiver)
    assert result["parameters"]["AccountBalance"] == (
        "Working Account|KES|700000.00|700000.00|0.00|0.00"
        "&Float Account|KES|0.00|0.00|0.00|0.00"
        "&Utility Account|KES|228037.00|228037.00|0.00|0.00"
        "&Charges Paid Account|KES|0.00|0.00|0.00|0.00"
        "&Organization Settlement Account|KES|0.00|0.00|0.00|0.00"
    )
    assert re.fullmatch(r"\d{14}", str(result["parameters"]["BOCompletedTime"]))
    assert isinstance(result["parameters"]["BOCompletedTime"], int)


def test_the_two_numbers_of_the_result_are_strings_as_in_the_documented_sample(
    daraja: Daraja, receiver: Receiver
):
    result = told(daraja, receiver)
    assert (result["ResultType"], result["ResultCode"]) == ("0", "0")
    assert result["ResultDesc"] == "The service request is processed successfully."
    assert result["TransactionID"].endswith("0000000")


def test_a_payout_shows_in_utility_and_in_the_charges(daraja: Daraja, receiver: Receiver):
    daraja.set_accounts(utility=1_000)
    for _ in range(2):
        daraja.pay_out(new_msisdn(), 300)
    accounts = told(daraja, receiver)["parameters"]["AccountBalance"]
    assert "&Utility Account|KES|400.00|400.00|" in accounts
    assert "&Charges Paid Account|KES|-44.80|-44.80|" in accounts


def test_each_shortcode_has_accounts_of_its_own(daraja: Daraja, receiver: Receiver):
    daraja.pay_out(new_msisdn(), 300)
    accounts = told(daraja, receiver, shortcode="174379")["parameters"]["AccountBalance"]
    assert "Utility Account|KES|1000000.00|" in accounts


def test_a_failure_tells_of_itself_in_parameters(daraja: Daraja, receiver: Receiver):
    daraja.arm("ask_result", code="8006")
    result = told(daraja, receiver)
    assert result["ResultCode"] == "8006"
    assert result["parameters"]["ActionType"] == "AccountBalance"
    assert result["parameters"]["ErrorMsg"] == "The security credential is locked."
    assert "AccountBalance" not in result["parameters"]


@pytest.mark.parametrize(
    "field",
    [
        "Initiator",
        "SecurityCredential",
        "CommandID",
        "PartyA",
        "IdentifierType",
        "Remarks",
        "QueueTimeOutURL",
        "ResultURL",
    ],
)
@pytest.mark.parametrize("value", [..., None, "", {}, "no"])
def test_each_missing_or_malformed_field_is_named(
    daraja: Daraja, receiver: Receiver, field: str, value: Any
):
    answer = daraja.balance(**{field: value})
    if value == "no" and field in ("Initiator", "SecurityCredential", "Remarks"):
        # A text is a text: who it is that asks is a matter for the result.
        assert answer.status_code == 200
        return
    assert envelope(answer) == (400, "400.002.02", f"Bad Request - Invalid {field}")


def test_a_token_that_is_refused_comes_back_in_a_401(daraja: Daraja):
    answer = daraja.call("POST", PATH, json={}, headers={"Authorization": "Bearer old"})
    text = "Error Occurred - Invalid Access Token - old"
    assert envelope(answer) == (401, "401.002.01", text)


def test_asking_moves_nothing(daraja: Daraja, receiver: Receiver):
    before = daraja.accounts()
    told(daraja, receiver)
    assert daraja.accounts() == before
    assert daraja.money_out() == []
    assert [row["kind"] for row in daraja.conversations()] == ["balance"]
    assert daraja.conversations()[0]["shortcode"] == B2C_SHORTCODE
