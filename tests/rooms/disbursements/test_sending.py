"""Sending money: written down first, claimed by one, sent once, and what was said is kept."""

from __future__ import annotations

from unittest import mock

import pytest
from sqlalchemy.exc import OperationalError

from app.config import Environment
from app.disbursements import sending
from app.disbursements.models import Disbursement
from app.ledger.models import Account as Books
from app.mpesa.messages import plain
from app.settings.cipher import UnreadableSetting
from tests.services.launch import free_port
from tests.support.app import Account, Shop, later, together
from tests.support.daraja import Answer, FakeDaraja, Script, html, json_answer, refuse, reset, text

DAY = 24 * 3600
DUPLICATE = refuse("Duplicate OriginatorConversationID.", "500.002.1001")
NO_TOKEN = refuse("Error Occurred - Invalid Access Token - c9SQxWWhm", "401.002.01", 401)
HALF = b'{"ConversationID": "AG_2026'


def acknowledged(**body: object) -> Script:
    return lambda _: json_answer(body)


def slow(asked: dict[str, object]) -> Answer:
    return Answer(delay_seconds=1.5)


#: How a request may be answered; the status after it, and what holds it back if anything does.
ANSWERS: dict[str, tuple[Script, str, str | None]] = {
    "refused": (refuse("Bad Request - Invalid PartyB", "400.002.02", 400), "failed", None),
    "no such path": (refuse("Resource not found", "404.002.01", 404), "failed", None),
    "a code that is not 0": (acknowledged(ResponseCode="1"), "failed", None),
    "duplicate": (DUPLICATE, "processing", None),
    "throttled": (refuse("Quota Violation", "500.003.03"), "queued", "throttled"),
    "firewall": (html(403), "queued", "throttled"),
    "token refused twice": (NO_TOKEN, "queued", "credentials"),
    "internal error": (refuse("Internal Server Error", "500.003.1001"), "unknown", None),
    "maintenance": (refuse("Service is under maintenance", "500.002.1001"), "unknown", None),
    "bad gateway": (html(502), "unknown", None),
    "reset": (reset, "unknown", None),
    "silence": (slow, "unknown", None),
    "half a body": (text(HALF), "unknown", None),
    "no ConversationID": (acknowledged(ResponseCode="0"), "unknown", None),
    "two words at once": (
        acknowledged(ConversationID="AG_1", errorCode="400.002.02", errorMessage="no"),
        "unknown",
        None,
    ),
}


def sent_by(shop: Shop, record: Disbursement) -> str:
    with shop.app.app_context():
        return sending.send(record.id)


def queued(shop: Shop, admin: Account) -> Disbursement:
    """A payout that Daraja's gateway has turned away once."""
    shop.daraja.out_answer = html(403)
    record = shop.payout(admin)
    assert record.status == "queued"
    shop.daraja.out_answer = shop.daraja.accept_out
    return record


def test_it_stands_with_all_its_names_before_it_leaves(
    shop: Shop, admin: Account, daraja: FakeDaraja
) -> None:
    """I4."""
    seen: list[Disbursement] = []
    daraja.on_out = lambda asked, _: seen.append(shop.out_of(asked))
    record = shop.payout(admin, amount=5000)
    [before], [asked] = seen, daraja.payouts
    assert before.status == "processing"
    assert asked["OriginatorConversationID"] == before.originator_id
    assert asked["Occassion"] == plain(before.originator_id)
    assert asked["ResultURL"].endswith(f"/api/payments/b2c/result?token={before.token}")
    assert asked["QueueTimeOutURL"].endswith(f"/api/payments/b2c/timeout?token={before.token}")
    assert (record.conversation_id or "").startswith("AG_")
    assert shop.out_events(record) == ["asked", "sending", "accepted"]
    assert shop.balances() == {Books.MPESA: -500_000, Books.IN_TRANSIT: 500_000}


