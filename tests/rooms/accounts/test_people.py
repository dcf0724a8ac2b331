"""Who works here: roles are given, taken and in force at once, and a reason is written down."""

from __future__ import annotations

import threading
from contextlib import suppress
from typing import Any
from unittest import mock

import pytest

from app.accounts import people, sign_ins
from app.accounts.models import Person
from app.accounts.roles import Role
from app.audit import service as audit
from app.audit.models import AuditEntry
from app.extensions import db
from tests.rooms.admin.desk import Desk
from tests.support.app import PASSWORD, Account, Shop, together
from tests.support.staff import staff

ROOM = "/admin/people"


@pytest.fixture
def desk(shop: Shop, admin: Account) -> Desk:
    return Desk(shop, admin)


def page_of(shop: Shop, who: Account) -> str:
    with shop.app.app_context():
        return f"{ROOM}/{db.session.get_one(Person, who.id).uuid}"


def role_of(shop: Shop, who: Account) -> str:
    with shop.app.app_context():
        return db.session.get_one(Person, who.id).role


def newest(shop: Shop, action: str) -> AuditEntry:
    with shop.app.app_context():
        return audit.newest(limit=1, wanted=audit.Wanted(action=action))[0]


def test_a_role_is_given_by_e_mail_with_a_reason_and_counts_at_once(
    shop: Shop, desk: Desk, shopper: Account
) -> None:
    assert shop.client().get("/api/suppliers", headers=shopper.headers).status_code == 403
    page = page_of(shop, shopper)
    assert desk.open(f"{ROOM}?email=%20Wanjiku@Example.com").location == page
    told = desk.told(f"{page}/role", role="viewer", why="She looks after the till")
    assert "counts from now on" in told
    assert shop.client().get("/api/suppliers", headers=shopper.headers).status_code == 200
    entry = newest(shop, "person.given_role")
    assert (entry.actor, entry.subject) == (desk.who.email, f"person {shopper.email}")
    expected = {"why": "She looks after the till", "before": "shopper", "role": "viewer"}
    assert entry.detail == expected
    desk.told(f"{page}/role", role="shopper", why="She has left")
    assert shop.client().get("/api/suppliers", headers=shopper.headers).status_code == 403


@pytest.mark.parametrize(
    ("form", "status"),
    [
        ({"role": "viewer", "why": " "}, 400),
        ({"role": "king", "why": "x"}, 400),
        ({"role": "viewer", "why": "x" * 301}, 400),
        ({"role": "shopper", "why": "x"}, 409),
    ],
)
def test_a_role_that_cannot_be_given_changes_nothing(
    shop: Shop, desk: Desk, shopper: Account, form: dict[str, str], status: int
) -> None:
    assert desk.send(f"{page_of(shop, shopper)}/role", **form).status_code == status
    assert role_of(shop, shopper) == Role.SHOPPER


def test_the_list_names_the_staff_and_no_shopper(shop: Shop, desk: Desk, shopper: Account) -> None:
    staff(shop, "olivia", Role.OPERATOR)
    page = desk.read(ROOM)
    assert "olivia@example.com" in page
    assert desk.who.email in page
    assert shopper.email not in page


def test_an_e_mail_that_nobody_has_is_told(desk: Desk) -> None:
    told = desk.open(f"{ROOM}?email=nobody@example.com")
    assert (told.status_code, "Nobody has registered" in told.text) == (404, True)


def test_whoever_is_suspended_is_out_at_once_and_stays_out(
    shop: Shop, desk: Desk, shopper: Account
) -> None:
    page = page_of(shop, shopper)
    assert "Suspended" in desk.told(f"{page}/suspend", why="Chargebacks")
    assert shop.client().get("/api/auth/me", headers=shopper.headers).status_code == 401
    login = {"email": shopper.email, "password": PASSWORD}
    suspended = shop.client().post("/api/auth/login", json=login)
    unknown = shop.client().post("/api/auth/login", json=login | {"email": "no@example.com"})
    assert suspended.status_code == 401
    assert suspended.get_json() == unknown.get_json()
    refresh = {"Authorization": f"Bearer {shopper.refresh}"}
    assert shop.client().post("/api/auth/refresh", headers=refresh).status_code == 401
    desk.told(f"{page}/restore", why="A mistake")
    assert shop.client().post("/api/auth/login", json=login).status_code == 200
    # What was ended stays ended.
    assert shop.client().get("/api/auth/me", headers=shopper.headers).status_code == 401


