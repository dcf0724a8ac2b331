"""One proof, registration, and what may be paid: the paybill's doors and who is believed there."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any

import pytest

from app.accounts.roles import Role
from app.config import Environment
from app.core.errors import LipaError
from app.payments.paybill import registration
from app.payments.states import Standing
from tests.support.app import SAFARICOM, STRANGER, Account, Shop, later
from tests.support.daraja import Answer, html, json_answer, refuse
from tests.support.paybill import Paybill, news, trail
from tests.support.staff import staff

RECEIPT = "UKL7AB12CD"
FORM = {"Accept": "text/html", "Origin": "http://localhost"}


@pytest.fixture
def paybill(shop: Shop) -> Iterator[Paybill]:
    paybill = Paybill(shop)
    yield paybill
    paybill.close()


@pytest.fixture
def registered(paybill: Paybill) -> Paybill:
    paybill.register()
    return paybill


ONE_PROOF = pytest.mark.parametrize("proof", ["token", "origin"])


def one_proof(paybill: Paybill, account: str, proof: str) -> None:
    path = None if proof == "token" else f"/pay/c2b/{'0' * 48}/confirmation"
    peer = STRANGER if proof == "token" else SAFARICOM
    assert paybill.post(news(account), path=path, peer=peer).status_code == 200


def answer_path(shop: Shop) -> str:
    address: str = shop.daraja.status_questions[-1]["ResultURL"]
    return address.removeprefix("http://shop.test")


def status_told(
    amount: float = 1500.0, status: str = "Completed", receipt: str = RECEIPT
) -> dict[str, Any]:
    """Daraja's answer to a question about a receipt, in the recorded shape."""
    told = {
        "DebitPartyName": "254712345678 - JANE DOE",
        "CreditPartyName": "174379 - LIPA DUKA                   ",
        "ReasonType": "Pay Utility",
        "TransactionStatus": status,
        "Amount": amount,
        "ReceiptNo": receipt,
    }
    rows = [{"Key": name, "Value": value} for name, value in told.items()]
    return {
        "Result": {
            "ResultType": 0,
            "ResultCode": 0,
            "ResultDesc": "The service request is processed successfully.",
            "OriginatorConversationID": "3fec-4d4e-8899-1",
            "ConversationID": "AG_20261121_2070311589e691000924",
            "TransactionID": "UKL0000000",
            "ResultParameters": {"ResultParameter": [*rows, {"Key": "TransactionReason"}]},
        }
    }


@ONE_PROOF
def test_with_one_proof_daraja_s_word_about_the_receipt_credits(
    shop: Shop, registered: Paybill, shopper: Account, proof: str
) -> None:
    order = shop.order(shopper)
    one_proof(registered, order["reference"], proof)
    assert shop.credits() == []
    registered.sweep()
    (question,) = shop.daraja.status_questions
    assert (question["TransactionID"], question["PartyA"]) == (RECEIPT, "174379")
    assert registered.post(status_told(), path=answer_path(shop)).status_code == 200
    assert shop.order_now(shopper, order)["status"] == "paid"
    (credit,) = shop.credits()
    assert credit.evidence == "callback and query"


def test_what_daraja_says_has_moved_counts_before_what_was_posted(
    shop: Shop, registered: Paybill, shopper: Account
) -> None:
    order = shop.order(shopper)
    one_proof(registered, order["reference"], "token")
    registered.sweep()
    registered.post(status_told(amount=10.0), path=answer_path(shop))
    assert [(c.standing, c.amount_cents) for c in shop.credits()] == [(Standing.SHORT, 1000)]


@pytest.mark.parametrize(
    "body",
    [
        status_told(status="Cancelled"),
        status_told(receipt="UKL7OTHER9"),
    ],
)
def test_a_receipt_that_daraja_does_not_confirm_stands_before_a_person(
    shop: Shop, registered: Paybill, shopper: Account, body: object
) -> None:
    order = shop.order(shopper)
    one_proof(registered, order["reference"], "token")
    registered.sweep()
    registered.post(body, path=answer_path(shop))
    assert shop.credits() == []
    assert [question.kind for question in shop.questions()] == ["paybill_doubted"]


