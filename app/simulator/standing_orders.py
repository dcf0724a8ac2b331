"""Standing orders that phones have agreed to."""

from collections import OrderedDict
from dataclasses import dataclass
from typing import Final

from app.simulator.records import PushRequest, StandingTerms

MOST_STANDING_ORDERS: Final = 10_000
#: One payer has one standing order of a name (documented).
NAME_TAKEN: Final = "1050"


@dataclass(frozen=True, slots=True)
class StandingOrder:
    """Leave to collect `amount_cents` from `msisdn`; `account` is empty where a till collects."""

    reference: str
    name: str
    msisdn: str
    shortcode: str
    amount_cents: int
    account: str
    first_day: str
    last_day: str
    how_often: str


class StandingOrders:
    """By reference, oldest first, as far back as the limit; used under the world's lock."""

    def __init__(self) -> None:
        self._kept: OrderedDict[str, StandingOrder] = OrderedDict()

    def has(self, msisdn: str, name: str) -> bool:
        return any(one.msisdn == msisdn and one.name == name for one in self._kept.values())

    def open(self, push: PushRequest, terms: StandingTerms) -> str:
        """Keep what a phone agreed to; the code with which that ends."""
        if self.has(push.msisdn, terms.name):
            return NAME_TAKEN
        self._kept[terms.reference] = StandingOrder(
            reference=terms.reference,
            name=terms.name,
            msisdn=push.msisdn,
            shortcode=push.shortcode,
            amount_cents=push.amount_cents,
            account=push.account_reference,
            first_day=terms.first_day,
            last_day=terms.last_day,
            how_often=terms.how_often,
        )
        if len(self._kept) > MOST_STANDING_ORDERS:
            self._kept.popitem(last=False)
        return "0"

    def of(self, reference: str) -> StandingOrder | None:
        return self._kept.get(reference)

    def all(self) -> list[StandingOrder]:
        return list(self._kept.values())

    def clear(self) -> None:
        self._kept.clear()
