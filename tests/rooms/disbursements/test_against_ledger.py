"""Money out against a simulator's ledger, by ``flask check_invariants --ledger``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from click.testing import Result
from requests_mock import Mocker

from app.accounts.models import Person
from app.core.clock import now
from app.disbursements import credit_refunds, engine
from app.disbursements.machine import Verdict, conclude
from app.disbursements.models import Disbursement
from app.extensions import db
from app.mpesa.c2b import C2bNews
from app.payments.evidence import Evidence
from app.payments.paybill.crediting import place
from tests.support.app import Account, Shop
from tests.support.daraja import FakeDaraja, refuse

HAND_MONEY = C2bNews(
    transaction_type="Pay Bill",
    receipt="UKL7HAND01",
    amount_cents=150_000,
    amount_problem=None,
    account="NOSUCHREF",
    msisdn="2547 ***** 111",
    shortcode="174379",
    first_name="JANE",
)
ROOT = "http://ledger.test"
PHONE = "254722000111"
CHARGE = 22.4


def moved(record: Disbursement, **changes: Any) -> dict[str, Any]:
    """A row of the ledger about a record, as the simulator tells it."""
    row = {
        "kind": record.channel,
        "receipt": f"UKL6{record.id:06d}",
        "originator_conversation_id": record.originator_id,
        "conversation_id": f"AG_{record.id}",
        "msisdn": record.msisdn,
        "amount": record.amount_cents // 100,
        "charge": CHARGE,
        "original_receipt": None,
    }
    return row | changes


def named(name: str) -> dict[str, str]:
    """Names by which no record of ours can be found."""
    return {"originator_conversation_id": name, "conversation_id": name, "receipt": name}


def asked(
    shop: Shop, mocker: Mocker, *rows: dict[str, Any], came: Sequence[dict[str, Any]] = ()
) -> Result:
    """Hold the books against a ledger of these rows, of which each page holds one."""

    def page(request: Any, _context: Any) -> dict[str, Any]:
        offset = int(request.qs["offset"][0])
        out = list(rows[offset : offset + 1])
        entries = list(came[offset : offset + 1])
        return {
            "entries": entries,
            "total": len(came),
            "money_out": out,
            "total_out": len(rows),
        }

    mocker.get(f"{ROOT}/simulator/api/ledger", json=page)
    return shop.app.test_cli_runner().invoke(args=["check_invariants", "--ledger", ROOT])


@pytest.fixture
def mocker(requests_mock: Mocker) -> Mocker:
    requests_mock.real_http = True
    return requests_mock


@pytest.fixture
def paid(shop: Shop, admin: Account) -> Disbursement:
    return shop.paid_out(shop.payout(admin))


@pytest.fixture
def unknown(shop: Shop, admin: Account, daraja: FakeDaraja) -> Disbursement:
    daraja.out_answer = refuse("Internal Server Error", "500.003.1001")
    record = shop.payout(admin)
    assert record.status == "unknown"
    return record


def test_what_left_once_to_its_number_is_right(
    shop: Shop, admin: Account, paid: Disbursement, mocker: Mocker
) -> None:
    another = shop.paid_out(shop.payout(admin))
    done = asked(shop, mocker, moved(paid), moved(another))
    assert done.exception is None, done.exception
    assert done.output == "Every invariant holds.\n"
    assert done.exit_code == 0


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"msisdn": "254700000999"}, "left to 0700 *** 999"),
        ({"amount": 4999}, "is KES 5,000, and KES 4,999 left"),
        ({"charge": 0}, "is charged KES 22.40, not KES 0"),
    ],
)
def test_another_number_amount_or_charge_is_named(
    shop: Shop, paid: Disbursement, mocker: Mocker, changes: dict[str, Any], told: str
) -> None:
    charged(shop, paid)
    done = asked(shop, mocker, moved(paid, **changes))
    assert done.exit_code == 1
    assert paid.public_ref in done.output
    assert told in done.output


def charged(shop: Shop, paid: Disbursement) -> None:
    """Have Daraja tell later what it charged."""
    verdict = Verdict("paid", "daraja", charge_cents=2240)
    with shop.app.app_context():
        assert conclude(paid.id, verdict) == "learned charge_cents"


def test_what_left_twice_is_named(shop: Shop, paid: Disbursement, mocker: Mocker) -> None:
    done = asked(shop, mocker, moved(paid), moved(paid, receipt="UKL6SECOND"))
    assert done.exit_code == 1
    assert f"{paid.public_ref} moved 2 times, KES 10,000 in all" in done.output


def test_a_completed_payout_that_never_left_is_named(
    shop: Shop, paid: Disbursement, mocker: Mocker
) -> None:
    done = asked(shop, mocker)
    assert done.exit_code == 1
    assert f"{paid.public_ref} is completed, and nothing left" in done.output


def test_money_that_left_although_it_is_called_unpaid_is_named(
    shop: Shop, admin: Account, mocker: Mocker
) -> None:
    failed = shop.declined(shop.payout(admin))
    done = asked(shop, mocker, moved(failed))
    assert done.exit_code == 1
    assert f"{failed.public_ref} is failed, and KES 5,000 left" in done.output


def test_money_that_nobody_has_asked_for_is_named(
    shop: Shop, paid: Disbursement, mocker: Mocker
) -> None:
    foreign = {
        "originator_conversation_id": "x",
        "conversation_id": "AG_x",
        "receipt": "UKL6FOREIG",
    }
    done = asked(shop, mocker, moved(paid), moved(paid, **foreign))
    assert done.exit_code == 1
    assert "AG_x moved KES 5,000 that nobody has asked for" in done.output


@pytest.mark.parametrize("has_left", [False, True])
def test_of_what_is_unknown_any_end_is_right(
    shop: Shop, unknown: Disbursement, mocker: Mocker, has_left: bool
) -> None:
    assert asked(shop, mocker, *([moved(unknown)] if has_left else [])).exit_code == 0


def test_a_nameless_request_is_found_by_number_and_amount_and_only_once(
    shop: Shop, unknown: Disbursement, mocker: Mocker
) -> None:
    """B2C v1 carries no id of ours, and nobody has told Daraja's."""
    first = {"originator_conversation_id": "d-1", "conversation_id": "AG_1"}
    second = {
        "originator_conversation_id": "d-2",
        "conversation_id": "AG_2",
        "receipt": "UKL6SECOND",
    }
    assert asked(shop, mocker, moved(unknown, **first)).exit_code == 0
    done = asked(shop, mocker, moved(unknown, **first), moved(unknown, **second))
    assert done.exit_code == 1
    assert "AG_2 moved KES 5,000 that nobody has asked for" in done.output
    other = asked(shop, mocker, moved(unknown, **first, amount=4999))
    assert "AG_1 moved KES 4,999 that nobody has asked for" in other.output


