"""PUBLIC_URL=auto: the public root of a shop behind ngrok, as the agent on this machine tells it.

Whoever needs the address asks here, so a changed tunnel counts at once and without a restart. The
agent's API is described at https://ngrok.com/docs/gateway/agent/api; it is called tunnels in
every agent so far, and endpoints in those that will have it no longer.
"""

from __future__ import annotations

import json
import logging
import re
import socket
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import closing, suppress
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

from flask import current_app
from werkzeug.middleware.proxy_fix import ProxyFix

from app.config import LOOPBACK, Settings, networks_of
from app.core.errors import ProviderUnavailable
from app.core.texts import marked, said
from app.core.unit_of_work import end_reads
from app.mpesa.origin import is_proven

logger = logging.getLogger(__name__)

#: However many need the address, the agent is asked this seldom, and waited for no longer.
ASK_EVERY_SECONDS = 3.0
ASK_SECONDS = 1.0
MOST_BYTES = 256 * 1024
#: Where an agent lists what it forwards, and under which keys: from outside, and to where.
_LISTS = {
    "/api/tunnels": ("tunnels", "public_url", "config", "addr"),
    "/api/endpoints": ("endpoints", "url", "upstream", "url"),
}
_PUBLIC = re.compile(r"https://[a-z0-9.-]{1,253}(:[0-9]{1,5})?")
_ODD = re.compile(r"[^\x21-\x7e]+")
_HERE = frozenset({"localhost", "host.docker.internal"})

WsgiApp = Callable[[dict[str, Any], Any], Iterable[bytes]]


class NoTunnel(ProviderUnavailable):
    """No public address leads to this shop: Daraja could not tell it how a prompt ended."""

    def __init__(self, problem: str, mend: str) -> None:
        self.problem = problem
        self.mend = mend
        super().__init__(
            said(
                "M-Pesa could not reach this shop, so nothing was sent or charged. "
                "{problem} {mend}",
                problem=problem,
                mend=mend,
            )
        )


@dataclass(frozen=True)
class Forwarding:
    """One tunnel: its address on the internet, and what it leads to."""

    public: str
    upstream: str


class Tunnel:
    """What the agent says, remembered for a moment. Safe for threads."""

    def __init__(self, configured: Settings, clock: Callable[[], float] = time.monotonic) -> None:
        self._settings = configured
        self._clock = clock
        self._lock = threading.Lock()
        self._asked_at: float | None = None
        self._found: tuple[str, ...] | NoTunnel = ()
        self._said = ""

    def root(self) -> str:
        """Return the shop's root on the internet, ``https://`` and without a slash at its end.

        It stays the same for as long as its tunnel is there. Raises NoTunnel, and RuntimeError
        inside a transaction.
        """
        return self.roots()[0]

    def roots(self) -> tuple[str, ...]:
        """Return the root of every tunnel that leads here, the one in use first. Raises alike."""
        end_reads()
        with self._lock:
            if self._asked_at is None or self._clock() - self._asked_at >= ASK_EVERY_SECONDS:
                self._found = self._look()
                self._asked_at = self._clock()
                self._say()
            found = self._found
        if isinstance(found, NoTunnel):
            raise NoTunnel(found.problem, found.mend)
        return found

    def _look(self) -> tuple[str, ...] | NoTunnel:
        in_use = self._found[:1] if isinstance(self._found, tuple) else ()
        try:
            roots = self._leading_here(self._forwardings())
        except NoTunnel as missing:
            return missing
        return tuple(sorted(roots, key=lambda root: (root not in in_use, root)))

    def _say(self) -> None:
        """Log what changed, once."""
        found = self._found
        state = f"{found.problem} {found.mend}" if isinstance(found, NoTunnel) else found[0]
        if state == self._said:
            return
        self._said = state
        if not isinstance(found, NoTunnel):
            logger.info("PUBLIC_URL=auto: callbacks of new prompts come by %s", state)
        elif self._settings.is_simulator:
            local = self._settings.local_root
            logger.warning("PUBLIC_URL=auto: %s The simulator calls %s meanwhile.", state, local)
        else:
            logger.warning("PUBLIC_URL=auto: %s", state)

    def _leading_here(self, forwardings: list[Forwarding]) -> set[str]:
        port = self._settings.port
        start = f"`ngrok http {port}`"
        public = [each for each in forwardings if _is_public(each.public)]
        if not public:
            raise NoTunnel(
                said("The ngrok agent at {agent} has no https tunnel.", agent=self._agent),
                said("Start {command}.", command=start),
            )
        roots = {each.public for each in public if self._is_here(each.upstream)}
        if not roots:
            other = public[0]
            raise NoTunnel(
                said(
                    "The ngrok tunnel {public} leads to {upstream}, and this shop is at {here}.",
                    public=other.public,
                    upstream=other.upstream,
                    here=self._settings.local_root,
                ),
                said("Start {command} in its place, or give the shop that PORT.", command=start),
            )
        return roots

    def _is_here(self, upstream: str) -> bool:
        """Tell whether an agent's address is ours; ``5000`` and ``localhost:5000`` are short."""
        place = f"localhost:{upstream}" if upstream.isdigit() else upstream
        try:
            parts = urlsplit(place if "://" in place else f"http://{place}")
            # By https the agent would expect a certificate that this server has not.
            is_ours = parts.scheme == "http" and (parts.port or 80) == self._settings.port
        except ValueError:
            return False
        name = parts.hostname or ""
        return is_ours and (name == self._settings.host or name in _HERE or _is_own_address(name))

    @property
    def _agent(self) -> str:
        return self._settings.ngrok_api_url

    def _forwardings(self) -> list[Forwarding]:
        ends_at = time.monotonic() + ASK_SECONDS
        found: list[Forwarding] | None = None
        status = 0
        for path, keys in _LISTS.items():
            status, body = self._get(path, ends_at)
            with suppress(ValueError, RecursionError):
                found = _read(body, *keys)
            if found:
                break
        if found is None:
            raise NoTunnel(
                said(
                    "What answers at {agent} is no ngrok agent (HTTP {status}).",
                    agent=self._agent,
                    status=status,
                ),
                marked("Set NGROK_API_URL to what ngrok prints as its Web Interface."),
            )
        return found

    def _get(self, path: str, ends_at: float) -> tuple[int, bytes]:
        """Return status and body, of which no more is read than can be right."""
        try:
            return _get(self._agent, path, ends_at)
        except (OSError, HTTPException) as error:
            start = f"`ngrok http {self._settings.port}`"
            raise NoTunnel(
                said(
                    "The ngrok agent does not answer at {agent} ({reason}).",
                    agent=self._agent,
                    reason=type(error).__name__,
                ),
                said(
                    "Start {command}, or set NGROK_API_URL to what it prints as its Web Interface.",
                    command=start,
                ),
            ) from error


