"""Holds a shop's books against what really moved, order by order."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

Row = dict[str, Any]

#: What must not be there at all, in the order in which it is told, and in words.
KINDS = {
    "lost": "moved, not in our books",
    "double-counted": "booked more than moved",
    "phantom": "booked, never moved",
    "stuck": "not final and not in front of a person",
    "two prompts": "prompts of one order live at once: more than 1",
    "wrongly paid": "order paid with less than its total, or not paid with all of it",
    "foreign receipt": "a receipt that is no receipt of this order's money",
}
#: Told by name and not judged: of a callback with one proof the receipt is believed, and no query
#: can confirm a receipt. What the books say of the money is right all the same.
NOT_JUDGED = frozenset({"foreign receipt"})
#: The reason of an attempt that a person is asked about, because Daraja cannot be.
BEYOND_ASKING = "no_answer"
_FOREVER = "9"


class Offence(NamedTuple):
    """One thing that must not be, with all the names under which it can be looked up."""

    kind: str
    order: str
    transactions: tuple[str, ...]
    checkout_request_ids: tuple[str, ...]
    detail: str


@dataclass
class Findings:
    figures: Counter[str] = field(default_factory=Counter)
    offences: list[Offence] = field(default_factory=list)
    most_prompts_at_once: int = 0

    @property
    def all_agrees(self) -> bool:
        """Whether the books are right. When no money moved, nothing has been shown."""
        judged = [offence for offence in self.offences if offence.kind not in NOT_JUDGED]
        return not judged and self.figures["shillings moved"] > 0


@dataclass(frozen=True)
class Account:
    """An order of the shop, beside its prompts and its money at the simulator."""

    order: Row
    prompts: Sequence[Row]
    moved: Sequence[Row]
    #: What has gone back of which attempt's money, in shillings.
    returned: Mapping[str, int]

    @property
    def booked_shillings(self) -> int:
        """What came in. Of an order that is not paid the shop leaves out what has gone back."""
        gone = 0
        if self.order["status"] != "paid":
            gone = sum(self.returned.get(row["transaction_id"], 0) for row in self.payments)
        return int(self.order["amount_paid"]) + gone

    @property
    def moved_shillings(self) -> int:
        return sum(int(entry["amount"]) for entry in self.moved)

    @property
    def in_review(self) -> bool:
        return bool(self.order["review"])

    @property
    def payments(self) -> Sequence[Row]:
        rows: Sequence[Row] = self.order["payments"]
        return rows


def compare(
    orders: Iterable[Row],
    prompts: Iterable[Row],
    ledger: Iterable[Row],
    returned: Mapping[str, int] | None = None,
) -> Findings:
    """Find everything that does not agree, from the rows of the shop's and the simulator's APIs.

    ``returned`` is what has gone back, in shillings, by the name of the attempt that brought it.
    """
    asked, moved = _by_reference(prompts), _by_reference(ledger)
    found = Findings()
    for order in orders:
        reference = order["reference"]
        account = Account(order, asked.pop(reference, []), moved.pop(reference, []), returned or {})
        _count(found, account)
        found.figures["shillings booked"] += account.booked_shillings
        found.offences += _offences(account)
        at_once = most_at_once(account.prompts)
        found.most_prompts_at_once = max(found.most_prompts_at_once, at_once)
    for reference, entries in moved.items():
        ids = tuple(entry["checkout_request_id"] for entry in entries)
        found.offences.append(Offence("lost", f"none ({reference})", (), ids, "no such order"))
    found.figures["prompts without an order"] = sum(map(len, asked.values()))
    return found


def most_at_once(prompts: Iterable[Row]) -> int:
    """How many of these prompts stood on a phone at the same moment, at the most."""
    changes = []
    for prompt in prompts:
        # One that ends in the millisecond in which another begins has ended first.
        changes.append((prompt["opened_at"], 1))
        changes.append((prompt["ended_at"] or _FOREVER, -1))
    now = most = 0
    for _, change in sorted(changes):
        now += change
        most = max(most, now)
    return most


def unsettled(order: Row) -> bool:
    """Whether the shop itself says that it is still finding out about an attempt."""
    return any(p["status"] == "pending" and not p["review"] for p in order["payments"])


def _by_reference(rows: Iterable[Row]) -> dict[str, list[Row]]:
    found: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        found[row["account_reference"]].append(row)
    return found


def _count(found: Findings, account: Account) -> None:
    figures = found.figures
    figures["attempts"] += len(account.payments)
    figures["prompts sent"] += len(account.prompts)
    figures["shillings moved"] += account.moved_shillings
    figures["unseen"] += bool(_unseen(account))
    if account.in_review:
        figures["in review"] += 1
    elif account.order["status"] == "paid":
        figures["paid"] += 1
    elif account.payments:
        figures["unpaid ends"] += 1


def _offences(account: Account) -> list[Offence]:
    checks = (_money, _stuck, _prompts, _status, _receipts)
    told = [(kind, detail) for check in checks for kind, detail in check(account)]
    transactions = tuple(payment["transaction_id"] for payment in account.payments)
    ids = tuple(prompt["checkout_request_id"] for prompt in account.prompts)
    number = str(account.order["number"])
    return [Offence(kind, number, transactions, ids, detail) for kind, detail in told]


Told = Iterable[tuple[str, str]]


def _money(account: Account) -> Told:
    booked, moved = account.booked_shillings, account.moved_shillings
    detail = f"KES {moved} moved, KES {booked} booked, order {account.order['status']}"
    if booked > moved:
        yield ("double-counted" if moved else "phantom"), detail
    elif booked < moved and not _unseen(account):
        yield "lost", detail


def _unseen(account: Account) -> list[Row]:
    """Money that nobody could have told the shop of, and that it has put before a person.

    The answer to the push was lost, so Daraja cannot be asked, and no callback was acknowledged.
    Only a statement knows of such money. One attempt that a person is asked about excuses one
    movement and no more.
    """
    missing = account.moved_shillings - account.booked_shillings
    asked_about = sum(row["reason"] == BEYOND_ASKING for row in account.payments)
    answered = {p["checkout_request_id"]: p["callbacks_answered"] for p in account.prompts}
    silent = [m for m in account.moved if not answered.get(m["checkout_request_id"], 1)]
    excused: list[Row] = []
    for entry in silent[:asked_about]:
        if missing > 0:
            excused.append(entry)
            missing -= int(entry["amount"])
    return excused if missing == 0 else []


def _stuck(account: Account) -> Told:
    if unsettled(account.order):
        yield "stuck", f"order {account.order['status']}, a payment is pending"


def _prompts(account: Account) -> Told:
    if (most := most_at_once(account.prompts)) > 1:
        yield "two prompts", f"{most} prompts at once"


def _status(account: Account) -> Told:
    status, total = account.order["status"], int(account.order["total"])
    stayed = int(account.order["amount_paid"])
    if (status == "paid") != (stayed >= total) and not account.in_review:
        yield "wrongly paid", f"order {status}, KES {stayed} of {total} booked"


def _receipts(account: Account) -> Told:
    real = {entry["receipt"] for entry in account.moved}
    for payment in account.payments:
        if payment["receipt"] and payment["receipt"] not in real:
            yield "foreign receipt", f"{payment['transaction_id']} names {payment['receipt']}"
