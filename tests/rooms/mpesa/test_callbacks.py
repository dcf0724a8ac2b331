"""Reading a callback: every shape on record, and nothing that can upset the reader."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from app.mpesa.callbacks import Unreadable, read_stk_callback
from app.mpesa.messages import StkCallback


def callback(items: list[dict[str, Any]] | None, **changes: Any) -> bytes:
    body: dict[str, Any] = {
        "MerchantRequestID": "4ddd-4866",
        "CheckoutRequestID": "ws_CO_1",
        "ResultCode": 0,
        "ResultDesc": "The service request is processed successfully.",
    }
    if items is not None:
        body["CallbackMetadata"] = {"Item": items}
    return json.dumps({"Body": {"stkCallback": body | changes}}).encode()


AMOUNT: dict[str, Any] = {"Name": "Amount", "Value": 1500}
RECEIPT: dict[str, Any] = {"Name": "MpesaReceiptNumber", "Value": "NLJ7RT61SV"}
PHONE = {"Name": "PhoneNumber", "Value": 254712345678}
DATE = {"Name": "TransactionDate", "Value": 20230101120000}

SHAPES = {
    "2018: a Balance without Value": [AMOUNT, RECEIPT, {"Name": "Balance"}, DATE, PHONE],
    "2024: amount 1500.0": [
        {"Name": "Amount", "Value": 1500.0},
        RECEIPT,
        {"Name": "Balance"},
        PHONE,
    ],
    "2026: no Balance": [AMOUNT, RECEIPT, DATE, PHONE],
    "another order": [PHONE, DATE, RECEIPT, AMOUNT],
    "S3: phone as text, no date": [
        AMOUNT,
        RECEIPT,
        {"Name": "PhoneNumber", "Value": "254712345678"},
    ],
    "amount as text": [{"Name": "Amount", "Value": "1500.00"}, RECEIPT],
    "masked phone": [AMOUNT, RECEIPT, {"Name": "PhoneNumber", "Value": "2547*****678"}],
    "balance as text": [
        AMOUNT,
        RECEIPT,
        {"Name": "Balance", "Value": "{Amount={CurrencyCode=KES}}"},
    ],
    "unknown items": [{"Name": "New"}, AMOUNT, {"Value": 1}, RECEIPT],
}


@pytest.mark.parametrize("items", SHAPES.values(), ids=SHAPES.keys())
def test_every_recorded_shape_of_a_success_is_understood(items: list[dict[str, Any]]) -> None:
    """C-13, S2-32, S3-37, S4-41."""
    read = read_stk_callback(callback(items))
    assert (read.is_success, read.is_doubtful) == (True, False)
    assert (read.amount_cents, read.receipt) == (150_000, "NLJ7RT61SV")


def test_a_single_item_may_come_without_its_list() -> None:
    body = {"CheckoutRequestID": "x", "ResultCode": 0, "CallbackMetadata": {"Item": AMOUNT}}
    read = read_stk_callback(json.dumps({"Body": {"stkCallback": body}}).encode())
    assert read.amount_cents == 150_000


def test_amounts_keep_their_cents() -> None:
    assert read_stk_callback(callback([{"Name": "Amount", "Value": 10.55}])).amount_cents == 1055


@pytest.mark.parametrize(
    ("code", "read"),
    [(0, "0"), ("0", "0"), (0.0, "0"), (1032, "1032"), ("1032", "1032"), ("E3008", "E3008")],
)
def test_a_code_is_text_whatever_it_came_as(code: object, read: str) -> None:
    assert read_stk_callback(callback(None, ResultCode=code)).result_code == read


@pytest.mark.parametrize("items", [None, [], [AMOUNT], [RECEIPT], [{"Name": "Amount"}, RECEIPT]])
def test_a_success_without_amount_or_receipt_is_doubtful(
    items: list[dict[str, Any]] | None,
) -> None:
    """S0-18."""
    assert read_stk_callback(callback(items)).is_doubtful


def test_a_failure_is_never_called_bare() -> None:
    read = read_stk_callback(callback(None, ResultCode=1032))
    assert (read.is_success, read.is_doubtful) == (False, False)


@pytest.mark.parametrize(
    "placeholder", ["SB60000000", "NLJ0000000", "OA90000000", "0000000000", ""]
)
def test_a_placeholder_is_no_receipt(placeholder: str) -> None:
    items = [AMOUNT, {"Name": "MpesaReceiptNumber", "Value": placeholder}]
    assert read_stk_callback(callback(items)).receipt is None


@pytest.mark.parametrize("value", [0, -1, True, "x", "NaN", "-Infinity", [], {}, "", 1e300])
def test_a_nonsense_amount_is_a_problem_and_no_number(value: object) -> None:
    read = read_stk_callback(callback([{"Name": "Amount", "Value": value}, RECEIPT]))
    assert read.amount_cents is None
    assert read.amount_problem


@pytest.mark.parametrize("number", ["1e999999999", "1e-999999999", "1" * 400, "0." + "1" * 400])
def test_a_number_beyond_arithmetic_is_a_problem_too(number: str) -> None:
    raw = callback([AMOUNT, RECEIPT]).replace(b"1500", number.encode())
    read = read_stk_callback(raw)
    assert read.amount_cents is None
    assert read.amount_problem


def test_an_amount_is_never_rounded_to_the_one_that_was_asked() -> None:
    number = b"1500." + b"0" * 40 + b"1"
    read = read_stk_callback(callback([AMOUNT, RECEIPT]).replace(b"1500", number))
    assert read.amount_cents is None
    assert read.amount_problem


def test_ids_are_kept_exactly_as_received() -> None:
    """S3-35."""
    read = read_stk_callback(callback(None, CheckoutRequestID="ws_co_TEST123"))
    assert read.checkout_request_id == "ws_co_TEST123"


def test_a_missing_merchant_request_id_is_allowed() -> None:
    """S2-31."""
    assert read_stk_callback(callback(None, MerchantRequestID=None)).merchant_request_id is None


def reads_or_refuses(raw: bytes) -> StkCallback | None:
    try:
        read = read_stk_callback(raw)
    except Unreadable:
        return None
    assert read.amount_cents is None or 0 < read.amount_cents < 10**14
    for part in (
        read.checkout_request_id,
        read.merchant_request_id,
        read.result_desc,
        read.receipt,
    ):
        (part or "").encode("utf-8")
        assert "\x00" not in (part or "")
    return read


@given(st.binary(max_size=300))
@example(b"[" * 100_000)
@example(b"\xff")
def test_any_bytes_are_read_or_called_unreadable(raw: bytes) -> None:
    reads_or_refuses(raw)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3)
    ),
    max_leaves=8,
)
items_values = st.lists(
    st.fixed_dictionaries(
        {
            "Name": st.sampled_from(["Amount", "MpesaReceiptNumber", "PhoneNumber"]),
            "Value": json_values,
        }
    ),
    max_size=4,
)


@given(json_values, json_values, json_values, st.one_of(json_values, items_values))
def test_any_json_in_any_place_is_read_or_called_unreadable(
    code: object, identifier: object, text: object, items: object
) -> None:
    body = {
        "ResultCode": code,
        "CheckoutRequestID": identifier,
        "MerchantRequestID": text,
        "ResultDesc": text,
        "CallbackMetadata": {"Item": items},
    }
    reads_or_refuses(json.dumps({"Body": {"stkCallback": body}}).encode())
