"""What the database has to say before there is an application: which environment this is.

Everything else that is stored is read when it is needed, so it counts at once. The environment
decides how the application is put together, so it is read here, once, and so is the callback
address, which production refuses when it is not https://.
"""

from __future__ import annotations

import sys
from typing import Any

from sqlalchemy import create_engine, inspect, select
from sqlalchemy.engine import make_url
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import NullPool

from app.config import ROOT, Environment, Settings, read_settings
from app.settings.cipher import UnreadableSetting, unseal
from app.settings.keys import CALLBACK_URL, ENVIRONMENT, KEYS, Key
from app.settings.models import Setting
from app.settings.service import set_outside

CONNECT_SECONDS = 5


def settings_at_start(**given: Any) -> Settings:
    """Read environment and ``.env``, then what the database says where they are silent.

    ``given`` comes before all of them. Ends the program, in words, with settings that cannot be
    right or stored values that cannot be read. A database that does not answer says nothing:
    whoever needs it will tell.
    """
    configured = read_settings(**given)
    stored = _stored(configured, ENVIRONMENT)
    if Environment.PRODUCTION in (configured.mpesa_environment, *stored.values()):
        stored |= _stored(configured, CALLBACK_URL)
    if not stored:
        return configured
    overlay = {key.attribute: value for key, value in stored.items()}
    checked = _checked(given | overlay, stored)
    if ENVIRONMENT not in stored:
        return configured
    decided = configured.model_copy(update={ENVIRONMENT.attribute: checked.mpesa_environment})
    # It does not come from outside, so it is not locked on the admin page.
    decided.model_fields_set.discard(ENVIRONMENT.attribute)
    return decided


def simulator_variables(configured: Settings) -> dict[str, str]:
    """Return what the embedded simulator reads from its environment: our account, wherever it is
    set. A value that cannot be read is left out, since the first payment says so.
    """
    credentials = [key for key in KEYS if key.is_required]
    stored: dict[str, str] = {}
    for key, sealed in _sealed(configured, *credentials).items():
        try:
            stored[key.variable] = unseal(sealed, configured.settings_encryption_key)
        except UnreadableSetting:
            continue
    return stored | configured.simulator_variables


def _checked(given: dict[str, Any], stored: dict[Key, str]) -> Settings:
    try:
        return read_settings(**given)
    except SystemExit as refusal:
        names = ", ".join(key.name for key in stored)
        overrule = ", ".join(key.variable for key in stored)
        sys.exit(
            f"{refusal}\nStored in the database: {names}. To overrule, set in .env: {overrule}."
        )


def _stored(configured: Settings, *keys: Key) -> dict[Key, str]:
    try:
        return {
            key: unseal(sealed, configured.settings_encryption_key)
            for key, sealed in _sealed(configured, *keys).items()
        }
    except UnreadableSetting as error:
        overrule = ", ".join(key.variable for key in keys)
        sys.exit(f"Lipa cannot start: {error.message} Or set in .env: {overrule}.")


def _sealed(configured: Settings, *keys: Key) -> dict[Key, bytes]:
    """Read the rows of those keys that the environment does not set, and that are not blank."""
    wanted = {key.name: key for key in keys if not set_outside(configured, key)}
    rows = _rows(configured, list(wanted))
    return {wanted[name]: sealed for name, sealed in rows.items() if sealed}


def _rows(configured: Settings, names: list[str]) -> dict[str, bytes]:
    url = make_url(configured.sqlalchemy_url)
    options: dict[str, Any] = {"connect_timeout": CONNECT_SECONDS}
    if url.get_backend_name() == "sqlite":
        # Flask-SQLAlchemy takes relative paths from the instance folder. Looking for a database
        # must not make one.
        file = ROOT / "instance" / (url.database or "lipa.db")
        if not file.is_file():
            return {}
        url, options = url.set(database=str(file)), {}
    engine = create_engine(url, poolclass=NullPool, connect_args=options)
    query = select(Setting.name, Setting.encrypted_value).where(Setting.name.in_(names))
    try:
        with engine.connect() as connection:
            if not inspect(connection).has_table(Setting.__tablename__):
                return {}
            return {name: bytes(sealed) for name, sealed in connection.execute(query)}
    except SQLAlchemyError:
        return {}
