import re
from typing import Any

import pytest
import requests

from tests.simulator.client import (
    OTHER_PASSKEY,
    SHORTCODE,
    TIMESTAMP,
    Daraja,
    Receiver,
    eventually,
    new_msisdn,
    password,
)

PATH = "/mpesa/stkpush/v1/processrequest"


def envelope(answer: requests.Response) -> tuple[int, str, str]:
    body = answer.json()
    assert set(body) == {"requestId", "errorCode", "errorMessage"}
    return answer.status_code, body["errorCode"], body["errorMessage"]


def test_an_accepted_push_answers_five_strings_in_the_shapes_of_2026(daraja: Daraja):
    msisdn = new_msisdn()
    answer = daraja.push(msisdn)
    body = answer.json()
    assert answer.status_code == 200
    assert list(body) == [
        "MerchantRequestID",
        "CheckoutRequestID",
        "ResponseCode",
        "ResponseDescription",
        "CustomerMessage",
    ]
    assert re.fullmatch(
        r"[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\d{4,9}", body["MerchantRequestID"]
    )
    assert re.fullmatch(rf"ws_CO_\d{{14}}\d{{3}}{msisdn[-9:]}", body["CheckoutRequestID"])
    assert body["ResponseCode"] == "0"
    assert body["ResponseDescription"] == "Success. Request accepted for processing"
    assert body["CustomerMessage"] == "Success. Request accepted for processing"


def test_numbers_and_numeric_strings_are_equally_welcome(daraja: Daraja):
    msisdn = new_msisdn()
    answer = daraja.push(
        msisdn,
        amount="1500",
        BusinessShortCode=int(SHORTCODE),
        PartyA=int(msisdn),
        PartyB=int(SHORTCODE),
        PhoneNumber=int(msisdn),
        AccountReference=42,
    )
    assert answer.status_code == 200
    assert daraja.phone(msisdn)["prompts"][0]["amount"] == 1500


@pytest.mark.parametrize(
    ("field", "called"),
    [
        ("BusinessShortCode", "BusinessShortCode"),
        ("Password", "Password"),
        ("Timestamp", "Timestamp"),
        ("TransactionType", "TransactionType"),
        ("Amount", "Amount"),
        ("PartyA", "PartyA"),
        ("PartyB", "PartyB"),
        ("PhoneNumber", "PhoneNumber"),
        ("CallBackURL", "CallBackURL"),
        ("AccountReference", "AccountReference"),
        ("TransactionDesc", "Remarks"),
    ],
)
@pytest.mark.parametrize("value", [..., None, "", {}, [], True])
def test_each_missing_or_malformed_field_is_named(
    daraja: Daraja, field: str, called: str, value: Any
):
    answer = daraja.push(new_msisdn(), **{field: value})
    assert envelope(answer) == (400, "400.002.02", f"Bad Request - Invalid {called}")


def test_fields_are_named_one_at_a_time_in_the_order_of_the_documentation(daraja: Daraja):
    answer = daraja.push(new_msisdn(), Amount=..., PhoneNumber=..., Timestamp=...)
    assert envelope(answer)[2] == "Bad Request - Invalid Timestamp"


@pytest.mark.parametrize(
    "phone", ["0712345678", "+254712345678", "712345678", "254212345678", "25471234567", "x"]
)
def test_a_phone_in_another_form_is_an_invalid_phone_number(daraja: Daraja, phone: str):
    answer = daraja.push(new_msisdn(), PhoneNumber=phone)
    assert envelope(answer)[2] == "Bad Request - Invalid PhoneNumber"


@pytest.mark.parametrize("amount", [0, -1, 10.5, "10.50", "1e3", "NaN", "0", " ", 1e30, 10**40])
def test_an_amount_that_is_not_whole_shillings_is_refused(daraja: Daraja, amount: Any):
    answer = daraja.push(new_msisdn(), amount=amount)
    assert envelope(answer) == (400, "400.002.02", "Bad Request - Invalid Amount")


def test_an_amount_that_is_not_a_number_in_json_is_refused(daraja: Daraja):
    body = '{"BusinessShortCode": NaN, "Amount": Infinity}'
    answer = daraja.call("POST", PATH, data=body, headers={"Content-Type": "application/json"})
    assert envelope(answer)[2] == "Bad Request - Invalid BusinessShortCode"


