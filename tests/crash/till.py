"""What a test of a killed shop does: sell, die at a moment, open again, wait for calm."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from tests.crash import books
from tests.crash.arming import Death
from tests.crash.buyer import Answer, Buyer, OrderName
from tests.crash.shop import Shop, wait_until

CALM_SECONDS = 40
SWEEP_EVERY_SECONDS = 1.0
LOOK_EVERY_SECONDS = 0.2
DYING_SECONDS = 1.0
_numbers = count(1)


@dataclass
class Sale:
    """One order, and every phone on which its prompts may be."""

    order: OrderName
    phones: list[str] = field(default_factory=list)
    #: A number that nobody has used, so that only the shop keeps two prompts apart.
    next_phone: str = field(default_factory=lambda: new_number())

    def new_phone(self) -> str:
        """Take the next phone into use."""
        self.phones.append(self.next_phone)
        self.next_phone = new_number()
        return self.phones[-1]


def new_number() -> str:
    return f"2547{next(_numbers):08d}"


class Till:
    """One shop and one shopper, over many deaths."""

    def __init__(self, shop: Shop) -> None:
        self.shop = shop
        self.daraja = shop.daraja
        self.buyer = Buyer(shop.url)
        self.sales: list[Sale] = []

    def sell(self) -> Sale:
        sale = Sale(self.buyer.place_order())
        self.sales.append(sale)
        return sale

    def initiate(self, sale: Sale) -> Answer:
        """Have a prompt sent to a phone of its own."""
        return self.buyer.initiate(sale.order, sale.new_phone())

    def repeat(self, sale: Sale, key: str) -> Answer:
        """Send a request with an Idempotency-Key to the sale's phone; again while it is told
        that the first one is still running.
        """
        answers = [self.buyer.initiate(sale.order, sale.phones[0], key)]
        deadline = time.monotonic() + CALM_SECONDS
        while answers[-1].status == 409 and time.monotonic() < deadline:
            time.sleep(float(answers[-1].headers["Retry-After"]))
            answers.append(self.buyer.initiate(sale.order, sale.phones[0], key))
        return answers[-1]

    def started(self, sale: Sale) -> str:
        """Start a payment that lives; return its TXN name."""
        answer = self.initiate(sale)
        assert answer.status == 200, answer
        return str(answer.data["transaction_id"])

    def act(self, sale: Sale, act: str) -> None:
        """Do on the phone what a payer does: "pay", "cancel", or "leave" the prompt alone."""
        if act == "leave":
            return
        prompt = self.shown(sale)
        (self.daraja.pay if act == "pay" else self.daraja.cancel)(prompt)

    def shown(self, sale: Sale) -> dict[str, Any]:
        """The one open prompt of a sale, once a phone shows it."""
        wait_until(lambda: bool(self.open_prompts(sale)), 5, "a phone shows the prompt")
        (prompt,) = self.open_prompts(sale)
        return prompt

    def dies(self, death: Death, act: Callable[[], object]) -> Any:
        """Do something of which the shop dies at a moment; return what came of it."""
        self.shop.death.arm(death)
        result = act()
        self.shop.wait_for_death()
        assert self.shop.death.has_struck, f"the shop ended, and not at {death}"
        return result

    def sweeps_until_struck(self) -> None:
        """Sweep until the armed moment has ended a process, and open the shop if that was it."""
        deadline = time.monotonic() + CALM_SECONDS
        while not self.shop.death.has_struck:
            assert time.monotonic() < deadline, f"never got there: {self.shop.log_tail()}"
            time.sleep(LOOK_EVERY_SECONDS)
            self.shop.sweep()
        if not self.shop.is_running:
            return
        # A sweep is a process of its own: if that is what died, the server lives on.
        with suppress(TimeoutError):
            self.shop.wait_for_death(DYING_SECONDS)
            self.shop.start()

    def callback_of(self, sale: Sale) -> tuple[str, dict[str, Any]]:
        """Return the address and the body of a paid sale's callback, as Daraja sends it."""
        (payment,) = self.buyer.order(sale.order)["payments"]
        (prompt,) = self._prompts(sale)
        items = {"Amount": prompt["amount"], "MpesaReceiptNumber": prompt["receipt"]}
        callback = {
            "CheckoutRequestID": prompt["checkout_request_id"],
            "ResultCode": 0,
            "ResultDesc": "The service request is processed successfully.",
            "CallbackMetadata": {"Item": [{"Name": k, "Value": v} for k, v in items.items()]},
        }
        address = self.shop.flask("callback_url", payment["transaction_id"]).strip()
        return address, {"Body": {"stkCallback": callback}}

    def pays_again(self, sale: Sale) -> None:
        """Check that a shopper who has paid nothing can pay now."""
        assert self.initiate(sale).status == 200
        self.act(sale, "pay")
        self.wait_for_calm(sale)
        assert self.buyer.order(sale.order)["status"] == "paid"

    def wait_for_delivery(self, checkout_request_id: str) -> Sequence[int | None]:
        """Wait until a prompt's callback was carried out; return how it was answered."""
        wait_until(
            lambda: checkout_request_id in self.daraja.deliveries(), 15, "the callback was sent"
        )
        return self.daraja.deliveries()[checkout_request_id]

    def wait_until_ended(self, sale: Sale) -> None:
        """Wait until no attempt of a sale is live, whatever its books say."""
        self.wait_with_sweeps(
            lambda: [
                f"{row['transaction_id']} is live"
                for row in self.buyer.order(sale.order)["payments"]
                if books.is_live(row)
            ]
        )

    def wait_for_calm(self, *sales: Sale) -> None:
        """Wait until the books say what the ledger says, and check the rest of what must hold.

        Raises AssertionError with what does not agree when that takes more than CALM_SECONDS.
        """
        self.wait_with_sweeps(lambda: self._unrest(sales))
        for sale in sales:
            books.check_at_most_one_live_prompt(self._prompts(sale), self.daraja.ledger())

    def wait_with_sweeps(self, unrest: Callable[[], list[str]]) -> None:
        """Wait until there is nothing to tell, with the engine's rounds in between.

        Raises AssertionError with what there still is after CALM_SECONDS.
        """
        started = time.monotonic()
        next_sweep = started + SWEEP_EVERY_SECONDS
        while found := unrest():
            if time.monotonic() > started + CALM_SECONDS:
                raise AssertionError("\n".join([*found, self.shop.log_tail()]))
            if time.monotonic() > next_sweep:
                assert self.shop.sweep() == 0, self.shop.log_tail()
                next_sweep = time.monotonic() + SWEEP_EVERY_SECONDS
            time.sleep(LOOK_EVERY_SECONDS)

    def moved_in_all(self, sales: Sequence[Sale]) -> int:
        """Shillings that really moved for these sales."""
        moved = self.daraja.moved()
        return sum(moved.get(sale.order.reference, 0) for sale in sales)

    def booked_in_all(self, sales: Sequence[Sale]) -> int:
        """Shillings that the shop's books say have come in for these sales."""
        return sum(self.buyer.order(sale.order)["amount_paid"] for sale in sales)

    def _unrest(self, sales: tuple[Sale, ...]) -> list[str]:
        moved, answers = self.daraja.moved(), self.daraja.deliveries()
        return [
            words
            for sale in sales
            for words in books.unrest(
                self.buyer.order(sale.order),
                self._prompts(sale),
                moved.get(sale.order.reference, 0),
                answers,
            )
        ]

    def _prompts(self, sale: Sale) -> list[dict[str, Any]]:
        return [prompt for phone in sale.phones for prompt in self.daraja.prompts(phone)]

    def open_prompts(self, sale: Sale) -> list[dict[str, Any]]:
        """The prompts of a sale that phones show at this moment."""
        return [prompt for prompt in self._prompts(sale) if prompt["status"] == "open"]
