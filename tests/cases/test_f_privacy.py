"""F: what must not get in, out, or be left lying about."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
import traceback
from importlib.metadata import distributions
from pathlib import Path

import pytest
from flask import Flask
from packaging.requirements import Requirement
from packaging.version import Version

from app import assembly
from app.config import read_settings
from app.mpesa.phone import masked
from app.settings.service import mpesa_settings
from tests.cases.people import browser
from tests.services.engines import sqlite_will_do
from tests.support.app import Account, Shop, explicit_settings
from tests.support.daraja import paid

ROOT = Path(__file__).resolve().parents[2]
LONG = "0123456789abcdef" * 3
SECRETS = {
    "secret_key": "a-session-key-nobody-may-see",
    "jwt_secret_key": "a-token-key-nobody-may-see",
    "settings_encryption_key": "a-sealing-key-nobody-may-see",
    "mpesa_consumer_key": "a-consumer-key-nobody-may-see",
    "mpesa_consumer_secret": "a-consumer-secret-nobody-may-see",
    "mpesa_passkey": "a-passkey-nobody-may-see",
    "mpesa_b2c_initiator_password": "a-password-nobody-may-see",
    "metrics_token": "a-metrics-token-nobody-may-see",
}
PRODUCTION = {
    "mpesa_environment": "production",
    "secret_key": LONG,
    "jwt_secret_key": LONG,
    "settings_encryption_key": LONG,
}
#: Of a payer, without what comes before it in one form or another.
NUMBER = "722987654"
LOCKS = ["requirements.txt", "requirements-dev.txt", "scripts/uv.txt"]


# F7: secrets.


@sqlite_will_do
def test_f7_no_page_header_or_error_tells_a_secret_or_another_s_number(
    shop: Shop, shopper: Account, other_shopper: Account, admin: Account
) -> None:
    """F7: every address that one can read without a name in it, as everybody there is."""
    order = shop.order(shopper)
    shop.pay(shopper, order, phone_number=f"0{NUMBER}")
    payment = shop.payment(order)
    shop.set(**SECRETS)
    owner = browser(shop, admin)
    for visitor in (shop.client(), browser(shop, other_shopper), owner):
        for path in _plain_paths(shop.app):
            # One document promises its admins the numbers; no page shows them whole.
            promised = visitor is owner and path.startswith("/api/")
            hidden = [*SECRETS.values(), payment.callback_token, *([] if promised else [NUMBER])]
            answer = visitor.get(path, headers={"Accept": "text/html"})
            told = f"{answer.headers} {answer.get_data(as_text=True)}"
            for secret in hidden:
                assert secret not in told, path
            assert answer.status_code < 500, path
            assert "Traceback" not in told, path


def _plain_paths(app: Flask) -> list[str]:
    rules = (rule for rule in app.url_map.iter_rules() if "GET" in (rule.methods or ()))
    return sorted(
        {rule.rule for rule in rules if "<" not in rule.rule and "simul" not in rule.rule}
    )


def test_f7_settings_that_cannot_be_right_are_refused_without_being_quoted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """F7."""
    for name, value in SECRETS.items():
        monkeypatch.setenv(name.upper(), value)
    monkeypatch.setenv("METRICS_TOKEN", "too short")
    monkeypatch.setenv("PORT", "a-consumer-key-nobody-may-see")
    with pytest.raises(SystemExit) as refusal:
        read_settings(_env_file=None)
    told = str(refusal.value)
    assert "metrics_token" in told
    assert "port" in told
    assert "nobody-may-see" not in told
    assert "too short" not in told


def test_f7_a_traceback_shows_no_values_and_the_account_has_no_secret_in_its_name(
    shop: Shop,
) -> None:
    """F7: of the objects that carry secrets, none tells them when it is printed."""
    shop.set(**SECRETS)
    with shop.app.app_context():
        account = mpesa_settings()
        said = f"{account!r} {account}"
        try:
            raise ValueError(f"with {account}")
        except ValueError:
            said += traceback.format_exc()
    assert "nobody-may-see" not in said


def test_f7_numbers_are_masked_whatever_is_handed_over() -> None:
    """F7."""
    assert masked("254712345678") == "0712 *** 678"
    for strange in ("", "12", "254", "0712345678901234567", "x" * 40):
        assert strange not in masked(strange) or not strange


# F8: what a shop refuses to start with.


@pytest.mark.parametrize("name", ["secret_key", "jwt_secret_key", "settings_encryption_key"])
@pytest.mark.parametrize("weak", ["", "secret", "123456789012345"])
def test_f8_production_does_not_start_with_a_weak_secret(name: str, weak: str) -> None:
    """F8."""
    with pytest.raises(ValueError, match=name.upper()):
        explicit_settings(**PRODUCTION | {name: weak})


def test_f8_production_does_not_start_with_debug() -> None:
    """F8: and DEBUG opens no debugger elsewhere either."""
    with pytest.raises(ValueError, match="DEBUG"):
        explicit_settings(**PRODUCTION, debug=True)
    assert explicit_settings(**PRODUCTION).logs_json, "production's log is for programs"
    assert not explicit_settings().logs_json


def test_f8_without_secrets_a_shop_makes_its_own_at_random_and_no_two_share_them(
    tmp_path: Path,
) -> None:
    """F8: there is no default key to know."""
    keys = set()
    for name in ("one", "two"):
        app = Flask(name)
        url = f"sqlite:///{tmp_path / 'lipa.db'}"
        assembly.configure(app, explicit_settings(database_url=url))
        made = [app.config["SECRET_KEY"], app.config["JWT_SECRET_KEY"]]
        assert all(len(key) >= 32 for key in made)
        assert not app.debug
        keys.update(made)
    assert len(keys) == 4


def test_f8_an_accident_opens_no_console(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """F8: neither by an error's page nor by the debugger's own addresses."""
    monkeypatch.setattr("app.orders.service.list_products", lambda *_: 1 / 0)
    for path in ("/api/products", "/console", "/?__debugger__=yes&cmd=resource&f=debugger.js"):
        answer = shop.client().get(path, headers={"Accept": "text/html"})
        assert "EVALEX" not in answer.text
        assert "werkzeug" not in answer.text.lower()


# F9: names and caches.


@pytest.mark.parametrize("host", ["evil.example", "shop.test.evil.example", "127.0.0.1", "", "@"])
def test_f9_a_shop_that_has_names_answers_to_no_other(shop: Shop, host: str) -> None:
    """F9."""
    shop.set(allowed_hosts="shop.test")
    refused = shop.client().get("/sign-in", headers={"Host": host})
    assert refused.status_code == 400
    assert shop.client().get("/sign-in", headers={"Host": "shop.test"}).status_code == 200


def test_f9_a_forged_host_is_in_no_link_address_or_callback(
    shop: Shop, shopper: Account, admin: Account
) -> None:
    """F9: addresses come from PUBLIC_URL, or have no host at all."""
    client = browser(shop, admin)
    for path in _plain_paths(shop.app):
        forged = {"Host": "evil.example", "X-Forwarded-Host": "evil.example"}
        answer = client.get(path, headers=forged | {"Accept": "text/html"})
        told = f"{answer.headers} {answer.get_data(as_text=True)}"
        assert "evil.example" not in told, path
    headers = shopper.headers | {"Host": "evil.example"}
    body = {"order_id": shop.order(shopper)["id"], "phone_number": "0712345678"}
    shop.client().post("/api/payments/mpesa/initiate", json=body, headers=headers)
    [push] = shop.daraja.pushes
    assert push["CallBackURL"].startswith("http://shop.test/")


@pytest.mark.parametrize("mark", ["%0d%0aSet-Cookie:%20stolen=1", "%0aX-Forged:%201", "%00"])
def test_f9_nothing_in_an_address_becomes_a_header(shop: Shop, mark: str) -> None:
    """F9."""
    for path in (f"/sign-in?next=/orders{mark}", f"/{mark}", f"/admin{mark}", f"/orders/{mark}"):
        answer = shop.client().get(path, headers={"Accept": "text/html"})
        assert answer.status_code < 500
        assert "stolen" not in answer.headers.get("Set-Cookie", "")
        assert "X-Forged" not in answer.headers


@sqlite_will_do
def test_f9_no_cache_keeps_what_is_about_money_or_people(
    shop: Shop, shopper: Account, admin: Account
) -> None:
    """F9: nor an address that leads on, nor a refusal."""
    payment = shop.completed(shopper)
    client = browser(shop, admin)
    paths = [*_plain_paths(shop.app), f"/admin/payments/{payment.public_ref}"]
    for path in paths:
        for visitor in (client, shop.client()):
            answer = visitor.get(path, headers={"Accept": "text/html"})
            assert answer.headers["Cache-Control"] == "no-store", path
    callback = shop.callback(paid(payment.checkout_request_id))
    assert callback.headers["Cache-Control"] == "no-store"


# F11: what is installed.


@pytest.mark.parametrize("lock", LOCKS)
def test_f11_every_package_is_pinned_with_its_hashes(lock: str) -> None:
    """F11: one version each, and nothing that is not checked by its hash."""
    entries = [
        entry for entry in re.split(r"\n(?=[^\s#])", (ROOT / lock).read_text()) if "==" in entry
    ]
    assert entries
    for entry in entries:
        pinned = entry.rpartition("\n#")[2] if entry.startswith("#") else entry
        assert re.match(r"[A-Za-z0-9._-]+(\[[\w,-]+\])?==[A-Za-z0-9.!+_-]+", pinned), entry
        assert re.search(r"--hash=sha256:[0-9a-f]{64}", pinned), entry
    lines = (ROOT / lock).read_text().splitlines()
    packages = [line for line in lines if line and not line.startswith(("#", " ", "\t"))]
    assert all("==" in line for line in packages), "a range is no pin"


def test_f11_the_lock_is_what_the_project_asks_for() -> None:
    """F11: every direct dependency is locked, at a version that it allows."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    asked = [Requirement(line) for line in project["project"]["dependencies"]]
    locked = dict(re.findall(r"^([\w.-]+)==([^\s;\\]+)", (ROOT / LOCKS[0]).read_text(), re.M))
    for requirement in asked:
        assert Version(locked[requirement.name.lower()]) in requirement.specifier, requirement


def test_f11_what_is_installed_is_what_is_locked_and_fits_together() -> None:
    """F11: `pip check`, and no package of the lock in another version."""
    check = subprocess.run(
        [sys.executable, "-m", "pip", "check"], capture_output=True, text=True, timeout=120
    )
    assert check.returncode == 0, check.stdout
    installed = {_plain(found.name): found.version for found in distributions()}
    locked = re.findall(r"^([\w.-]+)==([^\s;\\]+)( ;.*)?", (ROOT / LOCKS[1]).read_text(), re.M)
    for name, version, marker in locked:
        if not marker:
            assert installed.get(_plain(name)) == version, name


def _plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
