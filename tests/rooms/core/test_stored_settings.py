"""Settings kept in the database: behind the environment, before the default, never in the clear."""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from cryptography.fernet import Fernet
from sqlalchemy import select

from app.config import Environment, Settings
from app.core.errors import ValidationError
from app.extensions import db
from app.settings import at_start, service
from app.settings.cipher import NoEncryptionKey, UnreadableSetting
from app.settings.keys import KEYS
from app.settings.models import Setting
from app.settings.service import (
    Source,
    Standing,
    add_missing_rows,
    clear,
    mpesa_settings,
    overview,
    store,
    store_all,
)
from tests.support.app import Account, Shop, together

KEY = Fernet.generate_key().decode()
OTHER_KEY = Fernet.generate_key().decode()
LONG = "s" * 44


def standing(name: str) -> Standing:
    return next(each for each in overview() if each.key.name == name)


def started(shop: Shop, environ: dict[str, str] | None = None, **given: Any) -> Settings:
    """The settings that a new process on this shop's database would have."""
    configured: Settings = shop.app.extensions["lipa_settings"]
    base = {
        "_env_file": None,
        "database_url": configured.database_url,
        "settings_encryption_key": KEY,
    }
    with mock.patch.dict(os.environ, environ or {}, clear=True):
        return at_start.settings_at_start(**base | given)


def test_a_stored_setting_comes_after_the_environment_and_before_the_default(shop: Shop) -> None:
    """C-32."""
    shop.set(settings_encryption_key=KEY, mpesa_shortcode=None, mpesa_passkey="environment")
    with shop.app.app_context():
        assert mpesa_settings().shortcode == "174379"
        store("mpesa_business_shortcode", "600123", by="a test")
        store("mpesa_passkey", "from-the-database", by="a test")
        store("mpesa_business_shortcode", "600124", by="a test")
        assert mpesa_settings().shortcode == "600124"
        assert mpesa_settings().passkey == "environment"


def test_each_setting_tells_where_it_comes_from(shop: Shop) -> None:
    """S2-13, C-32."""
    shop.set(settings_encryption_key=KEY, mpesa_passkey="environment")
    with shop.app.app_context():
        store("mpesa_consumer_key", "stored", by="a test")
        sources = {each.key.name: each.source for each in overview()}
    assert sources == {
        "mpesa_consumer_key": Source.DATABASE,
        "mpesa_consumer_secret": Source.DEFAULT,
        "mpesa_business_shortcode": Source.DEFAULT,
        "mpesa_passkey": Source.ENVIRONMENT,
        "mpesa_environment": Source.DEFAULT,
        "mpesa_callback_url": Source.DEFAULT,
    }


def test_outside_the_simulator_nothing_stands_in_for_an_account(shop: Shop) -> None:
    shop.set(mpesa_environment=Environment.SANDBOX)
    with shop.app.app_context():
        sandbox = {each.key.name: each.value for each in overview()}
        shop.set(mpesa_environment=Environment.PRODUCTION)
        production = service.missing(overview())
    assert sandbox["mpesa_business_shortcode"] == "174379"
    assert sandbox["mpesa_passkey"] is None
    assert production == [each.name for each in KEYS if each.is_required]


def test_a_stored_secret_cannot_be_read_from_its_row_or_the_log(
    shop: Shop, caplog: pytest.LogCaptureFixture
) -> None:
    """S2-69."""
    shop.set(settings_encryption_key=KEY)
    with shop.app.app_context(), caplog.at_level(logging.DEBUG):
        store("mpesa_consumer_secret", "very-secret", by="a test")
        sealed = db.session.scalars(select(Setting.encrypted_value)).one()
        told = standing("mpesa_consumer_secret").shown + repr(mpesa_settings()) + caplog.text
    assert b"very-secret" not in sealed
    assert "very-secret" not in told


def test_an_unknown_setting_is_not_stored(shop: Shop) -> None:
    with shop.app.app_context(), pytest.raises(KeyError):
        store("mpesa_wishes", "many", by="a test")


def test_a_cleared_setting_gives_way_to_the_default(shop: Shop) -> None:
    shop.set(settings_encryption_key=KEY)
    with shop.app.app_context():
        store("mpesa_business_shortcode", "600123", by="a test")
        clear("mpesa_business_shortcode", by="a test")
        assert mpesa_settings().shortcode == "174379"
        assert standing("mpesa_business_shortcode").source is Source.DEFAULT


