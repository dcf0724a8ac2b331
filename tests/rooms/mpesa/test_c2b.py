"""C2B on the wire: what is understood of what Daraja posts, and what is not."""

from __future__ import annotations

import hashlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.mpesa.bodies import Unreadable
from app.mpesa.c2b import C2bNews, forbidden_word, may_be_of, read_c2b

PHONE = "254708374149"
#: In the recorded shape: flat, every value a string, no MiddleName and no LastName.
RECORDED = {
    "TransactionType": "Pay Bill",
    "TransID": "RKL51ZDR4F",
    "TransTime": "20231121121325",
    "TransAmount": "5.00",
    "BusinessShortCode": "600966",
    "BillRefNumber": "INV-0042",
    "InvoiceNumber": "",
    "OrgAccountBalance": "25.00",
    "ThirdPartyTransID": "",
    "MSISDN": "2547 ***** 126",
    "FirstName": "JANE",
}


def read(**changes: object) -> C2bNews:
    return read_c2b(json.dumps(RECORDED | changes).encode())


def test_a_recorded_confirmation_is_understood() -> None:
    news = read()
    assert (news.receipt, news.amount_cents, news.account) == ("RKL51ZDR4F", 500, "INV-0042")
    assert (news.transaction_type, news.first_name) == ("Pay Bill", "JANE")


@pytest.mark.parametrize(("amount", "cents"), [("10", 1000), (10, 1000), ("10.50", 1050)])
def test_amounts_come_in_several_forms(amount: object, cents: int) -> None:
    assert read(TransAmount=amount).amount_cents == cents


@pytest.mark.parametrize("amount", ["", "-1", "NaN", "1e400", None, [], "0"])
def test_an_amount_that_cannot_be_read_is_none_and_never_rounded(amount: object) -> None:
    assert read(TransAmount=amount).amount_cents is None


def test_a_till_has_no_account() -> None:
    assert read(BillRefNumber=None).account == ""


def test_what_the_payer_typed_is_kept_as_it_came() -> None:
    assert read(BillRefNumber=" k7qm 2xwa ").account == " k7qm 2xwa "


@given(
    st.binary(max_size=300)
    | st.recursive(
        st.none() | st.booleans() | st.floats() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(list(RECORDED)), inner),
    ).map(lambda body: json.dumps(body).encode())
)
def test_any_body_is_understood_or_unreadable_and_nothing_else(raw: bytes) -> None:
    try:
        news = read_c2b(raw)
    except Unreadable:
        return
    assert "\x00" not in news.account


@pytest.mark.parametrize(
    "told",
    [
        "2547 ***** 149",
        "25470****149",
        "254708374149",
        "0708374149",
        "",
        # The SHA-256 of the sandbox's test number was recorded.
        hashlib.sha256(PHONE.encode()).hexdigest(),
    ],
)
def test_a_number_in_any_form_can_be_its_owner_s(told: str) -> None:
    assert may_be_of(told, PHONE)


@pytest.mark.parametrize(
    "told", ["2547 ***** 148", "2541 ***** 149", "f" * 64, "254708374148", "nobody"]
)
def test_a_number_in_any_form_rules_others_out(told: str) -> None:
    assert not may_be_of(told, PHONE)


@pytest.mark.parametrize(
    ("address", "word"),
    [
        ("https://shop.example/pay/c2b/00ff", None),
        ("https://MPesa.example/", "MPesa"),
        ("https://a1b2.ngrok.app/", "ngrok"),
        ("https://sqlite.example/", "sql"),
    ],
)
def test_words_that_daraja_refuses_in_addresses_are_found(address: str, word: str | None) -> None:
    assert forbidden_word(address) == word
