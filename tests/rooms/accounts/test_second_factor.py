"""The second factor: codes from a phone, each good once, and what cannot be done without."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from html import unescape

import pytest
from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.twofactor.totp import TOTP
from werkzeug.test import TestResponse

from app.accounts import second_factor
from app.accounts.models import Person, RecoveryCode
from app.accounts.roles import Role
from app.audit import service as audit
from app.core.clock import now
from app.extensions import db
from tests.rooms.admin.desk import Desk
from tests.support.app import PASSWORD, Account, Shop, later, together
from tests.support.staff import staff

SETUP = "/account/second-factor"
#: The key of RFC 6238's own examples.
RFC_KEY = b"12345678901234567890"


class Phone:
    """The app on somebody's phone."""

    def __init__(self, key: str) -> None:
        self.key = key

    def code(self, steps: int = 0) -> str:
        """Return the code of this time step, or of one so many steps away."""
        totp = second_factor._totp(self.key)
        return totp.generate(now().timestamp() + 30 * steps).decode()


@pytest.fixture(autouse=True)
def _early_in_a_step() -> Iterator[None]:
    """Begin where a step has just begun, so that none ends between a code and its use."""
    with later(3 - now().timestamp() % 30):
        yield


@pytest.fixture
def owner(shop: Shop) -> Account:
    """An owner of a shop that has a key to seal secrets with."""
    shop.set(settings_encryption_key="k" * 44)
    return shop.person("achieng", admin=True)


def set_up(shop: Shop, who: Account) -> tuple[Phone, list[str]]:
    """Set the second factor up as people do; return the phone and the recovery codes."""
    desk = Desk(shop, who)
    assert desk.sent(SETUP, password=PASSWORD) == SETUP
    key = re.search(r'<code class="key">(\w+)</code>', desk.read(SETUP))
    assert key
    phone = Phone(key[1])
    # The code of the step before leaves the present one for whoever signs in next.
    done = desk.send(f"{SETUP}/confirm", otp=phone.code(-1))
    assert done.status_code == 200, unescape(done.text)
    return phone, re.findall(r"<li><code>([a-z2-7-]+)</code>", done.text)


def login(shop: Shop, who: Account, **more: str) -> TestResponse:
    body = {"email": who.email, "password": PASSWORD} | more
    return shop.client().post("/api/auth/login", json=body)


def test_codes_are_those_of_rfc_6238() -> None:
    """Appendix B of the RFC, its SHA-1 column, in six digits."""
    totp = TOTP(RFC_KEY, second_factor.DIGITS, SHA1(), second_factor.STEP_SECONDS)
    for moment, code in ((59, b"287082"), (1111111109, b"081804"), (20000000000, b"353130")):
        assert totp.generate(moment) == code


def test_a_sign_in_wants_a_code_once_the_second_factor_counts(shop: Shop, owner: Account) -> None:
    assert login(shop, owner).status_code == 200
    phone, _codes = set_up(shop, owner)
    without = login(shop, owner)
    assert (without.status_code, without.get_json()["code"]) == (401, "UNAUTHORIZED")
    assert without.get_json()["details"]["second_factor"] is True
    assert login(shop, owner, otp=phone.code()).status_code == 200


def test_a_wrong_password_is_not_told_that_a_code_is_wanted(shop: Shop, owner: Account) -> None:
    phone, _codes = set_up(shop, owner)
    body = {"email": owner.email, "password": "not this one", "otp": phone.code()}
    refused = shop.client().post("/api/auth/login", json=body)
    assert (refused.status_code, refused.get_json()["details"]) == (401, {})


def test_a_code_counts_once_and_no_older_one_after_it(shop: Shop, owner: Account) -> None:
    phone, _codes = set_up(shop, owner)
    assert login(shop, owner, otp=phone.code()).status_code == 200
    assert login(shop, owner, otp=phone.code()).status_code == 401
    assert login(shop, owner, otp=phone.code(-1)).status_code == 401


def test_of_many_who_show_the_same_code_at_once_one_enters(shop: Shop, owner: Account) -> None:
    phone, _codes = set_up(shop, owner)
    code = phone.code()
    answers = together(4, lambda _: login(shop, owner, otp=code))
    assert sorted(answer.status_code for answer in answers) == [200, 401, 401, 401]


@pytest.mark.parametrize(("steps", "status"), [(-2, 401), (1, 200), (2, 401)])
def test_a_clock_may_be_half_a_minute_off(
    shop: Shop, owner: Account, steps: int, status: int
) -> None:
    phone, _codes = set_up(shop, owner)
    assert login(shop, owner, otp=phone.code(steps)).status_code == status


