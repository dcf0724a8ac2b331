"""Proving what was set: each credential is tried against Daraja, and no money moves.

The newest try of each kind is kept with who and when. A proof is of what was set then: when that
changes, it is told as old.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select, update

from app import reach
from app.accounts.models import Person
from app.audit.service import record
from app.core.clock import now
from app.core.errors import LipaError, ProviderUnavailable
from app.core.statements import insert_or_nothing, rows_changed
from app.core.texts import marked, said
from app.core.unit_of_work import end_reads, transaction
from app.disbursements import provider
from app.disbursements.provider import NotConfigured
from app.disbursements.receipt_status import addresses
from app.extensions import db
from app.mpesa.messages import QueryFinal, QueryNotYet
from app.mpesa.out_codes import DECLINED
from app.mpesa.out_messages import OutAccepted
from app.mpesa.results import read_result
from app.mpesa.settings import MissingSettings
from app.mpesa.transport import TokenRefused
from app.payments.provider import mpesa
from app.settings.models import SettingProof
from app.settings.service import mpesa_settings, public_root, settings

GOOD, BAD, PENDING, UNCLEAR = "good", "bad", "pending", "unclear"
#: An answer that has not come in this time does not come.
ANSWER_SECONDS = 60
#: Of the form that Daraja gives, and never given: it names no prompt.
_NO_PROMPT = "ws_CO_010120000000000000000000"


@dataclass(frozen=True)
class Try:
    """How a try ended: its state, and that in words. ``token``: the answer comes to it later."""

    state: str
    told: str
    token: str | None = None


Keep = Callable[[Try], None]


@dataclass(frozen=True)
class Provable:
    """Something that can be tried.

    ``attempt`` may keep a state before the end is known. ``of`` returns what is tried: when that
    changes, it is unproven.
    """

    name: str
    label: str
    about: str
    attempt: Callable[[Keep], Try]
    of: Callable[[], tuple[object, ...]]


@dataclass(frozen=True)
class Proof:
    """How something stands: never tried, or its newest try. ``is_old``: set anew since."""

    provable: Provable
    state: str
    told: str
    by: str | None = None
    at: datetime | None = None
    is_old: bool = False

    @property
    def is_good(self) -> bool:
        return self.state == GOOD and not self.is_old


def prove(name: str, person: Person) -> Proof:
    """Try something now. Raises KeyError for an unknown name."""
    provable = BY_NAME[name]

    def keep(ended: Try) -> None:
        _keep(provable, ended, person)

    try:
        ended = provable.attempt(keep)
    except (LipaError, MissingSettings, NotConfigured) as error:
        ended = Try(BAD, error.args[0])
    if ended.state != PENDING:
        keep(ended)
    return proof_of(provable)


def proofs() -> list[Proof]:
    """Return how everything that can be tried stands."""
    return [proof_of(provable) for provable in PROVABLES]


def proof_of(provable: Provable) -> Proof:
    row = db.session.scalar(
        select(SettingProof)
        .where(SettingProof.name == provable.name)
        .execution_options(populate_existing=True)
    )
    if row is None:
        return Proof(provable, "untried", marked("Not tried yet."))
    state, told = row.state, row.told
    if state == PENDING and row.proven_at < now() - timedelta(seconds=ANSWER_SECONDS):
        state = UNCLEAR
        told = marked(
            "Daraja took the question, and no answer came. Prove the callback address first."
        )
    is_elsewhere = row.environment != settings().mpesa_environment
    is_old = is_elsewhere or row.fingerprint != _fingerprint(provable)
    return Proof(provable, state, told, row.proven_by, row.proven_at, is_old)


def hear(token: str, raw: bytes) -> str | None:
    """Hear Daraja's answer to the initiator's question; None for another secret.

    Raises Unreadable.
    """
    if db.session.scalar(select(SettingProof.id).where(SettingProof.token == token)) is None:
        return None
    result = read_result(raw)
    ended = _answer_told(result.code, result.description)
    with transaction() as session:
        heard = (
            update(SettingProof)
            .where(SettingProof.token == token, SettingProof.state == PENDING)
            .values(state=ended.state, told=ended.told[:500], token=None)
        )
        changed = rows_changed(session, heard) == 1
    return f"the initiator: {ended.state}" if changed else "repeated"


def _answer_told(code: str, description: str) -> Try:
    if code == "0":
        return Try(GOOD, marked("M-Pesa has carried out a question by this initiator."))
    told = said("M-Pesa says {code}: {words}", code=code, words=description)
    if DECLINED.get(code) == "credentials":
        mend = marked("Check the initiator's name, its password and the certificate.")
    elif DECLINED.get(code) == "not_permitted":
        mend = marked("Give the initiator the role for balances in the M-Pesa portal.")
    else:
        return Try(UNCLEAR, told)
    return Try(BAD, said("{told} {mend}", told=told, mend=mend))


def _token(_: Keep) -> Try:
    end_reads()
    try:
        mpesa().test_connection()
    except TokenRefused as error:
        told = said(
            "Daraja does not accept them (HTTP {status}). Copy consumer key and secret again, for "
            "this environment.",
            status=error.status,
        )
        return Try(BAD, told)
    except (MissingSettings, LipaError):
        raise
    except Exception as error:
        told = said("Daraja did not answer ({why}). Try again.", why=type(error).__name__)
        return Try(UNCLEAR, told)
    return Try(GOOD, marked("Daraja has given an access token."))


def _passkey(_: Keep) -> Try:
    """Ask about a prompt that never was: what Daraja says of it tells whether it read the key."""
    end_reads()
    answer = mpesa().query(_NO_PROMPT)
    if isinstance(answer, QueryFinal | QueryNotYet):
        return Try(GOOD, marked("Daraja accepts the shortcode and passkey."))
    told = answer.why.lower()
    if "merchant does not exist" in told:
        return Try(BAD, marked("Daraja does not know this shortcode. Check MPESA_SHORTCODE."))
    if "wrong credentials" in told:
        return Try(BAD, marked("The passkey is not that of this shortcode. Copy it again."))
    if "does not exist" in told or "invalid checkoutrequestid" in told:
        return Try(GOOD, marked("Daraja accepts the shortcode and passkey."))
    return Try(UNCLEAR, said("Daraja did not say: {why}", why=answer.why))


def _initiator(keep: Keep) -> Try:
    """Have Daraja carry out a question that moves nothing; its answer comes to its own address."""
    out, root = provider.money_out(), public_root()
    token = secrets.token_urlsafe(32)
    # The answer may be faster than we are: its secret stands in the books before it is asked.
    waiting = Try(PENDING, marked("Daraja was asked. The answer takes some seconds."), token)
    keep(waiting)
    end_reads()
    answer = out.ask_balance(addresses(root, token))
    if isinstance(answer, OutAccepted):
        return waiting
    return Try(BAD, said("Daraja did not take the question: {answer}", answer=str(answer)))


def _certificate(_: Keep) -> Try:
    end_reads()
    provider.money_out().settings.credential()
    return Try(GOOD, marked("The initiator's password can be encrypted for M-Pesa."))


def _callback(_: Keep) -> Try:
    root = public_root()
    problem = reach.why_unreached(root)
    if problem is not None:
        told = said(
            "{address} does not lead to this shop: {problem}.", address=root, problem=problem
        )
        return Try(BAD, told)
    if settings().is_simulator:
        return Try(GOOD, said("{address} leads to this shop.", address=root))
    told = said("{address} leads to this shop, as seen from this machine.", address=root)
    return Try(GOOD, told)


def _keep(provable: Provable, ended: Try, person: Person) -> None:
    values: dict[str, Any] = {
        "state": ended.state,
        "told": ended.told[:500],
        "proven_by": person.email,
        "proven_at": now(),
        "environment": settings().mpesa_environment,
        "fingerprint": _fingerprint(provable),
        "token": ended.token,
    }
    row = SettingProof
    with transaction() as session:
        insert_or_nothing(session, row, {"name": provable.name, **values}, key=["name"])
        session.execute(update(row).where(row.name == provable.name).values(**values))
        record(session, person, "setting.tried", f"setting {provable.name}", outcome=ended.state)


def _fingerprint(provable: Provable) -> str:
    try:
        parts = "\x1f".join(str(part) for part in provable.of())
    except ProviderUnavailable as error:
        parts = str(error)
    return hashlib.sha256(parts.encode()).hexdigest()


def _of_token() -> tuple[object, ...]:
    account = mpesa_settings()
    return account.consumer_key, account.consumer_secret, account.token_url


def _of_passkey() -> tuple[object, ...]:
    account = mpesa_settings()
    return account.shortcode, account.passkey, account.query_url


def _of_initiator() -> tuple[object, ...]:
    configured = settings()
    return (
        configured.mpesa_b2c_initiator_name,
        configured.mpesa_b2c_initiator_password,
        configured.mpesa_b2c_security_credential,
        configured.mpesa_b2c_certificate,
        configured.daraja_root,
    )


def _of_callback() -> tuple[object, ...]:
    return (public_root(),)


PROVABLES = (
    Provable(
        "token",
        marked("Consumer key and secret"),
        marked("Fetches an access token from Daraja."),
        _token,
        _of_token,
    ),
    Provable(
        "passkey",
        marked("Shortcode and passkey"),
        marked("Asks Daraja about a prompt that never was. Nobody's phone rings."),
        _passkey,
        _of_passkey,
    ),
    Provable(
        "callback",
        marked("Callback address"),
        marked("Goes out and comes back by the public address."),
        _callback,
        _of_callback,
    ),
    Provable(
        "certificate",
        marked("Certificate"),
        marked("Encrypts the initiator's password, as every payout does."),
        _certificate,
        _of_initiator,
    ),
    Provable(
        "initiator",
        marked("Initiator"),
        marked("Asks M-Pesa for the balance in the initiator's name. No money moves."),
        _initiator,
        _of_initiator,
    ),
)
BY_NAME = {provable.name: provable for provable in PROVABLES}
