"""A look over a set-up: each finding says what is wrong and how to put it right."""

from __future__ import annotations

from dataclasses import dataclass

from cryptography.fernet import Fernet
from sqlalchemy.exc import SQLAlchemyError

from app.config import ROOT, Settings
from app.extensions import db
from app.mpesa.origin import is_proven
from app.mpesa.service import TokenRefused
from app.mpesa.settings import MissingSettings
from app.payments.provider import mpesa
from app.schema import is_up_to_date
from app.settings.service import mpesa_settings, settings


@dataclass(frozen=True)
class Finding:
    """Something that is wrong, and what to do about it."""

    problem: str
    mend: str


def examine() -> list[Finding]:
    """Look at secrets, database, addresses and credentials; return everything that is wrong."""
    configured = settings()
    findings = [*_secrets(configured), *_files(), *_database()]
    if not findings:
        findings = [*_addresses(configured), *_credentials()]
    return findings


def _secrets(configured: Settings) -> list[Finding]:
    findings = []
    for name in ("secret_key", "jwt_secret_key", "settings_encryption_key"):
        value = getattr(configured, name)
        if not value:
            findings.append(
                Finding(f"{name.upper()} is not set.", "Run `make run` once, or set it in .env.")
            )
        elif len(value) < 32:
            findings.append(
                Finding(f"{name.upper()} is too short to be secret.", "Use 32 random characters.")
            )
    key = configured.settings_encryption_key
    if key and not _is_fernet_key(key):
        findings.append(
            Finding(
                "SETTINGS_ENCRYPTION_KEY is not 32 bytes in URL-safe base64.",
                "Delete the line from .env and run `make run`, if nothing is stored with it yet.",
            )
        )
    return findings


def _files() -> list[Finding]:
    env = ROOT / ".env"
    if env.exists() and env.stat().st_mode & 0o077:
        return [Finding("Others on this machine can read .env.", "Run `chmod 600 .env`.")]
    return []


def _database() -> list[Finding]:
    try:
        current = is_up_to_date()
    except SQLAlchemyError as error:
        db.session.rollback()
        return [
            Finding(
                f"The database does not answer ({type(error).__name__}).",
                "Check DATABASE_URL, and that the server runs.",
            )
        ]
    mend = "Run `flask prepare`, or `flask db upgrade`."
    return [] if current else [Finding("The database is not up to date.", mend)]


def _addresses(configured: Settings) -> list[Finding]:
    callback_url = mpesa_settings().callback_url
    local = "127.0.0.1" in callback_url or "localhost" in callback_url
    if configured.is_simulator:
        return []
    if local:
        return [
            Finding(
                f"Safaricom cannot reach {callback_url}.",
                "Set PUBLIC_URL to an address on the internet, such as an ngrok tunnel's.",
            )
        ]
    if not callback_url.startswith("https://"):
        return [
            Finding(
                "Callbacks would come over plain HTTP.",
                "Give MPESA_CALLBACK_URL or PUBLIC_URL an https:// address.",
            )
        ]
    return _tunnel(configured)


def _tunnel(configured: Settings) -> list[Finding]:
    """A tunnel or proxy on this machine makes every caller look local, and local is believed."""
    if configured.trusted_proxies or not is_proven("127.0.0.1", configured.callback_networks):
        return []
    return [
        Finding(
            "Callers through a tunnel or proxy on this machine count as proven by origin.",
            "Set TRUSTED_PROXIES=1, or set MPESA_CALLBACK_ALLOWLIST to Safaricom's addresses.",
        )
    ]


def _credentials() -> list[Finding]:
    try:
        mpesa().test_connection()
    except MissingSettings as error:
        return [Finding(str(error), "Set them in .env.")]
    except TokenRefused:
        return [
            Finding(
                "Daraja does not accept the consumer key and secret.",
                "Copy both again from the portal, for this environment.",
            )
        ]
    except Exception as error:
        return [
            Finding(
                f"Failed to connect to M-Pesa API ({type(error).__name__}).",
                "Check the network, MPESA_BASE_URL, and that the simulator runs.",
            )
        ]
    return []


def _is_fernet_key(key: str) -> bool:
    try:
        Fernet(key)
    except ValueError:
        return False
    return True