@pytest.mark.parametrize("name", ANSWERS)
def test_each_answer_has_its_meaning_and_none_sends_it_again(
    shop: Shop, admin: Account, daraja: FakeDaraja, name: str
) -> None:
    script, status, held = ANSWERS[name]
    supplier = shop.supplier(admin)
    daraja.out_answer = script
    answer = shop.ask_payout(admin, supplier)
    [record] = shop.outs()
    assert (record.status, record.held) == (status, held)
    assert answer.status_code == {"failed": 502, "processing": 200}.get(status, 202)
    assert len(daraja.moves) == (2 if held == "credentials" else 1)
    assert shop.balances().get(Books.IN_TRANSIT, 0) == (
        500_000 if status in ("processing", "unknown") else 0
    )
    daraja.out_answer = daraja.accept_out
    daraja.requests.clear()
    with later(DAY):
        for _ in range(3):
            shop.sweep_out()
    assert len(daraja.moves) == (1 if held else 0), "only what certainly was not sent"


def test_of_many_who_send_at_once_one_does(shop: Shop, admin: Account, daraja: FakeDaraja) -> None:
    """D4, I7."""
    record = queued(shop, admin)
    daraja.requests.clear()
    with later(60):
        said = together(6, lambda _: sent_by(shop, record))
    assert sorted(said) == ["accepted"] + ["it is processing"] * 5
    assert len(daraja.payouts) == 1


def test_what_was_not_sent_leaves_later_under_the_same_name(
    shop: Shop, admin: Account, daraja: FakeDaraja
) -> None:
    """I7: Daraja knows the second by the first one's id, should we be wrong about the first."""
    record = queued(shop, admin)
    assert shop.sweep_out() == 0, "not yet due"
    with later(20):
        shop.sweep_out()
    first, second = daraja.payouts
    assert first["OriginatorConversationID"] == second["OriginatorConversationID"]
    assert first["ResultURL"] == second["ResultURL"]
    after = shop.out(record)
    assert (after.status, after.sends, after.held) == ("processing", 2, None)
    assert shop.out_events(record)[1:] == ["sending", "not_sent", "sending", "accepted"]
    assert shop.balances()[Books.IN_TRANSIT] == 500_000


def test_it_is_tried_again_ever_more_seldom(shop: Shop, admin: Account, daraja: FakeDaraja) -> None:
    record = queued(shop, admin)
    daraja.out_answer = html(403)
    pauses = []
    for round_number in range(1, 8):
        record = shop.out(record)
        assert record.sent_at is not None
        assert record.next_check_at is not None
        pauses.append((record.next_check_at - record.sent_at).total_seconds())
        with later(700 * round_number):
            shop.sweep_out()
    assert [round(pause) for pause in pauses] == [15, 30, 60, 120, 300, 600, 600]


def test_a_duplicate_means_that_daraja_has_it_and_its_result_is_awaited(
    shop: Shop, admin: Account, daraja: FakeDaraja
) -> None:
    record = queued(shop, admin)
    daraja.out_answer = DUPLICATE
    with later(20):
        shop.sweep_out()
        assert shop.out(record).status == "processing"
        assert shop.paid_out(record).status == "completed"
    assert "duplicate" in shop.out_events(record)


def test_m_pesa_that_is_not_there_keeps_it_waiting(shop: Shop, admin: Account) -> None:
    supplier = shop.supplier(admin)
    here = f"http://127.0.0.1:{free_port()}"
    shop.set(mpesa_base_url=here, mpesa_b2c_security_credential="made by the portal")
    answer = shop.ask_payout(admin, supplier)
    [record] = shop.outs()
    assert (answer.status_code, record.status, record.held) == (202, "queued", "unreachable")
    assert answer.get_json()["data"]["held"] == "unreachable"


def test_a_process_that_dies_while_sending_leaves_it_unknown_and_never_sends_it_again(
    shop: Shop, admin: Account, daraja: FakeDaraja
) -> None:
    """A5."""
    record = queued(shop, admin)
    daraja.requests.clear()
    with (
        mock.patch.object(sending._Request, "go", side_effect=KeyboardInterrupt),
        pytest.raises(KeyboardInterrupt),
        later(20),
    ):
        sent_by(shop, record)
    assert shop.out(record).status == "processing"
    with later(60):
        shop.sweep_out()
    assert shop.out(record).status == "unknown"
    assert (daraja.moves, len(daraja.status_questions)) == ([], 1)