class BehindAgent:
    """WSGI: believe what the agent on this machine says of its callers, and nobody else's word.

    The agent connects from loopback, which outside production is proven by origin; so without
    this, everybody on the internet would be. ngrok appends the caller's address to
    X-Forwarded-For, so the last one is true (https://ngrok.com/docs, upstream headers). Programs
    of this machine send no such header and stay local; a caller from elsewhere is whom he seems.
    """

    def __init__(self, app: WsgiApp) -> None:
        self._app = app
        self._forwarded = ProxyFix(app, x_for=1, x_proto=1)
        self._loopback = networks_of(LOOPBACK)

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        if is_proven(environ.get("REMOTE_ADDR"), self._loopback):
            return self._forwarded(environ, start_response)
        return self._app(environ, start_response)


def tunnel() -> Tunnel:
    """Return the tunnel of this application."""
    found: Tunnel = current_app.extensions["lipa_tunnel"]
    return found


def _get(agent: str, path: str, ends_at: float) -> tuple[int, bytes]:
    """Ask within the time, whatever the other side does: one byte a second is not an answer."""
    parts = urlsplit(agent)
    left = max(ends_at - time.monotonic(), 0.01)
    with closing(HTTPConnection(parts.hostname or "", parts.port or 80, timeout=left)) as asking:
        end = threading.Timer(left, _hang_up, (asking,))
        end.start()
        try:
            # Without the header an agent of the second version answers in XML.
            asking.request("GET", path, headers={"Accept": "application/json"})
            answer = asking.getresponse()
            return answer.status, answer.read(MOST_BYTES)
        finally:
            end.cancel()


def _hang_up(asking: HTTPConnection) -> None:
    with suppress(OSError, AttributeError):
        asking.sock.shutdown(socket.SHUT_RDWR)


def _read(body: bytes, name: str, public: str, inner: str, upstream: str) -> list[Forwarding]:
    """Read an agent's list without entries of another shape. Raises ValueError for no list."""
    answer = json.loads(body)
    entries = answer.get(name) if isinstance(answer, dict) else None
    if not isinstance(entries, list):
        raise ValueError("not an agent's list")
    return [
        Forwarding(_text(entry.get(public)).lower().rstrip("/"), _text(entry[inner].get(upstream)))
        for entry in entries
        if isinstance(entry, dict) and isinstance(entry.get(inner), dict)
    ]


def _text(value: object) -> str:
    """Return what may stand in a log line or an error."""
    return _ODD.sub("", str(value))[:300]


def _is_public(root: str) -> bool:
    # An internal endpoint has an https:// address too, for ngrok's own network only.
    return bool(_PUBLIC.fullmatch(root)) and not (urlsplit(root).hostname or "").endswith(
        ".internal"
    )


def _is_own_address(name: str) -> bool:
    try:
        address = ip_address(name)
    except ValueError:
        return False
    return address.is_loopback or address.is_unspecified
