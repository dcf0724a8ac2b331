"""What Lipa knows about its M-Pesa account: environment, then database, then default."""

from __future__ import annotations

from cryptography.fernet import Fernet, InvalidToken
from flask import current_app
from sqlalchemy import select

from app.config import SANDBOX_PASSKEY, SANDBOX_SHORTCODE, Environment, Settings
from app.core.unit_of_work import transaction
from app.extensions import db
from app.mpesa.settings import MpesaSettings
from app.settings.models import Setting

#: Database key → attribute of Settings. The keys are what the admin page and commands show.
STORED = {
    "mpesa_consumer_key": "mpesa_consumer_key",
    "mpesa_consumer_secret": "mpesa_consumer_secret",
    "mpesa_business_shortcode": "mpesa_shortcode",
    "mpesa_passkey": "mpesa_passkey",
    "mpesa_callback_url": "mpesa_callback_url",
}
#: What works out of the box, with no account at Safaricom.
SIMULATOR_DEFAULTS = {
    "mpesa_consumer_key": "simulator-key",
    "mpesa_consumer_secret": "simulator-secret",
    "mpesa_shortcode": SANDBOX_SHORTCODE,
    "mpesa_passkey": SANDBOX_PASSKEY,
}
#: The documented address of the shop dialect is where callbacks go unless a setting says else.
CALLBACK_PATH = "/api/payments/mpesa/callback"


def settings() -> Settings:
    """Return the settings that this application was made with."""
    found: Settings = current_app.extensions["lipa_settings"]
    return found


def store(name: str, value: str, by: str) -> None:
    """Keep a setting in the database, encrypted. Raises KeyError for an unknown name."""
    if name not in STORED:
        raise KeyError(name)
    sealed = _cipher().encrypt(value.encode())
    with transaction() as session:
        row = session.get(Setting, name)
        if row is None:
            session.add(Setting(name=name, encrypted_value=sealed, updated_by=by))
        else:
            row.encrypted_value, row.updated_by = sealed, by


def mpesa_settings() -> MpesaSettings:
    """Merge the three sources into what MpesaService needs."""
    configured = settings()
    stored = _stored_values()

    def value(attribute: str) -> str | None:
        default = SIMULATOR_DEFAULTS.get(attribute) if configured.is_simulator else None
        return getattr(configured, attribute) or stored.get(attribute) or default

    root = configured.daraja_root
    return MpesaSettings(
        consumer_key=value("mpesa_consumer_key"),
        consumer_secret=value("mpesa_consumer_secret"),
        shortcode=value("mpesa_shortcode") or _sandbox_shortcode(configured),
        passkey=value("mpesa_passkey"),
        callback_url=value("mpesa_callback_url") or configured.public_root + CALLBACK_PATH,
        token_url=configured.mpesa_access_token_url
        or f"{root}/oauth/v1/generate?grant_type=client_credentials",
        push_url=configured.mpesa_checkout_url or f"{root}/mpesa/stkpush/v1/processrequest",
        query_url=configured.mpesa_query_check_url or f"{root}/mpesa/stkpushquery/v1/query",
        read_timeout_seconds=configured.mpesa_timeout_seconds,
    )


def _sandbox_shortcode(configured: Settings) -> str | None:
    sandbox = configured.mpesa_environment is Environment.SANDBOX
    return SANDBOX_SHORTCODE if sandbox else None


def _stored_values() -> dict[str, str]:
    rows = db.session.execute(select(Setting.name, Setting.encrypted_value)).all()
    return {STORED[name]: _open(sealed) for name, sealed in rows if name in STORED}


def _open(sealed: bytes) -> str:
    try:
        return _cipher().decrypt(sealed).decode()
    except InvalidToken as error:
        raise RuntimeError(
            "A stored setting cannot be decrypted: SETTINGS_ENCRYPTION_KEY is not the one it was "
            "stored with. Put the old key back, or store the settings again."
        ) from error


def _cipher() -> Fernet:
    key = settings().settings_encryption_key
    if not key:
        raise RuntimeError("SETTINGS_ENCRYPTION_KEY is not set: run `make run` once, or set it")
    return Fernet(key)
