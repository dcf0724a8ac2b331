"""What a chaos run says at its end: a table, the offenders by name, and the verdict."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from scripts.chaos_books import KINDS, NOT_JUDGED, Findings, Offence

MOST_OFFENDERS_NAMED = 20
MOST_ERRORS_SHOWN = 3
UNSEEN = "moved unseen, put before a person"


@dataclass(frozen=True)
class Facts:
    """What was done, beside what was found. Times are seconds."""

    payments: int
    sending_seconds: float
    calm_seconds: float
    kills: int
    forged: int
    befell: dict[str, int]
    answers: Counter[str]
    server_errors: Sequence[str]
    broken_rules: str | None


def table(facts: Facts, found: Findings) -> str:
    """The whole report but for the offenders."""
    figures = found.figures
    rows: list[tuple[str, object]] = [
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
        *_wrongs(facts, found),
        ("seconds of sending", f"{facts.sending_seconds:.1f}"),
        ("payments per second", f"{facts.payments / max(facts.sending_seconds, 0.001):.1f}"),
        ("seconds to calm", f"{facts.calm_seconds:.1f}"),
    ]
    width = max(len(name) for name, _ in rows)
    weather = ", ".join(f"{name} {count}" for name, count in sorted(facts.befell.items()))
    told = [f"  {name:<{width}}  {value:>12}" for name, value in rows]
    return "\n".join(["", *told, "", f"What befell: {weather}.", *_answers(facts), ""])


def is_right(facts: Facts, found: Findings) -> bool:
    """Whether everything is as it must be."""
    return found.all_agrees and not facts.server_errors and facts.broken_rules is None


def offenders(facts: Facts, found: Findings) -> str:
    """Up to MOST_OFFENDERS_NAMED, each with the names under which it can be looked up."""
    lines = [_line(offence) for offence in found.offences[:MOST_OFFENDERS_NAMED]]
    if (more := len(found.offences) - len(lines)) > 0:
        lines.append(f"  … and {more} more")
    lines += [f"  status 500: {text}" for text in facts.server_errors[:MOST_ERRORS_SHOWN]]
    if facts.broken_rules is not None:
        lines.append(f"  flask check_invariants:\n{facts.broken_rules}")
    if not found.figures["shillings moved"]:
        lines.append("  No money moved at all, so nothing was shown.")
    return "\n".join(lines)


def _wrongs(facts: Facts, found: Findings) -> list[tuple[str, object]]:
    counted = Counter(offence.kind for offence in found.offences)
    rows: list[tuple[str, object]] = [
        (f"{kind} ({'not judged: ' if kind in NOT_JUDGED else ''}{words})", counted[kind])
        for kind, words in KINDS.items()
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