def test_missing_rows_are_made_blank_and_others_are_left_alone(shop: Shop) -> None:
    """S2-08. A blank row needs no key to be made or read."""
    shop.set(settings_encryption_key=KEY)
    with shop.app.app_context():
        store("mpesa_passkey", "kept", by="a test")
        shop.set(settings_encryption_key=None)
        assert len(add_missing_rows("a test")) == len(KEYS) - 1
        assert add_missing_rows("a test") == []
        shop.set(settings_encryption_key=KEY)
        assert mpesa_settings().passkey == "kept"
        assert mpesa_settings().shortcode == "174379"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *[(key.name, value) for key in KEYS for value in ("", "  ", "x" * 501, "a\nb")],
        ("mpesa_business_shortcode", "YOUR_SHORTCODE"),
        ("mpesa_business_shortcode", "1234"),
        ("mpesa_environment", "test"),
        ("mpesa_callback_url", "shop.example/callback"),
        ("mpesa_callback_url", "ftp://shop.example/"),
        ("mpesa_callback_url", "https://"),
        ("mpesa_callback_url", "https://shop.example:99999/"),
        ("mpesa_callback_url", "https://user:password@shop.example/"),
        ("mpesa_callback_url", "https://shop.example/#here"),
        ("mpesa_consumer_key", "two words"),
    ],
)
def test_a_value_that_cannot_be_right_is_refused_and_nothing_is_stored(
    shop: Shop, name: str, value: str
) -> None:
    shop.set(settings_encryption_key=KEY)
    both = {"mpesa_consumer_secret": "fine", name: value}
    with shop.app.app_context():
        with pytest.raises(ValidationError, match=name):
            store_all(both, by="a test")
        assert not db.session.scalars(select(Setting)).all()


def test_what_is_copied_with_spaces_around_it_is_stored_without(shop: Shop) -> None:
    shop.set(settings_encryption_key=KEY)
    with shop.app.app_context():
        store_all({"mpesa_passkey": " abc\n", "mpesa_environment": "Sandbox"}, by="a test")
        assert standing("mpesa_passkey").value == "abc"
        assert standing("mpesa_environment").value == "sandbox"


@pytest.mark.parametrize("key", [None, "", "too short"])
def test_without_a_good_key_nothing_is_stored(shop: Shop, key: str | None) -> None:
    shop.set(settings_encryption_key=key)
    with shop.app.app_context():
        with pytest.raises(NoEncryptionKey):
            store("mpesa_passkey", "value", by="a test")
        assert not db.session.scalars(select(Setting)).all()


def test_a_value_stored_with_another_key_stops_payments_and_can_be_stored_again(
    shop: Shop, shopper: Account
) -> None:
    shop.set(settings_encryption_key=OTHER_KEY)
    with shop.app.app_context():
        store("mpesa_passkey", "value", by="a test")
    shop.set(settings_encryption_key=KEY)
    answer = shop.pay(shopper, shop.order(shopper))
    assert (answer.status_code, answer.get_json()["code"]) == (503, "PROVIDER_UNAVAILABLE")
    with shop.app.app_context():
        with pytest.raises(UnreadableSetting):
            mpesa_settings()
        assert standing("mpesa_passkey").problem
        store("mpesa_passkey", "anew", by="a test")
        assert mpesa_settings().passkey == "anew"


def test_many_who_store_the_same_setting_first_all_succeed(shop: Shop) -> None:
    shop.set(settings_encryption_key=KEY)

    def work(number: int) -> None:
        with shop.app.app_context():
            store("mpesa_business_shortcode", f"60000{number}", by=f"person {number}")

    together(4, work)
    with shop.app.app_context():
        assert len(db.session.scalars(select(Setting)).all()) == 1


# HTTPS, and what the shop could not start with.


def test_a_plain_callback_address_is_flagged_and_refused_for_production(shop: Shop) -> None:
    """S2-15, S2-73, C-35."""
    shop.set(settings_encryption_key=KEY, secret_key=LONG, jwt_secret_key=LONG, public_url=None)
    plain = {"mpesa_callback_url": "http://shop.example/callback"}
    with shop.app.app_context():
        assert service.cautions(overview()) == []
        store_all(plain, by="a test")
        assert "mpesa_callback_url is not https://" in service.cautions(overview())[0]
        with pytest.raises(ValidationError, match="https"):
            store("mpesa_environment", "production", by="a test")
        with pytest.raises(ValidationError, match="https"):
            store_all(plain | {"mpesa_environment": "production"}, by="a test")
        good = {"mpesa_callback_url": "https://shop.example/c", "mpesa_environment": "production"}
        store_all(good, by="a test")
        assert service.cautions(overview()) == []
        with pytest.raises(ValidationError, match="https"):
            store_all(plain, by="a test")


