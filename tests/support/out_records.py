"""Money out as a shop's database has it, read past the shop: for whoever holds it to account."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from sqlalchemy import Connection, NullPool, create_engine, make_url, text

_RECORDS = text(
    """
    select d.public_ref, d.kind, d.channel, d.status, d.msisdn, d.amount_cents, d.charge_cents,
           d.sends, d.held, d.token, d.originator_id, d.daraja_originator_id, d.conversation_id,
           d.receipt, d.review_reason, d.reviewed_at, p.mpesa_receipt, p.public_ref as payment,
           p.checkout_request_id
    from disbursements d left join payments p on p.id = d.payment_id
    order by d.id
    """
)
_TRANSFERS = text("select debit, credit, amount_cents from ledger_transfers")
_HELD_BACK = text(
    "select count(distinct disbursement_id) from disbursement_timeline where event = 'held'"
)
_ONE_MOMENT = "REPEATABLE READ"
#: Nothing more will come of it by itself, or it waits for somebody's yes.
AT_REST = ("completed", "failed", "cancelled", "awaiting_approval")


@dataclass(frozen=True)
class OutRecord:
    """One refund or payout. The last three are those of the payment that is refunded."""

    public_ref: str
    kind: str
    channel: str
    status: str
    msisdn: str
    amount_cents: int
    charge_cents: int | None
    sends: int
    held: str | None
    token: str
    originator_id: str
    daraja_originator_id: str | None
    conversation_id: str | None
    receipt: str | None
    review_reason: str | None
    reviewed_at: object
    mpesa_receipt: str | None
    payment: str | None
    checkout_request_id: str | None

    @property
    def is_before_a_person(self) -> bool:
        return self.review_reason is not None and self.reviewed_at is None

    @property
    def is_settled(self) -> bool:
        """Whether it is at rest, or a person is asked about it."""
        return self.status in AT_REST or (self.status == "unknown" and self.is_before_a_person)

    @property
    def names(self) -> set[str]:
        """Under which names Daraja may know it."""
        ids = (self.originator_id, self.daraja_originator_id, self.conversation_id, self.receipt)
        return {name for name in ids if name}


@dataclass(frozen=True)
class OutBooks:
    """Everything as it stood at one moment; ``balances`` are cents, debits less credits.

    ``held_back`` counts the records that had to wait for float or for something else.
    """

    records: Sequence[OutRecord]
    balances: Mapping[str, int]
    held_back: int = 0


def out_records(database_url: str) -> Sequence[OutRecord]:
    """Return every refund and payout, oldest first."""
    return out_books(database_url).records


def out_books(database_url: str) -> OutBooks:
    """Return every refund and payout, oldest first, and what each account of the books holds."""
    held: Counter[str] = Counter()
    with _reading(database_url) as connection:
        records = [OutRecord(**row._mapping) for row in connection.execute(_RECORDS)]
        for debit, credit, cents in connection.execute(_TRANSFERS):
            held[debit] += cents
            held[credit] -= cents
        held_back = int(connection.scalar(_HELD_BACK) or 0)
    return OutBooks(records, dict(held), held_back)


@contextmanager
def _reading(database_url: str) -> Iterator[Connection]:
    url, options = make_url(database_url), {}
    if url.get_backend_name() == "postgresql":
        # Both questions see the same moment, as they do on SQLite by themselves.
        url, options = url.set(drivername="postgresql+psycopg"), {"isolation_level": _ONE_MOMENT}
    engine = create_engine(url, poolclass=NullPool, **options)
    with engine.connect() as connection:
        yield connection
