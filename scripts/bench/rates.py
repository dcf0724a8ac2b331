"""Callbacks kept and polls answered a second, beside the bare insert and the bare read."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import requests

from scripts.bench.figures import Figure
from scripts.bench.ground import Ground
from scripts.bench.load import Rate, Request, rate_of
from scripts.bench.seed import PRICE_CENTS, fill
from tests.support.live_shop import SHOPPER

PENDING = 1_000
#: Not less than 60 % of the bare reference.
LEAST = 0.6
CALLBACK_PATH = "/api/payments/mpesa/callback"
CALLBACKS = 12_000


def callbacks(ground: Ground) -> Iterator[Figure]:
    """Distinct callbacks and repeated ones, each with both proofs, as in a promotion's burst."""
    rows = fill(ground.env["DATABASE_URL"], CALLBACKS, status="pending")
    requests_ = [_callback(row) for row in rows]
    with ground.serving("bare"):
        insert = Request("POST", "/insert", (("Content-Type", "application/json"),), "{}")
        body = requests_[0].body
        insert = Request("POST", "/insert", insert.headers, body)
        bare = rate_of(ground.folder, ground.base_url, [insert])
    with ground.working(), ground.serving():
        distinct = rate_of(ground.folder, ground.base_url, requests_, once=True)
        repeated = rate_of(ground.folder, ground.base_url, requests_[:200])
    yield _told("callbacks", ground, "bare insert and commit", bare)
    yield _told("callbacks", ground, "distinct, kept", distinct)
    yield _ratio("callbacks", ground, "distinct over bare insert", distinct, bare)
    yield Figure("callbacks", ground.engine, "distinct, p99", distinct.p99_ms, "ms")
    yield _told("callbacks", ground, "repeated", repeated)
    yield Figure("callbacks", ground.engine, "not answered 2xx", distinct.wrong, "", most=0)


def polls(ground: Ground) -> Iterator[Figure]:
    """Status polls of pages that wait, with a thousand pending payments in the books."""
    rows = fill(ground.env["DATABASE_URL"], PENDING, status="pending")
    with ground.serving("bare"):
        requests.post(f"{ground.base_url}/insert", data=b"{}", timeout=20)
        bare = rate_of(ground.folder, ground.base_url, [Request("GET", "/read/1")])
    with ground.serving():
        token = _sign_in(ground)
        headers = (("Content-Type", "application/json"), ("Authorization", f"Bearer {token}"))
        asked = [
            Request(
                "POST",
                "/api/payments/mpesa/query",
                headers,
                json.dumps({"order_id": str(row["order_uuid"])}),
            )
            for row in rows
        ]
        ours = rate_of(ground.folder, ground.base_url, asked)
    yield _told("polls", ground, "bare indexed read", bare)
    yield _told("polls", ground, f"status, {PENDING:,} pending", ours)
    yield _ratio("polls", ground, "status over bare read", ours, bare)
    yield Figure("polls", ground.engine, "status, p99", ours.p99_ms, "ms")
    yield Figure("polls", ground.engine, "not answered 2xx", ours.wrong, "", most=0)
    asked_daraja = ground.counts().get("queries", 0)
    yield Figure("polls", ground.engine, "questions to Daraja meanwhile", asked_daraja, "", most=0)


def _callback(row: dict[str, Any]) -> Request:
    items = [
        {"Name": "Amount", "Value": PRICE_CENTS // 100},
        {"Name": "MpesaReceiptNumber", "Value": f"C{row['payment_id']:09d}"},
        {"Name": "TransactionDate", "Value": 20261121120000},
        {"Name": "PhoneNumber", "Value": int(row["phone"])},
    ]
    told = {
        "MerchantRequestID": f"bench-{row['payment_id']}",
        "CheckoutRequestID": row["checkout"],
        "ResultCode": 0,
        "ResultDesc": "The service request is processed successfully.",
        "CallbackMetadata": {"Item": items},
    }
    body = json.dumps({"Body": {"stkCallback": told}})
    path = f"{CALLBACK_PATH}?token={row['token']}"
    return Request("POST", path, (("Content-Type", "application/json"),), body)


def _sign_in(ground: Ground) -> str:
    account = {"email": SHOPPER, "password": ground.env["DEMO_PASSWORD"]}
    answer = requests.post(f"{ground.base_url}/api/auth/login", json=account, timeout=20)
    answer.raise_for_status()
    return str(answer.json()["access_token"])


def _told(section: str, ground: Ground, what: str, rate: Rate) -> Figure:
    return Figure(section, ground.engine, what, rate.per_second, "/s")


def _ratio(section: str, ground: Ground, what: str, ours: Rate, bare: Rate) -> Figure:
    ratio = ours.per_second / bare.per_second if bare.per_second else 0.0
    return Figure(section, ground.engine, what, ratio, "", least=LEAST)
