"""Is this shop ready for real money? Each line is computed, and says what to do where it is not."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from ipaddress import ip_address

from sqlalchemy import func, select

from app import proving
from app.accounts.models import Person
from app.accounts.roles import ALLOWED, MOVES_MONEY
from app.config import SHORTEST_SECRET, Settings
from app.core.errors import LipaError
from app.extensions import db
from app.payments.paybill import registration
from app.settings.service import public_root, settings
from app.webhooks.models import Endpoint

#: What a secret of `make run` has at least.
LONG_SECRET = 32
DEMO_ADDRESSES = ("admin@example.com", "shopper@example.com")


class State(StrEnum):
    READY = "ready"
    MISSING = "missing"
    #: Nothing that a program can see; a person is reminded.
    LOOK = "look"


@dataclass(frozen=True)
class Line:
    """One line of the list: how it stands, what that is seen from, and the mend."""

    title: str
    state: State
    told: str
    mend: str = ""


def checklist() -> list[Line]:
    """Return every line, in the order in which people work through them."""
    configured = settings()
    return [
        _environment(configured),
        _address(),
        *_credentials(configured),
        _allow_list(configured),
        _proxies(configured),
        _secrets(configured),
        _second_factor(configured),
        _demo_people(),
        _database(configured),
        _paybill(),
        _alerts(),
        Line(
            "Backups",
            State.LOOK,
            "No program can see from here whether the database is copied away each day.",
            "Have it copied each day to another place, with .env beside it: without "
            "SETTINGS_ENCRYPTION_KEY what is sealed cannot be opened. Try once to restore it.",
        ),
    ]


def _line(title: str, ok: bool, told: str, mend: str) -> Line:
    return Line(title, State.READY if ok else State.MISSING, told, "" if ok else mend)


def _environment(configured: Settings) -> Line:
    told = f"The shop runs in {configured.mpesa_environment}."
    mend = "Store production as the environment on the settings page, and start the shop again."
    return _line("Environment", configured.is_production, told, mend)


def _address() -> Line:
    mend = "Set PUBLIC_URL to the shop's own https:// address. Safaricom posts to no other."
    try:
        root = public_root()
    except LipaError as error:
        return _line("Public address", False, error.message, mend)
    return _line("Public address", root.startswith("https://"), f"Daraja posts to {root}.", mend)


def _credentials(configured: Settings) -> Iterator[Line]:
    for proof in proving.proofs():
        in_production = configured.is_production
        told = proof.told if not proof.is_old else "It was changed since it was proven."
        if proof.is_good and not in_production:
            told = f"Proven, but in {configured.mpesa_environment}."
        mend = "Prove it on the settings page, in production, with the production account."
        yield _line(proof.provable.label, proof.is_good and in_production, told, mend)


def _allow_list(configured: Settings) -> Line:
    networks = configured.callback_networks
    private = [str(network) for network in networks if network.is_private]
    wide = [str(network) for network in networks if network.num_addresses > 2**16]
    told = f"{len(networks)} addresses or networks are believed."
    wrong = ", ".join(sorted({*private, *wide}))
    if wrong:
        told = f"These cannot be Safaricom alone: {wrong}."
    mend = (
        "Leave MPESA_CALLBACK_ALLOWLIST blank in production: Safaricom's published list is the "
        "default. Private addresses and whole networks prove nothing."
    )
    return _line("Callers that are believed", bool(networks) and not wrong, told, mend)


def _proxies(configured: Settings) -> Line:
    hops = configured.trusted_proxies
    is_open = not _is_loopback(configured.host)
    told = f"{hops} are trusted, and the server listens on {configured.host}."
    mend = (
        "HTTPS is ended by a proxy in front: set TRUSTED_PROXIES to how many there are, so that "
        "Safaricom's own address is seen. With a trusted proxy, let the server listen on "
        "127.0.0.1 or in a closed network only."
    )
    return _line("Proxies in front", hops > 0 and not (is_open and hops > 2), told, mend)


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _secrets(configured: Settings) -> Line:
    names = ("secret_key", "jwt_secret_key", "settings_encryption_key")
    short = [name.upper() for name in names if len(getattr(configured, name) or "") < LONG_SECRET]
    told = f"Too short or not set: {', '.join(short)}." if short else "All three are long."
    mend = f"Set each to {LONG_SECRET} random characters; fewer than {SHORTEST_SECRET} are refused."
    return _line("Secrets and encryption key", not short, told, mend)


def _second_factor(configured: Settings) -> Line:
    moving = [role for role, allowed in ALLOWED.items() if allowed & MOVES_MONEY]
    query = select(func.count(Person.id)).where(
        Person.role.in_(moving), Person.totp_since.is_(None), Person.suspended_at.is_(None)
    )
    without = int(db.session.scalar(query) or 0)
    told = f"People who may move money and have none: {without}."
    mend = "Have each of them set it up at /account/second-factor."
    if not configured.wants_second_factor:
        told = f"Nobody has to use one. {told}"
        mend = f"Set REQUIRE_SECOND_FACTOR to true. {mend}"
    ok = configured.wants_second_factor and without == 0
    return _line("Second factor of staff", ok, told, mend)


def _demo_people() -> Line:
    query = select(Person.email).where(
        Person.email.in_(DEMO_ADDRESSES), Person.suspended_at.is_(None)
    )
    found = db.session.scalars(query).all()
    told = f"They can sign in: {', '.join(found)}." if found else "There are none."
    return _line("Demo accounts", not found, told, "Suspend them on the page of people.")


def _database(configured: Settings) -> Line:
    if configured.sqlalchemy_url.startswith("postgresql"):
        return Line("Database", State.READY, "PostgreSQL.")
    return Line(
        "Database",
        State.LOOK,
        "SQLite: one file, one machine, one server. That is enough for a small shop.",
        "Set DATABASE_URL to PostgreSQL before there are two machines, or many sales a minute.",
    )


def _paybill() -> Line:
    title, mend = "Payments by hand", "Register the paybill on the settings page."
    registered = registration.current()
    if registered is None:
        told = "Daraja does not tell this shop what people pay to the paybill by hand."
        return _line(title, False, told, mend)
    try:
        outdated = registration.outdated(registered)
    except LipaError as error:
        outdated = error.message
    return _line(title, outdated is None, outdated or f"Told to {registered.root}.", mend)


def _alerts() -> Line:
    rows = db.session.scalars(select(Endpoint).where(Endpoint.removed_at.is_(None)).limit(100))
    told_of = [row for row in rows if any(kind.startswith("alert.") for kind in row.events)]
    told = f"Addresses that are told of alerts: {len(told_of)}."
    mend = "Add a webhook with the events alert.* at /admin/webhooks, and send it a test."
    return _line("Alerts", bool(told_of), told, mend)
