"""Settings that are proven, and the list before real money: each line from what is really there."""

from __future__ import annotations

from typing import Any

import pytest
from cryptography.fernet import Fernet

from app import go_live, proving
from app.accounts.models import Person
from app.accounts.roles import Role
from app.config import Environment
from app.core.unit_of_work import transaction
from app.extensions import db
from app.settings.service import store
from app.webhooks.models import Endpoint
from tests.rooms.admin.desk import Desk, flashed, section
from tests.support import results
from tests.support.app import Account, Shop, later
from tests.support.daraja import Answer, Script, html, refuse
from tests.support.money_out import SAFARICOM
from tests.support.paybill import trail
from tests.support.staff import staff

KEY = Fernet.generate_key().decode()
PAGE = "/admin/settings"
NO_PROMPT = refuse("The transaction does not Exist")


def prove(desk: Desk, name: str) -> str:
    """Try one thing as the page does, and return what the page says of all of them."""
    return section(desk.told(f"{PAGE}/prove/{name}"), "proofs-heading")


def state(shop: Shop, name: str) -> tuple[str, bool]:
    with shop.app.app_context():
        proof = proving.proof_of(proving.BY_NAME[name])
        return proof.state, proof.is_old


def answer_question(shop: Shop, body: object) -> None:
    """Post Daraja's answer to the newest question for a balance."""
    address: str = shop.daraja.balance_questions[-1]["ResultURL"]
    answer = shop.client().post(
        address.removeprefix("http://shop.test"),
        json=body,
        environ_overrides={"REMOTE_ADDR": SAFARICOM},
    )
    assert answer.status_code == 200


def test_key_and_secret_are_proven_by_a_token(shop: Shop, desk: Desk) -> None:
    told = prove(desk, "token")
    assert "✓ Proven" in told
    assert desk.who.email in told
    shop.daraja.token_answer = lambda _: Answer(400, b"")
    assert "Daraja does not accept them" in prove(desk, "token")
    assert state(shop, "token") == ("bad", False)
    tries = trail(shop, "setting token")
    assert [entry.detail["outcome"] for entry in tries] == ["bad", "good"]


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (NO_PROMPT, "good"),
        (refuse("Wrong credentials"), "bad"),
        (refuse("Merchant does not exist"), "bad"),
        (html(502), "unclear"),
    ],
)
def test_the_passkey_is_proven_by_what_daraja_says_of_a_prompt_that_never_was(
    shop: Shop, desk: Desk, answer: Script, expected: str
) -> None:
    shop.daraja.query_answer = answer
    prove(desk, "passkey")
    assert state(shop, "passkey") == (expected, False)
    assert shop.daraja.pushes == []


def test_the_initiator_is_pending_until_daraja_has_answered(shop: Shop, desk: Desk) -> None:
    page = desk.told(f"{PAGE}/prove/initiator")
    assert "Being asked" in section(page, "proofs-heading")
    assert 'http-equiv="refresh"' in page
    answer_question(shop, results.balance_told(1000))
    assert state(shop, "initiator") == ("good", False)
    assert 'http-equiv="refresh"' not in desk.read(PAGE)


def test_an_answer_faster_than_the_acknowledgement_counts(shop: Shop, desk: Desk) -> None:
    def told_early(asked: dict[str, Any]) -> Answer:
        shop.client().post(
            asked["ResultURL"].removeprefix("http://shop.test"), json=results.balance_told(1000)
        )
        return shop.daraja.accept_out(asked)

    shop.daraja.ask_answer = told_early
    prove(desk, "initiator")
    assert state(shop, "initiator") == ("good", False)


def test_a_wrong_initiator_is_told_with_the_mend(shop: Shop, desk: Desk) -> None:
    prove(desk, "initiator")
    answer_question(shop, results.no_status(2001))
    assert "Check the initiator&#39;s name" in desk.open(PAGE).text
    assert state(shop, "initiator") == ("bad", False)


def test_an_answer_that_never_comes_is_told_as_that(shop: Shop, desk: Desk) -> None:
    prove(desk, "initiator")
    with later(61):
        assert state(shop, "initiator") == ("unclear", False)


