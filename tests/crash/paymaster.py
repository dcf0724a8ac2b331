"""What a test of a killed payout or refund does: ask, die, open again, hold it to the ledger."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any
from uuid import uuid4

from tests.crash.arming import Death
from tests.crash.buyer import Answer, Caller
from tests.crash.till import Sale, Till, new_number
from tests.support.live_shop import ADMIN
from tests.support.out_records import OutRecord, out_records

PAYOUT_PATH = "/api/payments/supplier/payout"
PAYOUTS_PATH = "/api/payments/supplier/payouts"
#: What Daraja answers to an OriginatorConversationID that it has had before.
DUPLICATE = "500.002.1001"


@dataclass
class Request:
    """Money that somebody asks to go out, and the key under which it is asked for again."""

    path: str
    body: dict[str, Any]
    caller: Caller
    #: Where it must arrive, and how much of it.
    phone: str
    amount: int
    about: str = ""
    key: str = field(default_factory=lambda: uuid4().hex)

    def send(self) -> Answer:
        return self.caller.post(self.path, self.body, self.key)

    def insist(self) -> Answer:
        return self.caller.insist(self.path, self.body, self.key)


class Paymaster:
    """The admins of one shop, over many deaths."""

    def __init__(self, till: Till) -> None:
        self.till = till
        self.shop, self.daraja = till.shop, till.daraja
        self.admin = self._admin(ADMIN)
        #: How many requests Daraja has refused because it had them already.
        self._refused = 0

    @cached_property
    def others(self) -> tuple[Caller, Caller]:
        """Two further admins."""
        emails = [f"{uuid4().hex}@example.com" for _ in range(2)]
        with ThreadPoolExecutor(2) as hands:
            list(hands.map(self._make_admin, emails))
        first, second = (self._admin(email) for email in emails)
        return first, second

    def payout(self, amount: int = 500, about: str = "") -> Request:
        """A payout to a supplier of its own, not yet asked for."""
        number = new_number()
        supplier = {"name": f"Supplier {number}", "mpesa_number": number}
        made = self.admin.post("/api/suppliers", supplier)
        assert made.status == 201, made
        body = {"supplier_id": made.body["id"], "amount": amount, "notes": about}
        return Request(PAYOUT_PATH, body, self.admin, number, amount, about)

    def awaiting(self) -> tuple[Request, str]:
        """A payout that needs another admin's yes, since its number is new; and its id."""
        request = self.payout()
        request.phone = new_number()
        changed = {"mpesa_number": request.phone, "reason": "a new line"}
        path = f"/api/payments/supplier/{request.body['supplier_id']}/update-mpesa"
        assert self.admin.put(path, changed).status == 200
        answer = request.send()
        assert (answer.status, answer.data["status"]) == (202, "awaiting_approval"), answer
        return request, answer.data["payout_id"]

    def refund(self, sale: Sale, amount: int, about: str = "") -> Request:
        """A refund of a paid sale, not yet asked for by its buyer."""
        (paid,) = self.till.buyer.order(sale.order)["payments"]
        path = f"/api/payment/transactions/{paid['transaction_id']}/refund/"
        body = {"amount": amount, "reason": f"Broken {about}"}
        return Request(path, body, self.till.buyer, sale.phones[0], amount, about)

    def told_returned(self, sale: Sale) -> float:
        """What the buyer's history says has gone back of a sale, in shillings."""
        names = {row["transaction_id"] for row in self.till.buyer.order(sale.order)["payments"]}
        rows = self.till.buyer.get("/api/payment/history?per_page=100")["results"]
        return sum(row.get("refunded_amount", 0) for row in rows if row["id"] in names)

    def killed(self, moment: str, request: Request, where: str = "request") -> Request:
        """Have the shop die of what a request sets off, and open it again."""
        request.about = moment
        self.till.dies(Death(moment, where), request.send)
        self.shop.start()
        return request

    def record(self, request: Request) -> OutRecord:
        """The one record that has come of a request."""
        found = self.records(request)
        assert len(found) == 1, f"{request.about}: {found}"
        return found[0]

    def records(self, request: Request) -> list[OutRecord]:
        """Whatever has come of a request: its number and its amount are its own."""
        return [
            record
            for record in out_records(self.shop.env["DATABASE_URL"])
            if (record.msisdn, record.amount_cents) == (request.phone, request.amount * 100)
        ]

    def moved(self, request: Request) -> list[dict[str, Any]]:
        """What really went to its number, of that amount."""
        return [
            entry
            for entry in self.daraja.money_out()
            if (entry["msisdn"], entry["amount"]) == (request.phone, request.amount)
        ]

    def wait_until(self, status: str, *requests: Request) -> None:
        """Wait until each stands so, `unknown` only before a person; then check all that must hold.

        Raises AssertionError with what does not agree when that takes too long.
        """
        self.till.wait_with_sweeps(lambda: self._unrest(status, requests))
        self.check(*requests)

    def check(self, *requests: Request) -> None:
        """Check that money moved once where it is called paid, and never twice or elsewhere."""
        for request in requests:
            record, moved = self.record(request), self.moved(request)
            told = f"{request.about}: {record} {moved}"
            assert len(moved) <= 1, told
            assert record.sends <= 1, told
            if record.status == "completed":
                assert [entry["receipt"] for entry in moved] == [record.receipt], told
            elif record.status != "unknown":
                assert moved == [], told
        before, self._refused = self._refused, len(self.daraja.refused_with(DUPLICATE))
        assert self._refused == before, "a request was sent again"

    def complaints(self) -> list[str]:
        """What the books say of themselves, and of money out against the ledger.

        Money in has kills of its own, and payments among them of which nobody could be told.
        """
        own = self.shop.complaints("check_invariants")
        beside = self.shop.complaints("check_invariants", "--ledger", self.daraja.url)
        return own + [line for line in beside if line.startswith("I7")]

    def _unrest(self, status: str, requests: Iterable[Request]) -> list[str]:
        told = []
        for request in requests:
            record = self.record(request)
            rests = record.status != "unknown" or record.is_before_a_person
            if record.status != status or not rests:
                told.append(f"{request.about} is not {status}: {record}")
        return told

    def _admin(self, email: str) -> Caller:
        caller = Caller(self.shop.url)
        caller.sign_in(email, self.shop.env["DEMO_PASSWORD"])
        return caller

    def _make_admin(self, email: str) -> None:
        password = self.shop.env["DEMO_PASSWORD"]
        self.shop.flask("users", "create", "--admin", "--email", email, "--password", password)


def together(*acts: Callable[[], Answer]) -> list[Answer]:
    """Do things at the same time."""
    with ThreadPoolExecutor(len(acts)) as hands:
        return [hand.result() for hand in [hands.submit(act) for act in acts]]
