"""A look over a set-up: each finding says what is wrong and how to put it right."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from flask import current_app
from sqlalchemy import func, select
from sqlalchemy.exc import SQLAlchemyError

from app.config import ROOT, Settings
from app.core.clock import now
from app.core.unit_of_work import end_reads
from app.disbursements.provider import NotConfigured, money_out
from app.extensions import db
from app.jobs import Jobs, QueueAway
from app.mpesa.origin import is_proven
from app.mpesa.settings import MissingSettings
from app.mpesa.transport import TokenRefused
from app.payments.models import Payment
from app.payments.paybill import registration
from app.payments.provider import mpesa
from app.reach import why_unreached
from app.schema import is_up_to_date
from app.settings.cipher import UnreadableSetting
from app.settings.service import mpesa_settings, settings
from app.tunnel import NoTunnel, tunnel

#: Work that has been due for so long is not late because of a busy moment.
LATE_MINUTES = 5


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
        findings = [
            *_queue(configured),
            *_addresses(configured),
            *_paybill(),
            *_credentials(),
        ]
    return [*findings, *_money_out(configured)]


def remarks() -> list[str]:
    """Say what is set and nowhere else to be seen; secrets are named and never shown."""
    configured = settings()
    shown = {
        "shortcode": configured.mpesa_b2c_shortcode,
        "initiator": configured.mpesa_b2c_initiator_name,
        "results to": configured.mpesa_b2c_result_url,
        "time-outs to": configured.mpesa_b2c_timeout_url,
    }
    parts = [f"{name} {value}" for name, value in shown.items() if value]
    if configured.mpesa_b2c_initiator_password:
        parts.append("the initiator's password is set")
    if configured.mpesa_b2c_security_credential:
        parts.append("a security credential is set")
    money_out = [f"Money out: {', '.join(parts)}."] if parts else []
    return [*money_out, *(_tunnel_now() if configured.follows_tunnel else [])]


def _tunnel_now() -> list[str]:
    try:
        return [f"PUBLIC_URL=auto: the tunnel is {tunnel().root()}."]
    except NoTunnel as missing:
        # Elsewhere this is a finding.
        remark = f"PUBLIC_URL=auto: {missing.problem} The simulator needs none."
        return [remark] if settings().is_simulator else []


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


def _queue(configured: Settings) -> list[Finding]:
    jobs: Jobs = current_app.extensions["lipa_jobs"]
    try:
        jobs.open()
    except QueueAway as error:
        mend = "Check REDIS_URL, or DATABASE_URL where there is none; until then checks come late."
        return [Finding(str(error), mend)]
    return [] if configured.embedded_worker else _overdue()


def _overdue() -> list[Finding]:
    """Without a worker in the server, payments that nobody asks about mean that there is none."""
    late = now() - timedelta(minutes=LATE_MINUTES)
    count = db.session.scalar(select(func.count(Payment.id)).where(Payment.next_check_at < late))
    if not count:
        return []
    mend = "Start `flask worker`, or remove EMBEDDED_WORKER=false."
    return [Finding(f"Payments that M-Pesa should have been asked about: {count}.", mend)]


def _addresses(configured: Settings) -> list[Finding]:
    try:
        callback_url = mpesa_settings().callback_url
    except UnreadableSetting as error:
        return [Finding(str(error), "Put the old key back, or store the settings again.")]
    if not callback_url:
        return _through_tunnel(configured)
    local = "127.0.0.1" in callback_url or "localhost" in callback_url
    if configured.is_simulator:
        return []
    if local:
        return [
            Finding(
                f"Safaricom cannot reach {callback_url}.",
                "Set PUBLIC_URL to an address on the internet, or to auto where ngrok runs.",
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


def _through_tunnel(configured: Settings) -> list[Finding]:
    """Callbacks come by the tunnel of the moment: is there one, and does it lead here?"""
    try:
        roots = tunnel().roots()
    except NoTunnel as missing:
        return [] if configured.is_simulator else [Finding(missing.problem, missing.mend)]
    findings = []
    if len(roots) > 1:
        problem = f"More than one tunnel leads here: {', '.join(roots)}. The first is used."
        mend = "Stop the others, or set PUBLIC_URL to the one that you mean."
        findings.append(Finding(problem, mend))
    if configured.trusted_proxies > 1:
        problem = "TRUSTED_PROXIES counts more than ngrok, so a caller may choose its address."
        findings.append(Finding(problem, "Leave TRUSTED_PROXIES blank: PUBLIC_URL=auto counts it."))
    if why := why_unreached(roots[0]):
        problem = f"{roots[0]} does not lead to this shop: {why}."
        mend = f"Start the shop on port {configured.port}. If it runs there, start ngrok again."
        findings.append(Finding(problem, mend))
    return findings


def _paybill() -> list[Finding]:
    """Do payments by hand still come to where this shop is?"""
    try:
        registered = registration.current()
        outdated = registration.outdated(registered) if registered else None
    except (NoTunnel, UnreadableSetting):
        # Said already, where the addresses are looked at.
        return []
    if outdated is None:
        return []
    return [Finding(outdated, "Run `flask c2b register`, or use the button on /admin/settings.")]


def _tunnel(configured: Settings) -> list[Finding]:
    """A tunnel or proxy on this machine makes every caller look local, and local is believed."""
    told_apart = configured.trusted_proxies or configured.follows_tunnel
    if told_apart or not is_proven("127.0.0.1", configured.callback_networks):
        return []
    return [
        Finding(
            "Callers through a tunnel or proxy on this machine count as proven by origin.",
            "Set TRUSTED_PROXIES=1, or set MPESA_CALLBACK_ALLOWLIST to Safaricom's addresses.",
        )
    ]


def _money_out(configured: Settings) -> list[Finding]:
    """Can money go out, where somebody has begun to set that up?"""
    return _initiator(configured) or _paying(configured)


def _paying(configured: Settings) -> list[Finding]:
    """Is the certificate there, and does it encrypt? The simulator's is fetched."""
    if not (configured.mpesa_b2c_initiator_name or configured.is_simulator):
        return []
    end_reads()
    try:
        money_out()
    except NotConfigured as error:
        return [Finding("Money cannot go out: refunds and payouts wait.", str(error))]
    except (UnreadableSetting, SQLAlchemyError):
        # Said already, where the settings or the database are looked at.
        return []
    return []


def _initiator(configured: Settings) -> list[Finding]:
    """An initiator is a name and a secret: the password, or what the portal made of it."""
    named = bool(configured.mpesa_b2c_initiator_name)
    secret = configured.mpesa_b2c_initiator_password or configured.mpesa_b2c_security_credential
    if named and not secret:
        return [
            Finding(
                "MPESA_B2C_INITIATOR_NAME is set without a secret.",
                "Set MPESA_B2C_INITIATOR_PASSWORD or MPESA_B2C_SECURITY_CREDENTIAL.",
            )
        ]
    if secret and not named:
        return [
            Finding(
                "The secret of an initiator is set without a name.",
                "Set MPESA_B2C_INITIATOR_NAME to the API user's name in the M-Pesa portal.",
            )
        ]
    return []


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
