"""Short words for what tests do with money going out: a part of ``Shop``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select
from werkzeug.test import TestResponse

from app.disbursements import engine, funds
from app.disbursements.models import Disbursement, FloatReading, OutEntry, ResultMessage
from app.extensions import db
from app.ledger import service as ledger
from app.ledger.models import Account as Books
from app.ledger.models import Transfer
from app.suppliers.models import NumberChange
from tests.support import results
from tests.support.daraja import FakeDaraja

if TYPE_CHECKING:
    from tests.support.app import Account

#: On Safaricom's published list.
SAFARICOM = "196.201.212.69"
RESULT_PATH = "/api/payments/b2c/result"
TIMEOUT_PATH = "/api/payments/b2c/timeout"
PAYOUT_PATH = "/api/payments/supplier/payout"
PAYOUTS_PATH = "/api/payments/supplier/payouts"
SUPPLIERS_PATH = "/api/suppliers"
SUPPLIER_PHONE = "0722000111"


def secret_of(address: str, name: str) -> str:
    """Return the secret in an address that was given to Daraja."""
    return parse_qs(urlsplit(address).query)[name][0]


class MoneyOut:
    """Suppliers, payouts, refunds, and what Daraja says of them."""

    app: Flask
    daraja: FakeDaraja

    if TYPE_CHECKING:

        def client(self) -> FlaskClient: ...

    # What people do, over HTTP.

    def supplier(
        self, who: Account, name: str = "Kamau Supplies", number: str = SUPPLIER_PHONE, **more: Any
    ) -> dict[str, Any]:
        body = {"name": name, "mpesa_number": number} | more
        answer = self.client().post(SUPPLIERS_PATH, json=body, headers=who.headers)
        assert answer.status_code == 201, answer.text
        made: dict[str, Any] = answer.get_json()
        return made

    def ask_payout(
        self,
        who: Account,
        supplier: dict[str, Any] | None = None,
        amount: object = 5000,
        notes: str = "Beans",
        **headers: str,
    ) -> TestResponse:
        """Have an admin pay a supplier, a new one where none is given."""
        paid = supplier or self.supplier(who)
        body = {"supplier_id": paid["id"], "amount": amount, "notes": notes}
        return self.client().post(PAYOUT_PATH, json=body, headers=who.headers | headers)

    def payout(self, who: Account, *args: Any, **more: Any) -> Disbursement:
        """Return the record of a payout that an admin has asked for."""
        answer = self.ask_payout(who, *args, **more)
        assert answer.status_code in (200, 202), answer.text
        return self.out(answer.get_json()["data"]["payout_id"])

    def decide(self, who: Account, record: Disbursement, verb: str, **headers: str) -> TestResponse:
        """Approve or cancel a payout."""
        path = f"{PAYOUTS_PATH}/{record.uuid}/{verb}"
        return self.client().post(path, headers=who.headers | headers)

    def ask_refund(
        self, who: Account, payment: Any, amount: object = 1000, reason: str = "Broken", **more: str
    ) -> TestResponse:
        path = f"/api/payment/transactions/{payment.public_ref}/refund/"
        body = {"amount": amount, "reason": reason}
        return self.client().post(path, json=body, headers=who.headers | more)

    def refund(self, who: Account, payment: Any, *args: Any, **more: Any) -> Disbursement:
        """Return the record of a refund that somebody has asked for."""
        answer = self.ask_refund(who, payment, *args, **more)
        assert answer.status_code in (200, 202), answer.text
        return self.out(answer.get_json()["refund_id"])

    # What Daraja posts.

    def result(
        self,
        body: object,
        *,
        peer: str = SAFARICOM,
        path: str = RESULT_PATH,
        **secrets: str | None,
    ) -> TestResponse:
        """Post a body as Daraja would; ``secrets`` are token, query or balance of the address."""
        raw = body if isinstance(body, bytes) else self.app.json.dumps(body).encode()
        return self.client().post(
            path,
            data=raw,
            content_type="application/json",
            query_string={name: value for name, value in secrets.items() if value},
            environ_overrides={"REMOTE_ADDR": peer},
        )

    def proven(self, record: Disbursement, body: object, **more: Any) -> Disbursement:
        """Post a result with both proofs; the record after it."""
        answer = self.result(body, token=record.token, **more)
        assert answer.get_json() == {"ResultCode": 0, "ResultDesc": "Accepted"}
        return self.out(record)

    def paid_out(self, record: Disbursement, **more: Any) -> Disbursement:
        """Have Daraja say, with both proofs, that a record was paid; the record after it."""
        receipt = more.pop("receipt", f"UKL6{record.id:06d}")
        return self.proven(record, results.paid_out(record, receipt=receipt, **more))

    def declined(self, record: Disbursement, code: object = 2001) -> Disbursement:
        """Have Daraja say, with both proofs, that a record was not paid; the record after it."""
        return self.proven(record, results.declined(record, code))

    def daraja_pays_at_once(self) -> None:
        """Have Daraja pay whatever is sent, and say so before it acknowledges the request."""

        def pay(asked: dict[str, Any], ids: dict[str, Any]) -> None:
            record = self.out_of(asked)
            named = {
                "originator_id": ids["OriginatorConversationID"],
                "conversation_id": ids["ConversationID"],
            }
            body = results.paid_out(record, receipt=f"UKL6{record.id:06d}", **named)
            self.result(body, token=record.token)

        self.daraja.on_out = pay

    def float_is(self, who: Account, shillings: float) -> None:
        """Have Daraja tell what the utility account holds."""
        with self.app.app_context():
            assert funds.ask() == "Daraja is asked"
        token = secret_of(self.daraja.balance_questions[-1]["ResultURL"], "balance")
        self.result(results.balance_told(shillings), balance=token)

    # What the background does.

    def sweep_out(self) -> int:
        with self.app.app_context():
            return engine.sweep()

    def take_turn(self, record: Disbursement) -> str:
        with self.app.app_context():
            return engine.take_turn(record.id)

    def question_token(self) -> str:
        """Return the secret of the newest question about a record."""
        return secret_of(self.daraja.status_questions[-1]["ResultURL"], "query")

    # What the books say.

    def outs(self) -> list[Disbursement]:
        """Everything that has been asked to go out, oldest first, as committed at this moment."""
        with self.app.app_context():
            return list(db.session.scalars(select(Disbursement).order_by(Disbursement.id)))

    def out(self, ref: Disbursement | str) -> Disbursement:
        """Find a record again, by itself or by one of its public names."""
        named = (ref.public_ref,) if isinstance(ref, Disbursement) else (ref,)
        found = [one for one in self.outs() if {str(one.uuid), one.public_ref} & set(named)]
        assert len(found) == 1, f"{ref}: {found}"
        return found[0]

    def out_of(self, asked: dict[str, Any]) -> Disbursement:
        """Find the record that a request to Daraja is about, by the secret in its address."""
        token = secret_of(asked["ResultURL"], "token")
        [found] = [one for one in self.outs() if one.token == token]
        return found

    def out_timeline(self, record: Disbursement) -> list[OutEntry]:
        with self.app.app_context():
            query = select(OutEntry).where(OutEntry.disbursement_id == record.id)
            return list(db.session.scalars(query.order_by(OutEntry.id)))

    def out_events(self, record: Disbursement) -> list[str]:
        return [entry.event for entry in self.out_timeline(record)]

    def verdicts(self) -> list[str | None]:
        """What came of every body that was posted about money out, oldest first."""
        with self.app.app_context():
            kept = db.session.scalars(select(ResultMessage).order_by(ResultMessage.id))
            return [message.verdict for message in kept]

    def result_inbox(self) -> list[ResultMessage]:
        with self.app.app_context():
            return list(db.session.scalars(select(ResultMessage).order_by(ResultMessage.id)))

    def readings(self) -> list[FloatReading]:
        with self.app.app_context():
            return list(db.session.scalars(select(FloatReading).order_by(FloatReading.id)))

    def numbers_of(self, supplier_id: int) -> list[NumberChange]:
        with self.app.app_context():
            query = select(NumberChange).where(NumberChange.supplier_id == supplier_id)
            return list(db.session.scalars(query.order_by(NumberChange.id)))

    def balances(self) -> dict[Books, int]:
        """The balance of every account of the ledger that is not empty, in cents."""
        with self.app.app_context():
            return {account: cents for account, cents in ledger.balances().items() if cents}

    def transfers(self, record: Disbursement) -> list[Transfer]:
        with self.app.app_context():
            return list(ledger.transfers_of(record.public_ref))
