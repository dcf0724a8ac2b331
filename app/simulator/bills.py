"""Bill Manager's memory: shops that opted in, and the invoices that they sent."""

import threading
from collections import OrderedDict
from dataclasses import dataclass, replace
from typing import Final, Literal

MOST_SHOPS: Final = 1_000
MOST_INVOICES: Final = 10_000


@dataclass(frozen=True, slots=True)
class Biller:
    """A shop that opted in. `app_key` is what its later calls carry."""

    shortcode: str
    app_key: str
    email: str
    callback_url: str


@dataclass(frozen=True, slots=True)
class Invoice:
    """`reference` is the shop's own, and unique for it; `account` is what its payer types."""

    shortcode: str
    reference: str
    name: str
    account: str
    msisdn: str
    full_name: str
    amount_cents: int
    due: str
    paid_cents: int = 0

    @property
    def status(self) -> Literal["open", "partly paid", "paid"]:
        if self.paid_cents >= self.amount_cents:
            return "paid"
        return "partly paid" if self.paid_cents else "open"


class Bills:
    """Beyond the limits the oldest go. Cancelled invoices are forgotten."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._billers: OrderedDict[str, Biller] = OrderedDict()
        self._invoices: OrderedDict[tuple[str, str], Invoice] = OrderedDict()

    def opt_in(self, biller: Biller) -> Biller:
        """Keep a shop; one that opted in before keeps its key."""
        with self._lock:
            known = self._billers.get(biller.shortcode)
            kept = replace(biller, app_key=known.app_key) if known else biller
            self._billers[biller.shortcode] = kept
            if len(self._billers) > MOST_SHOPS:
                self._billers.popitem(last=False)
            return kept

    def biller_with(self, app_key: str) -> Biller | None:
        with self._lock:
            return next((b for b in self._billers.values() if b.app_key == app_key), None)

    def send(self, invoices: list[Invoice]) -> list[str]:
        """Keep invoices, all or none; the references that are taken, or that come twice."""
        named = [invoice.reference for invoice in invoices]
        twice = {reference for reference in named if named.count(reference) > 1}
        with self._lock:
            known = {i.reference for i in invoices if (i.shortcode, i.reference) in self._invoices}
            if taken := known | twice:
                return sorted(taken)
            for invoice in invoices:
                self._invoices[invoice.shortcode, invoice.reference] = invoice
            while len(self._invoices) > MOST_INVOICES:
                self._invoices.popitem(last=False)
            return []

    def cancel(self, shortcode: str, references: list[str]) -> list[str]:
        """Forget invoices, all or none; the references that are unknown, or paid in part."""
        with self._lock:
            found = {r: self._invoices.get((shortcode, r)) for r in references}
            fast = [r for r, invoice in found.items() if invoice is None or invoice.paid_cents]
            if not fast:
                for reference in found:
                    del self._invoices[shortcode, reference]
            return fast

    def paid(self, shortcode: str, account: str, cents: int) -> Biller | None:
        """Note a payment to an account that was invoiced; the shop that is to hear of it."""
        with self._lock:
            for key, invoice in self._invoices.items():
                if (invoice.shortcode, invoice.account) == (shortcode, account):
                    paid = invoice.paid_cents + cents
                    self._invoices[key] = replace(invoice, paid_cents=paid)
                    return self._billers.get(shortcode)
            return None

    def of(self, shortcode: str) -> list[Invoice]:
        with self._lock:
            return [i for i in self._invoices.values() if i.shortcode == shortcode]

    def clear(self) -> None:
        with self._lock:
            self._billers.clear()
            self._invoices.clear()
