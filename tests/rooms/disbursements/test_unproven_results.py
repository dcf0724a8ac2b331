"""Results that lack a proof, contradict their address or say nothing readable; and time-outs."""

from __future__ import annotations

from typing import Any

import pytest

from app.disbursements import funds
from app.disbursements.models import Disbursement
from tests.support import results
from tests.support.app import SAFARICOM, STRANGER, Account, Shop, later, standing
from tests.support.daraja import FakeDaraja
from tests.support.money_out import TIMEOUT_PATH, secret_of

ACCEPTED = {"ResultCode": 0, "ResultDesc": "Accepted"}
MINUTE = 60


@pytest.fixture
def record(shop: Shop, admin: Account) -> Disbursement:
    """A payout of KES 5,000 that Daraja has acknowledged."""
    return shop.payout(admin)


def is_due(shop: Shop, record: Disbursement) -> bool:
    """Tell whether Daraja is to be asked about it now, by asking."""
    return shop.take_turn(record) == "Daraja is asked"


# With less than both proofs.

LESS: dict[str, tuple[bool, str]] = {
    "token only": (True, STRANGER),
    "origin only": (False, SAFARICOM),
}


@pytest.mark.parametrize("name", LESS)
@pytest.mark.parametrize("code", [0, 2001])
def test_one_proof_alone_moves_nothing_and_has_daraja_asked(
    shop: Shop, record: Disbursement, name: str, code: int
) -> None:
    by_token, peer = LESS[name]
    body = results.paid_out(record) if code == 0 else results.declined(record)
    said = shop.result(body, token=record.token if by_token else None, peer=peer)
    assert said.get_json() == ACCEPTED
    after = shop.out(record)
    assert (after.status, after.receipt) == ("processing", None)
    assert is_due(shop, record)
    assert shop.readings() == [], "what a balance is, is not believed either"


def test_without_any_proof_nothing_happens_at_all(shop: Shop, record: Disbursement) -> None:
    for token in (None, "a-guess", "x" * 64):
        assert shop.result(results.paid_out(record), token=token, peer=STRANGER).status_code == 200
    assert shop.out(record).status == "processing"
    assert shop.daraja.status_questions == []


def test_without_any_proof_bodies_are_limited(shop: Shop, record: Disbursement) -> None:
    with standing():
        answers = [shop.result({"Result": {"n": n}}, peer=STRANGER) for n in range(70)]
    said = [answer.status_code for answer in answers]
    assert said.count(200) == 60
    assert set(said[60:]) == {429}
    assert shop.paid_out(record).status == "completed", "Daraja is not shut out by it"


def test_a_stranger_s_copy_that_comes_first_does_not_shut_out_the_real_one(
    shop: Shop, record: Disbursement
) -> None:
    body = results.paid_out(record)
    shop.result(body, peer=STRANGER)
    shop.result(body, token=record.token, peer=STRANGER)
    shop.result(body)
    assert shop.out(record).status == "processing"
    assert shop.proven(record, body).status == "completed"


def test_another_record_s_token_proves_nothing_of_this_one(
    shop: Shop, admin: Account, record: Disbursement
) -> None:
    other = shop.payout(admin)
    shop.result(results.paid_out(record), token=other.token)
    assert [one.status for one in shop.outs()] == ["processing", "processing"]
    assert shop.verdicts() == ["token missing or not fitting: Daraja is asked"]


@pytest.mark.parametrize(
    "ids",
    [
        {"conversation_id": "AG_20261121_of_another"},
        {"originator_id": "PAY-of-another"},
        {"originator_id": "PAY-of-another", "conversation_id": "AG_of_another"},
    ],
)
def test_ids_of_another_request_have_daraja_asked(
    shop: Shop, record: Disbursement, ids: dict[str, Any]
) -> None:
    after = shop.proven(record, results.paid_out(record, **ids))
    assert after.status == "processing"
    assert is_due(shop, record)


@pytest.mark.parametrize("gone", ["originator_id", "conversation_id"])
def test_an_id_that_is_left_out_contradicts_nothing(
    shop: Shop, record: Disbursement, gone: str
) -> None:
    named: dict[str, Any] = {gone: None}
    assert shop.proven(record, results.paid_out(record, **named)).status == "completed"


def test_names_that_nobody_has_are_kept_and_left_alone(shop: Shop, record: Disbursement) -> None:
    shop.result(results.result("PAY-nobody-s", "AG_nobody_s"))
    assert shop.verdicts() == ["it names nothing of ours"]
    assert shop.out(record).status == "processing"


