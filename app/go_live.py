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
from app.core.texts import marked, said
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
            marked("Backups"),
            State.LOOK,
            marked("No program can see from here whether the database is copied away each day."),
            marked(
                "Have it copied each day to another place, with .env beside it: without "
                "SETTINGS_ENCRYPTION_KEY what is sealed cannot be opened. Try once to restore it."
            ),
        ),
    ]


def _line(title: str, ok: bool, told: str, mend: str) -> Line:
    return Line(title, State.READY if ok else State.MISSING, told, "" if ok else mend)


def _environment(configured: Settings) -> Line:
    told = said("The shop runs in {environment}.", environment=configured.mpesa_environment)
    mend = marked(
        "Store production as the environment on the settings page, and start the shop again."
    )
    return _line(marked("Environment"), configured.is_production, told, mend)


def _address() -> Line:
    title = marked("Public address")
    mend = marked("Set PUBLIC_URL to the shop's own https:// address. Safaricom posts to no other.")
    try:
        root = public_root()
    except LipaError as error:
        return _line(title, False, error.message, mend)
    told = said("Daraja posts to {address}.", address=root)
    return _line(title, root.startswith("https://"), told, mend)


def _credentials(configured: Settings) -> Iterator[Line]:
    for proof in proving.proofs():
        in_production = configured.is_production
        told = proof.told if not proof.is_old else marked("It was changed since it was proven.")
        if proof.is_good and not in_production:
            told = said("Proven, but in {environment}.", environment=configured.mpesa_environment)
        mend = marked("Prove it on the settings page, in production, with the production account.")
        yield _line(proof.provable.label, proof.is_good and in_production, told, mend)


def _allow_list(configured: Settings) -> Line:
    networks = configured.callback_networks
    private = [str(network) for network in networks if network.is_private]
    wide = [str(network) for network in networks if network.num_addresses > 2**16]
    told = said("{count} addresses or networks are believed.", count=len(networks))
    wrong = ", ".join(sorted({*private, *wide}))
    if wrong:
        told = said("These cannot be Safaricom alone: {networks}.", networks=wrong)
    mend = marked(
        "Leave MPESA_CALLBACK_ALLOWLIST blank in production: Safaricom's published list is the "
        "default. Private addresses and whole networks prove nothing."
    )
    return _line(marked("Callers that are believed"), bool(networks) and not wrong, told, mend)


def _proxies(configured: Settings) -> Line:
    hops = configured.trusted_proxies
    is_open = not _is_loopback(configured.host)
    told = said(
        "{count} are trusted, and the server listens on {host}.", count=hops, host=configured.host
    )
    mend = marked(
        "HTTPS is ended by a proxy in front: set TRUSTED_PROXIES to how many there are, so that "
        "Safaricom's own address is seen. With a trusted proxy, let the server listen on "
        "127.0.0.1 or in a closed network only."
    )
    return _line(marked("Proxies in front"), hops > 0 and not (is_open and hops > 2), told, mend)


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _secrets(configured: Settings) -> Line:
    names = ("secret_key", "jwt_secret_key", "settings_encryption_key")
    short = [name.upper() for name in names if len(getattr(configured, name) or "") < LONG_SECRET]
    told = marked("All three are long.")
    if short:
        told = said("Too short or not set: {names}.", names=", ".join(short))
    mend = said(
        "Set each to {long} random characters; fewer than {shortest} are refused.",
        long=LONG_SECRET,
        shortest=SHORTEST_SECRET,
    )
    return _line(marked("Secrets and encryption key"), not short, told, mend)


def _second_factor(configured: Settings) -> Line:
    moving = [role for role, allowed in ALLOWED.items() if allowed & MOVES_MONEY]
    query = select(func.count(Person.id)).where(
        Person.role.in_(moving), Person.totp_since.is_(None), Person.suspended_at.is_(None)
    )
    without = int(db.session.scalar(query) or 0)
    told = said("People who may move money and have none: {count}.", count=without)
    mend = marked("Have each of them set it up at /account/second-factor.")
    if not configured.wants_second_factor:
        told = said("Nobody has to use one. {rest}", rest=told)
        mend = said("Set REQUIRE_SECOND_FACTOR to true. {rest}", rest=mend)
    ok = configured.wants_second_factor and without == 0
    return _line(marked("Second factor of staff"), ok, told, mend)


def _demo_people() -> Line:
    query = select(Person.email).where(
        Person.email.in_(DEMO_ADDRESSES), Person.suspended_at.is_(None)
    )
    found = db.session.scalars(query).all()
    told = marked("There are none.")
    if found:
        told = said("They can sign in: {names}.", names=", ".join(found))
    return _line(
        marked("Demo accounts"), not found, told, marked("Suspend them on the page of people.")
    )


def _database(configured: Settings) -> Line:
    if configured.sqlalchemy_url.startswith("postgresql"):
        return Line(marked("Database"), State.READY, "PostgreSQL.")
    return Line(
        marked("Database"),
        State.LOOK,
        marked("SQLite: one file, one machine, one server. That is enough for a small shop."),
        marked(
            "Set DATABASE_URL to PostgreSQL before there are two machines, or many sales a minute."
        ),
    )


def _paybill() -> Line:
    title = marked("Payments by hand")
    mend = marked("Register the paybill on the settings page.")
    registered = registration.current()
    if registered is None:
        told = marked("Daraja does not tell this shop what people pay to the paybill by hand.")
        return _line(title, False, told, mend)
    try:
        outdated = registration.outdated(registered)
    except LipaError as error:
        outdated = error.message
    told = outdated or said("Told to {address}.", address=registered.root)
    return _line(title, outdated is None, told, mend)


def _alerts() -> Line:
    rows = db.session.scalars(select(Endpoint).where(Endpoint.removed_at.is_(None)).limit(100))
    told_of = [row for row in rows if any(kind.startswith("alert.") for kind in row.events)]
    told = said("Addresses that are told of alerts: {count}.", count=len(told_of))
    mend = marked("Add a webhook with the events alert.* at /admin/webhooks, and send it a test.")
    return _line(marked("Alerts"), bool(told_of), told, mend)
