"""What has become known about a prompt, and how: everything that settles a payment is this."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Evidence(StrEnum):
    """How something came to be known, from the strongest to the weakest."""

    PROVEN_CALLBACK = "callback with both proofs"
    CALLBACK_AND_QUERY = "callback and query"
    CALLBACK = "callback with one proof"
    QUERY = "query"
    #: Two people have seen the money in the statement, and Daraja has not said so.
    BY_HAND = "hand, from the statement"
    TEST = "test endpoint"


@dataclass(frozen=True)
class Outcome:
    """Proven evidence of how a prompt ended.

    ``amount_cents`` is None where the evidence names no amount (a query does not); the amount
    of a prompt cannot be changed by the payer, so the attempt's own stands.
    """

    result_code: str
    result_desc: str
    evidence: Evidence
    actor: str
    amount_cents: int | None = None
    receipt: str | None = None
    checkout_request_id: str | None = None
    merchant_request_id: str | None = None
