"""Open sign-ins: seen by their owner, ended by them, and by another password."""

from __future__ import annotations

import re

import pytest

from app.accounts.programs import in_words
from app.accounts.sign_ins import SEEN_EVERY
from tests.rooms.admin.desk import Desk
from tests.support.app import PASSWORD, Account, Shop, later

ANDROID = (
    "Mozilla/5.0 (Linux; Android 14; K) AppleWebKit/537.36 (KHTML, like Gecko) "
    "Chrome/131.0.0.0 Mobile Safari/537.36"
)
ANOTHER = "another long password"


def login(shop: Shop, who: Account, password: str = PASSWORD, program: str = ANDROID) -> Account:
    body = {"email": who.email, "password": password}
    answer = shop.client().post("/api/auth/login", json=body, headers={"User-Agent": program})
    assert answer.status_code == 200, answer.text
    return Account(who.id, who.email, answer.get_json()["access_token"], "")


def is_open(shop: Shop, who: Account) -> bool:
    return shop.client().get("/api/auth/me", headers=who.headers).status_code == 200


def test_the_account_page_lists_the_sign_ins_and_marks_this_one(
    shop: Shop, shopper: Account
) -> None:
    login(shop, shopper)
    page = Desk(shop, shopper).read("/account/security")
    assert "Chrome on Android" in page
    assert page.count("(this one)") == 1
    assert re.search(r"Tests <strong>\(this one\)", page)


def test_one_of_them_is_ended(shop: Shop, shopper: Account) -> None:
    other, desk = login(shop, shopper), Desk(shop, shopper)
    form = re.search(r"/account/sign-ins/[0-9a-f-]+/end", desk.read("/account/security"))
    assert form
    assert "has ended" in desk.told(form[0])
    assert (is_open(shop, other), is_open(shop, shopper)) == (False, True)
    assert desk.send(form[0]).status_code == 404


def test_nobody_ends_another_person_s(shop: Shop, shopper: Account, other_shopper: Account) -> None:
    """E1."""
    login(shop, shopper)
    page = Desk(shop, shopper).read("/account/security")
    form = re.search(r"/account/sign-ins/[0-9a-f-]+/end", page)
    assert form
    assert Desk(shop, other_shopper).send(form[0]).status_code == 404
    assert Desk(shop, other_shopper).send("/account/sign-ins/x/end").status_code == 404


def test_all_others_are_ended(shop: Shop, shopper: Account, other_shopper: Account) -> None:
    others = [login(shop, shopper), login(shop, shopper)]
    assert "Signed out elsewhere: 2" in Desk(shop, shopper).told("/account/sign-ins/end-others")
    assert [is_open(shop, one) for one in (*others, shopper)] == [False, False, True]
    assert is_open(shop, other_shopper)


def test_another_password_ends_the_other_sign_ins(shop: Shop, shopper: Account) -> None:
    other, desk = login(shop, shopper), Desk(shop, shopper)
    desk.told("/account/password", present=PASSWORD, password=ANOTHER)
    assert (is_open(shop, other), is_open(shop, shopper)) == (False, True)
    assert is_open(shop, login(shop, shopper, ANOTHER))
    old = {"email": shopper.email, "password": PASSWORD}
    assert shop.client().post("/api/auth/login", json=old).status_code == 401


@pytest.mark.parametrize(
    "form", [{"present": "not it", "password": ANOTHER}, {"present": PASSWORD, "password": "short"}]
)
def test_a_password_that_is_not_changed_leaves_everything(
    shop: Shop, shopper: Account, form: dict[str, str]
) -> None:
    other = login(shop, shopper)
    assert Desk(shop, shopper).send("/account/password", **form).status_code == 400
    assert is_open(shop, other)
    assert is_open(shop, login(shop, shopper))


def test_guessing_the_present_password_is_slowed_down(shop: Shop, shopper: Account) -> None:
    """Whoever finds a browser that is signed in must not learn the password there."""
    desk = Desk(shop, shopper)
    guess = {"present": "perhaps it is this", "password": ANOTHER}
    answers = [desk.send("/account/password", **guess).status_code for _ in range(11)]
    assert answers == [400] * 10 + [429]
    right = guess | {"present": PASSWORD}
    assert desk.send("/account/password", **right).status_code == 429


def test_when_it_was_last_seen_is_written_now_and_then(shop: Shop, shopper: Account) -> None:
    def seen() -> str:
        found = re.findall(
            r'Last seen"><time datetime="([^"]+)', Desk(shop, shopper).read("/account/security")
        )
        return str(found[0])

    first = seen()
    assert seen() == first
    with later(SEEN_EVERY.total_seconds() + 1):
        assert seen() > first


@pytest.mark.parametrize(
    ("user_agent", "words"),
    [
        (ANDROID, "Chrome on Android"),
        (ANDROID + " Edg/131.0", "Edge on Android"),
        (
            "Mozilla/5.0 (iPhone; CPU iPhone OS 17_1 like Mac OS X) Safari/604.1",
            "Safari on an iPhone",
        ),
        (
            "Mozilla/5.0 (X11; Linux x86_64; rv:132.0) Gecko/20100101 Firefox/132.0",
            "Firefox on Linux",
        ),
        ("curl/8.5.0", "Curl"),
        ("python-requests/2.32", "A Python program"),
        ("TillApp/1.0", "TillApp"),
        ("", "A program that does not say its name"),
        (None, "A program that does not say its name"),
        ("x" * 300, "X" + "x" * 39),
    ],
)
def test_programs_are_named_in_words(user_agent: str | None, words: str) -> None:
    assert in_words(user_agent) == words
