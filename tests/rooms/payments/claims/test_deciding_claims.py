"""What a person of the shop decides about a claim, and who may."""

from __future__ import annotations

from typing import Any

import pytest

from app.accounts.roles import Role
from tests.support.app import Account, Shop, together
from tests.support.claims import CODE, FORM, Claims, told
from tests.support.paybill import Paybill, trail
from tests.support.staff import staff

OTHERS: dict[str, Any] = {"DebitPartyName": "254799999999 - A FRIEND"}


def act(shop: Shop, who: Account, claim_id: int, action: str, **form: str) -> int:
    path = f"/admin/claims/{claim_id}/{action}"
    answer = shop.client().post(path, data=form, headers=who.headers | FORM)
    return answer.status_code


def test_whoever_serves_gives_confirmed_money_to_the_order_and_it_is_written_down(
    shop: Shop, claims: Claims, shopper: Account
) -> None:
    order = shop.order(shopper)
    claims.claimed(shopper, order)
    claims.asked_and_told(told(**OTHERS))
    claim = claims.newest()
    assert claim.state == "with_person"
    for role, status in ((Role.VIEWER, 403), (Role.APPROVER, 403), (Role.OPERATOR, 303)):
        who = staff(shop, f"the-{role}", role)
        assert act(shop, who, claim.id, "accept", why="a friend paid, they told us") == status
    assert shop.order_now(shopper, order)["status"] == "paid"
    assert [credit.receipt for credit in shop.credits()] == [CODE]
    (entry,) = trail(shop, f"claim {claim.id}")
    assert (entry.action, entry.actor) == ("claim.accepted", "the-operator@example.com")
    assert claims.newest().state == "settled"
    assert shop.questions() == []


def test_unplaced_money_is_given_to_the_order_that_claims_it(
    shop: Shop, claims: Claims, paybill: Paybill, shopper: Account, admin: Account
) -> None:
    order = shop.order(shopper)
    paybill.pay("WRONG", receipt=CODE)
    claims.claimed(shopper, order)
    claims.asked_and_told(told(**OTHERS))
    page = shop.client().get("/admin/claims", headers=admin.headers | FORM).text
    assert "give it to this order" in page
    # Of several who decide at the same moment, one does.
    claim_id = claims.newest().id
    together(3, lambda _: act(shop, admin, claim_id, "accept", why="the shopper showed it"))
    assert shop.order_now(shopper, order)["status"] == "paid"
    assert len(trail(shop, f"claim {claim_id}")) == 1
    assert len(shop.credits()) == 1


def test_what_nobody_has_proven_leads_to_the_settlement_by_two_people(
    shop: Shop,
    claims: Claims,
    shopper: Account,
    admin: Account,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("app.disbursements.provider.SIMULATOR_INITIATOR", None)
    order = shop.order(shopper)
    payment = shop.prompted(shopper, order)
    claims.claimed(shopper, order)
    claims.sweep()
    claim_id = claims.newest().id
    act(shop, admin, claim_id, "accept", why="I believe it")
    assert shop.credits() == []
    page = shop.client().get("/admin/claims", headers=admin.headers | FORM).text
    door = f"/admin/payments/{payment.public_ref}?receipt={CODE}&amp;amount=1500"
    assert door in page
    assert "give it to this order" not in page
    front = shop.client().get("/admin", headers=admin.headers | FORM).text
    assert f"/admin/claims#claim-{claim_id}" in front


def test_a_refusal_is_read_by_the_shopper_in_the_shop_s_own_words(
    shop: Shop, claims: Claims, shopper: Account, admin: Account
) -> None:
    order = shop.order(shopper)
    claims.claimed(shopper, order)
    claims.asked_and_told(told(**OTHERS))
    claim_id = claims.newest().id
    assert act(shop, admin, claim_id, "refuse", answer="") == 303
    assert claims.newest().state == "with_person"
    assert act(shop, admin, claim_id, "refuse", answer="Come by with your phone {x}.") == 303
    stands = claims.stands(shopper, order)
    assert stands is not None
    assert (stands["state"], stands["message"]) == ("refused", "Come by with your phone {x}.")
    assert [entry.action for entry in trail(shop, f"claim {claim_id}")] == ["claim.refused"]


def test_the_list_is_read_page_by_page(
    shop: Shop, claims: Claims, shopper: Account, admin: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.payments.claims.deciding.PAGE_ROWS", 1)
    for code in ("UKL7AB12C1", "UKL7AB12C2"):
        claims.claimed(shopper, shop.order(shopper), code)
    client = shop.client()
    first = client.get("/admin/claims", headers=admin.headers | FORM).text
    newest = claims.newest().id
    assert ("UKL7AB12C2" in first, "UKL7AB12C1" in first) == (True, False)
    assert f"/admin/claims?before={newest}" in first
    older = client.get(f"/admin/claims?before={newest}", headers=admin.headers | FORM).text
    assert "UKL7AB12C1" in older
    assert client.get("/admin/claims?before=x", headers=admin.headers | FORM).status_code == 200
