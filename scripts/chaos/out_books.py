"""Holds a shop's refunds, payouts and accounts against what really left it."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from tests.support.out_records import OutBooks, OutRecord

Row = dict[str, Any]
Told = Iterable[tuple[str, str]]

#: What must not be there at all, in the order in which it is told, and in words.
OUT_KINDS = {
    "paid twice": "one payout or refund that left more than once",
    "wrong number": "left to another number than it was asked for",
    "wrong amount": "booked and moved differ",
    "unbooked": "left, and called unpaid",
    "phantom payout": "completed, never left",
    "unasked": "left, and nobody has asked for it",
    "stuck payout": "neither final, nor waiting, nor in front of a person",
    "over-refunded": "more went back than came in",
    "unbalanced": "accounts that do not hold what the ledger says",
}
MOST_NAMES = 4


class OutOffence(NamedTuple):
    """One thing that must not be, with the names under which it can be looked up."""

    kind: str
    subject: str
    detail: str


@dataclass
class OutFindings:
    figures: Counter[str] = field(default_factory=Counter)
    offences: list[OutOffence] = field(default_factory=list)


@dataclass(frozen=True)
class Left:
    """A refund or payout of the shop, beside what moved for it at the simulator."""

    record: OutRecord
    moved: Sequence[Row]

    @property
    def shillings(self) -> int:
        return sum(int(row["amount"]) for row in self.moved)


def compare_out(
    books: OutBooks, booked_shillings: int, came: Sequence[Row], left: Sequence[Row]
) -> OutFindings:
    """Find everything that does not agree, from the books and the simulator's ledger.

    ``booked_shillings`` is what the orders say came in, ``came`` are the ledger's rows of money
    in, and ``left`` those of money out.
    """
    found = OutFindings()
    found.figures["held back"] = books.held_back
    pairs, unasked = _paired(books.records, left)
    paid = {row["checkout_request_id"]: row for row in came}
    for pair in pairs:
        _count(found.figures, pair)
        subject = f"{pair.record.public_ref} ({', '.join(sorted(pair.record.names)[:MOST_NAMES])})"
        for kind, detail in _wrongs(pair, paid):
            found.offences.append(OutOffence(kind, subject, detail))
    for row in unasked:
        told = f"KES {row['amount']} to {row['msisdn'][:6]}…"
        found.offences.append(OutOffence("unasked", row["conversation_id"], told))
    found.offences += _over_refunded(pairs, paid)
    found.offences += _unbalanced(books, pairs, booked_shillings * 100)
    return found


def returned(records: Iterable[OutRecord]) -> Counter[str]:
    """What has gone back to payers, in shillings, by the name of the attempt that brought it."""
    found: Counter[str] = Counter()
    for record in records:
        if record.payment is not None and _is_done(record, "refund"):
            found[record.payment] += record.amount_cents // 100
    return found


def _paired(records: Iterable[OutRecord], rows: Sequence[Row]) -> tuple[list[Left], list[Row]]:
    """Find for each record what moved for it; and what moved for none."""
    rest = dict(enumerate(rows))
    by_name: dict[str, set[int]] = defaultdict(set)
    for number, row in rest.items():
        for key in ("originator_conversation_id", "conversation_id", "receipt"):
            by_name[row[key]].add(number)
    pairs = []
    for record in records:
        numbers = set().union(*(by_name.get(name, set()) for name in record.names))
        pairs.append(Left(record, [rest.pop(number) for number in sorted(numbers & rest.keys())]))
    # Our own id does not travel with a reversal: unanswered, it is known by what it took back.
    taken_back = {row["original_receipt"]: n for n, row in rest.items() if row["original_receipt"]}
    for place, (record, moved) in enumerate((pair.record, pair.moved) for pair in pairs):
        number = taken_back.get(record.mpesa_receipt or "", -1)
        if record.channel == "reversal" and record.sends and not moved and number in rest:
            pairs[place] = Left(record, [rest.pop(number)])
    return pairs, list(rest.values())


def _count(figures: Counter[str], pair: Left) -> None:
    record = pair.record
    figures[f"{record.kind}s"] += 1
    figures[f"{record.kind}s {record.status}"] += 1
    figures["reversals"] += record.channel == "reversal"
    figures["shillings left"] += pair.shillings
    if record.status == "queued":
        figures["waiting"] += 1
    if record.status == "unknown" and record.is_before_a_person:
        figures["before a person"] += 1
        figures["before a person, and left"] += bool(pair.moved)


def _wrongs(pair: Left, paid: Mapping[str, Row]) -> Told:
    record, moved = pair.record, pair.moved
    if len(moved) > 1:
        yield "paid twice", f"{len(moved)} times, KES {pair.shillings}"
    for row in moved:
        payer = paid.get(record.checkout_request_id or "", {}).get("msisdn", record.msisdn)
        if not record.msisdn == payer == row["msisdn"]:
            yield "wrong number", f"KES {row['amount']} to {row['msisdn'][:6]}…"
        if row["amount"] * 100 != record.amount_cents:
            yield "wrong amount", f"KES {row['amount']} left, {record.amount_cents} cents booked"
        if record.charge_cents not in (None, round(row["charge"] * 100)):
            yield "wrong amount", f"charged {row['charge']}, {record.charge_cents} cents booked"
    if record.status == "completed" and not moved:
        yield "phantom payout", "nothing left"
    if moved and record.status not in ("completed", "unknown", "processing"):
        yield "unbooked", f"it is {record.status}, and KES {pair.shillings} left"
    if not record.is_settled and record.status != "queued":
        yield "stuck payout", f"it is {record.status}"


def _over_refunded(pairs: Iterable[Left], paid: Mapping[str, Row]) -> list[OutOffence]:
    back: Counter[tuple[str, str]] = Counter()
    for pair in pairs:
        if pair.record.payment is not None:
            back[pair.record.payment, pair.record.checkout_request_id or ""] += pair.shillings
    told = []
    for (payment, prompt), shillings in back.items():
        brought = int(paid.get(prompt, {}).get("amount", 0))
        if shillings > brought:
            detail = f"KES {shillings} went back of KES {brought}"
            told.append(OutOffence("over-refunded", payment, detail))
    return told


def _unbalanced(books: OutBooks, pairs: Sequence[Left], booked: int) -> Iterable[OutOffence]:
    """Hold each account against what moved, by the simulator's word; all in cents.

    ``booked`` is what came in for the orders, which are compared one by one elsewhere.
    """
    holds = Counter(books.balances)
    sent = sum(p.record.amount_cents for p in pairs if p.record.status in ("unknown", "processing"))
    fees = sum(pair.record.charge_cents or 0 for pair in pairs)
    refunds, payouts = (
        sum(pair.shillings * 100 for pair in pairs if _is_done(pair.record, kind))
        for kind in ("refund", "payout")
    )
    stayed = booked - refunds
    checks = {
        "trial balance": (sum(holds.values()), 0),
        "income": (-(holds["sales"] + holds["unplaced"] + holds["refunds"]), stayed),
        "suppliers": (holds["suppliers"], payouts),
        "fees": (holds["fees"], fees),
        "in transit": (holds["in_transit"], sent),
        "mpesa": (holds["mpesa"], stayed - payouts - sent - fees),
    }
    for name, (has, should) in checks.items():
        if has != should:
            yield OutOffence("unbalanced", name, f"holds {has} cents, and should hold {should}")


def _is_done(record: OutRecord, kind: str) -> bool:
    return record.kind == kind and record.status == "completed"
