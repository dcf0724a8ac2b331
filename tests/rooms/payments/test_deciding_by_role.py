"""Who decides about money that did not fit, and that each decision is in the audit trail."""

from __future__ import annotations

import pytest

from app.accounts.roles import Role
from app.audit.models import AuditEntry
from app.audit.service import newest
from tests.rooms.payments.test_money_in import decide, late_money, stray
from tests.support.app import Account, Shop
from tests.support.daraja import FakeDaraja
from tests.support.staff import staff


@pytest.fixture
def operator(shop: Shop) -> Account:
    return staff(shop, "njeri", Role.OPERATOR)


def trail(shop: Shop) -> list[AuditEntry]:
    with shop.app.app_context():
        return list(newest())


def test_an_operator_gives_anybody_s_order_its_money(
    shop: Shop, shopper: Account, operator: Account, daraja: FakeDaraja
) -> None:
    stray(shop, daraja)
    order = shop.order(shopper)
    [question] = shop.questions()
    decide(shop, operator, "assign", question.subject_id, order=str(order["number"]))
    assert shop.order_now(shopper, order)["status"] == "paid"
    [deed] = trail(shop)
    assert (deed.action, deed.actor_id) == ("payment.assigned", operator.id)
    assert deed.subject == f"order {order['number']}"
    assert deed.detail["amount"] == "KES 1,500"


def test_each_decision_is_written_down_once_with_who_and_why(
    shop: Shop, shopper: Account, other_shopper: Account, operator: Account
) -> None:
    order, payment, product = late_money(shop, shopper)
    shop.order(other_shopper, product)
    [question] = shop.questions()
    decide(shop, operator, "accept", question.subject_id, why="She called on 0712345678")
    decide(shop, operator, "accept", question.subject_id)
    [question] = shop.questions()
    decide(shop, operator, "delivered", question.subject_id)
    settled, accepted = trail(shop)
    assert (accepted.action, accepted.subject) == (
        "payment.accepted",
        f"payment {payment.public_ref}",
    )
    assert "0712345678" not in str(accepted.detail)
    assert (settled.action, settled.subject) == (
        "order.settled_with_shopper",
        f"order {order['number']}",
    )


@pytest.mark.parametrize("role", [Role.VIEWER, Role.APPROVER])
def test_who_only_looks_or_approves_decides_nothing(
    shop: Shop, shopper: Account, role: Role
) -> None:
    late_money(shop, shopper)
    [question] = shop.questions()
    somebody = staff(shop, "somebody", role)
    assert decide(shop, somebody, "accept", question.subject_id).status_code == 403
    assert trail(shop) == []
    assert [credit.decision for credit in shop.credits()] == [None]
