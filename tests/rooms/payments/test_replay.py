"""Kept callbacks: tried again within a limit, replayed, and rehearsed without a trace."""

from __future__ import annotations

import pytest
from flask.testing import FlaskCliRunner

from app.payments import inbox
from tests.support.app import Account, Shop, later
from tests.support.daraja import FakeDaraja, paid, unpaid


@pytest.fixture
def flask(shop: Shop) -> FlaskCliRunner:
    return shop.app.test_cli_runner()


def fail(*_: object) -> str:
    raise RuntimeError("the disk is on fire")


def kept_and_not_handled(
    shop: Shop, shopper: Account, monkeypatch: pytest.MonkeyPatch, body: object = None
) -> int:
    """A callback that is kept, and whose handling went wrong."""
    payment = shop.prompted(shopper)
    with monkeypatch.context() as patch:
        patch.setattr(inbox, "settle", fail)
        body = body or paid(payment.checkout_request_id)
        assert shop.callback(body, token=payment.callback_token).status_code == 200
    return shop.inbox()[-1].id


def test_a_dry_run_says_what_would_happen_and_changes_nothing(
    shop: Shop, shopper: Account, monkeypatch: pytest.MonkeyPatch, flask: FlaskCliRunner
) -> None:
    callback_id = kept_and_not_handled(shop, shopper, monkeypatch)
    [before] = shop.inbox()
    told = flask.invoke(args=["callbacks", "replay", str(callback_id), "--dry-run"]).output
    assert "Would say: payment_confirmed" in told
    assert "payment_status: pending -> completed" in told
    assert "order_status: pending -> paid" in told
    [after] = shop.inbox()
    assert (after.handled_at, after.verdict) == (before.handled_at, before.verdict)
    assert shop.credits() == []


def test_a_dry_run_of_a_repeated_callback_says_that_it_is_repeated(
    shop: Shop, shopper: Account
) -> None:
    payment = shop.prompted(shopper)
    shop.callback(paid(payment.checkout_request_id), token=payment.callback_token)
    with shop.app.app_context():
        found = inbox.dry_run(shop.inbox()[0].id)
    assert found.verdict == "repeated: the payment is completed"
    assert found.before == found.after


def test_a_replay_does_what_the_dry_run_said_and_again_nothing(
    shop: Shop, shopper: Account, monkeypatch: pytest.MonkeyPatch, flask: FlaskCliRunner
) -> None:
    callback_id = kept_and_not_handled(shop, shopper, monkeypatch)
    for told in ("payment_confirmed", "repeated: the payment is completed"):
        done = flask.invoke(args=["callbacks", "replay", str(callback_id)])
        assert (done.exit_code, done.output.strip()) == (0, told)
    assert len(shop.credits()) == 1


def test_after_a_dry_run_the_next_transaction_commits(
    shop: Shop, shopper: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    callback_id = kept_and_not_handled(shop, shopper, monkeypatch)
    with shop.app.app_context():
        inbox.dry_run(callback_id)
        inbox.handle(callback_id)
    assert len(shop.credits()) == 1


def test_a_callback_that_cannot_be_acted_on_is_tried_less_and_less_and_then_shown(
    shop: Shop, shopper: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept_and_not_handled(shop, shopper, monkeypatch, unpaid("ws_CO_x"))
    payment = shop.prompted(shopper)
    monkeypatch.setattr(inbox, "settle", fail)
    shop.callback(paid(payment.checkout_request_id), token=payment.callback_token)
    hours = 24
    for hour in range(1, hours):
        with later(hour * 3600):
            shop.sweep()
    with later(hours * 3600):
        tries = max(message.tries for message in shop.inbox())
        assert tries == inbox.MOST_TRIES
        assert "callback_failed" in {question.kind for question in shop.questions()}
        shop.sweep()
        assert max(message.tries for message in shop.inbox()) == tries
    monkeypatch.undo()
    shop.app.test_cli_runner().invoke(args=["callbacks", "replay", str(shop.inbox()[-1].id)])
    assert len(shop.credits()) == 1


def test_the_list_shows_each_callback_with_its_verdict(
    shop: Shop, shopper: Account, flask: FlaskCliRunner, daraja: FakeDaraja
) -> None:
    payment = shop.prompted(shopper)
    shop.callback(paid(payment.checkout_request_id), token=payment.callback_token)
    told = flask.invoke(args=["callbacks", "list"]).output
    assert "payment_confirmed" in told
    assert "196.201.212.69" in told
    assert flask.invoke(args=["callbacks", "list", "--unhandled"]).output == ""


def test_a_callback_that_is_not_there_is_said_in_words(flask: FlaskCliRunner) -> None:
    done = flask.invoke(args=["callbacks", "replay", "12345"])
    assert (done.exit_code, done.output.strip()) == (1, "There is no callback 12345.")
