"""The security credential, opened with the key that it was made for."""

from __future__ import annotations

import base64
from datetime import UTC, datetime

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.x509.oid import NameOID

from app.mpesa.credentials import BadCertificate, security_credential

Key = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey
PASSWORD = "Safaricom999!*!"
LONG_AGO = datetime(2016, 11, 11, tzinfo=UTC)


def certificate(key: Key, encoding: serialization.Encoding) -> bytes:
    """Return a certificate that ran out years ago, as everybody's has."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "daraja.test")])
    signed = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(7)
        .not_valid_before(datetime(2015, 11, 11, tzinfo=UTC))
        .not_valid_after(LONG_AGO)
        .sign(key, hashes.SHA256())
    )
    return signed.public_bytes(encoding)


@pytest.fixture(scope="module")
def key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


@pytest.mark.parametrize("encoding", [serialization.Encoding.PEM, serialization.Encoding.DER])
@pytest.mark.parametrize("password", [PASSWORD, "#&%$@", "nywila-ñ", "", "x" * 245])
def test_whoever_holds_the_key_reads_the_password(
    key: rsa.RSAPrivateKey, encoding: serialization.Encoding, password: str
) -> None:
    made = security_credential(password, certificate(key, encoding))
    assert len(made) == 344
    opened = key.decrypt(base64.b64decode(made, validate=True), padding.PKCS1v15())
    assert opened.decode() == password


def test_it_is_another_one_each_time(key: rsa.RSAPrivateKey) -> None:
    pem = certificate(key, serialization.Encoding.PEM)
    assert len({security_credential(PASSWORD, pem) for _ in range(5)}) == 5


def test_a_certificate_among_other_words_is_found(key: rsa.RSAPrivateKey) -> None:
    pem = certificate(key, serialization.Encoding.PEM)
    assert len(security_credential(PASSWORD, b"Bag Attributes\n  friendlyName: x\n" + pem)) == 344


def test_what_is_no_certificate_is_said_to_be_none(key: rsa.RSAPrivateKey) -> None:
    public = key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    pem = certificate(key, serialization.Encoding.PEM)
    for wrong in (b"", b"nonsense", b"<html>", public, pem[:200], pem.replace(b"M", b"N", 9)):
        with pytest.raises(BadCertificate, match="not a certificate"):
            security_credential(PASSWORD, wrong)


def test_another_kind_of_key_is_said_to_be_one() -> None:
    elliptic = certificate(ec.generate_private_key(ec.SECP256R1()), serialization.Encoding.PEM)
    with pytest.raises(BadCertificate, match="RSA"):
        security_credential(PASSWORD, elliptic)


def test_a_password_that_does_not_fit_is_said_not_to(key: rsa.RSAPrivateKey) -> None:
    pem = certificate(key, serialization.Encoding.PEM)
    with pytest.raises(BadCertificate, match="too long"):
        security_credential("x" * 246, pem)
