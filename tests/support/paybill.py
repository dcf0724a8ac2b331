"""A paybill in tests: what Daraja posts about it, with whichever proofs a test wants."""

from __future__ import annotations

import hashlib
from typing import Any
from urllib.parse import urlsplit

from cryptography.fernet import Fernet
from sqlalchemy import select
from werkzeug.test import TestResponse

from app.audit.models import AuditEntry
from app.core.unit_of_work import transaction
from app.disbursements import receipt_status
from app.extensions import db
from app.payments.paybill import registration
from app.payments.paybill.models import C2bNotice, C2bRegistration
from tests.support.app import SAFARICOM, Shop
from tests.support.daraja import Answer, Asked, json_answer

KEY = Fernet.generate_key().decode()
PAYER = "254712345678"
REGISTERED = {
    "OriginatorCoversationID": "6e86-45dd-91ac-fd5d4178ab523408729",
    "ResponseCode": "0",
    "ResponseDescription": "Success",
}


def masked(number: str = PAYER) -> str:
    """A payer's number as v2 tells it (recorded)."""
    return f"{number[:4]} ***** {number[-3:]}"


def hashed(number: str = PAYER) -> str:
    """A payer's number as v1 tells it (recorded)."""
    return hashlib.sha256(number.encode()).hexdigest()


def news(account: str, amount: object = 1500, receipt: str = "UKL7AB12CD", **more: str) -> Any:
    """A confirmation in the recorded shape: flat, and every value a string."""
    told = {
        "TransactionType": "Pay Bill",
        "TransID": receipt,
        "TransTime": "20261121193000",
        "TransAmount": f"{amount:.2f}" if isinstance(amount, int) else str(amount),
        "BusinessShortCode": "174379",
        "BillRefNumber": account,
        "InvoiceNumber": "",
        "OrgAccountBalance": "25.00",
        "ThirdPartyTransID": "",
        "MSISDN": masked(),
        "FirstName": "JANE",
    }
    return told | more


def trail(shop: Shop, subject: str) -> list[AuditEntry]:
    """What the audit trail says of a subject, newest first."""
    with shop.app.app_context():
        query = select(AuditEntry).where(AuditEntry.subject == subject)
        return list(db.session.scalars(query.order_by(AuditEntry.id.desc())))


class Paybill:
    """The paybill of a shop: registered, and paid into."""

    def __init__(self, shop: Shop) -> None:
        self.shop = shop
        self.registrations: list[Asked] = []
        self.answer: Answer = json_answer(REGISTERED)
        shop.set(settings_encryption_key=KEY)
        self._others = shop.daraja.answer
        shop.daraja.answer = self._answer  # type: ignore[method-assign]

    def close(self) -> None:
        del self.shop.daraja.answer

    def _answer(self, asked: Asked) -> Answer:
        if not asked.path.endswith("/registerurl"):
            return self._others(asked)
        self.registrations.append(asked)
        return self.answer

    def register(self) -> C2bRegistration:
        with self.shop.app.app_context():
            made = registration.register("a test").id
            return db.session.get_one(C2bRegistration, made, populate_existing=True)

    def path(self, kind: str = "confirmation") -> str:
        """The path of the address that was registered last, secret included."""
        named = {"confirmation": "ConfirmationURL", "validation": "ValidationURL"}[kind]
        return urlsplit(self.registrations[-1].body[named]).path

    def post(self, body: Any, *, path: str | None = None, peer: str = SAFARICOM) -> TestResponse:
        raw = body if isinstance(body, bytes) else self.shop.app.json.dumps(body).encode()
        return self.shop.client().post(
            path or self.path(),
            data=raw,
            content_type="application/json",
            environ_overrides={"REMOTE_ADDR": peer},
        )

    def pay(self, account: str, amount: object = 1500, **more: Any) -> C2bNotice:
        """Have somebody pay by hand, told with both proofs; what was kept of it."""
        answer = self.post(news(account, amount, **more))
        assert answer.get_json() == {"ResultCode": "0", "ResultDesc": "Accepted"}
        return self.notices()[-1]

    def notices(self) -> list[C2bNotice]:
        with self.shop.app.app_context():
            return list(db.session.scalars(select(C2bNotice).order_by(C2bNotice.id)))

    def sweep(self) -> int:
        with self.shop.app.app_context():
            return receipt_status.sweep()

    def due_now(self) -> None:
        """Let everything that waits be due."""
        with self.shop.app.app_context(), transaction() as session:
            for notice in session.scalars(select(C2bNotice)):
                if notice.next_try_at is not None:
                    notice.next_try_at = notice.received_at
