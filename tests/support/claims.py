"""Claims in tests: what shoppers paste, and what M-Pesa says of the receipt."""

from __future__ import annotations

from datetime import datetime
from itertools import count
from typing import Any

from sqlalchemy import select
from werkzeug.test import TestResponse

from app.core.clock import daraja_timestamp, nairobi, now
from app.core.unit_of_work import transaction
from app.disbursements import claim_status
from app.extensions import db
from app.payments.claims.models import Claim
from tests.support.app import SAFARICOM, Account, Shop

CODE = "UKL7AB12CD"
PAYER = "254712345678"
FORM = {"Accept": "text/html", "Origin": "http://localhost"}
JSON = {"Accept": "application/json"}
#: No two answers of M-Pesa are the same, to the last digit.
_NUMBERS = count(1)


def sms(
    code: str = CODE,
    amount: str = "1,500.00",
    to: str = "LIPA DUKA for account ABC",
    at: datetime | None = None,
) -> str:
    """The message of a payment, as M-Pesa words it."""
    local = nairobi(at or now())
    when = f"{local.day}/{local.month}/{local:%y} at {local.hour % 12 or 12}:{local:%M %p}"
    return (
        f"{code} Confirmed. Ksh{amount} sent to {to} on {when} New M-PESA balance is Ksh20.00. "
        "Transaction cost, Ksh0.00."
    )


def told(amount: float = 1500.0, **more: Any) -> dict[str, Any]:
    """M-Pesa's answer about a receipt, in the recorded shape; ``more`` changes its parameters."""
    named = {
        "DebitPartyName": f"{PAYER} - JANE DOE",
        "CreditPartyName": "174379 - LIPA DUKA                   ",
        "ReasonType": "Pay Utility",
        "TransactionStatus": "Completed",
        "FinalisedTime": int(daraja_timestamp(now())),
        "Amount": amount,
        "ReceiptNo": CODE,
    } | more
    rows = [{"Key": name, "Value": value} for name, value in named.items() if value is not None]
    return _result(0, "The service request is processed successfully.", rows)


def unknown(code: object = "2032", words: str = "The receipt does not exist.") -> dict[str, Any]:
    """M-Pesa's answer about a receipt that it does not know."""
    return _result(code, words, [])


def _result(code: object, words: str, rows: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "Result": {
            "ResultType": 0,
            "ResultCode": code,
            "ResultDesc": words,
            "OriginatorConversationID": "3fec-4d4e-8899-1",
            "ConversationID": f"AG_20261121_20703115{next(_NUMBERS):012x}",
            "TransactionID": "UKL0000000",
            "ResultParameters": {"ResultParameter": [*rows, {"Key": "TransactionReason"}]},
        }
    }


class Claims:
    """What a shop is told has been paid."""

    def __init__(self, shop: Shop) -> None:
        self.shop = shop

    def send(
        self, who: Account, order: dict[str, Any], text: str = "", **head: str
    ) -> TestResponse:
        return self.shop.client().post(
            f"/orders/{order['id']}/claim",
            data={"message": text or sms()},
            headers=who.headers | JSON | {"Origin": "http://localhost"} | head,
        )

    def claimed(self, who: Account, order: dict[str, Any], text: str = "") -> dict[str, Any]:
        """Send a message in; how the claim stands then."""
        answer = self.send(who, order, text)
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.get_json()["data"]["claim"]
        return found

    def stands(self, who: Account, order: dict[str, Any]) -> dict[str, Any] | None:
        """How the newest claim stands, as the page hears it."""
        address = f"/orders/{order['id']}/state"
        answer = self.shop.client().get(address, headers=who.headers | JSON)
        found: dict[str, Any] | None = answer.get_json()["data"]["claim"]
        return found

    def all(self) -> list[Claim]:
        with self.shop.app.app_context():
            return list(db.session.scalars(select(Claim).order_by(Claim.id)))

    def newest(self) -> Claim:
        return self.all()[-1]

    def sweep(self) -> int:
        with self.shop.app.app_context():
            return claim_status.sweep()

    def due_now(self) -> None:
        """Let every pause be over."""
        with self.shop.app.app_context(), transaction() as session:
            for claim in session.scalars(select(Claim)):
                if claim.next_try_at is not None:
                    claim.next_try_at = claim.created_at

    def answer(self, body: dict[str, Any]) -> TestResponse:
        """Have M-Pesa answer the question that was asked last."""
        address: str = self.shop.daraja.status_questions[-1]["ResultURL"]
        return self.shop.client().post(
            address.removeprefix("http://shop.test"),
            data=self.shop.app.json.dumps(body),
            content_type="application/json",
            environ_overrides={"REMOTE_ADDR": SAFARICOM},
        )

    def asked_and_told(self, body: dict[str, Any]) -> None:
        """Ask M-Pesa about what is due, and have it answer."""
        self.due_now()
        self.sweep()
        assert self.answer(body).status_code == 200
