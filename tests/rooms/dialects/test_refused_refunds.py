"""A refund that M-Pesa refuses while its program waits is an error, and no acceptance."""

from __future__ import annotations

from app.disbursements.states import OutStatus
from tests.support.app import Account, Shop
from tests.support.daraja import FakeDaraja, refuse


def refused(shop: Shop, who: Account, path: str, body: dict[str, object]) -> None:
    answer = shop.client().post(path, json=body, headers=who.headers)
    told = answer.get_json()
    assert (answer.status_code, told["code"]) == (502, "PROVIDER_REFUSED")
    [record] = shop.outs()
    assert record.status == OutStatus.FAILED
    assert told["details"]["refund_id"] == record.public_ref
    assert "Invalid PartyB" in told["details"]["provider_message"]
    assert "M-Pesa refused the refund: nothing was sent back." in told["message"]


def test_the_payment_api_says_that_m_pesa_refused_a_refund(
    shop: Shop, shopper: Account, daraja: FakeDaraja
) -> None:
    payment = shop.completed(shopper)
    daraja.out_answer = refuse("Bad Request - Invalid PartyB", "400.002.02", 400)
    path = f"/api/payment/transactions/{payment.public_ref}/refund/"
    refused(shop, shopper, path, {"amount": 500, "reason": "Broken"})


def test_the_courses_api_says_that_m_pesa_refused_a_refund(
    shop: Shop, shopper: Account, admin: Account, daraja: FakeDaraja
) -> None:
    payment = shop.completed(shopper)
    daraja.out_answer = refuse("Bad Request - Invalid PartyB", "400.002.02", 400)
    body: dict[str, object] = {"payment_id": payment.id, "amount": 500}
    refused(shop, admin, "/api/payments/b2c/", body)