@pytest.mark.parametrize("otp", ["000000x", "12345", "١٢٣٤٥٦", "0" * 40, "' OR 1=1 --"])
def test_what_is_no_code_is_refused_like_a_wrong_one(shop: Shop, owner: Account, otp: str) -> None:
    set_up(shop, owner)
    assert login(shop, owner, otp=otp).status_code == 401


def test_guessing_is_slowed_down_though_codes_are_right(shop: Shop, owner: Account) -> None:
    phone, _codes = set_up(shop, owner)
    statuses = [login(shop, owner, otp="000000").status_code for _ in range(6)]
    assert (statuses[0], statuses[-1]) == (401, 429)
    assert login(shop, owner, otp=phone.code()).status_code == 429
    with later(301):
        assert login(shop, owner, otp=phone.code()).status_code in (200, 429)


def test_a_recovery_code_lets_in_once(shop: Shop, owner: Account) -> None:
    _phone, codes = set_up(shop, owner)
    assert len(set(codes)) == second_factor.RECOVERY_CODES
    assert login(shop, owner, otp=codes[0].upper().replace("-", " ")).status_code == 200
    assert login(shop, owner, otp=codes[0]).status_code == 401
    assert login(shop, owner, otp=codes[1]).status_code == 200


def test_a_lost_phone_is_put_right_by_an_owner_or_by_the_command(
    shop: Shop, owner: Account
) -> None:
    set_up(shop, owner)
    args = ["users", "reset_second_factor", "--email", owner.email, "--why", "Phone in the lake"]
    assert shop.app.test_cli_runner().invoke(args=args).exit_code == 0
    assert shop.client().get("/api/auth/me", headers=owner.headers).status_code == 401
    assert login(shop, owner).status_code == 200
    again = shop.app.test_cli_runner().invoke(args=args)
    assert (again.exit_code, "has no second factor" in again.output) == (1, True)
    with shop.app.app_context():
        entry = audit.newest(limit=1, wanted=audit.Wanted(action="second_factor.reset"))[0]
    assert (entry.actor, entry.detail) == ("flask users", {"why": "Phone in the lake"})
    other = shop.person("baraka", admin=True)
    set_up(shop, other)
    with shop.app.app_context():
        path = f"/admin/people/{db.session.get_one(Person, other.id).uuid}/reset-second-factor"
    Desk(shop, shop.person("chebet", admin=True)).sent(path, why="A new phone")
    assert login(shop, other).status_code == 200


def test_neither_secret_nor_recovery_codes_are_stored_readably(shop: Shop, owner: Account) -> None:
    phone, codes = set_up(shop, owner)
    with shop.app.app_context():
        person = db.session.get_one(Person, owner.id)
        assert phone.key.encode() not in (person.totp_secret or b"")
        stored = {row.code_hash for row in db.session.query(RecoveryCode)}
    assert len(stored) == len(codes)
    assert not stored & set(codes)


def test_another_person_s_recovery_code_opens_nothing(shop: Shop, owner: Account) -> None:
    _phone, codes = set_up(shop, owner)
    other = shop.person("baraka", admin=True)
    set_up(shop, other)
    assert login(shop, other, otp=codes[0]).status_code == 401


def test_setting_up_signs_out_everywhere_else(shop: Shop, owner: Account) -> None:
    elsewhere = login(shop, owner).get_json()["access_token"]
    set_up(shop, owner)
    headers = {"Authorization": f"Bearer {elsewhere}"}
    assert shop.client().get("/api/auth/me", headers=headers).status_code == 401
    assert shop.client().get("/api/auth/me", headers=owner.headers).status_code == 200


def test_it_is_begun_by_password_and_counts_from_the_first_code_on(
    shop: Shop, owner: Account
) -> None:
    desk = Desk(shop, owner)
    assert desk.send(SETUP, password="not this one").status_code == 400
    desk.sent(SETUP, password=PASSWORD)
    assert desk.send(f"{SETUP}/confirm", otp="000000").status_code == 401
    assert login(shop, owner).status_code == 200


def test_it_is_not_begun_anew_while_it_counts(shop: Shop, owner: Account) -> None:
    set_up(shop, owner)
    assert Desk(shop, owner).send(SETUP, password=PASSWORD).status_code == 409


def test_without_a_key_to_seal_with_the_page_says_so(shop: Shop, owner: Account) -> None:
    shop.set(settings_encryption_key=None)
    told = Desk(shop, owner).send(SETUP, password=PASSWORD)
    assert told.status_code == 503
    assert "SETTINGS_ENCRYPTION_KEY" in told.text


