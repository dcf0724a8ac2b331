"""ngrok without the internet: an agent that tells of its tunnels, and an edge that is one."""

from __future__ import annotations

import ipaddress
import json
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from app.core.clock import now

Behaviour = Callable[["_AgentHandler"], None]
#: Where the edge sees its callers: an address of the documentation's, nobody's own.
CALLER = "203.0.113.7"
UPSTREAM_SECONDS = 30


def tunnel(public: str, upstream: str, proto: str = "https") -> dict[str, Any]:
    """An entry of `/api/tunnels`, as the agent's documentation shows it."""
    return {
        "name": "command_line",
        "uri": "/api/tunnels/command_line",
        "public_url": public,
        "proto": proto,
        "config": {"addr": upstream, "inspect": True},
        "metrics": {"conns": {"count": 0, "gauge": 0, "p50": 0}, "http": {"count": 0, "p50": 0}},
    }


def endpoint(public: str, upstream: str) -> dict[str, Any]:
    """An entry of `/api/endpoints`, likewise."""
    return {
        "name": "command_line",
        "uri": "/api/endpoints/command_line",
        "url": public,
        "upstream": {"url": upstream, "protocol": "http1"},
        "inspect": True,
        "pooling_enabled": False,
    }


@dataclass
class Agent:
    """The agent's API. It says what `tunnels` holds, or does what `behave` does; port 0 is any."""

    tunnels: list[dict[str, Any]] = field(default_factory=list)
    port: int = 0
    behave: Behaviour | None = None
    asked: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.stopping = threading.Event()
        self._server = _Server(_AgentHandler, self.port)
        self.port = int(self._server.server_address[1])
        self._server.agent = self
        self._thread = _serve(self._server)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def stop(self) -> None:
        """Die: nobody listens on the port any more. Again is nothing."""
        if not self.stopping.is_set():
            self.stopping.set()
            _end(self._server, self._thread)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64
    agent: Agent
    edge: Edge

    def __init__(self, handler: type[BaseHTTPRequestHandler], port: int = 0) -> None:
        super().__init__(("127.0.0.1", port), handler)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: a client that hangs up is part of some tests."""


class _AgentHandler(BaseHTTPRequestHandler):
    server: _Server

    def do_GET(self) -> None:
        agent = self.server.agent
        agent.asked.append(self.path)
        if agent.behave is not None:
            agent.behave(self)
        elif self.path == "/api/tunnels":
            self.answer(json.dumps({"tunnels": agent.tunnels, "uri": self.path}).encode())
        else:
            self.answer(b'{"error_code": 100, "status_code": 404}', 404)

    def answer(self, body: bytes, status: int = 200, kind: str = "application/json") -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def drip(self, body: bytes) -> None:
        """Send one byte now and then, for as long as anybody listens."""
        for place in range(len(body)):
            if self.server.agent.stopping.wait(0.1):
                return
            self.wfile.write(body[place : place + 1])
            self.wfile.flush()

    def log_message(self, format: str, *args: Any) -> None:
        """Keep the test's output free of a line for every request."""


class Authority:
    """A certificate for 127.0.0.1 and localhost that is its own authority, in two files."""

    def __init__(self, folder: Path) -> None:
        self.certificate = folder / "edge.pem"
        self.key = folder / "edge-key.pem"
        key = ec.generate_private_key(ec.SECP256R1())
        self.certificate.write_bytes(_self_signed(key).public_bytes(serialization.Encoding.PEM))
        self.key.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        )


def _self_signed(key: ec.EllipticCurvePrivateKey) -> x509.Certificate:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "edge")])
    names = [x509.IPAddress(ipaddress.ip_address("127.0.0.1")), x509.DNSName("localhost")]
    public = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now() - timedelta(days=1))
        .not_valid_after(now() + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(public, critical=False)
        .sign(key, hashes.SHA256())
    )


class Edge:
    """A tunnel: TLS outside, plain HTTP to a port of this machine, and the headers of ngrok's."""

    def __init__(self, authority: Authority, name: str, upstream_port: int) -> None:
        self.upstream_port = upstream_port
        self.passed: list[str] = []
        self._name = name
        self._server = _Server(_EdgeHandler)
        self._server.edge = self
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(authority.certificate, authority.key)
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self._thread = _serve(self._server)

    @property
    def root(self) -> str:
        return f"https://{self._name}:{self._server.server_address[1]}"

    def stop(self) -> None:
        _end(self._server, self._thread)


class _EdgeHandler(BaseHTTPRequestHandler):
    server: _Server

    def do_GET(self) -> None:
        self._pass_on()

    def do_POST(self) -> None:
        self._pass_on()

    def _pass_on(self) -> None:
        edge = self.server.edge
        edge.passed.append(f"{self.command} {self.path}")
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        headers = {name: value for name, value in self.headers.items() if name != "Connection"}
        # Appended to what the caller says of himself, and never in its place.
        before = [said] if (said := self.headers.get("X-Forwarded-For")) else []
        headers["X-Forwarded-For"] = ", ".join([*before, CALLER])
        headers["X-Forwarded-Proto"] = "https"
        headers.setdefault("X-Forwarded-Host", self.headers["Host"])
        upstream = HTTPConnection("127.0.0.1", edge.upstream_port, timeout=UPSTREAM_SECONDS)
        try:
            upstream.request(self.command, self.path, body, headers)
            answer = upstream.getresponse()
            self._give_back(answer.status, answer.getheaders(), answer.read())
        except OSError:
            self._give_back(502, [("Ngrok-Error-Code", "ERR_NGROK_8012")], b"no upstream")
        finally:
            upstream.close()

    def _give_back(self, status: int, headers: list[tuple[str, str]], body: bytes) -> None:
        self.send_response_only(status)
        for name, value in headers:
            if name.lower() not in ("transfer-encoding", "content-length", "connection"):
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Keep the test's output free of a line for every request."""


def _serve(server: ThreadingHTTPServer) -> threading.Thread:
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    return thread


def _end(server: ThreadingHTTPServer, thread: threading.Thread) -> None:
    server.shutdown()
    with suppress(OSError):
        server.server_close()
    thread.join()


@contextmanager
def agent_running(*tunnels: dict[str, Any], port: int = 0) -> Iterator[Agent]:
    """An agent with these tunnels while the block runs."""
    agent = Agent(list(tunnels), port)
    try:
        yield agent
    finally:
        agent.stop()


@contextmanager
def edge_running(authority: Authority, name: str, upstream_port: int) -> Iterator[Edge]:
    """A tunnel to a port of this machine while the block runs."""
    edge = Edge(authority, name, upstream_port)
    try:
        yield edge
    finally:
        edge.stop()
