"""What really happened to money going out, beside a shop that has to find it out.

The bank plays M-Pesa: it knows every request that reached it, what became of each and what is left
on the utility account. It tells the shop as little of that as a test wants it to.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from tests.support import results
from tests.support.app import SAFARICOM, STRANGER, Shop
from tests.support.daraja import Answer, FakeDaraja, Script, html, refuse, reset
from tests.support.money_out import TIMEOUT_PATH, secret_of

PAID, DECLINED = "paid", "declined"
#: How a request may be answered that M-Pesa never saw.
UNSEEN: dict[str, Script] = {
    "refused": refuse("Bad Request - Invalid PartyB", "400.002.02", 400),
    "turned away": html(403),
    "a 502": html(502),
    "a reset": reset,
}
#: How a request may be answered that takes its course all the same.
SEEN: dict[str, Script] = {"a 502, seen": html(502), "a reset, seen": reset}
FATES = ("accepted", "told early", *UNSEEN, *SEEN)
#: How the news of an end may come.
ROADS = ("both", "token", "origin", "none", "lost", "time-out")
#: How questions may be answered.
MOODS = ("truth", "lost", "not found", "pending", "an error")
_DUPLICATE = refuse("Duplicate OriginatorConversationID.", "500.002.1001")


@dataclass(eq=False)
class Request:
    """A request that M-Pesa has. ``end`` is None while it waits; what is paid has moved."""

    number: int
    #: What Daraja knows it by.
    originator_id: str
    conversation_id: str
    token: str
    cents: int
    #: Whom it pays; None where a payment is taken back.
    msisdn: str | None
    body: dict[str, Any]
    end: str | None = None
    code: str = "2001"

    def __repr__(self) -> str:
        return f"<request {self.number}: {self.end}>"

    @property
    def receipt(self) -> str:
        return f"UKL6{self.number:06d}"


class Bank:
    """M-Pesa's own books of money out, and its answers."""

    def __init__(self, shop: Shop, float_cents: int) -> None:
        self._shop = shop
        self.float_cents = float_cents
        self.requests: list[Request] = []
        self.fate = "accepted"
        self.mood = "truth"
        self._questions: list[dict[str, Any]] = []
        shop.daraja.out_answer = self._answer
        shop.daraja.ask_answer = self._take_question

    @property
    def daraja(self) -> FakeDaraja:
        return self._shop.daraja

    @property
    def moved_cents(self) -> int:
        return sum(request.cents for request in self.requests if request.end == PAID)

    def of(self, token: str) -> list[Request]:
        """Return every request that reached M-Pesa for a record."""
        return [request for request in self.requests if request.token == token]

    def finish(self, request: Request, end: str) -> None:
        """Let a request end, once; what the float does not cover is declined."""
        if request.end is not None:
            return
        pays = request.msisdn is not None
        if end == PAID and pays and request.cents > self.float_cents:
            end, request.code = DECLINED, "1"
        request.end = end
        if end == PAID and pays:
            self.float_cents -= request.cents

    def tell(self, request: Request, road: str, *, lies: bool = False) -> None:
        """Post how a request ended, or, as nobody with both proofs does, the opposite."""
        if road == "lost" or (request.end is None and not lies):
            return
        by_token, by_origin = (road in (name, "both", "time-out") for name in ("token", "origin"))
        secrets: dict[str, Any] = {"token": request.token if by_token else None}
        peer = SAFARICOM if by_origin else STRANGER
        if road == "time-out":
            answer = self._shop.result(request.body, peer=peer, path=TIMEOUT_PATH, **secrets)
        else:
            is_paid = (request.end == PAID) != lies
            answer = self._shop.result(self._news(request, is_paid), peer=peer, **secrets)
        assert answer.status_code == 200, answer.text

    def answer_questions(self) -> None:
        """Post the answers to all that was asked since, as the mood is."""
        asked, self._questions = self._questions, []
        for question in asked:
            if question["CommandID"] == "AccountBalance":
                told, name = results.balance_told(self.float_cents / 100), "balance"
            else:
                told, name = self._status(question), "query"
            if self.mood != "lost":
                secret = secret_of(question["ResultURL"], name)
                assert self._shop.result(told, **{name: secret}).status_code == 200

    def _answer(self, asked: dict[str, Any]) -> Answer:
        own = asked.get("OriginatorConversationID")
        if own is not None and any(request.originator_id == own for request in self.requests):
            return _DUPLICATE(asked)
        if self.fate in UNSEEN:
            return UNSEEN[self.fate](asked)
        accepted = self.daraja.accept_out(asked)
        request = self._open(asked, json.loads(accepted.body))
        if self.fate == "told early":
            self.finish(request, PAID)
            self.tell(request, "both")
        return SEEN[self.fate](asked) if self.fate in SEEN else accepted

    def _open(self, asked: dict[str, Any], ids: dict[str, str]) -> Request:
        request = Request(
            len(self.requests) + 1,
            ids["OriginatorConversationID"],
            ids["ConversationID"],
            secret_of(asked["ResultURL"], "token"),
            asked["Amount"] * 100,
            asked.get("PartyB"),
            asked,
        )
        self.requests.append(request)
        return request

    def _take_question(self, asked: dict[str, Any]) -> Answer:
        if self.mood == "an error":
            return html(502)(asked)
        self._questions.append(asked)
        return self.daraja.accept_out(asked)

    def _news(self, request: Request, is_paid: bool) -> dict[str, Any]:
        ids = request.originator_id, request.conversation_id
        if not is_paid:
            return results.result(*ids, request.code)
        told = results.items(
            TransactionAmount=request.cents // 100,
            TransactionReceipt=request.receipt,
            B2CUtilityAccountAvailableFunds=self.float_cents / 100,
        )
        return results.result(*ids, TransactionID=request.receipt, ResultParameters=told)

    def _status(self, question: dict[str, Any]) -> dict[str, Any]:
        named = question["OriginalConversationID"]
        found = [request for request in self.requests if request.originator_id == named]
        if not found or self.mood == "not found":
            return results.no_status("R000002")
        request = found[0]
        status = {PAID: "Completed", DECLINED: "Declined", None: "Authorized"}[request.end]
        if self.mood == "pending":
            status = "Authorized"
        values = {"TransactionStatus": status, "Amount": request.cents / 100}
        if status == "Completed":
            values["ReceiptNo"] = request.receipt
        return results.result(
            "a-question", "AG_a_question", ResultParameters=results.items(**values)
        )
