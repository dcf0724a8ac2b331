"""Every published row about Daraja's errors and results, seen on the wire."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
import requests

from tests.simulator.client import (
    B2C_SHORTCODE,
    SHORTCODE,
    Daraja,
    Received,
    Receiver,
    new_msisdn,
)
from tests.simulator.published import (
    GATEWAY_ERRORS,
    OUT_ERRORS,
    PUSH_ERRORS,
    QUERY_ERRORS,
    ErrorRow,
    armed,
    pushed,
    queried,
)
from tests.simulator.published_results import (
    B2C_RESULTS,
    FATES,
    QUERY_TEXTS,
    REVERSAL_RESULTS,
    STATUS_RESULTS,
    STK_RESULTS,
)
from tests.simulator.test_b2c import envelope


@pytest.mark.parametrize("row", GATEWAY_ERRORS + PUSH_ERRORS + QUERY_ERRORS + OUT_ERRORS, ids=str)
def test_each_published_error_is_seen_on_the_wire(daraja: Daraja, row: ErrorRow):
    assert envelope(row.cause(daraja)) == (row.status, row.code, row.message)


@pytest.mark.parametrize(("error", "status"), [("unreachable", 503), ("unreachable_500", 500)])
def test_a_gateway_that_reaches_nobody_answers_without_json(
    daraja: Daraja, error: str, status: int
):
    answer = armed(error, pushed())(daraja)
    assert (answer.status_code, answer.text) == (status, "Service is currently unreachable")


def test_a_query_too_many_gets_the_gateways_fault(daraja: Daraja):
    answer = queried("query_rate_limited")(daraja)
    assert answer.status_code == 429
    fault = answer.json()["fault"]
    assert fault["detail"] == {"errorcode": "policies.ratelimit.SpikeArrestViolation"}
    assert fault["faultstring"] == (
        "Spike arrest violation. Allowed rate : MessageRate{messagesPerPeriod=5, "
        "periodInMicroseconds=60000000, maxBurstMessageCount=1.0}"
    )


def test_a_query_that_is_not_final_and_one_that_is_have_the_recorded_answers(daraja: Daraja):
    checkout = daraja.prompt(new_msisdn())
    pending = daraja.query(checkout).json()
    assert (pending["ResultCode"], pending["ResultDesc"]) == (
        "4999",
        "The transaction is still under processing",
    )
    daraja.answer(checkout, cancel=True)
    final = daraja.query(checkout).json()
    assert final.pop("MerchantRequestID")
    assert final == {
        "ResponseCode": "0",
        "ResponseDescription": "The service request has been accepted successsfully",
        "CheckoutRequestID": checkout,
        "ResultCode": "1032",
        "ResultDesc": "Request cancelled by user",
    }


class Letters:
    """Everything that is posted about one request for each row, sent all at once."""

    def __init__(self, daraja: Daraja, receiver: Receiver) -> None:
        self._daraja, self._receiver = daraja, receiver
        self._sent: dict[tuple[str, str], str] = {}
        self.queries: dict[str, dict[str, Any]] = {}
        for code, _ in STK_RESULTS:
            self._push(code)
        for code, _ in B2C_RESULTS:
            self._note("b2c", code, daraja.b2c(self._armed("out_result", code=code)))
        for code, _ in REVERSAL_RESULTS:
            self._reverse(code)
        for code, _ in STATUS_RESULTS:
            self._ask(code)
        for word in FATES:
            receipt = self._paid(payer := new_msisdn())
            daraja.arm("status_says", on={"msisdn": payer}, status=word)
            self._note("fate", word, daraja.status(TransactionID=receipt))
        for kind, answer in {
            "balance": daraja.balance(),
            "status": daraja.status(TransactionID=self._paid(new_msisdn()), Occasion="June"),
        }.items():
            self._note(kind, "0", answer)

    def result(self, kind: str, row: str) -> Received:
        return self._receiver.wait_for_result(self._sent[kind, row])[0]

    def callback(self, code: str) -> dict[str, Any]:
        return self._receiver.wait_for(self._sent["stk", code])[0].callback

    def _armed(self, scenario: str, **more: Any) -> str:
        msisdn = new_msisdn()
        self._daraja.arm(scenario, on={"msisdn": msisdn}, **more)
        return msisdn

    def _note(self, kind: str, row: str, answer: requests.Response) -> None:
        self._sent[kind, row] = answer.json()["ConversationID"]

    def _push(self, code: str) -> None:
        checkout = self._daraja.prompt(self._armed("result", code=code))
        self._sent["stk", code] = checkout
        self.queries[code] = self._daraja.query(checkout).json()

    def _paid(self, msisdn: str) -> str:
        return str(self._daraja.pay(msisdn).json()["receipt"])

    def _reverse(self, code: str) -> None:
        receipt = self._paid(payer := new_msisdn())
        own = {"ReceiverParty": B2C_SHORTCODE}
        if code == "R000002":
            receipt = "UKL0000001"
        elif code == "R000001":
            self._daraja.reverse(receipt, **own)
        elif code != "0":
            self._daraja.arm("out_result", on={"msisdn": payer}, api="reversal", code=code)
        self._note("reversal", code, self._daraja.reverse(receipt, **own))

    def _ask(self, code: str) -> None:
        if code == "25":
            return self._note("status", code, self._daraja.status())
        receipt = self._paid(payer := new_msisdn())
        self._daraja.arm("ask_result", on={"msisdn": payer}, code=code)
        return self._note("status", code, self._daraja.status(TransactionID=receipt))


@pytest.fixture(scope="module")
def letters(simulator_address: str, receiver: Receiver) -> Iterator[Letters]:
    daraja = Daraja(simulator_address, receiver.url("/rows"))
    with daraja.session:
        daraja.call("POST", "/simulator/api/reset")
        letters = Letters(daraja, receiver)
        # All of it has come before the first test, whose own world begins with a reset.
        for kind, row in list(letters._sent):
            _ = letters.callback(row) if kind == "stk" else letters.result(kind, row)
        yield letters


def on_the_wire(code: str) -> int | str:
    """Numbers for numeric codes, and text for the others (recorded)."""
    return int(code) if code.isdigit() else code


@pytest.mark.parametrize(("code", "text"), STK_RESULTS)
def test_each_published_result_of_a_prompt_is_seen_in_callback_and_query(
    letters: Letters, code: str, text: str
):
    told, asked = letters.callback(code), letters.queries[code]
    assert (told["ResultCode"], told["ResultDesc"]) == (on_the_wire(code), text)
    assert ("CallbackMetadata" in told) == (code == "0")
    assert (asked["ResultCode"], asked["ResultDesc"]) == (code, QUERY_TEXTS.get(code, text))


@pytest.mark.parametrize(("code", "text"), B2C_RESULTS)
def test_each_published_result_of_a_payout_is_seen(letters: Letters, code: str, text: str):
    result = letters.result("b2c", code).result
    assert (result["ResultCode"], result["ResultDesc"]) == (on_the_wire(code), text)
    assert ("ResultParameters" in result) == (code == "0")


@pytest.mark.parametrize(("code", "text"), REVERSAL_RESULTS)
def test_each_published_result_of_a_reversal_is_seen(letters: Letters, code: str, text: str):
    result = letters.result("reversal", code).result
    assert (result["ResultCode"], result["ResultDesc"]) == (on_the_wire(code), text)


@pytest.mark.parametrize(("code", "text"), STATUS_RESULTS)
def test_each_published_failure_of_a_status_query_is_seen(letters: Letters, code: str, text: str):
    result = letters.result("status", code).result
    assert (result["ResultCode"], result["ResultDesc"]) == (on_the_wire(code), text)


@pytest.mark.parametrize("word", FATES)
def test_each_published_fate_of_a_transaction_is_seen(letters: Letters, word: str):
    told = letters.result("fate", word)
    # The question went well, whatever became of the payment.
    assert told.result["ResultCode"] == 0
    assert told.parameters["TransactionStatus"] == word
    is_final = word in FATES[3:]
    assert (told.parameters["FinalisedTime"] is not ...) == is_final


def test_a_status_result_has_the_recorded_parameters(letters: Letters):
    told = letters.result("status", "0")
    assert list(told.parameters) == [
        *("DebitPartyName", "CreditPartyName", "OriginatorConversationID", "InitiatedTime"),
        *("CreditPartyCharges", "DebitAccountType", "TransactionReason", "ReasonType"),
        *("TransactionStatus", "FinalisedTime", "Amount", "ConversationID", "ReceiptNo"),
    ]
    assert told.parameters["CreditPartyCharges"] is ...
    assert told.result["TransactionID"].endswith("0000000")
    reference = {"ReferenceItem": {"Key": "Occasion", "Value": "June"}}
    assert told.result["ReferenceData"] == reference


def test_a_reversals_result_has_the_documented_parameters(letters: Letters):
    told = letters.result("reversal", "0")
    assert list(told.parameters) == [
        *("DebitAccountBalance", "Amount", "TransCompletedTime", "OriginalTransactionID"),
        *("Charge", "CreditPartyPublicName", "DebitPartyPublicName"),
    ]
    assert told.result["TransactionID"] != told.parameters["OriginalTransactionID"]


def test_a_balance_result_has_the_documented_parameters(letters: Letters):
    told = letters.result("balance", "0")
    names = [account.split("|") for account in told.parameters["AccountBalance"].split("&")]
    assert [(name[0], name[1], len(name)) for name in names] == [
        (f"{name} Account", "KES", 6)
        for name in ("Working", "Float", "Utility", "Charges Paid", "Organization Settlement")
    ]
    assert len(str(told.parameters["BOCompletedTime"])) == 14


# What a ValidationURL may answer.
ANSWERS = [
    ("0", "completed"),
    *((f"C2B000{n}", "rejected") for n in range(11, 17)),
]


@pytest.mark.parametrize(("code", "status"), ANSWERS)
def test_each_published_answer_to_a_validation_has_its_effect(
    daraja: Daraja, receiver: Receiver, code: str, status: str
):
    path = f"/rows-{code}/validate"
    receiver.answers[path] = json.dumps({"ResultCode": code, "ResultDesc": "As told"}).encode()
    daraja.register(receiver.url(f"/rows-{code}/confirm"), receiver.url(path), ShortCode=SHORTCODE)
    payer = new_msisdn()
    ended = daraja.pay(payer, shortcode=SHORTCODE).json()
    assert (ended["status"], ended["code"]) == (status, code)
    assert daraja.phone(payer)["balance"] == (48_500 if status == "completed" else 50_000)
    assert len(receiver.paid(path)) == 1


def test_a_confirmation_cannot_be_refused(daraja: Daraja, receiver: Receiver):
    path = "/rows-refused/confirm"
    receiver.answers[path] = b'{"ResultCode": "C2B00012", "ResultDesc": "Rejected"}'
    daraja.register(receiver.url(path), receiver.url("/rows-refused/v"), ShortCode=SHORTCODE)
    payer = new_msisdn()
    receipt = daraja.pay(payer, shortcode=SHORTCODE).json()["receipt"]
    assert receiver.wait_for_paid(path, receipt)
    assert daraja.phone(payer)["balance"] == 48_500
    assert [entry["receipt"] for entry in daraja.ledger()] == [receipt]
