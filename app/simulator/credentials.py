"""Whether a SecurityCredential is that of an operator of the shop."""

import base64
import binascii
import hmac

from app.simulator.certificate import Certificate
from app.simulator.settings import SimulatorSettings


class Initiators:
    """Opens credentials with the simulator's private key; a wrong one is Result 2001."""

    def __init__(self, settings: SimulatorSettings, certificate: Certificate) -> None:
        self._passwords = settings.initiators()
        self._ready = settings.ready_credential()
        self._shortcodes = settings.operated_shortcodes()
        self._certificate = certificate

    def complaint(self, initiator: str, credential: str, shortcode: str) -> str | None:
        """What is wrong, in words for the developer; None when the operator is who he says."""
        if shortcode not in self._shortcodes:
            return f"No initiator may act for the shortcode {shortcode}."
        if self._is_ready_made(initiator, credential):
            return None
        if initiator not in self._passwords:
            return "No initiator has this name."
        try:
            secret = base64.b64decode(credential, validate=True)
        except (binascii.Error, ValueError):
            return "SecurityCredential is not base64."
        password = self._certificate.decrypt(secret)
        if password is None:
            return "SecurityCredential was not made with /simulator/certificate.pem."
        if any(hmac.compare_digest(password, p.encode()) for p in self._passwords[initiator]):
            return None
        return (
            "SecurityCredential holds another password, or was made with another certificate "
            "than /simulator/certificate.pem."
        )

    def _is_ready_made(self, initiator: str, credential: str) -> bool:
        # Made with Safaricom's certificate: nobody here can open it, so it is taken at its word.
        name, ready = self._ready
        same = hmac.compare_digest(credential.encode(), ready.encode())
        return same and bool(ready) and initiator == name
