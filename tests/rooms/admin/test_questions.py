"""The queue of the back office: what of money out waits for a person, and where it leads."""

from __future__ import annotations

import re
from typing import Any

import pytest
from sqlalchemy import update

from app.core.unit_of_work import transaction
from app.disbursements.models import Disbursement, ResultMessage
from app.disbursements.results import MOST_TRIES
from tests.rooms.admin.desk import Desk, section
from tests.support import results
from tests.support.app import Account, Shop, later
from tests.support.daraja import html, paid

DAY = 24 * 3600


@pytest.fixture
def supplier(shop: Shop, admin: Account) -> dict[str, Any]:
    return shop.supplier(admin)


def queue(desk: Desk) -> dict[str, str]:
    """Return what waits for a person, by its title, with everything that is said of it."""
    page = section(desk.read("/admin"), "review-heading")
    entries = page.split('<article class="question"')[1:]
    titles = [re.search(r"<h3[^>]*>([^<]*)</h3>", entry) for entry in entries]
    return {found[1]: entry for found, entry in zip(titles, entries, strict=True) if found}


def path_of(record: Disbursement) -> str:
    return f'href="/admin/{record.kind}s/{record.public_ref}"'


def unknown(shop: Shop, who: Account, supplier: dict[str, Any]) -> Disbursement:
    shop.daraja.out_answer = html(502)
    record = shop.payout(who, supplier, 5000)
    shop.daraja.out_answer = shop.daraja.accept_out
    return record


def test_a_quiet_shop_has_no_questions(
    shop: Shop, desk: Desk, admin: Account, supplier: dict[str, Any]
) -> None:
    shop.paid_out(shop.payout(admin, supplier, 5000))
    shop.payout(admin, supplier, 5001)
    assert queue(desk) == {}
    assert "Nothing. Every payment explains itself." in desk.read("/admin")


def test_what_waits_for_a_yes_is_asked_until_somebody_has_said_it(
    shop: Shop, desk: Desk, other_desk: Desk, admin: Account, supplier: dict[str, Any]
) -> None:
    shop.set(payout_approval_above=1000)
    record = shop.payout(admin, supplier, 5000)
    told = queue(desk)["A payout waits for another admin"]
    for words in ("Achieng", "it is above KES 1,000", "KES 5,000 to Kamau", path_of(record)):
        assert words in told
    other_desk.sent(f"/admin/payouts/{record.public_ref}/approve")
    assert queue(desk) == {}


def test_what_nobody_knows_is_asked_until_it_is_known(
    shop: Shop, desk: Desk, admin: Account, supplier: dict[str, Any]
) -> None:
    record = unknown(shop, admin, supplier)
    told = queue(desk)["Nobody knows whether a payout arrived"]
    assert "M-Pesa is being asked." in told
    assert path_of(record) in told
    shop.paid_out(record)
    assert queue(desk) == {}


def test_what_does_not_fit_is_asked_until_somebody_has_seen_it(
    shop: Shop, desk: Desk, admin: Account, supplier: dict[str, Any]
) -> None:
    record = shop.paid_out(shop.payout(admin, supplier, 5000), amount=4999)
    assert path_of(record) in queue(desk)["M-Pesa names another amount"]
    desk.sent(f"/admin/payouts/{record.public_ref}/acknowledge", why="The statement says 5,000")
    assert queue(desk) == {}


def test_what_failed_is_told_until_it_is_made_anew_or_some_days_have_passed(
    shop: Shop, desk: Desk, admin: Account, supplier: dict[str, Any]
) -> None:
    first = shop.declined(shop.payout(admin, supplier, 5000), 2040)
    told = queue(desk)["A payout has failed"]
    assert "This number is not on M-Pesa." in told
    assert path_of(first) in told
    desk.sent(f"/admin/payouts/{first.public_ref}/again")
    assert queue(desk) == {}
    second = shop.declined(shop.outs()[1])
    assert path_of(second) in queue(desk)["A payout has failed"]
    with later(3 * DAY + 60):
        late = Desk(shop, shop.person("chebet", admin=True))
        assert "A payout has failed" not in queue(late)


def test_what_waits_for_float_or_settings_is_told_once_with_its_sum(
    shop: Shop, desk: Desk, admin: Account, supplier: dict[str, Any]
) -> None:
    shop.float_is(admin, 100)
    first = shop.payout(admin, supplier, 5000)
    shop.payout(admin, supplier, 700)
    told = queue(desk)["Waits for float"]
    assert "2 waiting, KES 5,700" in told
    assert path_of(first) in told
    shop.set(mpesa_environment="sandbox", mpesa_b2c_initiator_name=None)
    shop.payout(admin, supplier, 50)
    assert "1 waiting, KES 50" in queue(desk)["Waits for settings"]


def test_a_result_that_cannot_be_acted_on_is_told(
    shop: Shop, desk: Desk, admin: Account, supplier: dict[str, Any]
) -> None:
    record = shop.paid_out(shop.payout(admin, supplier, 5000))
    shop.result(results.declined(record, 9999), token=record.token)
    assert queue(desk) == {}
    with shop.app.app_context(), transaction() as session:
        newest = shop.result_inbox()[-1].id
        gave_up = update(ResultMessage).where(ResultMessage.id == newest)
        session.execute(gave_up.values(handled_at=None, tries=MOST_TRIES))
    told = queue(desk)["A result from M-Pesa could not be acted on"]
    assert f"result {newest}" in told


def test_a_changed_number_is_shown_to_the_other_admins_until_one_has_made_sure(
    shop: Shop, desk: Desk, other_desk: Desk, supplier: dict[str, Any]
) -> None:
    path = f"/admin/suppliers/{supplier['id']}"
    for number in ("0733000222", "0733000333"):
        desk.sent(f"{path}/number", mpesa_number=number, reason="A new line")
    told = queue(other_desk)["A supplier's number has changed"]
    assert "Achieng says: “A new line”." in told
    assert f'href="{path}"' in told
    page = section(other_desk.read("/admin"), "review-heading")
    assert page.count("A supplier's number has changed") == 1
    other_desk.sent(f"{path}/prove")
    assert queue(desk) == {}


def test_questions_of_both_directions_stand_in_one_queue_oldest_first(
    shop: Shop, desk: Desk, admin: Account, shopper: Account, supplier: dict[str, Any]
) -> None:
    unknown(shop, admin, supplier)
    payment = shop.prompted(shopper)
    shop.callback(paid(payment.checkout_request_id, amount=1000), token=payment.callback_token)
    shop.declined(shop.payout(admin, supplier, 50))
    assert list(queue(desk)) == [
        "Nobody knows whether a payout arrived",
        "Less came than was asked for",
        "A payout has failed",
    ]
