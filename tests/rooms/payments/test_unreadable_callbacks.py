"""Bodies that are no callback: kept, acknowledged, and without any effect. Cases C6, C10 to C12."""

from __future__ import annotations

import gzip
import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support.app import CALLBACK_PATH, STRANGER, Account, Shop, later, standing
from tests.support.daraja import paid, unpaid

_VALID = json.dumps(paid("ws_CO_nobody")).encode()
#: Valid JSON throughout, and yet no value that arithmetic or a database takes.
_HOSTILE_NUMBERS = (
    "1e309",
    "1e999999999",
    "-1e999999999",
    "1e-999999999",
    "9" * 5000,
    "0." + "1" * 400,
)
_HOSTILE_TEXTS = (
    "\\ud800",
    "\\u0000",
    "x" * 5000,
    "\\ud83d\\ude00",
    "' OR 1=1 --",
    "\\n\\r\\u001b",
)

UNREADABLE = {
    "empty": b"",
    "null": b"null",
    "array": b"[]",
    "number": b"42",
    "not json": b"{not json",
    "html": b"<html></html>",
    "form": b"Body=stkCallback",
    "no keys": b"{}",
    "body null": b'{"Body": null}',
    "body list": b'{"Body": []}',
    "callback null": b'{"Body": {"stkCallback": null}}',
    "callback text": b'{"Body": {"stkCallback": "x"}}',
    "no checkout id": b'{"Body": {"stkCallback": {"ResultCode": 0}}}',
    "checkout id a list": json.dumps(unpaid(None)).encode().replace(b"null", b"[]"),
    "checkout id a number": json.dumps(unpaid(None)).encode().replace(b"null", b"1"),
    "code missing": b'{"Body": {"stkCallback": {"CheckoutRequestID": "ws_CO_1"}}}',
    "code true": json.dumps(unpaid("ws_CO_1")).encode().replace(b"1032", b"true"),
    "code object": json.dumps(unpaid("ws_CO_1")).encode().replace(b"1032", b"{}"),
    "code empty": json.dumps(unpaid("ws_CO_1")).encode().replace(b"1032", b'""'),
    "NaN": json.dumps(paid("ws_CO_1")).encode().replace(b"1500", b"NaN"),
    "deep arrays": b"[" * 10_000 + b"]" * 10_000,
    "deep objects": b'{"a":' * 9_000 + b"1" + b"}" * 9_000,
    "invalid utf-8": b'{"Body": "\xff\xfe"}',
    "utf-16": _VALID.decode().encode("utf-16"),
    "gzip": gzip.compress(_VALID),
    "zeros": b"\x00" * 100,
}


def test_every_unreadable_body_is_kept_and_changes_nothing(shop: Shop, shopper: Account) -> None:
    payment = shop.prompted(shopper)
    token = payment.callback_token
    statuses = {
        name: shop.callback(raw, token=token).status_code for name, raw in UNREADABLE.items()
    }
    assert statuses == dict.fromkeys(UNREADABLE, 200)
    assert shop.fresh(payment).status == "pending"
    kept = dict(zip(UNREADABLE, shop.inbox(), strict=True))
    assert {name: message.raw for name, message in kept.items()} == UNREADABLE
    for name, message in kept.items():
        assert message.handled_at is not None, f"every sweep tries it again, for ever: {name}"
        assert str(message.verdict).startswith("unreadable"), name


def _all_handled(shop: Shop) -> bool:
    return all(message.handled_at for message in shop.inbox())


@pytest.mark.parametrize("number", _HOSTILE_NUMBERS, ids=lambda text: text[:14])
def test_a_number_beyond_arithmetic_is_handled_once_and_never_credited(
    shop: Shop, shopper: Account, number: str
) -> None:
    payment = shop.prompted(shopper)
    raw = json.dumps(paid(payment.checkout_request_id)).encode()
    shop.callback(raw.replace(b"1500", number.encode()), token=payment.callback_token)
    after = shop.fresh(payment)
    assert after.status == "pending"
    assert after.received_cents is None
    assert _all_handled(shop)


@pytest.mark.parametrize(
    "field", ["CheckoutRequestID", "MerchantRequestID", "ResultDesc", "receipt"]
)
def test_a_text_that_no_database_keeps_is_handled_once(
    shop: Shop, shopper: Account, field: str
) -> None:
    payment = shop.prompted(shopper)
    body = paid(payment.checkout_request_id, receipt="SLOT", merchant_request_id="m")
    callback = body["Body"]["stkCallback"]
    if field != "receipt":
        callback[field] = "SLOT"
        callback["CallbackMetadata"]["Item"][2]["Value"] = "UKL4XX00XX"
    for written in _HOSTILE_TEXTS:
        raw = json.dumps(body).encode().replace(b"SLOT", written.encode())
        assert shop.callback(raw, token=payment.callback_token).status_code == 200
        assert _all_handled(shop), written


