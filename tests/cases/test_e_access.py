"""E1 to E8: who gets in, who does not, and what they learn at the door."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any
from unittest import mock

import pytest
from flask.testing import FlaskClient

from app.accounts.models import Person
from app.accounts.passwords import password_matches
from app.accounts.roles import Role
from app.core.unit_of_work import transaction
from app.disbursements.models import Disbursement
from app.extensions import db
from app.payments.models import Payment
from tests.cases.people import browser, sign_in
from tests.support.app import PASSWORD, Account, Shop
from tests.support.staff import staff

SAME = {"Origin": "http://localhost"}
LOGIN = "/api/auth/login"
STAFF = (Role.VIEWER, Role.OPERATOR, Role.APPROVER)
MADE_UP = "00000000-0000-4000-8000-000000000000"


def owned_doors(shop: Shop, order: dict[str, Any], payment: Payment) -> Iterator[tuple[str, str]]:
    """Yield every door that somebody's order or payment is named at, with its real name."""
    names = {
        "order_id": order["id"],
        "payment_id": payment.id,
        "transaction_id": payment.public_ref,
        "uuid": order["id"],
    }
    for rule in shop.app.url_map.iter_rules():
        view = shop.app.view_functions[rule.endpoint]
        if getattr(view, "who_may_enter", "") != "person" or not set(rule.arguments) & set(names):
            continue
        _, path = rule.build({name: names[name] for name in rule.arguments & set(names)}) or (
            "",
            "",
        )
        for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"}):
            yield method, path


def test_e1_another_shopper_s_order_and_payment_look_as_if_they_were_not_there(
    shop: Shop, shopper: Account, other_shopper: Account
) -> None:
    """E1: at every door they are named at, and by every body that names them."""
    payment = shop.completed(shopper)
    with shop.app.app_context():
        order = {"id": str(db.session.get_one(Payment, payment.id).order.uuid)}
    before = shop.order_now(shopper, order)
    doors = [path for path in owned_doors(shop, order, payment) if "sign-ins" not in path[1]]
    assert len(doors) >= 9
    for method, path in doors:
        body = {"amount": 10, "reason": "mine"} if path.endswith("refund") else {}
        headers = SAME | other_shopper.headers
        answer = shop.client().open(path, method=method, json=body, headers=headers)
        assert answer.status_code == 404, f"{method} {path}: {answer.status} {answer.text[:200]}"
        assert payment.public_ref.encode() not in answer.data
    for path in ("/api/payments/mpesa/initiate", "/api/payments/mpesa/query"):
        body = {"order_id": order["id"], "phone_number": "0712345678"}
        answer = shop.client().post(path, json=body, headers=other_shopper.headers)
        assert answer.status_code == 404, path
    listed = shop.client().get("/api/orders", headers=other_shopper.headers).get_json()
    assert (listed["total"], shop.outs()) == (0, [])
    assert shop.order_now(shopper, order) == before


def deeds(shop: Shop, admin: Account) -> dict[str, tuple[str, dict[str, Any]]]:
    """What moves money, with real names: a form's address and its fields."""
    payment = shop.completed(shop.person("payer"))
    shop.set(payout_approval_above=0)
    supplier = shop.supplier(admin)
    waiting = shop.payout(admin, supplier, 500)
    home = f"/admin/suppliers/{supplier['id']}"
    key = "k" * 24
    return {
        "refund": (
            f"/admin/payments/{payment.public_ref}/refund",
            {"amount": "100", "reason": "x", "form_key": key},
        ),
        "pay": (f"{home}/pay", {"amount": "100", "form_key": key}),
        "number": (f"{home}/number", {"mpesa_number": "0711000222", "reason": "x"}),
        "approve": (f"/admin/payouts/{waiting.public_ref}/approve", {}),
        "setting": ("/admin/settings/mpesa_passkey", {"value": "x" * 40}),
        "float": ("/admin/books/float", {}),
    }


