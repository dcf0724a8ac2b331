"""Settings kept in the database: behind the environment, before the default, never in the clear."""

from __future__ import annotations

import pytest
from cryptography.fernet import Fernet
from sqlalchemy import select

from app.extensions import db
from app.settings.models import Setting
from app.settings.service import mpesa_settings, store
from tests.support.app import Shop

KEY = Fernet.generate_key().decode()


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


def test_a_stored_secret_cannot_be_read_from_its_row(shop: Shop) -> None:
    shop.set(settings_encryption_key=KEY)
    with shop.app.app_context():
        store("mpesa_consumer_secret", "very-secret", by="a test")
        sealed = db.session.scalars(select(Setting.encrypted_value)).one()
    assert b"very-secret" not in sealed


def test_an_unknown_setting_is_not_stored(shop: Shop) -> None:
    with shop.app.app_context(), pytest.raises(KeyError):
        store("mpesa_wishes", "many", by="a test")
