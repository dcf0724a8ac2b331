"""A key pair of the simulator's own, in the place of Safaricom's certificate."""

import threading
from datetime import timedelta
from functools import cached_property

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.x509.oid import NameOID

from app.simulator.clock import utc_now


class Certificate:
    """RSA-2048, as Safaricom's certificates are; made when it is first asked for."""

    def __init__(self) -> None:
        self._lock = threading.Lock()

    @cached_property
    def _key(self) -> rsa.RSAPrivateKey:
        return rsa.generate_private_key(public_exponent=65537, key_size=2048)

    @cached_property
    def _pem(self) -> bytes:
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "daraja.simulator")])
        now = utc_now()
        certificate = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(self._key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(days=1))
            .not_valid_after(now + timedelta(days=3650))
            .sign(self._key, hashes.SHA256())
        )
        return certificate.public_bytes(serialization.Encoding.PEM)

    def pem(self) -> bytes:
        # Two threads asking at once must not see certificates of two different keys.
        with self._lock:
            return self._pem

    def decrypt(self, secret: bytes) -> bytes | None:
        """Open what was encrypted for this certificate by PKCS#1 v1.5, as documented.

        None when it was not; or else, since OpenSSL then gives no oracle, bytes of no meaning.
        """
        with self._lock:
            key = self._key
        try:
            return key.decrypt(secret, padding.PKCS1v15())
        except ValueError:
            return None