@pytest.mark.parametrize("token", ["\x00", "\ud800", "%00", "x" * 5000, "' OR 1=1 --"])
def test_any_token_may_come_in_the_address(shop: Shop, token: str) -> None:
    query = {"token": token.encode("utf-8", "surrogatepass")}
    answer = shop.client().post(CALLBACK_PATH, data=_VALID, query_string=query)
    assert answer.status_code in (200, 400)


def test_a_body_with_a_byte_order_mark_is_understood(shop: Shop, shopper: Account) -> None:
    payment = shop.prompted(shopper)
    raw = b"\xef\xbb\xbf" + json.dumps(paid(payment.checkout_request_id)).encode()
    shop.callback(raw, token=payment.callback_token)
    assert shop.fresh(payment).status == "completed"


@pytest.mark.parametrize(
    "content_type",
    ["application/json;charset=UTF-8", "text/plain", "application/x-www-form-urlencoded", ""],
)
def test_the_content_type_does_not_matter(shop: Shop, shopper: Account, content_type: str) -> None:
    payment = shop.prompted(shopper)
    body = paid(payment.checkout_request_id)
    shop.callback(body, token=payment.callback_token, content_type=content_type)
    assert shop.fresh(payment).status == "completed"


def test_extra_and_repeated_keys_are_passed_over(shop: Shop, shopper: Account) -> None:
    payment = shop.prompted(shopper)
    body = paid(payment.checkout_request_id) | {"extra": {"deep": [1, 2]}}
    items = body["Body"]["stkCallback"]["CallbackMetadata"]["Item"]
    items += [{"Name": "New", "Value": 1}, {"Value": 2}, 7, None, {"Name": None, "Value": "x"}]
    raw = json.dumps(body).encode().replace(b'{"Body"', b'{"Body": 1, "Body"')
    shop.callback(raw, token=payment.callback_token)
    assert shop.fresh(payment).status == "completed"


def test_an_unknown_checkout_id_is_kept_and_makes_no_order(shop: Shop) -> None:
    assert shop.callback(paid("ws_CO_nobody")).status_code == 200
    [kept] = shop.inbox()
    assert kept.payment_id is None
    assert str(kept.verdict).startswith("unknown CheckoutRequestID")


def test_a_body_above_64_kib_is_refused_and_not_kept(shop: Shop) -> None:
    answer = shop.callback(b"x" * (64 * 1024 + 1))
    assert (answer.status_code, answer.get_json()["code"]) == (413, "PAYLOAD_TOO_LARGE")
    assert shop.inbox() == []
    assert shop.callback(b"x" * (64 * 1024)).status_code == 200


def test_a_flood_without_proof_is_limited_and_leaves_others_alone(
    shop: Shop, shopper: Account
) -> None:
    payment = shop.prompted(shopper)
    with standing():
        answers = [shop.callback(f"{n}".encode(), peer=STRANGER) for n in range(61)]
    assert {answer.status_code for answer in answers[:60]} == {200}
    assert answers[60].status_code == 429
    assert int(answers[60].headers["Retry-After"]) > 0
    body = paid(payment.checkout_request_id)
    assert shop.callback(body, token=payment.callback_token).status_code == 200
    assert (
        shop.callback(unpaid("ws_CO_x"), token=payment.callback_token, peer=STRANGER).status_code
        == 200
    )
    assert shop.fresh(payment).status == "completed"


def test_what_was_kept_and_not_handled_is_handled_by_the_sweep(
    shop: Shop, shopper: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A4: the process ended between keeping a callback and acting on it."""
    payment = shop.prompted(shopper)
    with monkeypatch.context() as patch:
        patch.setattr("app.payments.inbox.handle", lambda inbox_id: 1 / 0)
        body = paid(payment.checkout_request_id)
        assert shop.callback(body, token=payment.callback_token).status_code == 200
    assert shop.fresh(payment).status == "pending"
    with later(15):
        shop.sweep()
    assert shop.fresh(payment).status == "completed"
    assert _all_handled(shop)


def test_a_callback_that_cannot_be_kept_is_not_acknowledged(
    shop: Shop, shopper: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A7, A8: never 200 and forgotten."""
    payment = shop.prompted(shopper)
    with monkeypatch.context() as patch:
        patch.setattr("app.payments.keeping.insert_new", lambda *_, **__: 1 / 0)
        body = paid(payment.checkout_request_id)
        assert shop.callback(body, token=payment.callback_token).status_code >= 500
    assert shop.inbox() == []


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4)
    ),
    max_leaves=12,
)


@given(value=_json, code=_json, identifier=_json, items=_json)
@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_stands_in_a_callback_it_is_acknowledged_and_handled(
    shop: Shop, value: object, code: object, identifier: object, items: object
) -> None:
    body = {
        "Body": {
            "stkCallback": {
                "CheckoutRequestID": identifier,
                "MerchantRequestID": value,
                "ResultCode": code,
                "ResultDesc": value,
                "CallbackMetadata": {"Item": items},
            }
        }
    }
    assert shop.callback(json.dumps(body).encode()).status_code == 200
    assert _all_handled(shop)
