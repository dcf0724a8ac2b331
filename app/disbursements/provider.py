"""The MoneyOut of this application, built from the settings of the moment."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from urllib.parse import urlencode

import requests

from app.config import ROOT, Settings
from app.core.texts import marked, said
from app.mpesa.credentials import BadCertificate, security_credential
from app.mpesa.money_out import MoneyOut, OutSettings
from app.mpesa.out_messages import Addresses
from app.mpesa.settings import MissingSettings
from app.payments.provider import transport
from app.settings.service import mpesa_settings, public_root, settings

RESULT_PATH = "/api/payments/b2c/result"
TIMEOUT_PATH = "/api/payments/b2c/timeout"
#: What the simulator knows out of the box.
SIMULATOR_SHORTCODE = "600000"
SIMULATOR_INITIATOR = "testapi"
SIMULATOR_PASSWORD = "Safaricom999!*!"  # noqa: S105  (the sandbox's, published for everybody)
_CERTIFICATE_SECONDS = 3

_fetched: dict[str, bytes] = {}
_fetching = threading.Lock()


class NotConfigured(Exception):
    """Money cannot go out with these settings. The message says which, and what to do."""


def money_out() -> MoneyOut:
    """Return the service for the present settings.

    Raises NotConfigured, and ProviderUnavailable where a stored setting cannot be read.
    May fetch the simulator's certificate: call it outside transactions.
    """
    configured = settings()
    name = configured.mpesa_b2c_initiator_name or _default(configured, SIMULATOR_INITIATOR)
    if not name:
        raise NotConfigured(marked("Set MPESA_B2C_INITIATOR_NAME to the API user's name."))
    try:
        collecting = mpesa_settings()
        collecting.require()
    except MissingSettings as error:
        raise NotConfigured(str(error)) from error
    out = OutSettings(
        shortcode=shortcode(),
        collecting_shortcode=collecting.shortcode or "",
        initiator_name=name,
        credential=_credential(configured),
        root=configured.daraja_root,
        version=configured.mpesa_b2c_version,
        command=configured.mpesa_b2c_command,
    )
    return MoneyOut(out, transport(collecting))


def shortcode() -> str:
    """Return the shortcode that pays: its own setting, else the one that collects."""
    configured = settings()
    own = configured.mpesa_b2c_shortcode or _default(configured, SIMULATOR_SHORTCODE)
    return own or mpesa_settings().shortcode or ""


@dataclass(frozen=True)
class Doors:
    """Where Daraja posts results and time-outs, before a secret is added."""

    result_url: str
    timeout_url: str

    def with_secret(self, name: str, secret: str) -> Addresses:
        """Return both addresses for one request: ``token``, ``query`` or ``balance``."""
        return Addresses(*(_with(url, name, secret) for url in (self.result_url, self.timeout_url)))


def doors() -> Doors:
    """Return the present addresses. Raises NoTunnel; call it outside transactions."""
    configured = settings()
    result, timeout = configured.mpesa_b2c_result_url, configured.mpesa_b2c_timeout_url
    root = "" if result and timeout else public_root()
    return Doors(result or root + RESULT_PATH, timeout or root + TIMEOUT_PATH)


def _with(url: str, name: str, secret: str) -> str:
    return f"{url}{'&' if '?' in url else '?'}{urlencode({name: secret})}"


def _default(configured: Settings, value: str) -> str | None:
    return value if configured.is_simulator else None


def _credential(configured: Settings) -> partial[str]:
    """Return what makes a credential: the ready one, or the password encrypted anew each time."""
    ready = configured.mpesa_b2c_security_credential
    if ready:
        return partial(str, ready)
    password = configured.mpesa_b2c_initiator_password or _default(configured, SIMULATOR_PASSWORD)
    if not password:
        raise NotConfigured(
            marked(
                "Set MPESA_B2C_INITIATOR_PASSWORD, or MPESA_B2C_SECURITY_CREDENTIAL to the "
                "credential that the portal made of it."
            )
        )
    certificate = _certificate(configured)
    try:
        security_credential(password, certificate)
    except BadCertificate as error:
        raise NotConfigured(f"MPESA_B2C_CERTIFICATE: {error}") from error
    return partial(security_credential, password, certificate)


def _certificate(configured: Settings) -> bytes:
    if configured.mpesa_b2c_certificate:
        path = Path(configured.mpesa_b2c_certificate)
        try:
            return (path if path.is_absolute() else ROOT / path).read_bytes()
        except OSError as error:
            raise NotConfigured(
                said(
                    "MPESA_B2C_CERTIFICATE cannot be read ({why}). Download the certificate of "
                    "this environment from the developer portal.",
                    why=type(error).__name__,
                )
            ) from error
    if configured.is_simulator:
        return _simulator_certificate(configured.daraja_root)
    raise NotConfigured(
        marked(
            "Set MPESA_B2C_CERTIFICATE to the file with the certificate of this environment, from "
            "the developer portal; the initiator's password is encrypted with it."
        )
    )


def _simulator_certificate(root: str) -> bytes:
    """Fetch the certificate that the simulator made for itself, once."""
    with _fetching:
        if root not in _fetched:
            url = f"{root}/simulator/certificate.pem"
            try:
                answer = requests.get(url, timeout=_CERTIFICATE_SECONDS, allow_redirects=False)
                answer.raise_for_status()
            except requests.RequestException as error:
                why = type(error).__name__
                told = said("The simulator gave no certificate ({why}).", why=why)
                raise NotConfigured(told) from error
            _fetched[root] = answer.content
        return _fetched[root]


def forget_certificates() -> None:
    """Forget what was fetched: another simulator may stand at the same address now."""
    with _fetching:
        _fetched.clear()