@pytest.mark.parametrize(
    ("role", "allowed"),
    [
        (Role.SHOPPER, set()),
        (Role.VIEWER, set()),
        (Role.OPERATOR, {"refund", "float"}),
        (Role.APPROVER, {"approve"}),
    ],
)
def test_e2_each_role_does_what_it_may_and_nothing_else_happens(
    shop: Shop, admin: Account, role: Role, allowed: set[str]
) -> None:
    """E2."""
    asked = deeds(shop, admin)
    client = browser(shop, staff(shop, "somebody", role))
    outs = [(out.public_ref, out.status) for out in shop.outs()]
    for name, (path, form) in asked.items():
        if name not in allowed:
            answer = client.post(path, data=form, headers={"Accept": "text/html"})
            assert answer.status_code == 403, f"{name}: {answer.status}"
    assert [(out.public_ref, out.status) for out in shop.outs()] == outs
    assert shop.daraja.payouts == []
    for name in allowed:
        path, form = asked[name]
        assert client.post(path, data=form).status_code == 303, name


@pytest.mark.parametrize("role", [Role.VIEWER, Role.APPROVER])
def test_e2_who_may_look_at_payments_may_not_have_them_sent_back(
    shop: Shop, shopper: Account, role: Role
) -> None:
    """E2: nor by the doors where shoppers ask for their own money."""
    payment = shop.completed(shopper)
    assert shop.ask_refund(staff(shop, "somebody", role), payment, 10).status_code == 404
    assert shop.outs() == []


def test_e2_an_operator_refunds_within_their_limit(shop: Shop, shopper: Account) -> None:
    """E2: the limit counts at every door, and its words say who may do more."""
    shop.set(operator_refund_limit=500)
    payment, operator = shop.completed(shopper), staff(shop, "olivia", Role.OPERATOR)
    refused = shop.ask_refund(operator, payment, 501)
    assert (refused.status_code, refused.get_json()["code"]) == (403, "FORBIDDEN")
    assert "KES 500 at most" in refused.get_json()["message"]
    form = {"amount": "", "reason": "all of it", "form_key": "k" * 24}
    page = browser(shop, operator).post(f"/admin/payments/{payment.public_ref}/refund", data=form)
    assert page.status_code == 403
    assert shop.outs() == []
    assert shop.refund(operator, payment, 500).amount_cents == 50_000


def test_e2_an_approver_agrees_and_asks_for_nothing(shop: Shop, admin: Account) -> None:
    """E2."""
    shop.set(payout_approval_above=0)
    approver = staff(shop, "amina", Role.APPROVER)
    supplier = shop.supplier(admin)
    waiting = shop.payout(admin, supplier, 500)
    assert shop.ask_payout(approver, supplier).status_code == 403
    assert shop.decide(approver, waiting, "approve").status_code in (200, 202)
    with shop.app.app_context():
        assert db.session.get_one(Disbursement, waiting.id).approved_by == approver.id


@pytest.mark.parametrize("role", STAFF)
def test_e2_a_viewer_sees_every_page(shop: Shop, role: Role) -> None:
    """E2: and so does everybody with more."""
    client = browser(shop, staff(shop, "somebody", role))
    rooms = ("", "/payouts", "/refunds", "/suppliers", "/runs", "/books", "/settings", "/audit")
    for room in rooms:
        assert client.get(f"/admin{room}").status_code == 200, room


def lose_role(shop: Shop, who: Account) -> None:
    with shop.app.app_context(), transaction() as session:
        session.get_one(Person, who.id).role = Role.SHOPPER


def test_e3_a_token_is_worth_no_more_than_the_role_of_this_moment(
    shop: Shop, admin: Account
) -> None:
    """E3."""
    assert shop.client().get("/api/suppliers", headers=admin.headers).status_code == 200
    lose_role(shop, admin)
    assert shop.client().get("/api/suppliers", headers=admin.headers).status_code == 403


def test_e3_tokens_of_before_another_password_are_worth_nothing(
    shop: Shop, shopper: Account
) -> None:
    """E3: neither the access token nor the refresh token."""
    elsewhere = sign_in(shop, shopper)
    form = {"present": PASSWORD, "password": "another long password"}
    assert browser(shop, shopper).post("/account/password", data=form).status_code == 303
    assert shop.client().get("/api/auth/me", headers=elsewhere.headers).status_code == 401
    refresh = {"Authorization": f"Bearer {elsewhere.refresh}"}
    assert shop.client().post("/api/auth/refresh", headers=refresh).status_code == 401
    swapped = replace(elsewhere, access=elsewhere.refresh)
    assert shop.client().get("/api/auth/me", headers=swapped.headers).status_code == 401


