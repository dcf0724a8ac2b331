"""The whole of a payment, killed before and after every single commit on its way."""

from __future__ import annotations

from itertools import count

import pytest

from tests.crash.arming import Death
from tests.crash.buyer import Answer
from tests.crash.databases import sqlite_only
from tests.crash.till import Sale, Till

#: Intent, answer, kept callback, settlement: a payment cannot have fewer commits than these.
LEAST_COMMITS = 4
MOST_COMMITS = 30

every_commit = pytest.mark.parametrize("moment", ["any.before_commit", "any.after_commit"])


def survives(till: Till, sale: Sale, death: Death, key: str | None = None) -> bool:
    """Make one payment with a death on its way, which comes only if it has so many commits."""
    till.shop.death.arm(death)
    if till.buyer.initiate(sale.order, sale.new_phone(), key).status is not None:
        prompt = till.shown(sale)
        till.daraja.pay(prompt)
        if till.wait_for_delivery(prompt["checkout_request_id"]) == [200]:
            till.shop.death.disarm()
            return True
    till.shop.wait_for_death()
    return False


def pays_what_is_shown(till: Till, sale: Sale) -> None:
    """Enter the PIN where a phone asks for it.

    Its news has come before the next death is armed, which is meant for the next payment.
    """
    for prompt in till.open_prompts(sale):
        till.daraja.pay(prompt)
        till.wait_for_delivery(prompt["checkout_request_id"])


def walk(till: Till, moment: str) -> list[Sale]:
    """Die at the first commit, at the second and so on; press Pay again after each death."""
    sales = []
    for occurrence in count(1):
        sales.append(till.sell())
        if survives(till, sales[-1], Death(moment, "request", occurrence)):
            return sales
        assert occurrence < MOST_COMMITS
        till.shop.start()
        till.initiate(sales[-1])
        pays_what_is_shown(till, sales[-1])
    raise AssertionError("unreachable")


def keyed_walk(till: Till, moment: str) -> list[tuple[Sale, Answer]]:
    """Walk with an Idempotency-Key; after each death the very same request is sent again."""
    repeated: list[tuple[Sale, Answer]] = []
    for occurrence in count(1):
        sale, key = till.sell(), f"{moment}-{occurrence}"
        if survives(till, sale, Death(moment, "request", occurrence), key):
            return [*repeated, (sale, till.repeat(sale, key))]
        assert occurrence < MOST_COMMITS
        till.shop.start()
        repeated.append((sale, till.repeat(sale, key)))
        pays_what_is_shown(till, sale)
    raise AssertionError("unreachable")


@every_commit
def test_a4_whichever_commit_is_the_last_the_books_agree_in_the_end(
    till: Till, moment: str
) -> None:
    sales = walk(till, moment)
    assert len(sales) > LEAST_COMMITS
    till.wait_for_calm(*sales)
    for sale in sales:
        if till.buyer.order(sale.order)["status"] != "paid":
            till.pays_again(sale)


@sqlite_only
@every_commit
def test_a2_a_key_begins_one_payment_whichever_commit_is_the_last(till: Till, moment: str) -> None:
    walked = keyed_walk(till, moment)
    assert len(walked) > LEAST_COMMITS
    till.wait_for_calm(*(sale for sale, _ in walked))
    for sale, again in walked:
        (attempt,) = till.buyer.order(sale.order)["payments"]
        assert again.status in (200, 202)
        assert again.data["transaction_id"] == attempt["transaction_id"]
        assert len(till.daraja.prompts(sale.phones[0])) <= 1
