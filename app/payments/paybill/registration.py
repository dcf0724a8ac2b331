"""Having Daraja post about the paybill to addresses that carry a secret of the shop's own."""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import or_, select, update

from app.accounts.models import Person
from app.audit.service import record
from app.core.clock import now
from app.core.errors import Conflict, ProviderUnavailable, ValidationError
from app.core.texts import marked, said
from app.core.unit_of_work import end_reads, transaction
from app.extensions import db
from app.mpesa.c2b import (
    C2b,
    NotRegistered,
    RegisterAnswer,
    Registered,
    forbidden_word,
)
from app.mpesa.settings import MissingSettings
from app.payments.paybill.models import C2bRegistration
from app.payments.provider import transport
from app.settings.cipher import cipher, unseal
from app.settings.service import mpesa_settings, public_root, settings

PREFIX = "/pay/c2b"
#: Only hexadecimal digits: none of the words that addresses must not hold can be made of them.
_TOKEN = re.compile(r"[0-9a-f]{48}")
#: What newer addresses have replaced is believed a while longer, for what is on its way.
GRACE = timedelta(hours=1)
SENT, REGISTERED, REFUSED, PORTAL, UNKNOWN = "sent", "registered", "refused", "portal", "unknown"
#: States in which Daraja may be posting to the addresses.
IN_USE = (REGISTERED, PORTAL, UNKNOWN, SENT)
IN_PORTAL = marked(
    "This paybill has addresses already, and M-Pesa changes them only in its portal: open "
    "org.ke.m-pesa.com, go to the URL management of your short code, and have two operators enter "
    "and approve the addresses below. They are believed from now on."
)


@dataclass(frozen=True)
class PaybillAddresses:
    """What Daraja is to post to, secret included."""

    confirmation_url: str
    validation_url: str


def register(by: Person | str) -> C2bRegistration:
    """Ask Daraja to post to fresh addresses; the row says what came of it.

    Raises ValidationError or Conflict for what cannot be registered, and ProviderUnavailable,
    NoTunnel or NoEncryptionKey before anything was sent.
    """
    shortcode, root = _shortcode(), _usable_root()
    registration_id, addresses = _begin(shortcode, root, by)
    configured = settings()
    end_reads()
    answer = C2b(configured.daraja_root, transport(mpesa_settings())).register(
        shortcode,
        configured.c2b_version,
        configured.c2b_response_type,
        addresses.confirmation_url,
        addresses.validation_url,
    )
    return _conclude(registration_id, answer, by)


def registration_of(token: str) -> int | None:
    """Return the registration whose secret this is, unless newer ones have taken its place."""
    if not _TOKEN.fullmatch(token):
        return None
    wanted = hash_of(token)
    row = db.session.execute(
        select(C2bRegistration.id, C2bRegistration.token_hash).where(
            C2bRegistration.token_hash == wanted,
            C2bRegistration.state.in_(IN_USE),
            or_(C2bRegistration.ends_at.is_(None), C2bRegistration.ends_at > now()),
        )
    ).first()
    return row.id if row and hmac.compare_digest(row.token_hash, wanted) else None


def newest(limit: int = 5) -> Sequence[C2bRegistration]:
    """Return the newest tries to register, newest first."""
    query = select(C2bRegistration).order_by(C2bRegistration.id.desc()).limit(limit)
    return db.session.scalars(query).all()


def current() -> C2bRegistration | None:
    """Return the registration that Daraja posts by, as far as we know."""
    query = select(C2bRegistration).where(
        C2bRegistration.state.in_((REGISTERED, PORTAL)), C2bRegistration.ends_at.is_(None)
    )
    return db.session.scalar(query.order_by(C2bRegistration.id.desc()).limit(1))


def outdated(registered: C2bRegistration) -> str | None:
    """Say why these addresses no longer lead here; None while they do. Raises NoTunnel."""
    root = public_root()
    if registered.root != root:
        return said(
            "Daraja posts paybill payments to {registered}, and this shop is at {here}.",
            registered=registered.root,
            here=root,
        )
    if registered.shortcode != mpesa_settings().shortcode:
        return said(
            "The addresses are those of {shortcode}, and the shortcode has changed.",
            shortcode=registered.shortcode,
        )
    return None


def addresses_of(registered: C2bRegistration) -> PaybillAddresses:
    """Return the addresses in full. Raises UnreadableSetting."""
    token = unseal(registered.sealed_token, settings().settings_encryption_key)
    return _addresses(registered.root, token)


def hash_of(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def _shortcode() -> str:
    account = mpesa_settings()
    try:
        account.require()
    except MissingSettings as error:
        raise ProviderUnavailable(str(error)) from error
    return account.shortcode or ""


def _usable_root() -> str:
    root = public_root()
    if settings().is_production and not root.startswith("https://"):
        raise Conflict(
            marked("Safaricom posts to https:// only. Set PUBLIC_URL to such an address.")
        )
    word = forbidden_word(root + PREFIX)
    if word is not None and not settings().is_simulator:
        raise ValidationError(
            said(
                "Daraja registers no address with the word {word}, and {root} holds it. Set "
                "PUBLIC_URL to another name.",
                word=repr(word),
                root=root,
            )
        )
    return root


def _addresses(root: str, token: str) -> PaybillAddresses:
    base = f"{root}{PREFIX}/{token}"
    return PaybillAddresses(f"{base}/confirmation", f"{base}/validation")


def _begin(shortcode: str, root: str, by: Person | str) -> tuple[int, PaybillAddresses]:
    configured, token = settings(), secrets.token_hex(24)
    sealed = cipher(configured.settings_encryption_key).encrypt(token.encode())
    registration = C2bRegistration(
        shortcode=shortcode,
        version=configured.c2b_version,
        response_type=configured.c2b_response_type,
        root=root[:255],
        sealed_token=sealed,
        token_hash=hash_of(token),
        state=SENT,
        asked_by=by.email if isinstance(by, Person) else by,
    )
    with transaction() as session:
        session.add(registration)
    return registration.id, _addresses(root, token)


def _conclude(registration_id: int, answer: RegisterAnswer, by: Person | str) -> C2bRegistration:
    state, told = _told(answer)
    with transaction() as session:
        registration = session.get_one(C2bRegistration, registration_id, populate_existing=True)
        registration.state, registration.told = state, told[:500]
        if state == REGISTERED:
            _end_older(registration)
        subject = f"paybill {registration.shortcode}"
        record(session, by, f"paybill.{state}", subject, root=registration.root, told=told[:200])
        return registration


def _end_older(registration: C2bRegistration) -> None:
    older = (C2bRegistration.id < registration.id) & C2bRegistration.ends_at.is_(None)
    db.session.execute(update(C2bRegistration).where(older).values(ends_at=now() + GRACE))


def _told(answer: RegisterAnswer) -> tuple[str, str]:
    if isinstance(answer, Registered):
        return REGISTERED, marked("Daraja posts to these addresses.")
    if isinstance(answer, NotRegistered):
        if answer.kept:
            told = said("{portal} Daraja says: {answer}", portal=IN_PORTAL, answer=answer.told)
            return PORTAL, told
        return REFUSED, said("Not registered: {answer}", answer=answer.told)
    return UNKNOWN, said(
        "Nobody knows whether Daraja took them: {answer} Register again.", answer=answer.told
    )