def test_the_page_asks_for_the_code_on_a_second_page(shop: Shop, owner: Account) -> None:
    phone, _codes = set_up(shop, owner)
    client = shop.client()
    client.environ_base |= {"HTTP_SEC_FETCH_SITE": "same-origin"}
    form = {"email": owner.email, "password": PASSWORD, "next": "/admin/books"}
    half = client.post("/sign-in", data=form)
    assert half.location == "/sign-in/code?next=/admin/books"
    assert client.get_cookie("access_token_cookie") is None
    assert client.get("/admin/books").status_code == 303
    wrong = client.post("/sign-in/code", data={"otp": "000000", "next": "/admin/books"})
    assert (wrong.status_code, "does not count" in wrong.text) == (401, True)
    done = client.post("/sign-in/code", data={"otp": phone.code(), "next": "/admin/books"})
    assert (done.status_code, done.location) == (303, "/admin/books")
    assert client.get("/admin/books").status_code == 200


def test_the_second_page_is_for_those_who_gave_the_password_just_now(
    shop: Shop, owner: Account
) -> None:
    phone, _codes = set_up(shop, owner)
    client = shop.client()
    client.environ_base |= {"HTTP_SEC_FETCH_SITE": "same-origin"}
    assert client.get("/sign-in/code").location == "/sign-in"
    assert client.post("/sign-in/code", data={"otp": phone.code()}).location == "/sign-in"
    client.post("/sign-in", data={"email": owner.email, "password": PASSWORD})
    with later(301):
        late = client.post("/sign-in/code", data={"otp": phone.code()})
    assert late.location == "/sign-in"


Deed = Callable[[Shop, Account], TestResponse]


def _add_supplier(shop: Shop, who: Account) -> TestResponse:
    body = {"name": "Kamau", "mpesa_number": "0722000111"}
    return shop.client().post("/api/suppliers", json=body, headers=who.headers)


def _refund(shop: Shop, who: Account) -> TestResponse:
    path = "/api/payment/transactions/TXN20260101000000AAA/refund"
    return shop.client().post(path, json={"amount": 10, "reason": "x"}, headers=who.headers)


def _approve(shop: Shop, who: Account) -> TestResponse:
    path = "/api/payments/supplier/payouts/PAY20260101000000AAA/approve"
    return shop.client().post(path, json={}, headers=who.headers)


def _change_settings(shop: Shop, who: Account) -> TestResponse:
    headers = who.headers | {"Origin": "http://localhost"}
    return shop.client().post("/admin/settings/mpesa_shortcode", data={}, headers=headers)


def _give_role(shop: Shop, who: Account) -> TestResponse:
    headers = who.headers | {"Origin": "http://localhost"}
    path = "/admin/people/00000000-0000-4000-8000-000000000000/role"
    return shop.client().post(path, data={"role": "admin", "why": "x"}, headers=headers)


DEEDS = [_add_supplier, _approve, _refund, _change_settings, _give_role]


@pytest.mark.parametrize("deed", DEEDS)
def test_where_it_is_wanted_nobody_moves_money_without(
    shop: Shop, owner: Account, deed: Deed
) -> None:
    shop.set(require_second_factor=True)
    plain = Account(owner.id, owner.email, login(shop, owner).get_json()["access_token"], "")
    refused = deed(shop, plain)
    assert refused.status_code == 403
    assert SETUP in refused.text
    assert shop.client().get("/api/suppliers", headers=plain.headers).status_code == 200
    phone, _codes = set_up(shop, plain)
    assert deed(shop, plain).status_code not in (401, 403)
    proven = login(shop, owner, otp=phone.code()).get_json()["access_token"]
    assert deed(shop, Account(owner.id, owner.email, proven, "")).status_code not in (401, 403)


def test_production_wants_it_and_other_environments_do_not(shop: Shop) -> None:
    settings = shop.app.extensions["lipa_settings"]
    assert not settings.wants_second_factor
    production = settings.model_copy(update={"mpesa_environment": "production"})
    assert not production.model_copy(update={"require_second_factor": False}).wants_second_factor


def test_the_account_page_reminds_whoever_moves_money(shop: Shop, owner: Account) -> None:
    assert "set up a second factor" in Desk(shop, owner).read("/account")
    assert "set up a second factor" not in Desk(shop, staff(shop, "v", Role.VIEWER)).read(
        "/account"
    )
    set_up(shop, owner)
    assert "set up a second factor" not in Desk(shop, owner).read("/account")
