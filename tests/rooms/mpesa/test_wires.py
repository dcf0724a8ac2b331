"""What is asked again by itself and what never is, on real sockets."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from app.core.clock import now
from app.mpesa.messages import PushRefused, PushUnanswered, QueryUnanswered
from app.mpesa.service import MpesaService
from app.mpesa.tokens import AccessToken
from app.mpesa.transport import TokenRefused
from app.mpesa.wires import Wires
from tests.rooms.mpesa.speaking import PROMPT, at, service
from tests.services.launch import free_port
from tests.support.daraja import (
    PUSH_PATH,
    Answer,
    FakeDaraja,
    Script,
    html,
    reset,
    token,
)

THROTTLED = Answer(429, b"", content_type="text/html")


@pytest.fixture
def daraja() -> Iterator[FakeDaraja]:
    fake = FakeDaraja()
    yield fake
    fake.stop()


@pytest.fixture
def speaking(daraja: FakeDaraja) -> Iterator[MpesaService]:
    """A service that talks to a Daraja on a real socket, with a token in its pocket."""
    wires = Wires()
    yield with_token(at(daraja.url), wires)
    wires.close()


def with_token(addresses: dict[str, Any], wires: Wires | None = None) -> MpesaService:
    asking = service(wires, read_timeout_seconds=5, **addresses)
    asking._daraja._tokens.get(asking._daraja._account, lambda: AccessToken("in the pocket", 3599))
    return asking


def in_turn(*scripts: Script) -> Script:
    """Answer with one script after the other, and then the last for ever."""
    left = list(scripts)
    return lambda body: (left.pop(0) if len(left) > 1 else left[0])(body)


@pytest.mark.parametrize("status", [502, 503, 504])
def test_a_token_is_asked_for_again_when_a_gateway_fails(daraja: FakeDaraja, status: int) -> None:
    daraja.token_answer = in_turn(html(status), html(status), token())
    service(**at(daraja.url)).test_connection()
    assert daraja.token_fetches == 3


def test_a_token_is_asked_for_three_times_and_no_more(daraja: FakeDaraja) -> None:
    daraja.token_answer = html(503)
    answer = service(**at(daraja.url)).push(PROMPT)
    assert isinstance(answer, PushRefused)
    assert answer.kind == "unreachable"
    assert (daraja.token_fetches, daraja.pushes) == (3, [])


@pytest.mark.parametrize("script", [html(400), html(401), html(500), lambda _: THROTTLED, reset])
def test_what_is_no_gateways_failure_is_not_asked_again(daraja: FakeDaraja, script: Script) -> None:
    daraja.token_answer = script
    assert isinstance(service(**at(daraja.url)).push(PROMPT), PushRefused)
    assert daraja.token_fetches == 1


def test_a_token_that_does_not_come_in_time_is_not_asked_for_again(daraja: FakeDaraja) -> None:
    daraja.token_answer = token(delay_seconds=0.4)
    asking = service(read_timeout_seconds=0.1, **at(daraja.url))
    assert isinstance(asking.push(PROMPT), PushRefused)
    assert daraja.token_fetches == 1


def test_a_gateway_that_fails_slowly_is_not_asked_again(daraja: FakeDaraja) -> None:
    """A shopper waits for this answer, and others wait for the right to ask."""
    slow = Answer(504, b"", "text/html", delay_seconds=1.1)
    daraja.token_answer = lambda _: slow
    asking = service(read_timeout_seconds=5, **at(daraja.url))
    assert isinstance(asking.push(PROMPT), PushRefused)
    assert daraja.token_fetches == 1


@pytest.mark.parametrize("status", [502, 503, 504])
def test_b7_a_query_that_a_gateway_answered_is_not_sent_again_at_once(
    daraja: FakeDaraja, speaking: MpesaService, status: int
) -> None:
    daraja.query_answer = html(status)
    assert isinstance(speaking.query("ws_CO_1"), QueryUnanswered)
    assert len(daraja.queries) == 1


@pytest.mark.parametrize("script", [html(502), html(503), html(504), lambda _: THROTTLED, reset])
def test_a_push_is_never_sent_again(
    daraja: FakeDaraja, speaking: MpesaService, script: Script
) -> None:
    daraja.push_answer = script
    speaking.push(PROMPT)
    assert len(daraja.pushes) == 1


def test_a_push_that_finds_nobody_was_not_sent() -> None:
    """A refused connection is known at once; the shopper may try again."""
    answer = with_token(at(f"http://127.0.0.1:{free_port()}")).push(PROMPT)
    assert isinstance(answer, PushRefused)
    assert (answer.kind, answer.code) == ("unreachable", "not_sent")


def test_a_body_that_breaks_off_leaves_the_prompts_fate_open() -> None:
    def answer(connection: socket.socket) -> None:
        connection.recv(65536)
        connection.sendall(CUT_SHORT)

    with listening(answer) as port:
        assert isinstance(with_token(at(f"http://127.0.0.1:{port}")).push(PROMPT), PushUnanswered)


def test_a_wrong_secret_is_told_by_a_real_answer(daraja: FakeDaraja) -> None:
    daraja.token_answer = lambda _: Answer(400, b"")
    with pytest.raises(TokenRefused):
        service(**at(daraja.url)).test_connection()


# TLS: what happened before the request was sent, and what may have happened after.

CUT_SHORT = b'HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n{"ResponseCode": "0", "Che'


@contextmanager
def listening(answer: Callable[[socket.socket], object]) -> Iterator[int]:
    """Take one connection, read the request's first bytes, do as told, close."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            connection, _ = server.accept()
            with connection:
                connection.settimeout(5)
                answer(connection)

        thread = threading.Thread(target=serve)
        thread.start()
        yield server.getsockname()[1]
        thread.join(10)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for 127.0.0.1 that nobody has signed but itself, with its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Daraja")])
    address = x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))])
    signed = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now() - timedelta(days=1))
        .not_valid_after(now() + timedelta(days=1))
        .add_extension(address, critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("tls") / "daraja.pem"
    pem = serialization.Encoding.PEM
    secret = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    path.write_bytes(secret + signed.public_bytes(pem))
    return path


def over_tls(certificate: Path, heard: list[bytes]) -> Callable[[socket.socket], None]:
    """Shake hands, read the request, and answer outside the encryption."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)

    def answer(connection: socket.socket) -> None:
        try:
            with context.wrap_socket(connection, server_side=True) as secured:
                heard.append(secured.recv(4096))
                # A box on the way speaks up: the client's TLS cannot read what comes now.
                raw = socket.socket(fileno=secured.detach())
            with raw:
                raw.sendall(b"HTTP/1.1 502 Bad Gateway\r\n\r\n")
        except OSError:
            return

    return answer


def test_a_certificate_that_is_not_trusted_is_known_to_have_stopped_the_push(
    certificate: Path,
) -> None:
    heard: list[bytes] = []
    with listening(over_tls(certificate, heard)) as port:
        answer = with_token(at(f"https://127.0.0.1:{port}")).push(PROMPT)
    assert isinstance(answer, PushRefused)
    assert answer.kind == "unreachable"
    assert heard == []


def test_tls_that_breaks_after_the_push_leaves_its_fate_open(certificate: Path) -> None:
    """Calling this "not sent" would put a second prompt on the phone."""
    heard: list[bytes] = []
    wires = Wires()
    wires.pushes.verify = str(certificate)
    with listening(over_tls(certificate, heard)) as port:
        answer = with_token(at(f"https://127.0.0.1:{port}"), wires).push(PROMPT)
    assert PUSH_PATH.encode() in heard[0]
    assert isinstance(answer, PushUnanswered), answer