def test_a_certificate_that_is_not_there_is_told(
    shop: Shop, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "✓ Proven" in prove(desk, "certificate")
    shop.set(mpesa_b2c_certificate="nowhere.cer")
    assert "MPESA_B2C_CERTIFICATE cannot be read" in prove(desk, "certificate")


@pytest.mark.parametrize(("why", "expected"), [(None, "good"), ("ConnectionError", "bad")])
def test_the_callback_address_is_proven_by_coming_back(
    shop: Shop, desk: Desk, monkeypatch: pytest.MonkeyPatch, why: str | None, expected: str
) -> None:
    monkeypatch.setattr("app.reach.why_unreached", lambda _: why)
    prove(desk, "callback")
    assert state(shop, "callback") == (expected, False)


def test_a_proof_is_of_what_was_set_then(shop: Shop, desk: Desk) -> None:
    shop.set(settings_encryption_key=KEY)
    prove(desk, "token")
    with shop.app.app_context():
        store("mpesa_consumer_secret", "another-secret", by="a test")
    assert state(shop, "token") == ("good", True)
    assert "Changed since" in desk.read(PAGE)


def test_a_viewer_sees_the_settings_and_changes_nothing(shop: Shop) -> None:
    shop.set(settings_encryption_key=KEY)
    viewer = Desk(shop, staff(shop, "juma", Role.VIEWER))
    page = viewer.read(PAGE)
    assert "<form" not in page.partition("<h1>")[2].partition("</main>")[0]
    paths = ("/prove/token", "/paybill/register", "/mpesa_passkey")
    for path in paths:
        assert viewer.send(f"{PAGE}{path}", value="x").status_code == 403
    assert shop.daraja.requests == []
    assert state(shop, "token")[0] == "untried"
    assert "Ready for real money?" in viewer.read(f"{PAGE}/go-live")


def test_what_is_stored_is_written_down_without_its_value(shop: Shop, desk: Desk) -> None:
    shop.set(settings_encryption_key=KEY)
    desk.sent(f"{PAGE}/mpesa_passkey", value="zebra-crossing")
    (entry,) = trail(shop, "setting mpesa_passkey")
    assert (entry.action, entry.actor) == ("setting.stored", desk.who.email)
    assert "zebra" not in str(entry.detail)


def test_an_unknown_thing_to_prove_is_not_found(desk: Desk) -> None:
    assert desk.send(f"{PAGE}/prove/luck").status_code == 404


def test_the_paybill_is_registered_from_the_page(shop: Shop, desk: Desk) -> None:
    # Without a key nothing can be sealed, and nothing is sent.
    page = desk.told(f"{PAGE}/paybill/register")
    assert any("SETTINGS_ENCRYPTION_KEY" in told for told in flashed(page))
    assert "Register the paybill" in page


# Before real money.


def lines(shop: Shop) -> dict[str, go_live.Line]:
    with shop.app.app_context():
        return {line.title: line for line in go_live.checklist()}


def missing(shop: Shop) -> set[str]:
    return {title for title, line in lines(shop).items() if line.state is go_live.State.MISSING}


def test_a_shop_in_the_simulator_is_not_ready_and_each_line_says_why(
    shop: Shop, desk: Desk
) -> None:
    found = lines(shop)
    assert {"Environment", "Public address", "Proxies in front", "Alerts"} <= missing(shop)
    assert all(line.mend for line in found.values() if line.state is not go_live.State.READY)
    page = desk.read(f"{PAGE}/go-live")
    for line in found.values():
        assert line.title in page
        assert line.told in page


def test_what_is_put_right_becomes_ready(
    shop: Shop, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    account = {"mpesa_consumer_key": "k", "mpesa_consumer_secret": "s", "mpesa_passkey": "p"}
    shop.set(
        mpesa_environment=Environment.PRODUCTION,
        public_url="https://shop.example",
        trusted_proxies=1,
        settings_encryption_key=KEY,
        mpesa_shortcode="600999",
        mpesa_b2c_initiator_name="api",
        mpesa_b2c_security_credential="made-by-the-portal",
        require_second_factor=False,
        **account,
    )
    monkeypatch.setattr("app.reach.why_unreached", lambda _: None)
    shop.daraja.query_answer = NO_PROMPT
    assert "Consumer key and secret" in missing(shop)
    with shop.app.app_context():
        owner = db.session.get_one(Person, desk.who.id)
        for name in ("token", "passkey", "callback", "certificate"):
            proving.prove(name, owner)
        with transaction() as session:
            session.add(Endpoint(address="https://a.example", events=["alert.*"], secret=b"x"))
    assert missing(shop) == {"Initiator", "Second factor of staff", "Payments by hand"}


def test_the_second_factor_is_asked_of_everybody_who_moves_money(
    shop: Shop, admin: Account
) -> None:
    shop.set(require_second_factor=True)
    line = lines(shop)["Second factor of staff"]
    assert (line.state, line.told) == (
        go_live.State.MISSING,
        "People who may move money and have none: 1.",
    )


def test_an_allow_list_of_half_the_world_is_not_ready(shop: Shop) -> None:
    shop.set(mpesa_callback_allowlist="0.0.0.0/0")
    assert "Callers that are believed" in missing(shop)
    shop.set(mpesa_callback_allowlist="196.201.214.200")
    assert "Callers that are believed" not in missing(shop)
