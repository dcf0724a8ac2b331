"""C10, C11 and C13: whatever stands in a callback, nothing breaks and nothing is half done."""

from __future__ import annotations

import gzip
import json
from typing import Any

import pytest
import time_machine

from app.core.clock import now
from app.payments.models import Payment
from app.payments.schedule import FIRST_ASK_SECONDS
from tests.cases.books import everything
from tests.support.app import CALLBACK_PATH, SAFARICOM, Account, Shop
from tests.support.daraja import FakeDaraja, bare, ended, paid, unpaid

#: What stands in a callback for 1,500 shillings, as it is written in JSON; then what is credited
#: in cents, how the money fits, and how the order stands. A prompt moves no more than it asks for.
AMOUNTS: dict[str, tuple[int | None, str | None, str]] = {
    **dict.fromkeys(["1500", "1500.0", '"1500"', '"1500.00"'], (150_000, "exact", "paid")),
    "1499": (149_900, "short", "review"),
    "1499.5": (149_950, "short", "review"),
    '"1"': (100, "short", "review"),
    "1501": (150_000, "over", "review"),
    "150000": (150_000, "over", "review"),
    "1e9": (150_000, "over", "review"),
    **dict.fromkeys(
        ["0", "-0.0", "-1500", '"-1500"', "NaN", '"NaN"', "Infinity", "1e309", '"1e309"'],
        (None, None, "pending"),
    ),
    **dict.fromkeys(
        ["1500.001", '"KES 1500"', '"1,500"', '""', "null", "true", "[1500]", "{}"],
        (None, None, "pending"),
    ),
}


def test_c10_what_moved_is_credited_and_nonsense_is_not(shop: Shop, shopper: Account) -> None:
    found = {}
    for number, written in enumerate(AMOUNTS):
        order = shop.order(shopper)
        payment = shop.prompted(shopper, order)
        body = paid(payment.checkout_request_id, amount=987654, receipt=f"UKL4AMT{number:03}")
        raw = json.dumps(body).encode().replace(b"987654", written.encode())
        assert shop.callback(raw, token=payment.callback_token).status_code == 200
        after, now = shop.fresh(payment), shop.order_now(shopper, order)
        standing = after.credit.standing if after.credit else None
        found[written] = (after.received_cents, standing, now["status"])
    assert found == AMOUNTS
    assert len(shop.inbox()) == len(AMOUNTS)


@pytest.mark.parametrize(("answer", "cents"), [("0", 150_000), ("1032", None)])
def test_c10_after_nonsense_daraja_is_asked_and_its_word_counts(
    shop: Shop, shopper: Account, daraja: FakeDaraja, answer: str, cents: int | None
) -> None:
    order = shop.order(shopper)
    payment = shop.prompted(shopper, order)
    shop.callback(paid(payment.checkout_request_id, amount=-1500), token=payment.callback_token)
    daraja.query_answer = ended(answer)
    shop.sweep()
    assert shop.fresh(payment).received_cents == cents
    assert shop.order_now(shopper, order)["amount_paid"] == (cents or 0) / 100