GARBAGE: list[bytes] = [
    b"",
    b"{",
    b"[]",
    b"null",
    b'"Result"',
    b"\xff\xfe",
    b'{"Result": null}',
    b'{"Result": []}',
    b'{"Result": {"ResultCode": null}}',
    b'{"Result": {"ResultCode": true}}',
    b'{"Result": {"ResultCode": {}}}',
    b'{"Result": {"ResultDesc": "fine"}}',
    b'{"Result": ' + b"[" * 3000,
    b'{"Result": {"ResultCode": NaN}}',
]


@pytest.mark.parametrize("door", ["token", "query", "balance"])
def test_garbage_is_kept_acknowledged_and_says_nothing(
    shop: Shop, record: Disbursement, daraja: FakeDaraja, door: str
) -> None:
    with later(MINUTE):
        shop.sweep_out()
    with shop.app.app_context():
        funds.ask()
    balance = secret_of(daraja.balance_questions[-1]["ResultURL"], "balance")
    secrets = {"token": record.token, "query": shop.question_token(), "balance": balance}
    said = [shop.result(raw, **{door: secrets[door]}) for raw in GARBAGE]
    assert [(one.status_code, one.get_json()) for one in said] == [(200, ACCEPTED)] * len(GARBAGE)
    assert (shop.out(record).status, shop.out(record).receipt) == ("unknown", None)
    assert [verdict[:11] for verdict in shop.verdicts() if verdict] == ["unreadable:"] * len(
        GARBAGE
    )
    assert shop.readings()[-1].utility_cents is None


def test_a_body_that_is_too_long_is_refused_unread(shop: Shop, record: Disbursement) -> None:
    assert shop.result(b" " * (64 * 1024 + 1), token=record.token).status_code == 413
    assert shop.result_inbox() == []


# Time-outs of Daraja's queue.


def echo(daraja: FakeDaraja) -> dict[str, Any]:
    return daraja.payouts[-1]


def test_a_time_out_in_the_queue_means_unknown_and_daraja_is_asked(
    shop: Shop, record: Disbursement, daraja: FakeDaraja
) -> None:
    said = shop.result(echo(daraja), token=record.token, path=TIMEOUT_PATH)
    assert said.get_json() == ACCEPTED
    assert shop.out(record).status == "unknown"
    assert is_due(shop, record)
    assert shop.out_events(record)[-1] == "timed_out_in_queue"
    assert len(daraja.moves) == 1
    assert shop.paid_out(record).status == "completed", "it may have been paid all the same"


@pytest.mark.parametrize("raw", [b"{}", b'{"Result": {"ResultCode": 1}}'])
def test_a_time_out_that_names_nothing_is_its_address_s(
    shop: Shop, record: Disbursement, raw: bytes
) -> None:
    shop.result(raw, token=record.token, path=TIMEOUT_PATH)
    assert shop.out(record).status == "unknown"


def test_a_time_out_of_another_request_changes_nothing(shop: Shop, record: Disbursement) -> None:
    body = {"OriginatorConversationID": "PAY-of-another"}
    shop.result(body, token=record.token, path=TIMEOUT_PATH)
    assert shop.out(record).status == "processing"
    assert shop.verdicts() == ["its ids are another request's"]


def test_a_time_out_without_its_token_has_daraja_asked_if_it_comes_from_there(
    shop: Shop, record: Disbursement, daraja: FakeDaraja
) -> None:
    shop.result(echo(daraja), path=TIMEOUT_PATH, peer=STRANGER)
    assert shop.verdicts() == ["a time-out that names nothing of ours"]
    shop.result(echo(daraja), path=TIMEOUT_PATH)
    assert shop.verdicts()[-1] == "token missing: Daraja is asked"
    assert is_due(shop, record)


def test_a_time_out_after_the_end_changes_nothing(shop: Shop, record: Disbursement) -> None:
    shop.paid_out(record)
    shop.result(echo(shop.daraja), token=record.token, path=TIMEOUT_PATH)
    assert shop.out(record).status == "completed"


def test_a_request_that_comes_back_tells_no_secret_to_the_log(
    shop: Shop, record: Disbursement, caplog: pytest.LogCaptureFixture
) -> None:
    """I10: the body is our own request, credential and all."""
    body = echo(shop.daraja)
    with caplog.at_level("INFO"):
        shop.result(body, token=record.token, path=TIMEOUT_PATH)
        with later(MINUTE):
            shop.sweep_out()
            question = shop.daraja.status_questions[-1]
            shop.result(question, query=shop.question_token(), path=TIMEOUT_PATH)
    assert "PAY" in caplog.text
    for secret in (body["SecurityCredential"], record.token, question["SecurityCredential"]):
        assert secret not in caplog.text
    assert shop.question_token() not in caplog.text