@pytest.mark.parametrize("amount", [1, 1500.0])
def test_one_shilling_and_a_whole_float_are_accepted(daraja: Daraja, amount: Any):
    assert daraja.push(new_msisdn(), amount=amount).status_code == 200


@pytest.mark.parametrize(
    "url",
    [
        "https://<your-domain>/callback",
        "http://shop.example/call back",
        "ftp://shop.example/",
        "shop.example/callback",
        "http://",
        "http://[",
        "http://shop.example:99999/",
        "http://shop.example/\r\nX: y",
    ],
)
def test_a_callback_address_that_cannot_be_one_is_refused(daraja: Daraja, url: str):
    answer = daraja.push(new_msisdn(), CallBackURL=url)
    assert envelope(answer) == (400, "400.002.02", "Bad Request - Invalid CallBackURL")


@pytest.mark.parametrize(
    "url", ["https://shop.example.invalid/mpesa/callback", "http://127.0.0.1:9/a?b=c"]
)
def test_a_callback_address_need_not_be_reachable(daraja: Daraja, url: str):
    assert daraja.push(new_msisdn(), CallBackURL=url).status_code == 200


def test_a_long_account_reference_is_accepted(daraja: Daraja):
    assert daraja.push(new_msisdn(), AccountReference="INVOICE-2026-00017").status_code == 200


def test_the_sandbox_paybill_is_no_till(daraja: Daraja):
    answer = daraja.push(new_msisdn(), TransactionType="CustomerBuyGoodsOnline")
    assert envelope(answer) == (400, "400.002.02", "Bad Request - Invalid TransactionType")


def test_both_circulating_sandbox_passkeys_open_the_sandbox_paybill(daraja: Daraja):
    answer = daraja.push(new_msisdn(), Password=password(passkey=OTHER_PASSKEY))
    assert answer.status_code == 200


def test_the_merchant_of_the_settings_is_known_and_may_be_a_till(daraja: Daraja):
    answer = daraja.push(
        new_msisdn(),
        BusinessShortCode="600123",
        Password=password("600123", "shop-passkey"),
        TransactionType="CustomerBuyGoodsOnline",
        PartyB="5551234",
    )
    assert answer.status_code == 200


@pytest.mark.parametrize(
    "wrong",
    [
        password(passkey="wrong"),
        password(at="20261121161501"),
        password(shortcode="600123"),
        "not base64!",
        "Zm9v",
    ],
)
def test_a_password_that_does_not_match_is_wrong_credentials(daraja: Daraja, wrong: str):
    answer = daraja.push(new_msisdn(), Password=wrong)
    assert envelope(answer) == (500, "500.001.1001", "Wrong credentials")


def test_an_unknown_shortcode_is_no_merchant(daraja: Daraja):
    answer = daraja.push(new_msisdn(), BusinessShortCode="999999", PartyB="999999")
    assert envelope(answer) == (500, "500.001.1001", "Merchant does not exist")


def test_a_timestamp_must_be_a_moment_but_need_not_be_fresh(daraja: Daraja):
    answer = daraja.push(new_msisdn(), Timestamp="20261399999999")
    assert envelope(answer)[2] == "Bad Request - Invalid Timestamp"
    old = "20200101000000"
    assert daraja.push(new_msisdn(), Timestamp=old, Password=password(at=old)).status_code == 200


@pytest.mark.parametrize("token", ["Bearer wrong", "Bearer " + "a" * 28])
def test_a_bad_token_is_not_found_rather_than_unauthorised(daraja: Daraja, token: str):
    daraja.session.headers["Authorization"] = token
    assert envelope(daraja.push(new_msisdn())) == (404, "404.001.03", "Invalid Access Token")


@pytest.mark.parametrize("header", ["", "Basic abc", "Bearer"])
def test_a_missing_token_is_an_invalid_header(daraja: Daraja, header: str):
    daraja.session.headers["Authorization"] = header
    assert envelope(daraja.push(new_msisdn()))[1] == "404.001.04"


def test_a_wrong_content_type_is_reported_as_the_first_field(daraja: Daraja):
    body = daraja.push_body(new_msisdn())
    answer = daraja.call("POST", PATH, data=body)
    assert envelope(answer) == (400, "400.002.02", "Bad Request - Invalid BusinessShortCode")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b'"x"',
        b"\xff\xfe{}",
        b"\xef\xbb\xbf{}",
        b"[" * 30_000,
        b'{"a":' * 10_000,
        b'{"Amount": ' + b"9" * 10_000 + b"}",
    ],
    ids=["empty", "cut", "array", "null", "text", "utf-16", "bom", "deep", "deeper", "huge number"],
)
def test_a_broken_body_is_an_invalid_payload(daraja: Daraja, body: bytes):
    answer = daraja.call("POST", PATH, data=body, headers={"Content-Type": "application/json"})
    assert envelope(answer) == (400, "400.002.05", "Invalid Request Payload")


