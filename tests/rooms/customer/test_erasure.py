"""Being forgotten: what goes, what the books keep, and what has to be settled first."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import select

from app.accounts import sign_ins
from app.accounts.models import Person, SignIn
from app.accounts.roles import Role
from app.audit import service as audit
from app.audit.models import AuditEntry
from app.core.errors import NotFound
from app.core.unit_of_work import transaction
from app.customer import erasure
from app.extensions import db
from app.orders.models import Order
from app.payments.claims.models import Claim, ClaimState
from app.payments.links import Opens, make, opened
from app.payments.models import Payment
from tests.rooms.admin.desk import Desk
from tests.support.app import PASSWORD, PHONE, Account, Shop, together
from tests.support.daraja import paid
from tests.support.staff import staff

FORM = {"present": PASSWORD, "word": "Erase "}


def is_erased(shop: Shop, who: Account) -> bool:
    with shop.app.app_context():
        return db.session.get_one(Person, who.id).is_erased


def erasures(shop: Shop) -> list[AuditEntry]:
    with shop.app.app_context():
        return list(audit.newest(wanted=audit.Wanted(action="person.erased")))


def login(shop: Shop, email: str, password: str = PASSWORD) -> tuple[int, Any]:
    body = {"email": email, "password": password}
    answer = shop.client().post("/api/auth/login", json=body)
    return answer.status_code, answer.get_json()


def tables_that_say(shop: Shop, *words: str) -> set[str]:
    """Name the tables in which one of these words stands anywhere."""
    with shop.app.app_context():
        tables = {
            table.name: str(db.session.execute(select(table)).all()).lower()
            for table in db.metadata.sorted_tables
        }
    return {name for name, text in tables.items() if any(word in text for word in words)}


def test_whoever_is_erased_is_named_nowhere_and_the_books_stay(
    shop: Shop, shopper: Account, other_shopper: Account
) -> None:
    payment = shop.completed(shopper, price=1500)
    desk = Desk(shop, shopper)
    desk.sent("/account/details", name="Wanjiku Kamau", phone="0733111222")
    desk.sent("/account/numbers", phone=PHONE, default="yes")
    assert desk.sent("/account/erase", **FORM) == "/"
    assert tables_that_say(shop, "wanjiku", "kamau", "733111222") == set()
    with shop.app.app_context():
        kept = db.session.get_one(Payment, payment.id)
        assert (kept.phone, kept.mpesa_receipt) == ("254712345678", payment.mpesa_receipt)
        person = kept.order.person
        assert person
        assert person.name == erasure.NAME
        own = select(SignIn.address).where(SignIn.person_id == shopper.id)
        assert db.session.scalars(own).all() == [None]
        assert list(audit.faults()) == []
    assert "payment_methods" not in tables_that_say(shop, "712345678")
    assert desk.open("/account").location.startswith("/sign-in")
    assert shop.client().get("/api/auth/me", headers=shopper.headers).status_code == 401
    assert not is_erased(shop, other_shopper)
    [entry] = erasures(shop)
    assert entry.actor.endswith("@erased.invalid")


def test_afterwards_signing_in_is_refused_as_for_a_stranger_and_the_e_mail_is_free(
    shop: Shop, shopper: Account
) -> None:
    Desk(shop, shopper).sent("/account/erase", **FORM)
    assert login(shop, shopper.email) == login(shop, "nobody@example.com")
    with shop.app.app_context():
        email = db.session.get_one(Person, shopper.id).email
    assert login(shop, email)[0] == 401
    assert login(shop, email, "nobody has this account")[0] == 401
    form = {"email": shopper.email, "password": PASSWORD, "name": "Wanjiku"}
    assert shop.client().post("/api/auth/register", json=form).status_code == 201
    assert shop.client().get("/api/orders", headers=shopper.headers).status_code == 401


def test_a_sign_in_that_was_begun_at_the_same_moment_opens_nothing(
    shop: Shop, shopper: Account
) -> None:
    with shop.app.app_context():
        erasure.erase(shopper.id)
        late = sign_ins.start(shopper.id, "127.0.0.1", "a browser")
        assert sign_ins.open_one(late.uuid) is None
        assert sign_ins.open_among({late.uuid}) == {}


def test_the_links_that_were_sent_to_others_end(shop: Shop, shopper: Account) -> None:
    payment = shop.completed(shopper)
    with shop.app.app_context():
        person = db.session.get_one(Person, shopper.id)
        token = make(payment.order_id, person, Opens.RECEIPT)
        assert opened(token, Opens.RECEIPT).order_id == payment.order_id
    Desk(shop, shopper).sent("/account/erase", **FORM)
    with shop.app.app_context(), pytest.raises(NotFound):
        opened(token, Opens.RECEIPT)


def test_what_they_pasted_about_a_payment_is_emptied(shop: Shop, shopper: Account) -> None:
    payment = shop.completed(shopper)
    text = "UKL5TEXT01 Confirmed. Ksh1,500.00 sent to LIPA DUKA by WANJIKU KAMAU"
    claim = Claim(
        order_id=payment.order_id,
        person_id=shopper.id,
        door="account",
        code="UKL5TEXT01",
        text=text,
        state=ClaimState.REFUSED,
    )
    with shop.app.app_context(), transaction() as session:
        session.add(claim)
    assert tables_that_say(shop, "wanjiku kamau") == {"claims"}
    Desk(shop, shopper).sent("/account/erase", **FORM)
    assert tables_that_say(shop, "wanjiku") == set()


@pytest.mark.parametrize(
    ("form", "words"),
    [
        ({"present": "perhaps this", "word": "erase"}, "That is not your password"),
        ({"present": PASSWORD, "word": ""}, "Type the word"),
        ({}, "Type the word"),
    ],
)
def test_a_slip_of_the_finger_erases_nobody(
    shop: Shop, shopper: Account, form: dict[str, str], words: str
) -> None:
    answer = Desk(shop, shopper).send("/account/erase", **form)
    assert answer.status_code == 400
    assert words in answer.text
    assert not is_erased(shop, shopper)


def test_the_typed_word_is_that_of_either_language(shop: Shop, shopper: Account) -> None:
    Desk(shop, shopper).sent("/account/erase", present=PASSWORD, word="FUTA")
    assert is_erased(shop, shopper)


def _has_an_order(shop: Shop, who: Account) -> None:
    shop.order(who)


def _has_a_prompt(shop: Shop, who: Account) -> None:
    shop.prompted(who)


def _has_a_question(shop: Shop, who: Account) -> None:
    payment = shop.prompted(who)
    shop.callback(
        paid(payment.checkout_request_id, 1400, "UKL5SHORT1"), token=payment.callback_token
    )


@pytest.mark.parametrize(
    ("begin", "words"),
    [
        (_has_an_order, "is not paid. Pay it or cancel it."),
        (_has_a_prompt, "may still be on a phone"),
        (_has_a_question, "still looking at money for order"),
    ],
)
def test_nobody_is_erased_while_something_is_open(
    shop: Shop, shopper: Account, begin: Callable[[Shop, Account], None], words: str
) -> None:
    begin(shop, shopper)
    desk = Desk(shop, shopper)
    page = desk.read("/account/erase")
    assert words in page
    assert 'name="word"' not in page, "the form is not there before all is settled"
    refused = desk.send("/account/erase", **FORM)
    assert refused.status_code == 409
    assert words in refused.text
    assert not is_erased(shop, shopper)
    assert erasures(shop) == []


def test_a_refund_on_its_way_is_waited_for(shop: Shop, shopper: Account, admin: Account) -> None:
    payment = shop.completed(shopper, price=1500)
    shop.refund(admin, payment, 500)
    assert "on its way" in Desk(shop, shopper).read("/account/erase")
    assert Desk(shop, shopper).send("/account/erase", **FORM).status_code == 409


def test_staff_are_not_erased_before_their_role_is_taken(shop: Shop) -> None:
    viewer = staff(shop, "viewer", Role.VIEWER)
    refused = Desk(shop, viewer).send("/account/erase", **FORM)
    assert refused.status_code == 409
    assert "take your role away first" in refused.text


def test_two_who_erase_at_once_do_it_once(shop: Shop, shopper: Account) -> None:
    def work(_number: int) -> bool:
        with shop.app.app_context():
            return erasure.erase(shopper.id)

    assert sorted(together(4, work)) == [False, False, False, True]
    assert len(erasures(shop)) == 1


def test_an_owner_erases_whoever_asks_the_shop(
    shop: Shop, shopper: Account, admin: Account
) -> None:
    desk = Desk(shop, admin)
    with shop.app.app_context():
        page = f"/admin/people/{db.session.get_one(Person, shopper.id).uuid}"
    assert f"{page}/erase" in desk.read(page)
    assert "cannot be undone" in desk.read(f"{page}/erase")
    assert desk.send(f"{page}/erase", why=" ").status_code == 400
    assert not is_erased(shop, shopper)
    assert "Erased since" in desk.told(f"{page}/erase", why="Wrote us a letter")
    [entry] = erasures(shop)
    assert (entry.actor, entry.detail["why"]) == (admin.email, "Wrote us a letter")
    assert "is erased since" in desk.read(f"{page}/erase")
    desk.sent(f"{page}/erase", why="Once more")
    assert len(erasures(shop)) == 1


def test_a_command_erases_whoever_asks_the_shop_and_says_why_not(
    shop: Shop, shopper: Account
) -> None:
    order = shop.order(shopper)
    run = ["users", "erase", "--email", shopper.email, "--why", "Asked by telephone"]
    refused = shop.app.test_cli_runner().invoke(args=run)
    assert refused.exit_code == 1
    assert "Pay it or cancel it" in refused.output
    shop.client().post(f"/api/orders/{order['id']}/cancel", headers=shopper.headers)
    with shop.app.app_context():
        assert db.session.scalar(select(Order.status)) == "cancelled"
    assert shop.app.test_cli_runner().invoke(args=run).exit_code == 0
    assert is_erased(shop, shopper)
    [entry] = erasures(shop)
    assert (entry.actor, entry.detail["why"]) == ("flask users", "Asked by telephone")
