"""What people do with money, suppliers and settings stands in the trail, and only what was done."""

from __future__ import annotations

from app.audit import service as audit
from tests.rooms.admin.desk import GOOD, Desk
from tests.support.app import Account, Shop

NUMBER = "0733000444"


def actions(shop: Shop, subject: str = "") -> list[str]:
    """Return what was done to something, or at all but for sign-ins; oldest first."""
    with shop.app.app_context():
        found = audit.newest(limit=100, wanted=audit.Wanted(subject=subject))
        return [entry.action for entry in reversed(found) if entry.action != "person.signed_in"]


def test_a_supplier_s_life(shop: Shop, admin: Account) -> None:
    supplier, desk = shop.supplier(admin), Desk(shop, admin)
    home, subject = f"/admin/suppliers/{supplier['id']}", f"supplier {supplier['id']}"
    desk.sent(f"{home}/number", mpesa_number=NUMBER, reason="They called")
    desk.sent(f"{home}/number", mpesa_number=NUMBER, reason="And again")
    assert desk.send(f"{home}/prove").status_code == 403
    Desk(shop, shop.person("baraka", admin=True)).sent(f"{home}/prove")
    desk.sent(f"{home}/active", active="no")
    done = ["added", "number_changed", "number_proved", "changed"]
    assert actions(shop, subject) == [f"supplier.{verb}" for verb in done]
    with shop.app.app_context():
        change = audit.newest(wanted=audit.Wanted(action="supplier.number_changed"))[0]
    assert change.detail["number"] == "254733***444"
    assert (change.actor, change.detail["why"]) == (admin.email, "They called")


def test_a_payout_s_life(shop: Shop, admin: Account) -> None:
    shop.set(payout_approval_above=0)
    supplier = shop.supplier(admin)
    payout, other = shop.payout(admin, supplier, 700), shop.payout(admin, supplier, 800)
    assert shop.decide(admin, payout, "approve").status_code == 403
    shop.decide(shop.person("baraka", admin=True), payout, "approve")
    shop.decide(admin, other, "cancel")
    assert actions(shop, f"payout {payout.public_ref}") == ["payout.asked", "payout.approved"]
    assert actions(shop, f"payout {other.public_ref}") == ["payout.asked", "payout.called_off"]


def test_a_refund_that_staff_ask_for_and_none_of_a_shopper_s(
    shop: Shop, admin: Account, shopper: Account
) -> None:
    payment = shop.completed(shopper)
    own = shop.refund(shopper, payment, 100)
    asked = shop.refund(admin, payment, 200)
    assert actions(shop, f"refund {own.public_ref}") == []
    assert actions(shop, f"refund {asked.public_ref}") == ["refund.asked"]


def test_settings_without_their_values(shop: Shop, admin: Account) -> None:
    shop.set(settings_encryption_key="k" * 44)
    desk = Desk(shop, admin)
    desk.sent("/admin/settings/mpesa_passkey", value="averysecretpasskey0123")
    desk.sent("/admin/settings/mpesa_passkey", clear="yes")
    assert actions(shop, "setting mpesa_passkey") == ["setting.stored", "setting.cleared"]
    assert "averysecret" not in desk.read("/admin/audit")


def test_a_run_s_life(shop: Shop, admin: Account) -> None:
    shop.supplier(admin, "Kamau")
    shop.supplier(admin, "Otieno", "0722000222")
    desk = Desk(shop, admin)
    path = desk.upload(GOOD.encode()).location
    assert actions(shop)[-1] == "run.uploaded"
    assert desk.send(f"{path}/ask", seal="not this one").status_code == 303
    assert actions(shop)[-1] == "run.uploaded"
