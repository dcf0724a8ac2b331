"""What a chaos run says at its end: a table, the offenders by name, and the verdict."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from scripts.chaos.books import KINDS, NOT_JUDGED, Findings, Offence
from scripts.chaos.out_books import OUT_KINDS, OutFindings

MOST_OFFENDERS_NAMED = 20
MOST_ERRORS_SHOWN = 3
UNSEEN = "moved unseen, put before a person"
ENDS = ("completed", "failed", "cancelled", "awaiting_approval")
Rows = list[tuple[str, object]]


@dataclass(frozen=True)
class Facts:
    """What was done, beside what was found. Times are seconds."""

    payments: int
    payouts: int
    sending_seconds: float
    calm_seconds: float
    kills: int
    forged: int
    forged_results: int
    could_be_known: int
    befell: dict[str, int]
    answers: Counter[str]
    server_errors: Sequence[str]
    broken_rules: str | None


@dataclass(frozen=True)
class Found:
    """What the comparison says of money that came in, and of money that went out."""

    money_in: Findings
    money_out: OutFindings


def table(facts: Facts, found: Found) -> str:
    """The whole report but for the offenders."""
    rows = [
        *_money_in(facts, found.money_in),
        *_money_out(facts, found.money_out),
        *_wrongs(facts, found),
        ("seconds of sending", f"{facts.sending_seconds:.1f}"),
        ("payments per second", f"{facts.payments / max(facts.sending_seconds, 0.001):.1f}"),
        ("seconds to calm", f"{facts.calm_seconds:.1f}"),
    ]
    width = max(len(name) for name, _ in rows)
    weather = ", ".join(f"{name} {count}" for name, count in sorted(facts.befell.items()))
    told = [f"  {name:<{width}}  {value:>12}" for name, value in rows]
    return "\n".join(["", *told, "", f"What befell: {weather}.", *_answers(facts), ""])


def is_right(facts: Facts, found: Found) -> bool:
    """Whether everything is as it must be."""
    agrees = found.money_in.all_agrees and not found.money_out.offences
    return agrees and not facts.server_errors and facts.broken_rules is None


def offenders(facts: Facts, found: Found) -> str:
    """Up to MOST_OFFENDERS_NAMED of each kind of money, with names to look them up by."""
    lines = _named([_line(offence) for offence in found.money_in.offences])
    lines += _named([f"  {kind}: {of}: {how}" for kind, of, how in found.money_out.offences])
    lines += [f"  status 500: {text}" for text in facts.server_errors[:MOST_ERRORS_SHOWN]]
    if facts.broken_rules is not None:
        lines.append(f"  flask check_invariants:\n{facts.broken_rules}")
    if not found.money_in.figures["shillings moved"]:
        lines.append("  No money moved at all, so nothing was shown.")
    return "\n".join(lines)


def _named(lines: list[str]) -> list[str]:
    more = len(lines) - MOST_OFFENDERS_NAMED
    return lines[:MOST_OFFENDERS_NAMED] + ([f"  … and {more} more"] if more > 0 else [])


def _money_in(facts: Facts, found: Findings) -> Rows:
    figures = found.figures
    return [
        ("payments begun", facts.payments),
        ("attempts in the books", figures["attempts"]),
        ("prompts sent", figures["prompts sent"]),
        ("orders paid", figures["paid"]),
        ("orders unpaid", figures["unpaid ends"]),
        ("orders in review", figures["in review"]),
        (UNSEEN, figures["unseen"]),
        ("shillings moved", figures["shillings moved"]),
        ("kills", facts.kills),
        ("forged callbacks", facts.forged),
        ("prompts per order live at once", f"at most {found.most_prompts_at_once}"),
    ]


def _money_out(facts: Facts, found: OutFindings) -> Rows:
    figures = found.figures
    rows: Rows = [("payouts begun", facts.payouts)]
    for kind in ("payout", "refund"):
        rows.append((f"{kind}s in the books", figures[f"{kind}s"]))
        rows += [(f"{kind}s {end}", figures[f"{kind}s {end}"]) for end in ENDS]
    return [
        *rows,
        ("reversals among the refunds", figures["reversals"]),
        ("held back for a while", figures["held back"]),
        ("waiting to be sent", figures["waiting"]),
        ("unknown, put before a person", figures["before a person"]),
        ("of these left", figures["before a person, and left"]),
        ("of these known to Daraja", facts.could_be_known),
        ("shillings left", figures["shillings left"]),
        ("forged results", facts.forged_results),
    ]


def _wrongs(facts: Facts, found: Found) -> Rows:
    counted = Counter(offence.kind for offence in found.money_in.offences)
    counted.update(offence.kind for offence in found.money_out.offences)
    rows: Rows = [
        (f"{kind} ({'not judged: ' if kind in NOT_JUDGED else ''}{words})", counted[kind])
        for kind, words in (KINDS | OUT_KINDS).items()
    ]
    rows.append(("answers with status 500", len(facts.server_errors)))
    rows.append(
        ("flask check_invariants", "content" if facts.broken_rules is None else "complains")
    )
    return rows


def _answers(facts: Facts) -> list[str]:
    return [f"Answers to {name} x {count}" for name, count in sorted(facts.answers.items())]


def _line(offence: Offence) -> str:
    transactions = ", ".join(offence.transactions) or "no attempt"
    ids = ", ".join(offence.checkout_request_ids) or "no prompt"
    return f"  {offence.kind}: order {offence.order}, {transactions}, {ids}: {offence.detail}"
