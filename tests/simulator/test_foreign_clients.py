"""Clients that others wrote, unchanged, against the simulator: they share no mistake with it."""

import base64
import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.services import foreign
from tests.services.fixtures import required
from tests.services.launch import ServiceMissingError
from tests.simulator.client import Daraja

ROOT = Path(__file__).resolve().parents[2]
RUN_SECONDS = 60
ACCEPTED = "Accept the service request successfully."
#: What mpesakit has an answer to that it takes for success, of every API that it asks.
SUCCESSFUL = (
    *("push", "pending", "paid", "b2c", "balance", "status", "reversal", "registered", "picture"),
    *("paybill", "buygoods", "topup", "tax", "till", "standing"),
    *("optin", "change", "invoice", "invoices", "cancelled", "all_cancelled"),
)
#: What each of its two clients pays to shops: paybill, buy goods, top-up, tax, and a till.
BETWEEN_SHOPS = [("600777", 10), ("600777", 10), ("600777", 10), ("572572", 10), ("174379", 5)]
#: Methods that some version may have and that no API of Daraja stands behind, and why.
WITHOUT_AN_API: dict[str, str] = {}
#: Some that are surely there, so that an enumeration which finds nothing is found out.
SURELY_THERE = {
    "daraja_v3": ("MpesaClient.stk_push", "MpesaAsyncClient.b2c"),
    "mpesakit": ("BillService.opt_in", "AsyncRatibaService.create_standing_order"),
}


@pytest.fixture(scope="module")
def foreign_python(request: pytest.FixtureRequest) -> Path:
    """An environment that has the clients, made once and kept in pytest's cache."""
    cache = request.config.cache
    assert cache is not None
    with required():
        return foreign.install(cache.mkdir("foreign-clients"))


def told_by(module: str, python: Path, address: str) -> dict[str, Any]:
    """What a foreign program makes of a simulator in a world of its own."""
    daraja = Daraja(address, "http://127.0.0.1:9/")
    with daraja.session:
        daraja.call("POST", "/simulator/api/reset")
        program = ("-m", f"tests.simulator.foreign.{module}", address, daraja.credential())
    # No proxy of this machine belongs between two local programs.
    environ = {"PATH": os.environ["PATH"], "NO_PROXY": "*"}
    run = subprocess.run(
        [str(python), *program],
        capture_output=True,
        text=True,
        timeout=RUN_SECONDS,
        cwd=ROOT,
        env=environ,
    )
    assert run.returncode == 0, run.stderr[-2000:]
    told: dict[str, Any] = json.loads(run.stdout)
    return told


@pytest.fixture(scope="module")
def daraja_v3(foreign_python: Path, simulator_address: str) -> dict[str, Any]:
    return told_by("uses_daraja_v3", foreign_python, simulator_address)


@pytest.fixture(scope="module")
def mpesakit(foreign_python: Path, simulator_address: str) -> dict[str, Any]:
    return told_by("uses_mpesakit", foreign_python, simulator_address)


@pytest.mark.parametrize("client", SURELY_THERE)
def test_each_method_of_each_client_is_driven(client: str, request: pytest.FixtureRequest):
    driven: dict[str, bool] = request.getfixturevalue(client)["driven"]
    assert set(SURELY_THERE[client]) <= set(driven)
    assert [name for name, ran in driven.items() if not ran and name not in WITHOUT_AN_API] == []


def test_daraja_v3_pushes_asks_and_reads_the_callback(daraja_v3: dict[str, Any]):
    pushed, callback = daraja_v3["push"], daraja_v3["callback"]
    assert pushed["response_description"] == "Success. Request accepted for processing"
    assert (daraja_v3["pending"]["result_code"], daraja_v3["pending"]["is_paid"]) == ("4999", False)
    assert (daraja_v3["paid"]["result_code"], daraja_v3["paid"]["is_paid"]) == ("0", True)
    assert callback["checkout_request_id"] == pushed["checkout_request_id"]
    assert (callback["paid"], callback["amount"], callback["phone"]) == (True, 7, "254722000101")
    assert len(callback["mpesa_receipt"]) == 10


def test_daraja_v3_pays_out_and_asks_for_the_balance(daraja_v3: dict[str, Any]):
    sent, result = daraja_v3["b2c"], daraja_v3["b2c_result"]
    assert sent["response_description"] == ACCEPTED
    assert result["ConversationID"] == sent["conversation_id"]
    assert result["OriginatorConversationID"] == sent["originator_conversation_id"]
    assert result["ResultCode"] == 0
    assert daraja_v3["balance"]["ResponseCode"] == "0"
    assert daraja_v3["balance_result"]["ResultCode"] == "0"


def test_daraja_v3_registers_urls_and_is_asked_and_told(daraja_v3: dict[str, Any]):
    assert daraja_v3["registered"]["ResponseDescription"] == "Success"
    asked, told = daraja_v3["validation"], daraja_v3["confirmation"]
    assert asked["TransID"] == told["TransID"]
    assert told["TransAmount"] == "5.00"
    # It registers by v1, which hashes.
    assert len(told["MSISDN"]) == 64


