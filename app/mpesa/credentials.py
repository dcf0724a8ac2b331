"""The security credential: the initiator's password, for Safaricom's eyes only."""

from __future__ import annotations

import base64

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.x509 import load_der_x509_certificate, load_pem_x509_certificate


class BadCertificate(Exception):
    """The certificate is not an X.509 certificate with an RSA key that takes the password."""


def security_credential(password: str, certificate: bytes) -> str:
    """Encrypt an initiator's password by a certificate, in PEM or DER.

    RSA with PKCS#1 v1.5 padding and then base64, as Safaricom documents it; different each time.
    The certificate's dates do not count: everybody's have run out, and only the key matters.
    Raises BadCertificate.
    """
    try:
        load = (
            load_pem_x509_certificate if b"-----BEGIN" in certificate else load_der_x509_certificate
        )
        key = load(certificate).public_key()
    except (ValueError, UnsupportedAlgorithm) as error:
        raise BadCertificate("This is not a certificate in PEM or DER.") from error
    if not isinstance(key, RSAPublicKey):
        raise BadCertificate("The certificate's key is not an RSA key.")
    try:
        encrypted = key.encrypt(password.encode(), PKCS1v15())
    except ValueError as error:
        # PKCS#1 v1.5 needs eleven bytes of the key's length for itself.
        raise BadCertificate("The password is too long for the certificate's key.") from error
    return base64.b64encode(encrypted).decode()