def test_a_reversal_of_money_paid_by_hand_may_go_to_whichever_phone_paid_it(
    shop: Shop, admin: Account, mocker: Mocker
) -> None:
    with shop.app.app_context():
        credit_id = place(HAND_MONEY, Evidence.PROVEN_CALLBACK, "a test", now()).credit_id or 0
        person = db.session.get_one(Person, admin.id)
        asked_back = credit_refunds.ask(credit_id, person, None, "Paid twice")
        record = shop.paid_out(engine.send_now(asked_back))
    came = [{"checkout_request_id": None, "receipt": "UKL7HAND01", "amount": 1500}]
    back = moved(record, msisdn=PHONE, charge=0, original_receipt="UKL7HAND01")
    assert "left to" not in asked(shop, mocker, back, came=came).output
    wrong = asked(shop, mocker, back | {"amount": 1499}, came=came)
    assert f"{record.public_ref} is KES 1,500, and KES 1,499 left" in wrong.output


def test_a_reversal_of_which_no_answer_came_is_found_by_what_it_took_back(
    shop: Shop, shopper: Account, mocker: Mocker, daraja: FakeDaraja
) -> None:
    payment = shop.completed(shopper)
    came = [{"checkout_request_id": payment.checkout_request_id, "amount": 1500}]
    daraja.out_answer = refuse("Internal Server Error", "500.003.1001")
    record = shop.refund(shopper, payment, 1500)
    assert (record.status, record.channel) == ("unknown", "reversal")
    back = moved(record, **named("AG_1"), charge=0, original_receipt=payment.mpesa_receipt)
    assert asked(shop, mocker, back, came=came).output == "Every invariant holds.\n"
    other = asked(shop, mocker, back | {"original_receipt": "UKL6OTHER0"}, came=came)
    assert "AG_1 moved KES 1,500 that nobody has asked for" in other.output
