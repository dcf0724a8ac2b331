"""Serve the shop: ``python run.py [--host HOST] [--port PORT]``.

In the simulator environment an embedded Daraja is started beside it and ends with it.
"""

from __future__ import annotations

import argparse
import os
import socket
import subprocess
import sys
import time
from contextlib import suppress
from typing import Any

import app.first  # noqa: F401  (comes before all else of the program)
from app import create_app
from app.config import ROOT, Settings
from app.monitoring import configure_logging
from app.monitoring.meters import folder_of, leave, share
from app.schema import is_up_to_date
from app.server import Server
from app.settings.at_start import settings_at_start, simulator_variables

SIMULATOR_SECONDS = 10


def main() -> None:
    settings = _settings()
    configure_logging(as_json=settings.logs_json)
    figures = folder_of(settings.sqlalchemy_url, ROOT / "instance")
    share(figures)
    owner, simulator = os.getpid(), _start_simulator(settings)
    try:
        shop = create_app(settings)
        with shop.app_context():
            if not is_up_to_date():
                sys.exit("The database is not up to date. Run `make run`, or `flask prepare`.")
        _wait_for(simulator, settings)
        Server(shop, settings, on_ready=lambda _server: _greet(settings, simulator)).run()
    finally:
        # A worker that ends comes through here too; only its parent may end the simulator.
        if simulator is not None and os.getpid() == owner:
            simulator.terminate()
            simulator.wait(5)
        if os.getpid() == owner:
            leave(figures)


def _settings() -> Settings:
    parser = argparse.ArgumentParser(description="Serve the shop.")
    parser.add_argument("--host", help="address to listen on (HOST)")
    parser.add_argument("--port", type=int, help="port to listen on (PORT)")
    asked = vars(parser.parse_args())
    given: dict[str, Any] = {name: value for name, value in asked.items() if value is not None}
    return settings_at_start(**given)


def _start_simulator(settings: Settings) -> subprocess.Popen[bytes] | None:
    """Start the embedded Daraja, unless there is another to talk to."""
    if not settings.is_simulator or settings.mpesa_base_url or not settings.simulator_embedded:
        return None
    return subprocess.Popen(
        [sys.executable, "-m", "app.simulator", "--exit-with-parent"],
        cwd=ROOT,
        env=os.environ | simulator_variables(settings),
        # Its one line would come after our greeting; what goes wrong still reaches stderr.
        stdout=subprocess.DEVNULL,
    )


def _wait_for(simulator: subprocess.Popen[bytes] | None, settings: Settings) -> None:
    """Let the simulator come up first, so that the first payment finds it."""
    deadline = time.monotonic() + SIMULATOR_SECONDS
    while simulator is not None and simulator.poll() is None and time.monotonic() < deadline:
        with suppress(OSError):
            socket.create_connection(("127.0.0.1", settings.simulator_port), 1).close()
            return
        time.sleep(0.05)


def _greet(settings: Settings, simulator: subprocess.Popen[bytes] | None) -> None:
    address = f"http://{settings.host}:{settings.port}"
    lines = ["", f"  {settings.shop_name} is open: {address}"]
    if settings.is_simulator:
        lines.append(f"  The virtual phone:    {address}/simulator/")
        if settings.demo_password:
            lines += [
                "",
                f"  Sign in as  admin@example.com    {settings.demo_password}",
                f"  or as       shopper@example.com  {settings.demo_password}",
            ]
    if simulator is not None and simulator.poll() is not None:
        lines += ["", "  The simulator did not start, so no payment can: see above."]
    print("\n".join([*lines, "", "  Stop with Ctrl-C.", ""]), flush=True)


if __name__ == "__main__":
    main()