def test_an_answer_that_cannot_be_written_down_leaves_it_to_its_result(
    shop: Shop, admin: Account
) -> None:
    broken = OperationalError("update", {}, Exception("disk full"))
    with mock.patch("app.disbursements.sending._apply", side_effect=broken):
        answer = shop.ask_payout(admin)
    [record] = shop.outs()
    assert (answer.status_code, record.status) == (200, "processing")
    assert record.conversation_id is None
    assert shop.paid_out(record).status == "completed"


def test_an_accident_while_sending_does_not_look_as_if_nothing_had_been_asked_for(
    shop: Shop, admin: Account, daraja: FakeDaraja
) -> None:
    """Whoever is told 500 asks again, and would pay twice."""
    supplier = shop.supplier(admin)
    with mock.patch("app.disbursements.sending._claim", side_effect=RuntimeError("an accident")):
        answer = shop.ask_payout(admin, supplier)
    assert (answer.status_code, answer.get_json()["data"]["status"]) == (202, "queued")
    with later(10):
        shop.sweep_out()
    assert [record.status for record in shop.outs()] == ["processing"]
    assert len(daraja.payouts) == 1


def test_settings_that_are_missing_hold_it_until_they_are_there(
    shop: Shop, admin: Account, daraja: FakeDaraja
) -> None:
    supplier = shop.supplier(admin)
    given = {"mpesa_consumer_key": "k", "mpesa_consumer_secret": "s", "mpesa_passkey": "p"}
    sandbox = {"mpesa_environment": Environment.SANDBOX, "mpesa_b2c_initiator_name": "testapi"}
    shop.set(**given, **sandbox, mpesa_shortcode="174379")
    record = shop.payout(admin, supplier)
    assert (record.status, record.held) == ("queued", "not_configured")
    why = shop.out_timeline(record)[-1].why
    assert "MPESA_B2C_INITIATOR_PASSWORD" in why
    assert "MPESA_B2C_SECURITY_CREDENTIAL" in why
    assert daraja.moves == []
    shop.set(mpesa_b2c_security_credential="made by the portal")
    with later(301):
        shop.sweep_out()
    assert daraja.payouts[0]["SecurityCredential"] == "made by the portal"
    assert (shop.out(record).status, shop.out(record).held) == ("processing", None)


def test_a_stored_setting_that_cannot_be_read_holds_it(
    shop: Shop, admin: Account, daraja: FakeDaraja
) -> None:
    supplier = shop.supplier(admin)
    with mock.patch("app.settings.service._standing", side_effect=UnreadableSetting):
        record = shop.payout(admin, supplier)
    assert (record.status, record.held) == ("queued", "not_configured")
    assert daraja.moves == []


def test_a_supplier_who_was_retired_in_between_is_not_paid(
    shop: Shop, admin: Account, daraja: FakeDaraja
) -> None:
    record = queued(shop, admin)
    daraja.requests.clear()
    supplier = record.supplier_id
    where = f"/api/suppliers/{supplier}"
    body = {"is_active": False}
    assert shop.client().patch(where, json=body, headers=admin.headers).status_code == 200
    with later(20):
        shop.sweep_out()
    assert (shop.out(record).status, shop.out(record).held) == ("queued", "supplier_inactive")
    shop.client().patch(where, json={"is_active": True}, headers=admin.headers)
    with later(330):
        shop.sweep_out()
    assert shop.out(record).status == "processing"
    assert len(daraja.payouts) == 1


def test_one_that_cannot_be_worked_on_does_not_keep_the_others_waiting(
    shop: Shop, admin: Account, daraja: FakeDaraja, caplog: pytest.LogCaptureFixture
) -> None:
    first, second = queued(shop, admin), queued(shop, admin)
    send = sending.send

    def stumbling(disbursement_id: int) -> str:
        if disbursement_id == first.id:
            raise RuntimeError("an accident")
        return send(disbursement_id)

    with later(30), mock.patch("app.disbursements.sending.send", stumbling):
        shop.sweep_out()
    assert [record.status for record in shop.outs()] == ["queued", "processing"]
    assert "the sweep comes back" in caplog.text
    assert shop.out(second).sends == 2