VALID = json.dumps(paid("SLOT")).encode()
#: Bodies that are no callback. SLOT becomes the CheckoutRequestID of a prompt that is open.
MALFORMED: dict[str, bytes] = {
    "nothing": b"",
    "blank": b" \r\n",
    "null": b"null",
    "array": b"[" + VALID + b"]",
    "text": json.dumps(VALID.decode()).encode(),
    "number": b"1500",
    "true": b"true",
    "cut in the middle": VALID[: len(VALID) // 2],
    "two bodies": VALID + VALID,
    "nested arrays": b"[" * 10_000 + b"]" * 10_000,
    "nested objects": b'{"a":' * 10_000 + b"{}" + b"}" * 10_000,
    "deep within a callback": VALID.replace(b"1500", b"[" * 10_000 + b"]" * 10_000),
    "never closed": b'{"a":[' * 10_000,
    "invalid utf-8": VALID.replace(b"processed", b"\xff\xfe\xc3\x28"),
    "overlong utf-8": VALID.replace(b"processed", b"\xc0\xaf"),
    "utf-16": VALID.decode().encode("utf-16"),
    "two byte order marks": b"\xef\xbb\xbf" * 2 + VALID,
    "gzip": gzip.compress(VALID),
    "nul bytes": b"\x00" * 1000,
    "nul in a text": VALID.replace(b"SLOT", b"SLOT\x00"),
    "nul escaped in the id": VALID.replace(b"SLOT", b"SLOT\\u0000"),
    "half a character in the id": VALID.replace(b"SLOT", b"SLOT\\ud800"),
    "comments": b"/* */" + VALID,
    "single quotes": VALID.replace(b'"', b"'"),
    "last of two bodies is null": VALID[:-1] + b', "Body": null}',
    "last of two callbacks is a text": VALID[:-2] + b', "stkCallback": "x"}}',
    "last of two codes is null": VALID.replace(
        b'"ResultCode": 0', b'"ResultCode": 0, "ResultCode": null'
    ),
    "no code": VALID.replace(b'"ResultCode"', b'"Code"'),
    "code a list": VALID.replace(b'"ResultCode": 0', b'"ResultCode": [0]'),
    "code true": VALID.replace(b'"ResultCode": 0', b'"ResultCode": true'),
    "code NaN": VALID.replace(b'"ResultCode": 0', b'"ResultCode": NaN'),
    "no id": VALID.replace(b'"CheckoutRequestID"', b'"CheckoutID"'),
    "id a list": VALID.replace(b'"SLOT"', b'["SLOT"]'),
    "id an object": VALID.replace(b'"SLOT"', b'{"SLOT": 1}'),
    "id of 60,000 digits": VALID.replace(b'"SLOT"', b"9" * 60_000),
    "form": b"Body=stkCallback&CheckoutRequestID=SLOT",
    "xml": b"<Body><stkCallback>SLOT</stkCallback></Body>",
    "xml with entities": b'<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]><a>&b;</a>',
}
#: Readable, and with a wrong or missing part that Daraja's own word has to stand in for.
DOUBTFUL: dict[str, bytes] = {
    "no metadata": VALID.replace(b'"CallbackMetadata"', b'"Metadata"'),
    "metadata null": b'{"Body": {"stkCallback": {"CheckoutRequestID": "SLOT", "ResultCode": 0, '
    b'"CallbackMetadata": null}}}',
    "metadata a text": b'{"Body": {"stkCallback": {"CheckoutRequestID": "SLOT", "ResultCode": 0, '
    b'"ResultDesc": {"a": []}, "MerchantRequestID": [1], "CallbackMetadata": "Item"}}}',
    "items a text": b'{"Body": {"stkCallback": {"CheckoutRequestID": "SLOT", "ResultCode": "0", '
    b'"CallbackMetadata": {"Item": "Amount"}}}}',
    "items of every kind": b'{"Body": {"stkCallback": {"CheckoutRequestID": "SLOT", '
    b'"ResultCode": 0, "CallbackMetadata": {"Item": [null, 1, "Amount", [], {"Name": []}]}}}}',
    "receipt a number": VALID.replace(b'"UKL4XX00XX"', b"123456789"),
    "receipt of another alphabet": VALID.replace(b"UKL4XX00XX", "ЦКЛ4ХХ00ХХ".encode()),
    "receipt of zeros": VALID.replace(b"UKL4XX00XX", b"UKL0000000"),
    "last of two amounts is null": VALID.replace(b'"Value": 1500', b'"Value": 1500, "Value": null'),
}


def post_with_both_proofs(
    shop: Shop, payment: Payment, raw: bytes, headers: dict[str, str] | None = None
) -> int:
    raw = raw.replace(b"SLOT", str(payment.checkout_request_id).encode())
    answer = shop.client().post(
        CALLBACK_PATH,
        data=raw,
        content_type="application/json",
        query_string={"token": payment.callback_token},
        headers=headers,
        environ_overrides={"REMOTE_ADDR": SAFARICOM},
    )
    return answer.status_code


def test_c11_a_malformed_body_is_kept_and_writes_nothing_else(shop: Shop, shopper: Account) -> None:
    with time_machine.travel(now(), tick=False) as clock:
        payment = shop.prompted(shopper)
        before = everything(shop)
        for number, (name, raw) in enumerate(MALFORMED.items(), 1):
            assert post_with_both_proofs(shop, payment, raw) == 200, name
            assert everything(shop) == before, name
            kept = shop.inbox()
            assert len(kept) == number, name
            assert (kept[-1].handled_at is None, kept[-1].payment_id) == (False, None), name
        packed = gzip.compress(VALID, 1)
        assert post_with_both_proofs(shop, payment, packed, {"Content-Encoding": "gzip"}) == 200
        clock.shift(FIRST_ASK_SECONDS - 1)
        shop.sweep()
        assert everything(shop) == before
    assert shop.questions() == []


def test_c11_a_doubtful_success_only_has_daraja_asked(shop: Shop, shopper: Account) -> None:
    payment = shop.prompted(shopper)
    apart = ("callback_inbox", "payments.next_check_at")
    before = everything(shop, but=apart)
    for name, raw in DOUBTFUL.items():
        assert post_with_both_proofs(shop, payment, raw) == 200, name
        assert everything(shop, but=apart) == before, name
    shop.sweep()
    assert len(shop.daraja.queries) == 1


@pytest.mark.parametrize(
    "raw",
    [
        b"\xef\xbb\xbf" + VALID,
        VALID[:-1] + b', "extra": {"Body": {"stkCallback": null}}}',
        VALID.replace(b'{"Body"', b'{"Body": null, "Body"', 1),
        VALID.replace(b'"ResultCode": 0', b'"ResultCode": 1032, "ResultCode": 0'),
        VALID.replace(b'"Item": [', b'"Item": [{"Name": "Amount", "Value": 7}, null, 7, {}, '),
    ],
    ids=["byte order mark", "extra keys", "two bodies", "two codes", "two amounts"],
)
@pytest.mark.parametrize("encoding", [None, "gzip"], ids=["plain", "named gzip"])
def test_c11_an_odd_body_that_can_be_read_settles_wholly(
    shop: Shop, shopper: Account, raw: bytes, encoding: str | None
) -> None:
    """Of two equal keys the last one counts, as in every common reader of JSON."""
    order = shop.order(shopper)
    payment = shop.prompted(shopper, order)
    headers = {"Content-Encoding": encoding} if encoding else None
    assert post_with_both_proofs(shop, payment, raw, headers) == 200
    settled = shop.fresh(payment)
    assert (settled.status, settled.received_cents) == ("completed", 150_000)
    assert shop.order_now(shopper, order)["status"] == "paid"
    assert [credit.receipt for credit in shop.credits()] == ["UKL4XX00XX"]


@pytest.mark.parametrize("code", [0, "0", 0.0, " 0 "])
def test_c13_a_success_is_read_from_a_number_and_from_a_text(
    shop: Shop, shopper: Account, code: object
) -> None:
    order = shop.order(shopper)
    payment = shop.prompted(shopper, order)
    body = paid(payment.checkout_request_id)
    body["Body"]["stkCallback"]["ResultCode"] = code
    shop.callback(body, token=payment.callback_token)
    assert shop.order_now(shopper, order)["status"] == "paid"
    assert shop.fresh(payment).result_code == "0"


@pytest.mark.parametrize(
    ("code", "status"),
    [(1032, "cancelled"), ("1032", "cancelled"), (1037, "expired"), ("1037", "expired")],
)
def test_c13_a_failure_is_read_from_a_number_and_from_a_text(
    shop: Shop, shopper: Account, code: int | str, status: str
) -> None:
    payment = shop.prompted(shopper)
    shop.callback(unpaid(payment.checkout_request_id, code), token=payment.callback_token)
    assert (shop.fresh(payment).status, shop.fresh(payment).result_code) == (status, str(code))


def test_c13_items_are_found_by_name_among_others(shop: Shop, shopper: Account) -> None:
    payment = shop.prompted(shopper)
    body = paid(payment.checkout_request_id)
    metadata = body["Body"]["stkCallback"]["CallbackMetadata"]
    extra = [{"Name": "B2CUtilityAccountAvailableFunds", "Value": 1}, {"Name": "PhoneNumber"}]
    metadata["Item"] = [*extra, *reversed(metadata["Item"]), {"Name": "Note", "Value": {"a": 1}}]
    metadata["More"] = []
    shop.callback(body, token=payment.callback_token)
    settled = shop.fresh(payment)
    assert (settled.status, settled.mpesa_receipt) == ("completed", "UKL4XX00XX")


@pytest.mark.parametrize(
    "without",
    [bare, lambda i: paid(i, receipt=None), lambda i: paid(i, receipt=None, amount=None)],
    ids=["no metadata", "no receipt", "neither"],
)
def test_c13_without_a_receipt_a_query_pays_and_the_receipt_comes_later(
    shop: Shop, shopper: Account, daraja: FakeDaraja, without: Any
) -> None:
    order = shop.order(shopper)
    payment = shop.prompted(shopper, order)
    shop.callback(without(payment.checkout_request_id), token=payment.callback_token)
    assert shop.order_now(shopper, order)["status"] == "pending"
    daraja.query_answer = ended("0")
    shop.sweep()
    assert shop.order_now(shopper, order)["status"] == "paid"
    assert [credit.receipt for credit in shop.credits()] == [None]
    shop.callback(paid(payment.checkout_request_id), token=payment.callback_token)
    assert shop.fresh(payment).mpesa_receipt == "UKL4XX00XX"
    assert [credit.receipt for credit in shop.credits()] == ["UKL4XX00XX"]
    [attempt] = shop.order_now(shopper, order)["payments"]
    assert attempt["receipt"] == "UKL4XX00XX"