def test_an_answer_to_a_made_up_address_changes_nothing(
    shop: Shop, registered: Paybill, shopper: Account
) -> None:
    order = shop.order(shopper)
    one_proof(registered, order["reference"], "token")
    registered.sweep()
    registered.post(status_told(), path=f"/pay/result/{'a' * 43}")
    assert shop.credits() == []
    assert registered.notices()[-1].verdict == "an answer that nobody waits for"


def test_daraja_is_asked_again_and_in_the_end_a_person(
    shop: Shop, registered: Paybill, shopper: Account
) -> None:
    order = shop.order(shopper)
    shop.daraja.ask_answer = html(503)
    one_proof(registered, order["reference"], "origin")
    for _ in range(6):
        registered.due_now()
        registered.sweep()
    assert len(shop.daraja.status_questions) <= 5
    assert [question.kind for question in shop.questions()] == ["paybill_doubted"]


def test_without_an_initiator_a_person_decides_and_it_is_written_down(
    shop: Shop, registered: Paybill, shopper: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    order = shop.order(shopper)
    one_proof(registered, order["reference"], "token")
    monkeypatch.setattr("app.disbursements.provider.SIMULATOR_INITIATOR", None)
    registered.sweep()
    (notice,) = registered.notices()
    assert notice.state == "doubted"
    assert "MPESA_B2C_INITIATOR_NAME" in (notice.verdict or "")
    path, form = f"/admin/paybill/{notice.id}/believe", {"why": "seen in the statement"}
    for role, status in ((Role.VIEWER, 403), (Role.OPERATOR, 403), (Role.APPROVER, 303)):
        who = staff(shop, f"the-{role}", role)
        answer = shop.client().post(path, data=form, headers=who.headers | FORM)
        assert answer.status_code == status
    assert shop.order_now(shopper, order)["status"] == "paid"
    owner = shop.person("achieng", admin=True)
    (entry,) = trail(shop, f"paybill news {notice.id}")
    assert (entry.action, entry.actor) == ("paybill.believed", "the-approver@example.com")
    # A second person is too late.
    shop.client().post(path, data=form, headers=owner.headers | FORM)
    assert len(shop.credits()) == 1


def test_what_brought_no_money_is_put_aside(
    shop: Shop, registered: Paybill, admin: Account
) -> None:
    registered.post(b"nothing that can be read")
    (notice,) = registered.notices()
    page = shop.client().get("/admin/paybill", headers=admin.headers | FORM).text
    assert f'id="notice-{notice.id}"' in page
    path, form = f"/admin/paybill/{notice.id}/aside", {"why": "noise"}
    assert shop.client().post(path, data=form, headers=admin.headers | FORM).status_code == 303
    assert shop.questions() == []


# Registration.


def test_the_addresses_carry_a_secret_that_no_log_tells(
    shop: Shop, paybill: Paybill, shopper: Account, caplog: pytest.LogCaptureFixture
) -> None:
    registered = paybill.register()
    (asked,) = paybill.registrations
    assert asked.path == "/mpesa/c2b/v2/registerurl"
    assert asked.body["ResponseType"] == "Completed"
    assert asked.body["ShortCode"] == "174379"
    token = paybill.path().split("/")[3]
    assert registered.token_hash != token
    assert token.encode() not in registered.sealed_token
    caplog.set_level(logging.INFO)
    paybill.pay(shop.order(shopper)["reference"])
    from app.monitoring import redact

    assert token not in redact(caplog.text)
    assert paybill.notices()[-1].state == "done"


def test_registering_again_gives_a_new_secret_and_the_old_one_ends(
    shop: Shop, registered: Paybill, shopper: Account
) -> None:
    old = registered.path()
    registered.register()
    assert registered.path() != old
    order = shop.order(shopper)
    with later(3700):
        registered.post(news(order["reference"]), path=old)
    assert shop.credits() == []
    registered.pay(order["reference"])
    assert len(shop.credits()) == 1


def test_production_that_has_addresses_already_is_told_how_to_change_them(
    shop: Shop, paybill: Paybill, admin: Account, shopper: Account
) -> None:
    paybill.answer = refuse("Urls are already registered.", "500.003.1001")({})
    answer = shop.client().post(
        "/admin/settings/paybill/register", headers=admin.headers | FORM, follow_redirects=True
    )
    assert "portal" in answer.text
    assert paybill.path() in answer.text
    viewer = staff(shop, "viewer", Role.VIEWER)
    page = shop.client().get("/admin/settings", headers=viewer.headers | FORM).text
    assert paybill.path() not in page
    refused = shop.client().post("/admin/settings/paybill/register", headers=viewer.headers | FORM)
    assert refused.status_code == 403
    # Whoever types them into the portal is believed from then on.
    paybill.pay(shop.order(shopper)["reference"])
    assert len(shop.credits()) == 1


@pytest.mark.parametrize(
    ("answer", "state"),
    [
        (json_answer({"OriginatorCoversationID": "1", "ResponseCode": "00000000"}), "registered"),
        (json_answer({"OriginatorCoversationID": "1"}), "registered"),
        (html(502)({}), "unknown"),
        (refuse("Bad Request - Invalid ConfirmationURL", "400.003.02", 400)({}), "refused"),
    ],
)
def test_what_daraja_answers_is_told(paybill: Paybill, answer: Answer, state: str) -> None:
    paybill.answer = answer
    assert paybill.register().state == state


def test_an_address_that_daraja_would_refuse_is_not_sent(shop: Shop, paybill: Paybill) -> None:
    shop.set(public_url="https://mpesa.shop.example", mpesa_environment=Environment.SANDBOX)
    shop.set(mpesa_consumer_key="k", mpesa_consumer_secret="s", mpesa_passkey="p")
    with shop.app.app_context(), pytest.raises(LipaError, match="'mpesa'"):
        registration.register("a test")
    assert paybill.registrations == []


def test_doctor_says_when_the_shop_has_moved(shop: Shop, registered: Paybill) -> None:
    from app import doctor

    with shop.app.app_context():
        assert doctor._paybill() == []
        shop.set(public_url="https://new.example")
        (finding,) = doctor._paybill()
    assert "https://new.example" in finding.problem
    assert "c2b register" in finding.mend


# May it be paid?


def asked(paybill: Paybill, account: str, amount: int = 1500, **more: str) -> str:
    answer = paybill.post(news(account, amount, **more), path=paybill.path("validation"))
    body = answer.get_json()
    assert set(body) == {"ResultCode", "ResultDesc"}
    code: str = body["ResultCode"]
    return code


def test_everything_may_be_paid_unless_the_shop_says_otherwise(
    shop: Shop, registered: Paybill, shopper: Account
) -> None:
    order = shop.order(shopper)
    assert asked(registered, "NOBODY") == "0"
    shop.set(c2b_validation="refuse_unknown")
    assert asked(registered, "NOBODY") == "C2B00012"
    assert asked(registered, order["reference"]) == "0"
    assert asked(registered, order["reference"], 1400) == "C2B00013"
    registered.pay(order["reference"])
    assert asked(registered, order["reference"], receipt="UKL7EE55EE") == "C2B00012"
    assert len(shop.credits()) == 1


def test_strangers_learn_nothing_from_the_answers(
    shop: Shop, registered: Paybill, shopper: Account
) -> None:
    shop.set(c2b_validation="refuse_unknown")
    path = f"/pay/c2b/{'0' * 48}/validation"
    told = [
        registered.post(news(account), path=path, peer=STRANGER).get_json()
        for account in (shop.order(shopper)["reference"], "NOBODY")
    ]
    assert told[0] == told[1] == {"ResultCode": "0", "ResultDesc": "Accepted"}
