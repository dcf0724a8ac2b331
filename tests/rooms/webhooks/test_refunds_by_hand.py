"""A refund of what was paid by hand is told with the receipt of the money, and no payment."""

from __future__ import annotations

from app.accounts.models import Person
from app.disbursements import credit_refunds, engine
from app.extensions import db
from tests.rooms.webhooks.listening import Listening
from tests.rooms.webhooks.test_deliveries import add, turn
from tests.support.app import Account, Shop
from tests.support.paybill import Paybill


def test_a_refund_of_money_by_hand_names_the_money(
    keyed: Shop, owner: Account, listening: Listening
) -> None:
    paybill = Paybill(keyed)
    paybill.register()
    paybill.pay("NOSUCHREF", receipt="UKL7ZZ99ZZ")
    add(keyed, owner, listening.url)
    with keyed.app.app_context():
        person, credit = db.session.get_one(Person, owner.id), keyed.credits()[0]
        engine.send_now(credit_refunds.ask(credit.id, person, None, "Not ours"))
    paybill.close()
    while turn(keyed):
        pass
    told = [heard.body["data"] for heard in listening.heard]
    assert told
    assert {(data["paid_by_hand"], data["payment"]) for data in told} == {("UKL7ZZ99ZZ", None)}
