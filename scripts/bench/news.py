"""What Daraja posts about a payment of ``seed.fill``: a success that carries its token."""

from __future__ import annotations

import json
from typing import Any

from scripts.bench.load import Request
from scripts.bench.seed import PRICE_CENTS

PATH = "/api/payments/mpesa/callback"


def callback_of(row: dict[str, Any]) -> Request:
    """Return the callback for one of the rows that ``fill`` gave back."""
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
    path = f"{PATH}?token={row['token']}"
    return Request("POST", path, (("Content-Type", "application/json"),), body)