def test_e4_no_form_of_the_back_office_takes_another_site_s_word(
    shop: Shop, admin: Account
) -> None:
    """E4: every one of them, with an owner's cookie."""
    walked = 0
    for rule in shop.app.url_map.iter_rules():
        if not rule.rule.startswith(("/admin", "/account")) or "POST" not in (rule.methods or ()):
            continue
        fitting: dict[str, Any] = {
            name: 1 if f"<int:{name}>" in rule.rule else MADE_UP for name in rule.arguments
        }
        _, path = rule.build(fitting) or ("", "")
        client: FlaskClient = shop.client()
        client.set_cookie("access_token_cookie", admin.access)
        for headers in ({"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "cross-site"}, {}):
            answer = client.post(path, data={"why": "x"}, headers=headers)
            assert answer.status_code in (400, 403), f"{path} {headers}: {answer.status}"
            assert "did not come from our own page" in answer.text, path
        walked += 1
    assert walked > 25


def test_e5_an_unknown_e_mail_costs_the_same_work_and_gets_the_same_words(
    shop: Shop, shopper: Account
) -> None:
    """E5: one slow hash either way, which is what the time of an answer is made of."""
    told = []
    for email in (shopper.email, "nobody@example.com", "", "x" * 254):
        name = "app.accounts.service.password_matches"
        with mock.patch(name, wraps=password_matches) as hashed:
            body = {"email": email, "password": "guess"}
            answer = shop.client().post(LOGIN, json=body)
        told.append((answer.status_code, answer.get_json(), hashed.call_count))
    assert told == [told[0]] * 4
    assert told[0][::2] == (401, 1)


def test_e6_no_spelling_of_the_door_and_no_header_gets_around_a_limit(
    shop: Shop, shopper: Account
) -> None:
    """E6: nor the other door to the same account."""
    statuses = []
    for number in range(12):
        headers = SAME | {
            "X-Forwarded-For": f"10.0.0.{number}",
            "Forwarded": f"for=10.0.1.{number}",
            "X-Real-IP": f"10.0.2.{number}",
        }
        body = {"email": shopper.email, "password": "guess"}
        if number % 2:
            answer = shop.client().post("/sign-in", data=body, headers=headers)
        else:
            path = LOGIN + "/" * (number % 4 // 2)
            answer = shop.client().post(path, json=body, headers=headers)
        statuses.append(answer.status_code)
    assert statuses == [401] * 10 + [429] * 2


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        (
            "POST",
            "/api/auth/register",
            {"email": "e@example.com", "password": PASSWORD, "name": "E"},
        ),
        ("POST", LOGIN, {"email": "wanjiku@example.com", "password": PASSWORD}),
    ],
)
def test_e7_fields_that_nobody_asked_for_make_nobody_more(
    shop: Shop, shopper: Account, method: str, path: str, body: dict[str, Any]
) -> None:
    """E7."""
    more = {"role": "admin", "is_admin": True, "id": 1, "totp_since": "2026-01-01T00:00:00Z"}
    answer = shop.client().open(path, method=method, json=body | more)
    assert answer.get_json()["user"]["role"] == "shopper"
    with shop.app.app_context():
        found = db.session.query(Person).filter_by(role=Role.ADMIN).count()
        assert (found, db.session.get_one(Person, shopper.id).has_second_factor) == (0, False)


def test_e7_a_form_of_one_s_own_account_gives_no_role(shop: Shop, shopper: Account) -> None:
    """E7."""
    form = {"present": PASSWORD, "password": "another long password", "role": "admin"}
    assert browser(shop, shopper).post("/account/password", data=form).status_code == 303
    with shop.app.app_context():
        assert db.session.get_one(Person, shopper.id).role == Role.SHOPPER


@pytest.mark.parametrize("wanted", ["//evil.test", "/\\evil.test", "javascript:alert(1)"])
@pytest.mark.parametrize("page", ["/sign-in", "/sign-in/code", "/register"])
def test_e8_no_page_on_the_way_in_leads_to_another_site(
    shop: Shop, shopper: Account, page: str, wanted: str
) -> None:
    """E8: neither the redirect nor the form that carries it on."""
    client = browser(shop, shopper)
    answer = client.get(page, query_string={"next": wanted})
    assert answer.status_code == 303
    assert "evil" not in answer.location
    assert "javascript" not in answer.location
    stranger = shop.client().get(
        page, query_string={"next": wanted}, headers={"Accept": "text/html"}
    )
    assert "evil" not in stranger.text
    assert "javascript:" not in stranger.text
