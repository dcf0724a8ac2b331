"""Start `make run` on free ports, wait until it says that it is well, stop it as Ctrl-C would.

Standard library only. Exit status 0 means that it started, answered
`/api/health` with 200, ended when told to, and left its port free.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
START_SECONDS = 300  # A first start installs every package, with pip at the worst.
STOP_SECONDS = 15
REQUEST_SECONDS = 5
POLL_SECONDS = 0.3


def free_ports(count: int) -> list[int]:
    """Ports on loopback that nobody listens on at this moment, all different."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [listener.getsockname()[1] for listener in sockets]
    for listener in sockets:
        listener.close()
    return ports


def start(port: int, simulator_port: int) -> subprocess.Popen[bytes]:
    """`make run` in a process group of its own, as a shell would start it."""
    chosen = {"HOST": "127.0.0.1", "PORT": str(port), "SIMULATOR_PORT": str(simulator_port)}
    return subprocess.Popen(
        ["make", "--no-print-directory", "run"],
        cwd=ROOT,
        env=os.environ | chosen,
        start_new_session=True,
    )


def wait_until_healthy(server: subprocess.Popen[bytes], url: str) -> bool:
    """True once `url` answers 200; False when the server ended or the time is up."""
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and server.poll() is None:
        try:
            with urllib.request.urlopen(url, timeout=REQUEST_SECONDS) as answer:
                return bool(answer.status == 200)
        except (urllib.error.URLError, OSError):
            time.sleep(POLL_SECONDS)
    return False


def stop(server: subprocess.Popen[bytes]) -> bool:
    """Interrupt the whole group, as a terminal does; False when it had to be killed."""
    if server.poll() is None:
        os.killpg(server.pid, signal.SIGINT)
    try:
        server.wait(STOP_SECONDS)
        return True
    except subprocess.TimeoutExpired:
        os.killpg(server.pid, signal.SIGKILL)
        server.wait()
        return False


def is_free(port: int) -> bool:
    """Whether nobody answers on this port of loopback any more."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) != 0


def main() -> int:
    """Returns the exit status and says what went wrong on stderr."""
    port, simulator_port = free_ports(2)
    url = f"http://127.0.0.1:{port}/api/health"
    began = time.monotonic()
    server = start(port, simulator_port)
    healthy = wait_until_healthy(server, url)
    print(f"Waited {time.monotonic() - began:.1f} s for {url}.", file=sys.stderr)
    stopped = stop(server)
    checks = {
        "it never answered that it is well": healthy,
        f"it did not end within {STOP_SECONDS} s of Ctrl-C": stopped,
        "something still listens on its ports": is_free(port) and is_free(simulator_port),
    }
    problems = [problem for problem, passed in checks.items() if not passed]
    print(f"make run: {'; '.join(problems) or 'started, answered and ended'}.", file=sys.stderr)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
