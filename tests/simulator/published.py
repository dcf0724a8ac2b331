"""The published rows about Daraja's errors and results, and requests that bring them about.

A row is published where a recording shows it or Safaricom's documentation states it. Texts are
written out here, so that no table of the simulator's own vouches for itself.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import requests

from tests.simulator.client import Daraja, new_id, new_msisdn, password
from tests.simulator.published_results import LOCKED

Cause = Callable[[Daraja], requests.Response]

PUSH = "/mpesa/stkpush/v1/processrequest"
STRANGER = {"Authorization": "Bearer abc"}
_INVALID = "Error Occurred - Invalid Access Token - "
_BUSY = "System is busy. Please try again in few minutes."


@dataclass(frozen=True)
class ErrorRow:
    """One row of a table of errors: its section, the answer, and a request that brings it about."""

    section: str
    status: int
    code: str
    message: str
    cause: Cause

    def __str__(self) -> str:
        return f"{self.section}-{self.code}-{self.message[:60]}"


def pushed(**changes: Any) -> Cause:
    return lambda daraja: daraja.push(new_msisdn(), **changes)


def posted(path: str, **options: Any) -> Cause:
    return lambda daraja: daraja.call("POST", path, **{"json": {}, **options})


def armed(error: str, cause: Cause) -> Cause:
    """What the gateway says to whoever it likes: the row has no request that provokes it."""

    def provoke(daraja: Daraja) -> requests.Response:
        daraja.arm("published_error", error=error)
        return cause(daraja)

    return provoke


def registered(**changes: Any) -> Cause:
    return lambda daraja: daraja.register("https://a.test/c", "https://a.test/v", **changes)


def without_a_header(daraja: Daraja) -> requests.Response:
    return requests.post(daraja.base_url + PUSH, json={}, timeout=10)


def with_verb(verb: str) -> Cause:
    return lambda daraja: daraja.call(verb, PUSH)


def sent_twice(daraja: Daraja) -> requests.Response:
    own = new_id()
    daraja.b2c(new_msisdn(), OriginatorConversationID=own)
    return daraja.b2c(new_msisdn(), OriginatorConversationID=own)


def told_of_maintenance(daraja: Daraja) -> requests.Response:
    daraja.arm("out_maintenance")
    return daraja.b2c(new_msisdn())


def registered_twice(daraja: Daraja) -> requests.Response:
    daraja.switch(register_once=True)
    registered()(daraja)
    return registered()(daraja)


def registered_elsewhere(daraja: Daraja) -> requests.Response:
    daraja.arm("registered_elsewhere")
    return registered(ShortCode="600998")(daraja)


def failed_inside(daraja: Daraja) -> requests.Response:
    daraja.arm("push_500")
    return pushed()(daraja)


def prompted_twice(daraja: Daraja) -> requests.Response:
    msisdn = new_msisdn()
    daraja.prompt(msisdn)
    return daraja.push(msisdn)


def queried(scenario: str | None = None, **changes: Any) -> Cause:
    def provoke(daraja: Daraja) -> requests.Response:
        checkout = daraja.prompt(new_msisdn())
        if scenario:
            daraja.arm(scenario)
        return daraja.query(checkout, **changes)

    return provoke


def bad_field(name: str, **changes: Any) -> ErrorRow:
    text = f"Bad Request - Invalid {name}"
    return ErrorRow("3.5", 400, "400.002.02", text, pushed(**changes))


def no_json(daraja: Daraja) -> requests.Response:
    headers = {"Content-Type": "application/json"}
    return daraja.call("POST", PUSH, data=b"{", headers=headers)


GATEWAY_ERRORS = [
    ErrorRow("1.3", 400, "400.002.02", "Bad Request - Invalid Amount", pushed(Amount="x")),
    ErrorRow("1.3", 400, "400.002.05", "Invalid Request Payload", no_json),
    ErrorRow(
        "1.3", 400, "400.003.01", "Invalid Access Token", armed("invalid_token_400", registered())
    ),
    ErrorRow(
        "1.3",
        400,
        "400.003.02",
        "Bad Request - Invalid ValidationURL - URL has the word MPESA",
        registered(ValidationURL="https://a.test/mpesa"),
    ),
    ErrorRow(
        "1.3",
        401,
        "401.003.01",
        f"{_INVALID}abc",
        posted("/mpesa/c2b/v1/registerurl", headers=STRANGER),
    ),
    ErrorRow(
        "1.3",
        401,
        "401.003.01",
        f"{_INVALID}Invalid API call as no apiproduct match found",
        armed("no_product", registered()),
    ),
    ErrorRow(
        "1.3",
        401,
        "401.002.01",
        f"{_INVALID}abc",
        posted("/mpesa/b2c/v3/paymentrequest", headers=STRANGER),
    ),
    ErrorRow(
        "1.3",
        401,
        "401.002.01",
        f"{_INVALID}abc",
        posted("/mpesa/accountbalance/v1/query", headers=STRANGER),
    ),
    ErrorRow("1.3", 404, "404.001.03", "Invalid Access Token", posted(PUSH, headers=STRANGER)),
    ErrorRow(
        "1.3",
        400,
        "400.003.02",
        "Bad Request - Invalid ConfirmationURL - URL has the word MPESA",
        registered(ConfirmationURL="https://a.test/mpesa"),
    ),
    ErrorRow("1.3", 404, "404.001.04", "Invalid Authentication Header", without_a_header),
    ErrorRow("1.3", 404, "404.001.01", "Resource not found", posted("/mpesa/stkpush/v9/x")),
    ErrorRow("1.3", 404, "404.002.01", "Resource not found", posted("/mpesa/b2c/v2/x")),
    ErrorRow("1.3", 404, "404.003.01", "Resource not found", posted("/mpesa/c2b/v9/x")),
    ErrorRow("1.3", 405, "405.001", "GET Method Not Allowed", with_verb("GET")),
    ErrorRow("1.3", 405, "405.001", "PUT Method Not Allowed", with_verb("PUT")),
    ErrorRow("1.3", 500, "500.002.1001", "Duplicate OriginatorConversationID.", sent_twice),
    ErrorRow(
        "1.3",
        500,
        "500.002.1001",
        "Service is currently under maintenance. Please try again later",
        told_of_maintenance,
    ),
    ErrorRow("1.3", 500, "500.003.1001", "Internal Server Error", failed_inside),
    ErrorRow("1.3", 500, "500.003.1001", "Urls are already registered.", registered_twice),
    ErrorRow(
        "1.3",
        500,
        "500.003.1001",
        "Duplicate notification info, SP ID is 107078, correlator is 600998",
        registered_elsewhere,
    ),
    ErrorRow(
        "1.3",
        500,
        "500.003.02",
        "Error Occurred: Spike Arrest Violation",
        armed("spike_arrest", pushed()),
    ),
    ErrorRow("1.3", 500, "500.003.02", _BUSY, armed("system_busy", pushed())),
    ErrorRow("1.3", 500, "500.003.03", "Quota Violation", armed("quota", pushed())),
    ErrorRow(
        "1.3",
        500,
        "500.003.03",
        "Error Occurred: Quota Violation",
        armed("quota_occurred", pushed()),
    ),
]
PUSH_ERRORS = [
    bad_field("BusinessShortCode", BusinessShortCode=...),
    bad_field("Password", Password=...),
    bad_field("Timestamp", Timestamp="2026-11-21"),
    bad_field("TransactionType", TransactionType="PayBill"),
    bad_field("TransactionType", TransactionType="CustomerBuyGoodsOnline"),
    bad_field("Amount", Amount=0),
    bad_field("PartyA", PartyA=...),
    bad_field("PartyB", PartyB=...),
    bad_field("PhoneNumber", PhoneNumber="0712345678"),
    bad_field("CallBackURL", CallBackURL="nowhere"),
    bad_field("AccountReference", AccountReference=...),
    bad_field("Remarks", TransactionDesc=...),
    ErrorRow("3.5", 404, "404.001.03", "Invalid Access Token", posted(PUSH, headers=STRANGER)),
    ErrorRow("3.5", 404, "404.001.01", "Resource not found", posted("/mpesa/stkpush/v2/x")),
    ErrorRow("3.5", 405, "405.001", "GET Method Not Allowed", with_verb("GET")),
    ErrorRow(
        "3.5",
        500,
        "500.001.1001",
        "Merchant does not exist",
        pushed(BusinessShortCode="600999", Password=password("600999")),
    ),
    ErrorRow("3.5", 500, "500.001.1001", "Wrong credentials", pushed(Password=password("600999"))),
    ErrorRow(
        "3.5",
        500,
        "500.001.1001",
        "[MerchantValidate] - Wrong credentials",
        armed("merchant_validate", pushed()),
    ),
    ErrorRow("3.5", 500, "500.001.1001", LOCKED, prompted_twice),
    ErrorRow("3.5", 500, "500.003.02", _BUSY, armed("system_busy", pushed())),
    ErrorRow(
        "3.5",
        500,
        "500.003.02",
        "Error Occurred: Spike Arrest Violation",
        armed("spike_arrest", pushed()),
    ),
    ErrorRow("3.5", 500, "500.003.03", "Quota Violation", armed("quota", pushed())),
    ErrorRow("3.5", 500, "500.003.1001", "Internal Server Error", armed("internal", pushed())),
    ErrorRow(
        "3.5",
        401,
        "401.003.01",
        f"{_INVALID}Invalid API call as no apiproduct match found",
        armed("no_product", pushed()),
    ),
]
QUERY_ERRORS = [
    ErrorRow(
        "5", 500, "500.001.1001", "The transaction is being processed", queried("query_noise")
    ),
    ErrorRow(
        "5",
        400,
        "400.002.02",
        "Bad Request - Invalid CheckoutRequestID",
        queried("query_too_early"),
    ),
    ErrorRow(
        "5",
        500,
        "500.001.1001",
        "The transaction does not Exist",
        queried(CheckoutRequestID="ws_CO_1"),
    ),
    ErrorRow("5", 500, "500.001.1001", "Wrong credentials", queried(Password=password("600999"))),
]
OUT_ERRORS = [
    ErrorRow("6.4", 500, "500.002.1001", "Duplicate OriginatorConversationID.", sent_twice),
    ErrorRow(
        "6.7",
        401,
        "401.002.01",
        f"{_INVALID}abc",
        posted("/mpesa/b2c/v1/paymentrequest", headers=STRANGER),
    ),
    ErrorRow(
        "6.7",
        400,
        "400.002.02",
        "Bad Request - Invalid PartyB",
        lambda daraja: daraja.b2c("0712345678"),
    ),
    ErrorRow(
        "6.7", 404, "404.002.01", "Resource not found", posted("/mpesa/b2c/v2/paymentrequest")
    ),
    ErrorRow(
        "6.7",
        405,
        "405.001",
        "GET Method Not Allowed",
        lambda daraja: daraja.call("GET", "/mpesa/b2c/v3/paymentrequest"),
    ),
    ErrorRow(
        "6.7",
        500,
        "500.003.1001",
        "Internal Server Error",
        armed("internal", lambda daraja: daraja.b2c(new_msisdn())),
    ),
    ErrorRow(
        "6.7",
        500,
        "500.003.02",
        "Error Occurred: Spike Arrest Violation",
        armed("spike_arrest", lambda daraja: daraja.b2c(new_msisdn())),
    ),
    ErrorRow(
        "6.7",
        500,
        "500.003.03",
        "Quota Violation",
        armed("quota", lambda daraja: daraja.b2c(new_msisdn())),
    ),
    ErrorRow(
        "7.1",
        401,
        "401.003.01",
        f"{_INVALID}abc",
        posted("/mpesa/transactionstatus/v1/query", headers=STRANGER),
    ),
    ErrorRow(
        "7.2",
        404,
        "404.001.03",
        "Invalid Access Token",
        posted("/mpesa/reversal/v1/request", headers=STRANGER),
    ),
    ErrorRow(
        "7.2",
        400,
        "400.002.02",
        "Bad Request - Invalid TransactionID",
        lambda daraja: daraja.reverse("no receipt"),
    ),
    ErrorRow(
        "7.2",
        500,
        "500.001.1001",
        "Internal Server Error",
        armed("internal_stk", lambda daraja: daraja.reverse("UKL1234567")),
    ),
]
