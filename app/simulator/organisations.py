"""The accounts of shops at M-Pesa."""

from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

MOST_ORGANISATIONS: Final = 1_000


@dataclass(slots=True)
class Organisation:
    """One shortcode and its accounts, in cents.

    Payouts draw on Utility and on nothing else, so filling Working funds none of them (documented).
    What phones pay arrives in Working here, so that a float is only what somebody put there; a
    documented reversal names Utility instead, and no client should depend on which it is.
    Charges of payouts are not taken from Utility but gather below zero in Charges Paid (recorded).
    What M-Pesa takes of a payment, `paybill_charge_cents`, leaves where the payment arrived.
    """

    shortcode: str
    utility_cents: int
    working_cents: int = 0
    charges_paid_cents: int = 0
    received_cents: int = 0
    paybill_charge_cents: int = 0

    def collect(self, cents: int, charge_cents: int) -> None:
        self.working_cents += cents - charge_cents
        self.received_cents += cents


class Organisations:
    """Shops come into being when money first touches them; used under the world's lock."""

    def __init__(self, utility_float_cents: int) -> None:
        self._utility_float_cents = utility_float_cents
        self._kept: OrderedDict[str, Organisation] = OrderedDict()

    def seen(self, shortcode: str) -> Organisation:
        """The shop as it is; one that no money has touched is made up and not kept."""
        return self._kept.get(shortcode) or Organisation(shortcode, self._utility_float_cents)

    def kept(self, shortcode: str) -> Organisation:
        """The shop, to be changed. Beyond the limit the one longest untouched begins anew."""
        organisation = self._kept[shortcode] = self.seen(shortcode)
        self._kept.move_to_end(shortcode)
        if len(self._kept) > MOST_ORGANISATIONS:
            self._kept.popitem(last=False)
        return organisation

    def all(self, known: Iterable[str] = ()) -> list[Organisation]:
        """These shops, and then all others that money has touched."""
        codes = dict.fromkeys([*known, *self._kept])
        return [self.seen(code) for code in codes]

    def received(self) -> dict[str, int]:
        """Shortcode to cents that phones paid since the world began, where they did."""
        return {code: org.received_cents for code, org in self._kept.items() if org.received_cents}

    def clear(self) -> None:
        self._kept.clear()
