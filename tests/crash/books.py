"""What the books of a shop must say, by what Daraja did with the money."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

Json = dict[str, Any]

#: How the shop names, to the outside, the end that a phone saw.
ENDS = {"paid": "completed", "cancelled": "cancelled", "timed_out": "expired"}


def unrest(
    order: Json, prompts: Sequence[Json], moved: int, answers: Mapping[str, Sequence[int | None]]
) -> list[str]:
    """Tell in words what of one order is not calm yet, or does not add up.

    ``moved`` is what really moved for it, in shillings; ``answers`` is how callbacks were
    answered, by CheckoutRequestID.
    """
    name = f"order {order['number']}"
    told = []
    if order["amount_paid"] != moved:
        told.append(f"{name}: {moved} moved and {order['amount_paid']} is in the books: {order}")
    paid_in_full = order["amount_paid"] >= order["total"]
    if (order["status"] == "paid") != paid_in_full and not order["review"]:
        told.append(f"{name} is {order['status']} and {order['amount_paid']} is paid")
    told += [f"{name}: an attempt is live" for row in order["payments"] if is_live(row)]
    told += [f"{name}: a phone still asks" for prompt in prompts if prompt["status"] == "open"]
    return told + [
        words for prompt in prompts for words in _forgotten(name, order, prompt, answers)
    ]


def is_live(payment: Json) -> bool:
    """Tell whether an attempt is neither ended nor before a person."""
    return payment["status"] == "pending" and not payment["review"]


def _forgotten(
    name: str, order: Json, prompt: Json, answers: Mapping[str, Sequence[int | None]]
) -> list[str]:
    """Tell when the news of a prompt's end was acknowledged and is not in the books."""
    if 200 not in answers.get(prompt["checkout_request_id"], ()):
        return []
    if prompt["status"] == "paid":
        receipts = [payment["receipt"] for payment in order["payments"]]
        known = prompt["receipt"] in receipts
    else:
        known = ENDS[prompt["status"]] in [payment["status"] for payment in order["payments"]]
    return [] if known else [f"{name}: acknowledged and forgotten: {prompt['summary']} {order}"]


def check_at_most_one_live_prompt(prompts: Sequence[Json], ledger: Sequence[Json]) -> None:
    """Check that no prompt of an order was opened while another one was open.

    Times are whole seconds, so that an overlap below one second is not seen.
    """
    moved_at = {entry["checkout_request_id"]: entry["time"] for entry in ledger}
    spans = sorted((_when(p["opened_at"]), _ended_at(p, moved_at)) for p in prompts)
    for (_, ended), (opened, _) in zip(spans, spans[1:], strict=False):
        assert opened >= ended, f"two prompts at once: {prompts}"


def _ended_at(prompt: Json, moved_at: Mapping[str, str]) -> datetime:
    """Return when a prompt was certainly over; for a cancelled one the earliest it can be."""
    if prompt["status"] == "paid":
        return _when(moved_at[prompt["checkout_request_id"]])
    return _when(prompt["opened_at" if prompt["status"] == "cancelled" else "expires_at"])


def _when(text: str) -> datetime:
    return datetime.fromisoformat(text)