def test_production_without_its_secrets_is_refused_before_it_locks_anybody_out(
    shop: Shop,
) -> None:
    shop.set(settings_encryption_key=KEY, secret_key=None, public_url=None)
    with shop.app.app_context(), pytest.raises(ValidationError, match="SECRET_KEY"):
        store("mpesa_environment", "production", by="a test")


# The start.


def test_the_stored_environment_decides_at_the_start_where_nothing_else_does(shop: Shop) -> None:
    shop.set(settings_encryption_key=KEY)
    assert started(shop).mpesa_environment is Environment.SIMULATOR
    with shop.app.app_context():
        store("mpesa_environment", "sandbox", by="a test")
        assert standing("mpesa_environment").source is Source.DATABASE
    found = started(shop, port=5123)
    assert (found.mpesa_environment, found.port) == (Environment.SANDBOX, 5123)
    assert "mpesa_environment" not in found.model_fields_set, "the page may change it"
    outside = started(shop, {"MPESA_ENVIRONMENT": "simulator"})
    assert outside.mpesa_environment is Environment.SIMULATOR
    blank = started(shop, {"MPESA_ENVIRONMENT": ""})
    assert blank.mpesa_environment is Environment.SANDBOX, "blank is unset"


def test_a_stored_production_asks_for_everything_that_production_needs(shop: Shop) -> None:
    """F8."""
    shop.set(settings_encryption_key=KEY, secret_key=LONG, jwt_secret_key=LONG, public_url=None)
    with shop.app.app_context():
        store("mpesa_environment", "production", by="a test")
    strong: dict[str, Any] = {"secret_key": LONG, "jwt_secret_key": LONG}
    assert started(shop, **strong).is_production
    with pytest.raises(SystemExit, match=r"SECRET_KEY[\s\S]*mpesa_environment"):
        started(shop, jwt_secret_key=LONG)
    with pytest.raises(SystemExit, match="https"):
        started(shop, public_url="http://shop.example", **strong)


def test_production_does_not_start_with_a_plain_callback_address_that_is_stored(
    shop: Shop,
) -> None:
    """C-35."""
    shop.set(settings_encryption_key=KEY)
    with shop.app.app_context():
        store("mpesa_callback_url", "http://shop.example/callback", by="a test")
    strong: dict[str, Any] = {"secret_key": LONG, "jwt_secret_key": LONG}
    assert started(shop, **strong).mpesa_callback_url is None, "it is read when it is needed"
    with pytest.raises(SystemExit, match="MPESA_CALLBACK_URL"):
        started(shop, {"MPESA_ENVIRONMENT": "production"}, **strong)
    overruled = {
        "MPESA_ENVIRONMENT": "production",
        "MPESA_CALLBACK_URL": "https://shop.example/c",
    }
    assert started(shop, overruled, **strong).is_production


def test_an_environment_that_cannot_be_decrypted_ends_the_start_in_words(shop: Shop) -> None:
    shop.set(settings_encryption_key=OTHER_KEY)
    with shop.app.app_context():
        store("mpesa_environment", "sandbox", by="a test")
    with pytest.raises(SystemExit, match="SETTINGS_ENCRYPTION_KEY"):
        started(shop)
    assert started(shop, {"MPESA_ENVIRONMENT": "simulator"}).is_simulator


def test_a_database_that_is_away_empty_or_not_made_yet_says_nothing(tmp_path: Path) -> None:
    none, empty = tmp_path / "none.db", tmp_path / "empty.db"
    empty.touch()
    for url in (
        f"sqlite:///{none}",
        f"sqlite:///{empty}",
        "postgresql://nobody:x@127.0.0.1:9/nothing",
    ):
        with mock.patch.dict(os.environ, clear=True):
            found = at_start.settings_at_start(_env_file=None, database_url=url)
        assert found.mpesa_environment is Environment.SIMULATOR
    assert not none.exists()


def test_the_embedded_simulator_is_told_the_stored_account(shop: Shop) -> None:
    shop.set(settings_encryption_key=KEY)
    with shop.app.app_context():
        store_all({"mpesa_consumer_key": "k", "mpesa_consumer_secret": "s"}, by="a test")
    told = at_start.simulator_variables(started(shop, {"MPESA_CONSUMER_KEY": "outside"}))
    assert (told["MPESA_CONSUMER_KEY"], told["MPESA_CONSUMER_SECRET"]) == ("outside", "s")
    unreadable = at_start.simulator_variables(started(shop, settings_encryption_key=OTHER_KEY))
    assert "MPESA_CONSUMER_SECRET" not in unreadable
