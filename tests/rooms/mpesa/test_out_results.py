"""Reading what Daraja posts about money out: every shape on record, and nothing that upsets it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from app.mpesa.bodies import Unreadable
from app.mpesa.out_codes import DECLINED, out_outcome, transaction_outcome
from app.mpesa.out_messages import OutResult
from app.mpesa.results import (
    balances_cents,
    charge_cents,
    funds_cents,
    read_result,
    read_time_out,
    receiver,
    stated_cents,
)

B2C: dict[str, Any] = {
    "ResultType": 0,
    "ResultCode": 0,
    "ResultDesc": "The service request is processed successfully.",
    "OriginatorConversationID": "53e3-4aa8-9fe0-8fb5e4092cdd3533373",
    "ConversationID": "AG_20240706_2010364430d9bbdaf872",
    "TransactionID": "SG600XXXXX",
    "ResultParameters": {
        "ResultParameter": [
            {"Key": "TransactionAmount", "Value": 10},
            {"Key": "TransactionReceipt", "Value": "SG600XXXXX"},
            {"Key": "ReceiverPartyPublicName", "Value": "254712345678 - JANE DOE"},
            {"Key": "TransactionCompletedDateTime", "Value": "06.07.2024 22:48:52"},
            {"Key": "B2CUtilityAccountAvailableFunds", "Value": 8959269.60},
            {"Key": "B2CWorkingAccountAvailableFunds", "Value": 1199371.00},
            {"Key": "B2CRecipientIsRegisteredCustomer", "Value": "Y"},
            {"Key": "B2CChargesPaidAccountAvailableFunds", "Value": -1980.00},
        ]
    },
    "ReferenceData": {"ReferenceItem": {"Key": "QueueTimeoutURL", "Value": "https://x"}},
}
READERS = (stated_cents, charge_cents, receiver, balances_cents)


def read(**changes: Any) -> OutResult:
    """Read the recorded result with these keys in place of its own; ``...`` leaves one out."""
    body = {key: value for key, value in (B2C | changes).items() if value is not ...}
    return read_result(json.dumps({"Result": body}).encode())


def parameters(**values: Any) -> dict[str, Any]:
    rows = [{"Key": key, "Value": value} for key, value in values.items()]
    return {"ResultParameters": {"ResultParameter": rows}}


def test_the_recorded_result_of_a_payment_is_understood() -> None:
    result = read()
    assert (result.code, result.receipt) == ("0", "SG600XXXXX")
    assert result.originator_id == "53e3-4aa8-9fe0-8fb5e4092cdd3533373"
    assert result.conversation_id == "AG_20240706_2010364430d9bbdaf872"
    assert (stated_cents(result), charge_cents(result)) == (1000, None)
    assert receiver(result) == "254712345678 - JANE DOE"
    assert funds_cents(result, "Utility") == 895_926_960
    assert funds_cents(result, "Working") == 119_937_100
    assert funds_cents(result, "ChargesPaid") == -198_000


def test_the_recorded_answer_to_a_status_question_is_understood() -> None:
    result = read(
        TransactionID="SB60000000",
        **parameters(
            CreditPartyName="4123456 - SOME CLINIC                    ",
            DebitPartyCharges="Fee For B2C Payment|KES|22.40",
            TransactionStatus="Completed",
            Amount=1.0,
            ReceiptNo="SB600XXXXX",
        ),
    )
    assert (result.receipt, stated_cents(result), charge_cents(result)) == ("SB600XXXXX", 100, 2240)
    assert receiver(result) == "4123456 - SOME CLINIC"


def test_the_documented_result_of_a_reversal_is_understood() -> None:
    result = read(
        TransactionID="SG7REVERS1",
        **parameters(
            DebitAccountBalance="Utility Account|KES|7722179.62|7722179.62|0.00|0.00",
            Amount="1.00",
            OriginalTransactionID="SG600XXXXX",
            CreditPartyPublicName="254712345678 - JANE DOE",
        ),
    )
    assert (result.receipt, stated_cents(result)) == ("SG7REVERS1", 100), "the reversal's own"
    assert receiver(result) == "254712345678 - JANE DOE"


def test_the_documented_balance_is_understood() -> None:
    told = (
        "Working Account|KES|700000.00|700000.00|0.00|0.00&Float Account|KES|0.00|0.00|0.00|0.00"
        "&Utility Account|KES|228037.00|227037.50|1000.00|0.00"
        "&Charges Paid Account|KES|-1540.00|-1540.00|0.00|0.00"
    )
    result = read(ResultType="0", ResultCode="0", **parameters(AccountBalance=told))
    assert balances_cents(result) == {
        "Working Account": 70_000_000,
        "Float Account": 0,
        "Utility Account": 22_703_750,
        "Charges Paid Account": -154_000,
    }


@pytest.mark.parametrize(
    ("code", "read_as"),
    [(0, "0"), ("0", "0"), (0.0, "0"), (2001, "2001"), ("2001", "2001"), (" 1 ", "1")]
    + [(code, code) for code in ("SFC_IC0003", "R000001", "TP40153")],
)
def test_a_code_is_read_as_number_and_as_text(code: object, read_as: str) -> None:
    assert read(ResultCode=code).code == read_as


@pytest.mark.parametrize("code", [..., None, True, False, "", [], {}, ["0"]])
def test_without_a_code_there_is_no_result(code: object) -> None:
    with pytest.raises(Unreadable):
        read(ResultCode=code)


@pytest.mark.parametrize(
    "container",
    [
        ...,
        None,
        [],
        {},
        "nothing",
        {"ResultParameter": None},
        {"ResultParameter": []},
        {"ResultParameter": "x"},
        {"ResultParameter": [None, 7, "x", [], {}, {"Value": 1}, {"Key": 7}, {"Key": "New"}]},
        {"ResultParameter": {"Key": "BOCompletedTime", "Value": 20200120164825}},
    ],
    ids=repr,
)
def test_parameters_may_be_anything_or_nothing(container: object) -> None:
    """One row may stand where a list should (recorded traffic)."""
    result = read(ResultParameters=container)
    assert (stated_cents(result), charge_cents(result), receiver(result)) == (None, None, None)
    assert (funds_cents(result, "Utility"), balances_cents(result)) == (None, {})


@pytest.mark.parametrize(
    ("values", "transaction_id", "receipt"),
    [
        ({"TransactionReceipt": "SG600XXXXX"}, "SG60000000", "SG600XXXXX"),
        ({"TransactionReceipt": " sg600xxxxx "}, None, "SG600XXXXX"),
        ({"TransactionReceipt": "SG60000000"}, "SG600XXXXX", "SG600XXXXX"),
        ({}, "SG600XXXXX", "SG600XXXXX"),
        ({}, "SG60000000", None),
        ({}, "0000000000", None),
        ({"ReceiptNo": None}, None, None),
        ({"TransactionReceipt": 12345678}, None, None),
        ({"TransactionReceipt": "too short"}, "A" * 21, None),
    ],
)
def test_a_placeholder_is_no_receipt(
    values: dict[str, Any], transaction_id: object, receipt: str | None
) -> None:
    assert read(TransactionID=transaction_id, **parameters(**values)).receipt == receipt


@pytest.mark.parametrize(
    ("amount", "cents"),
    [(10, 1000), (10.5, 1050), ("10.00", 1000), (1.005, None), (0, None), (-1, None)]
    + [("NaN", None), (True, None), ([], None), (None, None), ("1e400", None), (10**20, None)],
)
def test_an_amount_is_exact_or_none(amount: object, cents: int | None) -> None:
    assert stated_cents(read(**parameters(TransactionAmount=amount))) == cents


@pytest.mark.parametrize("name", ["OriginatorConversationID", "ConversationID"])
@pytest.mark.parametrize("value", [..., None, 7, "", "two words", "x" * 129, [], "é"])
def test_an_id_that_cannot_be_one_is_none(name: str, value: object) -> None:
    result = read(**{name: value})
    assert None in (result.originator_id, result.conversation_id)


@pytest.mark.parametrize(
    ("raw", "originator_id"),
    [
        (b'{"OriginatorConversationID": "PAY-1", "Amount": 10}', "PAY-1"),
        (b'{"Result": {"OriginatorConversationID": "PAY-1", "ResultCode": 1}}', "PAY-1"),
        (b'{"Result": 7, "OriginatorConversationID": "PAY-1"}', "PAY-1"),
        (b"{}", None),
        (b'{"OriginatorConversationID": 7}', None),
    ],
)
def test_a_time_out_is_the_request_come_back_or_a_result(
    raw: bytes, originator_id: str | None
) -> None:
    assert read_time_out(raw) == originator_id


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"7",
        b"\xff",
        b"{}",
        b'{"Result": []}',
        b'{"Result": {"ResultCode": NaN}}',
        b'{"Result": {"ResultCode": Infinity}}',
        b"[" * 5000,
        b'{"a":' * 5000,
        b'{"Result": {"ResultCode": ' + b"9" * 5000 + b"}}",
    ],
    ids=lambda raw: repr(raw[:30]),
)
def test_what_is_no_result_is_unreadable(raw: bytes) -> None:
    with pytest.raises(Unreadable):
        read_result(raw)


def test_a_result_with_a_byte_order_mark_is_read() -> None:
    assert read_result(b"\xef\xbb\xbf" + json.dumps({"Result": B2C}).encode()).code == "0"


SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=30)
    | st.sampled_from(["0", "1e999999", "-0.0", "1|KES|2|3", "\ud800", "\x00", "9" * 5000])
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
)
KEYS = (
    "TransactionAmount",
    "TransactionReceipt",
    "ReceiverPartyPublicName",
    "DebitPartyCharges",
    "AccountBalance",
    "B2CUtilityAccountAvailableFunds",
    "TransactionStatus",
)
ROWS = st.lists(
    st.fixed_dictionaries({"Key": st.sampled_from(KEYS) | VALUES}, optional={"Value": VALUES})
    | VALUES,
    max_size=5,
)
BODIES = st.fixed_dictionaries(
    {"ResultCode": VALUES},
    optional={
        "ResultDesc": VALUES,
        "OriginatorConversationID": VALUES,
        "ConversationID": VALUES,
        "TransactionID": VALUES,
        "ResultParameters": VALUES | st.fixed_dictionaries({"ResultParameter": ROWS | VALUES}),
    },
)


def read_everything(raw: bytes) -> None:
    """Read a body by every reader: it is understood or unreadable, and nothing else."""
    try:
        result = read_result(raw)
    except Unreadable:
        return
    for reader in READERS:
        reader(result)
    for account in ("Utility", "Working", "ChargesPaid"):
        funds_cents(result, account)
    assert out_outcome(result.code) in ("paid", "declined", "unclear")
    assert transaction_outcome(str(result.parameters.get("TransactionStatus") or ""))
    # What is kept can be kept.
    result.description.encode()
    result.code.encode()


@given(BODIES)
@example({"ResultCode": 0, "ResultParameters": {"ResultParameter": [{"Key": "Amount"}]}})
def test_a_result_of_any_shape_is_understood_or_unreadable(body: dict[str, Any]) -> None:
    read_everything(json.dumps({"Result": body}).encode())


@given(st.binary(max_size=200) | VALUES.map(lambda value: json.dumps(value).encode()))
def test_a_body_of_any_bytes_is_understood_or_unreadable(raw: bytes) -> None:
    read_everything(raw)
    try:
        read_time_out(raw)
    except Unreadable:
        return


# What codes mean.


@pytest.mark.parametrize("code", sorted(DECLINED))
def test_what_certainly_moved_nothing_is_declined(code: str) -> None:
    assert out_outcome(code) == "declined"
    assert DECLINED[code].replace("_", "").isalpha()


@pytest.mark.parametrize(
    "code",
    ["15", "17", "26", "100000000", "100000001", "R000001", "7777", "", "00", "-0", "0x0", "None"],
)
def test_of_what_is_not_in_the_table_nothing_is_guessed(code: str) -> None:
    assert out_outcome(code) == "unclear"


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        ("Completed", "paid"),
        (" completed ", "paid"),
        ("Declined", "declined"),
        ("Cancelled", "declined"),
        ("Expired", "declined"),
        ("Authorized", "unclear"),
        ("Initiated", "unclear"),
        ("", "unclear"),
        ("Incompleted", "unclear"),
    ],
)
def test_only_final_words_are_an_end(status: str, outcome: str) -> None:
    assert transaction_outcome(status) == outcome
