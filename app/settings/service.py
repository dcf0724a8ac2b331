"""What Lipa knows about its M-Pesa account: environment, then database, then default."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from cryptography.fernet import Fernet
from flask import current_app
from pydantic import ValidationError as SchemaError
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from app.accounts.models import Person
from app.audit import service as audit
from app.config import SANDBOX_PASSKEY, SANDBOX_SHORTCODE, Environment, Settings
from app.core.errors import ValidationError
from app.core.texts import marked, said
from app.core.unit_of_work import transaction
from app.extensions import db
from app.mpesa.settings import MpesaSettings
from app.settings.cipher import UnreadableSetting, cipher, unseal
from app.settings.keys import BY_NAME, CALLBACK_URL, ENVIRONMENT, KEYS, Key
from app.settings.models import Setting
from app.tunnel import NoTunnel, tunnel

logger = logging.getLogger(__name__)

#: What works out of the box, with no account at Safaricom.
SIMULATOR_DEFAULTS = {
    "mpesa_consumer_key": "simulator-key",
    "mpesa_consumer_secret": "simulator-secret",
    "mpesa_shortcode": SANDBOX_SHORTCODE,
    "mpesa_passkey": SANDBOX_PASSKEY,
}
#: The documented address of the shop dialect is where callbacks go unless a setting says else.
CALLBACK_PATH = "/api/payments/mpesa/callback"
MASK = "********"


class Source(StrEnum):
    """Where a value comes from, in the order of precedence."""

    ENVIRONMENT = marked("environment")
    DATABASE = marked("database")
    DEFAULT = marked("default")
    TUNNEL = marked("the ngrok tunnel of the moment")
    NOWHERE = marked("not set")


@dataclass(frozen=True)
class Standing:
    """How one setting stands. ``value`` is None where nothing sets it or it cannot be read."""

    key: Key
    value: str | None = field(repr=False)
    source: Source
    row: Setting | None = None
    problem: str | None = None

    @property
    def shown(self) -> str:
        """Return the value for people: secrets are masked whole."""
        if self.problem:
            return marked("cannot be read")
        return MASK if self.value and self.key.is_secret else self.value or ""

    @property
    def is_locked(self) -> bool:
        """The environment sets it, so what is stored does not count."""
        return self.source is Source.ENVIRONMENT

    @property
    def is_stored(self) -> bool:
        return self.row is not None and bool(self.row.encrypted_value)

    @property
    def changed_at(self) -> datetime | None:
        return self.row.updated_at if self.row else None


def settings() -> Settings:
    """Return the settings that this application was made with."""
    found: Settings = current_app.extensions["lipa_settings"]
    return found


def set_outside(configured: Settings, key: Key) -> bool:
    """Tell whether the environment or ``.env`` sets this."""
    given = key.attribute in configured.model_fields_set
    return given and bool(getattr(configured, key.attribute))


def overview() -> list[Standing]:
    """Return how each setting stands, in the order in which people set them."""
    configured = settings()
    stored = select(Setting).execution_options(populate_existing=True)
    rows = {row.name: row for row in db.session.scalars(stored)}
    return [_standing(key, configured, rows.get(key.name)) for key in KEYS]


def missing(standings: list[Standing]) -> list[str]:
    """Name the required settings that have no value from anywhere."""
    return [each.key.name for each in standings if each.key.is_required and not each.value]


def store(name: str, value: str, by: Person | str) -> None:
    """Keep a setting in the database, encrypted. Raises KeyError for an unknown name."""
    store_all({name: value}, by)


def store_all(values: Mapping[str, str], by: Person | str) -> None:
    """Keep several settings, all of them or none; ``by`` says who, for people.

    Raises KeyError for an unknown name, ValidationError for a value that cannot be right or
    with which the shop would not start again, and NoEncryptionKey.
    """
    readable = {name: _readable(BY_NAME[name], value) for name, value in values.items()}
    _require_startable(readable)
    fernet = _cipher()
    _write({name: fernet.encrypt(value.encode()) for name, value in readable.items()}, by)


def clear(name: str, by: Person | str) -> None:
    """Take back what is stored: the default counts again. Raises KeyError."""
    _write({BY_NAME[name].name: b""}, by)


def add_missing_rows(by: str) -> list[str]:
    """Give every setting a row, blank where there was none; return which were made."""
    known = set(db.session.scalars(select(Setting.name)))
    added = {key.name: b"" for key in KEYS if key.name not in known}
    if added:
        _write(added, by)
    return list(added)


def cautions(standings: list[Standing]) -> list[str]:
    """Say what works here and would not in production."""
    address = next(each for each in standings if each.key is CALLBACK_URL)
    is_chosen = address.source in (Source.ENVIRONMENT, Source.DATABASE)
    if is_chosen and (address.value or "").startswith("http://"):
        return [
            said(
                "{key} is not https://, so Safaricom will not call it and production refuses it.",
                key=address.key.name,
            )
        ]
    return []


def callback_url(account: MpesaSettings | None = None) -> str:
    """Return where Daraja shall post what becomes of a prompt that is sent now.

    ``account`` is what ``mpesa_settings`` says, where the caller has it already. With
    PUBLIC_URL=auto the ngrok agent is asked, unless an address is set. Raises UnreadableSetting,
    NoTunnel, and RuntimeError inside a transaction.
    """
    account = account or mpesa_settings()
    return account.callback_url or public_root() + CALLBACK_PATH


def mpesa_settings() -> MpesaSettings:
    """Merge the three sources into what MpesaService needs. Raises UnreadableSetting.

    ``callback_url`` is empty where the tunnel tells it.
    """
    configured = settings()
    standings = {each.key.attribute: each for each in overview() if each.key is not ENVIRONMENT}
    if any(each.problem for each in standings.values()):
        raise UnreadableSetting
    values = {attribute: each.value for attribute, each in standings.items()}
    root = configured.daraja_root
    return MpesaSettings(
        consumer_key=values["mpesa_consumer_key"],
        consumer_secret=values["mpesa_consumer_secret"],
        shortcode=values["mpesa_shortcode"],
        passkey=values["mpesa_passkey"],
        callback_url=values["mpesa_callback_url"] or "",
        token_url=configured.mpesa_access_token_url
        or f"{root}/oauth/v1/generate?grant_type=client_credentials",
        push_url=configured.mpesa_checkout_url or f"{root}/mpesa/stkpush/v1/processrequest",
        query_url=configured.mpesa_query_check_url or f"{root}/mpesa/stkpushquery/v1/query",
        read_timeout_seconds=configured.mpesa_timeout_seconds,
    )


def _standing(key: Key, configured: Settings, row: Setting | None) -> Standing:
    if set_outside(configured, key):
        value = str(getattr(configured, key.attribute))
        return Standing(key, value, Source.ENVIRONMENT, row)
    try:
        stored = unseal(row.encrypted_value, configured.settings_encryption_key) if row else ""
    except UnreadableSetting as error:
        return Standing(key, None, Source.DATABASE, row, problem=error.message)
    if stored:
        return Standing(key, stored, Source.DATABASE, row)
    if key is CALLBACK_URL and configured.follows_tunnel:
        return Standing(key, None, Source.TUNNEL, row)
    default = _default(key, configured)
    return Standing(key, default, Source.DEFAULT if default else Source.NOWHERE, row)


def public_root() -> str:
    configured = settings()
    if configured.public_root is not None:
        return configured.public_root
    try:
        return tunnel().root()
    except NoTunnel:
        # The simulator runs on this machine and needs no tunnel to reach it.
        if configured.is_simulator:
            return configured.local_root
        raise


def _default(key: Key, configured: Settings) -> str | None:
    if key is CALLBACK_URL:
        return f"{configured.public_root}{CALLBACK_PATH}"
    if key is ENVIRONMENT:
        return str(Settings.model_fields[key.attribute].default)
    if configured.is_simulator:
        return SIMULATOR_DEFAULTS.get(key.attribute)
    sandbox = configured.mpesa_environment is Environment.SANDBOX
    return SANDBOX_SHORTCODE if sandbox and key.attribute == "mpesa_shortcode" else None


def _readable(key: Key, value: str) -> str:
    try:
        return key.readable(value)
    except ValueError as error:
        told = said("{key} {problem}.", key=key.name, problem=error.args[0])
        raise ValidationError(told, details={"field": key.name}) from error


def _require_startable(changes: Mapping[str, str]) -> None:
    """Refuse what the shop could not start with, while there still is a shop to change it in."""
    configured = settings()
    stored = {each.key.name: each.value for each in overview() if each.source is Source.DATABASE}
    overlay = {
        key.attribute: value
        for key in (ENVIRONMENT, CALLBACK_URL)
        if not set_outside(configured, key)
        and (value := changes.get(key.name) or stored.get(key.name))
    }
    try:
        Settings(**configured.model_dump() | overlay)
    except SchemaError as error:
        told = error.errors(include_input=False, include_url=False, include_context=False)
        words = "; ".join(problem["msg"].removeprefix("Value error, ") for problem in told)
        raise ValidationError(
            said("The shop could not start with that: {problems}.", problems=words)
        ) from error


def _write(rows: Mapping[str, bytes], by: Person | str) -> None:
    who = by.email if isinstance(by, Person) else by
    for last_try in (False, False, True):
        try:
            with transaction() as session:
                for name, sealed in rows.items():
                    row = session.get(Setting, name) or Setting(name=name, encrypted_value=b"")
                    if row.encrypted_value or sealed:
                        action = "setting.stored" if sealed else "setting.cleared"
                        audit.record(session, by, action, f"setting {name}")
                    row.encrypted_value, row.updated_by = sealed, who
                    session.add(row)
            logger.info("settings written: %s", ", ".join(rows))
            return
        except IntegrityError:
            # Somebody else stored it for the first time in this very moment.
            if last_try:
                raise


def _cipher() -> Fernet:
    return cipher(settings().settings_encryption_key)
