"""A MoneyOut by itself, and the words that pass between it and Daraja."""

from __future__ import annotations

from typing import Any

from app.mpesa.breaker import Breakers
from app.mpesa.money_out import MoneyOut, OutSettings
from app.mpesa.out_messages import Addresses, B2cPayment, OutAccepted, Reversal, StatusQuestion
from app.mpesa.tokens import TokenCache
from app.mpesa.transport import Transport
from app.mpesa.wires import Wires
from tests.rooms.mpesa.speaking import ROOT, mpesa_settings

B2C_URL = f"{ROOT}/mpesa/b2c/v3/paymentrequest"
B2C_V1_URL = f"{ROOT}/mpesa/b2c/v1/paymentrequest"
REVERSAL_URL = f"{ROOT}/mpesa/reversal/v1/request"
STATUS_URL = f"{ROOT}/mpesa/transactionstatus/v1/query"
BALANCE_URL = f"{ROOT}/mpesa/accountbalance/v1/query"
CREDENTIAL = "the-security-credential"
ADDRESSES = Addresses(
    "https://shop.test/result?token=t0k3n", "https://shop.test/timeout?token=t0k3n"
)
PAYMENT = B2cPayment("PAY-1-abc_def", 5000, "254722000111", "Beans & rice", ADDRESSES)
REVERSAL = Reversal("UKL4XX00XX", 1500, "Broken", ADDRESSES)
QUESTION = StatusQuestion("PAY-1-abc_def", "PAY-1", ADDRESSES)
ACKNOWLEDGED = {
    "ConversationID": "AG_20240706_20106e9209f64bebd05b",
    "OriginatorConversationID": "PAY-1-abc_def",
    "ResponseCode": "0",
    "ResponseDescription": "Accept the service request successfully.",
}
ACCEPTANCE = OutAccepted(ACKNOWLEDGED["ConversationID"], ACKNOWLEDGED["OriginatorConversationID"])


def money_out(
    wires: Wires | None = None, breakers: Breakers | None = None, root: str = ROOT, **changes: Any
) -> MoneyOut:
    """One of its own; ``changes`` are those of OutSettings."""
    values: dict[str, Any] = {
        "shortcode": "600000",
        "collecting_shortcode": "174379",
        "initiator_name": "testapi",
        "credential": lambda: CREDENTIAL,
        "root": root,
        "version": "v3",
        "command": "BusinessPayment",
    }
    token_url = f"{root}/oauth/v1/generate?grant_type=client_credentials"
    account = mpesa_settings(token_url=token_url)
    parts = wires or Wires(), TokenCache(), breakers or Breakers()
    return MoneyOut(OutSettings(**values | changes), Transport(account, *parts))
