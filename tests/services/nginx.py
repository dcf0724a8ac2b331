"""An nginx of one's own, in front of web processes, with the very rules of `deploy/`."""

from __future__ import annotations

import os
import re
import shutil
import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.services.launch import ServiceMissingError, running, throw_away_folder

RULES = Path(__file__).resolve().parents[2] / "deploy/nginx"
MISSING = "nginx is not installed. Install it: sudo apt-get install nginx-light"
_FRAME = """
daemon off;
worker_processes 1;
pid {folder}/nginx.pid;
error_log {folder}/nginx.log warn;
{user}
events {{ worker_connections 8192; }}
http {{
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    {upstream}
    server {{
        listen 127.0.0.1:{port} backlog=4096;
        {locations}
    }}
}}
"""


@contextmanager
def in_front_of(ports: Sequence[int], port: int) -> Iterator[None]:
    """Answer on ``port`` of loopback for the web processes on ``ports`` while the block runs.

    Raises ServiceMissingError, or ServiceFailedError when it is there and does not start.
    """
    program = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/usr/local/sbin")
    if program is None:
        raise ServiceMissingError(MISSING)
    with throw_away_folder("nginx") as folder:
        file = folder / "nginx.conf"
        file.write_text(_configuration(folder, ports, port))
        command = [program, "-e", f"{folder}/nginx.log", "-p", str(folder), "-c", str(file)]
        with running(command, folder / "nginx-said.log", lambda: _answers(port)):
            yield


def _configuration(folder: Path, ports: Sequence[int], port: int) -> str:
    upstream = (RULES / "lipa-upstream.conf").read_text()
    example = re.findall(r"^ +server 127\.0\.0\.1:\d+(.*);$", upstream, re.MULTILINE)
    lines = "\n".join(f"    server 127.0.0.1:{each}{example[0]};" for each in ports)
    upstream = re.sub(r"( +server 127.*\n)+", f"{lines}\n", upstream)
    return _FRAME.format(
        folder=folder,
        port=port,
        # Root's nginx would give its workers up to an account that may not enter the folder.
        user="user root;" if os.geteuid() == 0 else "",
        upstream=upstream,
        locations=(RULES / "lipa-locations.conf").read_text(),
    )


def _answers(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return False
    return True
