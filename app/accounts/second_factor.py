"""The second factor: six digits from an app on somebody's own phone (TOTP, RFC 6238).

SHA-1, 30 seconds and six digits are what every such app understands. A code of the step before
or after counts too, since clocks differ, and each step counts once. Ten recovery codes stand in
for a phone that is away, each for one sign-in.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass

from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.twofactor.totp import TOTP
from sqlalchemy import delete, func, or_, select, update
from sqlalchemy.orm import Session

from app.accounts.models import Person, RecoveryCode, SignIn
from app.accounts.passwords import password_matches
from app.accounts.sign_ins import end_all_in
from app.audit import service as audit
from app.core.clock import now
from app.core.errors import Conflict, RateLimited, Unauthorized, ValidationError
from app.core.limiting import spend
from app.core.statements import rows_changed
from app.core.texts import marked
from app.core.unit_of_work import transaction
from app.settings.cipher import cipher, unseal
from app.settings.service import settings

STEP_SECONDS = 30
DIGITS = 6
#: RFC 4226 recommends 160 bits.
SECRET_BYTES = 20
RECOVERY_CODES = 10
#: A million codes, three of which count: whoever knows the password guesses for years.
TRIES = ("5/5 minutes", "50/day")
_RECOVERY_BYTES = 10
_CODE = re.compile(rf"\d{{{DIGITS}}}")
_NOT_A_MARK = re.compile(r"[\s-]")


@dataclass(frozen=True)
class Enrolment:
    """What an app on the phone is told: as text to type, and as the address in a QR code."""

    key: str
    address: str


class CodeWanted(Unauthorized):
    """The password was right, and the code of the second factor is missing."""

    message = marked(
        "This account has a second factor. Send the six digits of your app, or a recovery code, "
        "as otp."
    )

    def __init__(self) -> None:
        super().__init__(details={"second_factor": True})


class WrongCode(Unauthorized):
    message = marked(
        "That code does not count. Wait for the next one; each counts once, and the phone's clock "
        "must be right."
    )

    def __init__(self) -> None:
        super().__init__(details={"second_factor": True, "field": "otp"})


def begin(person: Person, password: str) -> None:
    """Make a secret that counts from the first code on.

    Raises Conflict where one counts already, ValidationError for a wrong password, and
    NoEncryptionKey where the shop has nothing to seal it with.
    """
    person_id = person.id
    _spend_try(person_id, "password")
    if not password_matches(password, person.password_hash):
        raise ValidationError(marked("That is not your password."), details={"field": "password"})
    key = settings().settings_encryption_key
    sealed = cipher(key).encrypt(base64.b32encode(secrets.token_bytes(SECRET_BYTES)))
    with transaction() as session:
        fresh = update(Person).where(Person.id == person_id, Person.totp_since.is_(None))
        if not rows_changed(session, fresh.values(totp_secret=sealed, totp_last_step=None)):
            raise Conflict(marked("Your second factor is set up already."))


def enrolment(person: Person) -> Enrolment | None:
    """Return what the app is told, while no code has confirmed it; None else."""
    if person.totp_secret is None or person.has_second_factor:
        return None
    key = unseal(person.totp_secret, settings().settings_encryption_key)
    shop = settings().shop_name
    return Enrolment(key, _totp(key).get_provisioning_uri(person.email, shop))


def confirm(person: Person, code: str, sign_in: SignIn) -> list[str]:
    """Have the second factor count, shown by its first code; return the recovery codes.

    This sign-in counts as proven from now on, and the others end. Raises WrongCode, RateLimited,
    and Conflict where nothing was begun.
    """
    person_id, keep = person.id, sign_in.uuid
    if enrolment(person) is None:
        raise Conflict(marked("There is nothing to confirm. Begin anew."))
    _spend_try(person_id)
    step = _step_of(person, code)
    codes = [_new_recovery_code() for _ in range(RECOVERY_CODES)]
    with transaction() as session:
        # No stronger lock: the audit trail, for which others may wait, refers to this row.
        lock = {"key_share": True}
        found = session.get_one(Person, person_id, populate_existing=True, with_for_update=lock)
        if step is None or found.has_second_factor:
            raise WrongCode
        found.totp_since, found.totp_last_step = now(), step
        _replace_recovery_codes(session, person_id, codes)
        session.execute(update(SignIn).where(SignIn.uuid == keep).values(second_factor=True))
        end_all_in(session, person_id, keep)
        audit.record(session, found, "second_factor.set_up", f"person {found.email}")
    return codes


def check(person: Person, code: str) -> None:
    """Use up a code of the app or a recovery code. Raises CodeWanted, WrongCode, RateLimited."""
    if not code.strip():
        raise CodeWanted
    person_id = person.id
    _spend_try(person_id)
    step = _step_of(person, code)
    with transaction() as session:
        used = (
            _use_step(session, person_id, step) if step else _use_recovery(session, person_id, code)
        )
        if not used:
            raise WrongCode


def take_away_in(session: Session, person: Person) -> None:
    """Undo somebody's second factor in the caller's transaction; they may set up a new one."""
    person.totp_secret = person.totp_since = person.totp_last_step = None
    _replace_recovery_codes(session, person.id, [])
    end_all_in(session, person.id)


def recovery_codes_left(session: Session, person: Person) -> int:
    """Return how many recovery codes can still be used."""
    query = select(func.count(RecoveryCode.id)).where(
        RecoveryCode.person_id == person.id, RecoveryCode.used_at.is_(None)
    )
    return session.scalar(query) or 0


def _spend_try(person_id: int, what: str = "code") -> None:
    for limit in TRIES:
        if not spend(limit, "second-factor", what, f"person:{person_id}"):
            raise RateLimited(marked("Too many tries. Wait five minutes."), retry_after_seconds=300)


def _step_of(person: Person, code: str) -> int | None:
    """Return the time step whose code this is: this one, the one before or the one after."""
    typed = _NOT_A_MARK.sub("", code)
    if person.totp_secret is None or not (typed.isascii() and _CODE.fullmatch(typed)):
        return None
    totp = _totp(unseal(person.totp_secret, settings().settings_encryption_key))
    present = int(now().timestamp()) // STEP_SECONDS
    fitting = [
        step
        for step in (present - 1, present, present + 1)
        if hmac.compare_digest(totp.generate(step * STEP_SECONDS), typed.encode())
    ]
    return fitting[0] if fitting else None


def _totp(key: str) -> TOTP:
    return TOTP(base64.b32decode(key), DIGITS, SHA1(), STEP_SECONDS)  # noqa: S303


def _use_step(session: Session, person_id: int, step: int) -> bool:
    older = or_(Person.totp_last_step.is_(None), Person.totp_last_step < step)
    counts = update(Person).where(Person.id == person_id, Person.totp_since.is_not(None), older)
    return rows_changed(session, counts.values(totp_last_step=step)) == 1


def _use_recovery(session: Session, person_id: int, code: str) -> bool:
    unused = update(RecoveryCode).where(
        RecoveryCode.person_id == person_id,
        RecoveryCode.code_hash == _hash(person_id, code),
        RecoveryCode.used_at.is_(None),
    )
    return rows_changed(session, unused.values(used_at=now())) == 1


def _replace_recovery_codes(session: Session, person_id: int, codes: list[str]) -> None:
    session.execute(delete(RecoveryCode).where(RecoveryCode.person_id == person_id))
    session.add_all(
        RecoveryCode(person_id=person_id, code_hash=_hash(person_id, code)) for code in codes
    )


def _new_recovery_code() -> str:
    """Return 80 random bits, which need no slow hash, as four groups of four marks."""
    text = base64.b32encode(secrets.token_bytes(_RECOVERY_BYTES)).decode().lower()
    return "-".join(text[start : start + 4] for start in range(0, len(text), 4))


def _hash(person_id: int, code: str) -> str:
    typed = _NOT_A_MARK.sub("", code).lower()
    return hashlib.sha256(f"{person_id}:{typed}".encode()).hexdigest()
