"""Who sees the first page of the back office, what it offers them, and what it tells at once."""

from __future__ import annotations

from unittest import mock

import pytest
from cryptography.fernet import Fernet

from app import realtime
from app.accounts.roles import Role
from app.config import Environment
from app.disbursements.machine import PAYOUT_UPDATE
from app.extensions import socketio
from app.payments.settle import PAYMENT_UPDATE
from app.settings.service import store
from tests.rooms.admin.desk import Desk, section
from tests.support.app import Account, Shop
from tests.support.daraja import paid
from tests.support.staff import staff

API = "/api/admin/figures"


def _short(shop: Shop, shopper: Account) -> str:
    """Let less come than was asked for; return the form that decides about it."""
    payment = shop.prompted(shopper)
    shop.callback(paid(payment.checkout_request_id, 10), token=payment.callback_token)
    (question,) = shop.questions()
    return f"/admin/questions/set_aside/{question.subject_id}"


def test_e2_a_viewer_sees_everything_and_decides_nothing(shop: Shop, shopper: Account) -> None:
    """E2."""
    form = _short(shop, shopper)
    desk = Desk(shop, staff(shop, "viewer", Role.VIEWER))
    page = section(desk.read("/admin"), "review-heading")
    assert "Less came than was asked for" in page
    assert "<form" not in page
    assert desk.send(form, why="I wish I could").status_code == 403
    assert len(shop.questions()) == 1


def test_an_operator_decides_from_the_first_page(shop: Shop, shopper: Account) -> None:
    form = _short(shop, shopper)
    desk = Desk(shop, staff(shop, "operator", Role.OPERATOR))
    assert form in section(desk.read("/admin"), "review-heading")
    assert desk.sent(form, why="Seen in the statement") == "/admin"
    assert shop.questions() == []


def test_e2_a_shopper_learns_no_figure(shop: Shop, shopper: Account) -> None:
    """E2."""
    assert shop.client().get(API, headers=shopper.headers).status_code == 403
    assert shop.client().get(API).status_code == 401
    assert Desk(shop, shopper).open("/admin").status_code == 403


@pytest.mark.parametrize("days", ["2", "0x1", "1' OR '1'='1"])
def test_days_that_there_are_not_are_refused_in_words(
    shop: Shop, admin: Account, days: str
) -> None:
    for path in (API, "/admin"):
        answer = shop.client().get(path, query_string={"days": days}, headers=admin.headers)
        assert (answer.status_code, answer.get_json()["code"]) == (400, "VALIDATION_ERROR")
        assert "1, 7 or 30" in answer.get_json()["message"]


def test_the_page_offers_each_plot_as_a_table_and_explains_each_figure(desk: Desk) -> None:
    page = desk.read("/admin?days=30")
    for name in ("takings", "success", "speed", "callbacks"):
        table = page.partition(f'data-part="{name}"')[2].partition("</table>")[0]
        assert table.count("<tr data-at=") == 30
    assert "Success rate by day" in page
    meanings = page.partition("What these figures mean")[2].partition("</details>")[0]
    assert meanings.count("<dt>") == 9


def test_many_questions_do_not_bury_the_page(shop: Shop, desk: Desk, shopper: Account) -> None:
    for _ in range(9):
        shop.prompted(shopper)
    with mock.patch("app.payments.questions.QUIET_SECONDS", -3600):
        page = section(desk.read("/admin"), "review-heading")
    at_once, _, more = page.partition("<summary>1 more</summary>")
    assert (at_once.count("<article"), more.count("<article")) == (8, 1)


def test_staff_is_told_once_a_second_that_something_is_new_and_not_what(shop: Shop) -> None:
    payout = {"update": {"reference": "PAY1", "run_id": None}}
    payment = {"update": {"order_id": "o"}, "person_uuid": "p"}
    with (
        mock.patch.object(realtime, "_last_told", float("-inf")),
        mock.patch.object(socketio, "emit") as emit,
    ):
        for _ in range(3):
            realtime.deliver(PAYOUT_UPDATE, payout)
            realtime.deliver(PAYMENT_UPDATE, payment)
    told = [call for call in emit.call_args_list if call.args[0] == realtime.SHOP_CHANGED]
    assert told == [mock.call(realtime.SHOP_CHANGED, {}, to=realtime.STAFF)]
    rooms = [call.kwargs["to"] for call in emit.call_args_list if call.args[0] == PAYMENT_UPDATE]
    assert rooms == [["order:o", "person:p"]] * 3


def test_the_first_page_stands_while_a_stored_setting_cannot_be_read(
    shop: Shop, desk: Desk
) -> None:
    """Whoever is to mend it has to find the way to the settings."""
    shop.set(settings_encryption_key=Fernet.generate_key().decode())
    with shop.app.app_context():
        store("mpesa_consumer_secret", "s3cret", by="a test")
    shop.set(
        settings_encryption_key=Fernet.generate_key().decode(),
        mpesa_environment=Environment.SANDBOX,
    )
    page = section(desk.read("/admin"), "glance-heading")
    assert "Not known" in page.partition("<dt>Float</dt>")[2]