def test_a_body_beyond_64_kib_is_refused_in_the_envelope(daraja: Daraja):
    answer = daraja.push(new_msisdn(), TransactionDesc="x" * 70_000)
    assert envelope(answer)[:2] == (413, "413.001")


def test_a_chunked_body_is_bounded_as_well(daraja: Daraja):
    chunks = (b" " * 1024 for _ in range(100))
    answer = daraja.call("POST", PATH, data=chunks, headers={"Content-Type": "application/json"})
    assert envelope(answer)[:2] == (413, "413.001")


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "OPTIONS"])
def test_a_wrong_verb_is_named(daraja: Daraja, method: str):
    answer = daraja.call(method, PATH)
    assert envelope(answer) == (405, "405.001", f"{method} Method Not Allowed")


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("/mpesa/stkpush/v9/processrequest", "404.001.01"),
        ("/mpesa/b2c/v9/paymentrequest", "404.002.01"),
        ("/mpesa/c2b/v9/registerurl", "404.003.01"),
        ("/", "404.001.01"),
    ],
)
def test_an_unknown_path_is_a_resource_not_found_of_its_family(
    daraja: Daraja, path: str, code: str
):
    assert envelope(daraja.call("POST", path)) == (404, code, "Resource not found")


def test_a_phone_with_an_open_prompt_is_locked_until_it_ends(daraja: Daraja):
    msisdn = new_msisdn()
    first = daraja.prompt(msisdn)
    assert envelope(daraja.push(msisdn)) == (
        500,
        "500.001.1001",
        "Unable to lock subscriber, a transaction is already in process for the current subscriber",
    )
    daraja.answer(first, cancel=True)
    assert daraja.push(msisdn).status_code == 200


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"amount": 250_001}, 3),
        ({"PartyB": "600999"}, 2028),
        ({"AccountReference": "R" * 140}, 1025),
    ],
    ids=["over the limit", "another paybill", "prompt too long"],
)
def test_what_m_pesa_refuses_is_accepted_first_and_refused_by_callback(
    daraja: Daraja, receiver: Receiver, changes: dict[str, Any], code: int
):
    msisdn = new_msisdn()
    checkout = daraja.prompt(msisdn, **changes)
    assert daraja.result_code(checkout) == str(code)
    assert receiver.wait_for(checkout)[0].callback["ResultCode"] == code
    assert not daraja.ledger()


def test_the_very_limit_is_within_it(daraja: Daraja):
    checkout = daraja.prompt(new_msisdn(), amount=250_000)
    assert daraja.result_code(checkout) == "4999"


def test_two_pushes_with_one_reference_are_two_payments(daraja: Daraja):
    msisdn = new_msisdn()
    for _ in range(2):
        daraja.answer(daraja.prompt(msisdn, amount=10), pin="1234")
    entries = daraja.ledger()
    assert len({entry["receipt"] for entry in entries}) == 2
    assert [entry["account_reference"] for entry in entries] == ["ABC123", "ABC123"]


def test_a_log_of_requests_says_why_and_keeps_no_secret(daraja: Daraja, receiver: Receiver):
    msisdn = new_msisdn()
    daraja.push(msisdn, Password=password(at="20261121161501"))
    checkout = daraja.prompt(msisdn, CallBackURL=receiver.url("/callback/secret-token?a=b"))
    daraja.answer(checkout, pin="1234")
    eventually(lambda: daraja.traffic()[0]["direction"] == "out")
    sent, accepted, refused = daraja.traffic()[:3]
    assert refused["why"] == (
        f"Password decodes to timestamp 20261121161501, expected {TIMESTAMP}."
    )
    assert (refused["status"], refused["errorCode"]) == (500, "500.001.1001")
    assert (accepted["method"], accepted["path"], accepted["status"]) == ("POST", PATH, 200)
    assert accepted["CheckoutRequestID"] == sent["CheckoutRequestID"] == checkout
    everything = str(daraja.traffic())
    for secret in ("secret-token", msisdn, "1234'", str(daraja.session.headers)):
        assert secret not in everything
