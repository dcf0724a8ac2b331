"""Sockets hear news for as long as the sign-in that opened them, and the role, lasts."""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID

import pytest
from flask_socketio.test_client import SocketIOTestClient
from sqlalchemy import select

from app import realtime
from app.accounts import people, sign_ins
from app.accounts.models import Person, SignIn
from app.accounts.roles import Role
from app.disbursements.machine import PAYOUT_UPDATE
from app.extensions import db, socketio
from tests.support.app import Account, Shop
from tests.support.staff import staff

Ending = Callable[[Person, Person], object]
#: What ends somebody's hearing of the back office's news: the person, and by whom.
ENDINGS: dict[str, Ending] = {
    "suspended": lambda somebody, owner: people.suspend(somebody.id, owner, "left the shop"),
    "signed out everywhere": lambda somebody, owner: people.end_sign_ins(somebody.id, owner, "x"),
    "signed out": lambda somebody, _owner: sign_ins.end(_newest_sign_in(somebody)),
    "no longer of the staff": lambda somebody, owner: people.give_role(
        somebody.id, Role.SHOPPER, owner, "left the shop"
    ),
}


def _newest_sign_in(person: Person) -> UUID:
    query = select(SignIn.uuid).where(SignIn.person_id == person.id).order_by(SignIn.id.desc())
    return db.session.scalars(query.limit(1)).one()


@pytest.fixture(autouse=True)
def at_once(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """Look before each piece of news, and let nobody in who is left from another test."""
    # Socket.IO serves the application that was made last, which may have been another test's.
    realtime.install(shop.app, shop.app.extensions["lipa_settings"])
    monkeypatch.setattr(realtime, "LOOK_AGAIN_SECONDS", 0.0)
    monkeypatch.setattr(realtime, "_listening", {})


def connect(shop: Shop, who: Account) -> SocketIOTestClient:
    return socketio.test_client(shop.app, auth={"token": who.access})


def tell(shop: Shop, reference: str) -> None:
    with shop.app.app_context():
        realtime.deliver(PAYOUT_UPDATE, {"update": {"reference": reference}})


def heard(socket: SocketIOTestClient) -> list[str]:
    if not socket.is_connected():
        return []
    told = [event for event in socket.get_received() if event["name"] == PAYOUT_UPDATE]
    return [event["args"][0]["reference"] for event in told]


@pytest.mark.parametrize("ending", list(ENDINGS))
def test_whoever_may_not_hear_the_back_office_any_more_hears_nothing(
    shop: Shop, admin: Account, ending: str
) -> None:
    operator = staff(shop, "njeri", Role.OPERATOR)
    theirs, owners = connect(shop, operator), connect(shop, admin)
    tell(shop, "PAY1")
    assert (heard(theirs), heard(owners)) == (["PAY1"], ["PAY1"])
    with shop.app.app_context():
        somebody = db.session.get_one(Person, operator.id)
        ENDINGS[ending](somebody, db.session.get_one(Person, admin.id))
    tell(shop, "PAY2")
    assert (heard(theirs), heard(owners)) == ([], ["PAY2"])
    assert not theirs.is_connected()
    owners.disconnect()