def test_a_sign_in_that_overtakes_a_suspension_opens_nothing(
    shop: Shop, desk: Desk, shopper: Account
) -> None:
    desk.told(f"{page_of(shop, shopper)}/suspend", why="x")
    with shop.app.app_context():
        uuid = sign_ins.start(shopper.id, None, None).uuid
        assert sign_ins.open_one(uuid) is None


@pytest.mark.parametrize(("action", "form"), [("suspend", {}), ("role", {"role": "viewer"})])
def test_the_last_owner_stays(shop: Shop, desk: Desk, action: str, form: dict[str, str]) -> None:
    refused = desk.send(f"{page_of(shop, desk.who)}/{action}", why="x", **form)
    assert (refused.status_code, "only owner" in refused.text) == (409, True)
    assert role_of(shop, desk.who) == Role.ADMIN
    shop.person("baraka", admin=True)
    assert desk.send(f"{page_of(shop, desk.who)}/{action}", why="x", **form).status_code == 303


def test_a_suspended_owner_does_not_count_as_one(shop: Shop, desk: Desk) -> None:
    other = shop.person("baraka", admin=True)
    desk.told(f"{page_of(shop, other)}/suspend", why="x")
    refused = desk.send(f"{page_of(shop, desk.who)}/role", role="viewer", why="x")
    assert refused.status_code == 409


def test_two_owners_who_demote_each_other_at_once_leave_one(shop: Shop, admin: Account) -> None:
    other = shop.person("baraka", admin=True)
    desks = ((Desk(shop, admin), other), (Desk(shop, other), admin))
    paths = [f"{page_of(shop, target)}/role" for _, target in desks]

    both_in_the_middle = threading.Barrier(2)
    record = people._record

    def slowly(*given: Any, **more: Any) -> None:
        # Whoever is kept out meanwhile does not come here: one waits in vain, and goes on.
        with suppress(threading.BrokenBarrierError):
            both_in_the_middle.wait(0.5)
        record(*given, **more)

    def demote(number: int) -> int:
        sent = desks[number][0].send(paths[number], role="viewer", why="x")
        return sent.status_code

    with mock.patch.object(people, "_record", slowly):
        statuses = together(2, demote)
    assert sorted([role_of(shop, admin), role_of(shop, other)]) == ["admin", "viewer"]
    assert sorted(statuses) in ([303, 409], [303, 403])


def test_somebody_s_sign_ins_are_ended(shop: Shop, desk: Desk, shopper: Account) -> None:
    page = page_of(shop, shopper)
    assert "127.0.0.1" in desk.read(page)
    assert "Sign-ins ended: 1" in desk.told(f"{page}/end-sign-ins", why="A lost laptop")
    assert shop.client().get("/api/auth/me", headers=shopper.headers).status_code == 401
    assert newest(shop, "person.signed_out").detail["sign_ins_ended"] == 1


@pytest.mark.parametrize("role", [Role.VIEWER, Role.OPERATOR, Role.APPROVER])
def test_only_owners_look_at_people(shop: Shop, shopper: Account, role: Role) -> None:
    desk = Desk(shop, staff(shop, "somebody", role))
    assert desk.open(ROOM).status_code == 403
    page = page_of(shop, shopper)
    assert desk.open(page).status_code == 403
    assert desk.send(f"{page}/role", role="admin", why="x").status_code == 403
    assert role_of(shop, shopper) == Role.SHOPPER


def test_nobody_gives_themselves_a_role_by_registering(shop: Shop) -> None:
    """E7."""
    body = {
        "email": "eve@example.com",
        "password": PASSWORD,
        "name": "Eve",
        "role": "admin",
        "is_admin": True,
        "suspended_at": None,
    }
    assert shop.client().post("/api/auth/register", json=body).get_json()["user"]["role"] == (
        "shopper"
    )


def test_the_command_makes_people_with_a_role(shop: Shop) -> None:
    args = ["users", "create", "--email", "op@example.com", "--password", PASSWORD]
    told = shop.app.test_cli_runner().invoke(args=[*args, "--role", "operator"])
    assert told.output == "Made op@example.com (operator).\n"


def test_every_sign_in_of_the_staff_is_in_the_trail_and_no_shopper_s(
    shop: Shop, admin: Account, shopper: Account
) -> None:
    for who in (admin, shopper):
        login = {"email": who.email, "password": PASSWORD}
        assert shop.client().post("/api/auth/login", json=login).status_code == 200
    with shop.app.app_context():
        found = audit.newest(wanted=audit.Wanted(action="person.signed_in"))
    assert {entry.actor for entry in found} == {admin.email}
    assert found[0].detail == {"address": "127.0.0.1", "second_factor": False}