def test_daraja_v3_understands_the_refusals(daraja_v3: dict[str, Any]):
    assert daraja_v3["wrong_secret"] == "AuthenticationError: Token request failed (400): "
    assert daraja_v3["wrong_passkey"] == "MpesaError: API error 500: Wrong credentials"


def test_daraja_v3_does_the_same_without_waiting(daraja_v3: dict[str, Any]):
    told = daraja_v3["async"]
    assert told["pending"]["result_code"] == "4999"
    assert told["b2c_result"]["ConversationID"] == told["b2c"]["conversation_id"]
    assert told["b2c_result"]["ResultCode"] == 0
    assert told["balance"]["ResponseCode"] == "0"
    assert told["registered"]["ResponseCode"] == "0"
    assert (told["callback"]["paid"], told["callback"]["amount"]) == (True, 8)


@pytest.mark.parametrize("api", SUCCESSFUL)
def test_mpesakit_takes_the_answer_of_each_api_for_success(mpesakit: dict[str, Any], api: str):
    assert mpesakit[api]["successful"] is True


def test_mpesakit_sees_what_the_answers_say(mpesakit: dict[str, Any]):
    assert mpesakit["pending"]["ResultCode"] == "4999"
    assert mpesakit["paid"]["ResultCode"] == "0"
    assert mpesakit["b2c"]["OriginatorConversationID"] == "foreign-1"
    assert base64.b64decode(mpesakit["picture"]["QRCode"]).startswith(b"\x89PNG")


@pytest.mark.parametrize(
    "letter",
    [
        *("stk", "balance", "check", "paid", "paid_answer", "picture_answer"),
        *("paybill", "buygoods", "topup", "tax", "till", "bill", "refused"),
    ],
)
def test_mpesakits_schema_has_no_complaint_about_a_callback(mpesakit: dict[str, Any], letter: str):
    assert mpesakit["callbacks"][letter]["complaint"] == "no complaint"


@pytest.mark.parametrize("letter", ["b2c", "status"])
def test_mpesakit_reads_two_results_as_no_recording_has_them(mpesakit: dict[str, Any], letter: str):
    # It wants the parameters as a bare list; every recording has them one level deeper.
    told = mpesakit["callbacks"][letter]
    assert "1 validation error" in told["complaint"]
    assert "Result.ResultParameters\n  Input should be a valid list" in told["complaint"]
    assert isinstance(told["body"]["Result"]["ResultParameters"]["ResultParameter"], list)
    assert told["body"]["Result"]["ResultCode"] == 0


def test_mpesakit_wants_text_in_a_reversals_result_where_samples_have_numbers(
    mpesakit: dict[str, Any],
):
    told = mpesakit["callbacks"]["reversal"]
    complaints = told["complaint"].count("Input should be a valid string")
    assert f"{complaints} validation errors" in told["complaint"]
    assert told["body"]["Result"]["ResultCode"] == 0


def test_mpesakit_reads_a_standing_order_as_its_failures_are_spelt(mpesakit: dict[str, Any]):
    # Documented: success comes in keys of small letters, and failure in capitals.
    told = mpesakit["callbacks"]["standing"]
    assert "ResponseHeader\n  Field required" in told["complaint"]
    assert told["body"]["responseHeader"]["responseCode"] == "0"


def test_mpesakit_wants_a_result_where_the_request_itself_comes_back(mpesakit: dict[str, Any]):
    told = mpesakit["callbacks"]["late"]
    assert "Result\n  Field required" in told["complaint"]
    assert told["body"]["CommandID"] == "AccountBalance"


def test_the_money_that_mpesakit_sends_to_shops_really_moves(mpesakit: dict[str, Any]):
    between = [entry for entry in mpesakit["ledger"] if entry["kind"] == "b2b"]
    # Both clients, one after the other.
    assert [(entry["payee"], entry["amount"]) for entry in between] == BETWEEN_SHOPS * 2


def test_mpesakits_own_credential_holds_more_than_the_password(mpesakit: dict[str, Any]):
    # It encrypts the password with the time behind it, where Safaricom documents the password.
    assert mpesakit["own_credential"] == "2001"


def test_mpesakit_understands_the_refusals(mpesakit: dict[str, Any]):
    assert "AUTH_INVALID_CREDENTIALS" in mpesakit["wrong_secret"]
    assert "Duplicate OriginatorConversationID." in mpesakit["again"]


def test_mpesakit_does_the_same_without_waiting(mpesakit: dict[str, Any]):
    told = mpesakit["async"]
    asked = [api for api in SUCCESSFUL if api not in ("push", "pending")]
    results = ("b2c", "status", "reversal", "paybill", "buygoods", "topup", "tax")
    assert told == {
        **dict.fromkeys(asked, True),
        **{f"{name}_result": 0 for name in results},
        "balance_result": "0",
    }


def test_an_index_that_cannot_be_reached_is_named_as_the_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(foreign, "PACKAGES", ("lipa-has-no-such-package==1",))
    for name in ("PIP_NO_INDEX", "UV_NO_INDEX"):
        monkeypatch.setenv(name, "1")
    with pytest.raises(ServiceMissingError, match="cannot be installed from the package"):
        foreign.install(tmp_path)
