"""The place of a chaos run: a simulator and a shop, two programs, in a folder thrown away.

The simulator is no child of the shop's here, because its ledger must outlive the shop's deaths.
"""

from __future__ import annotations

import secrets
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import requests
from cryptography.fernet import Fernet

from tests.services import postgres
from tests.services.launch import (
    ServiceFailedError,
    free_port,
    plain_environment,
    throw_away_folder,
)
from tests.support.live_shop import ROOT, LiveShop

#: The shop takes an answer from Daraja for lost after so long; the weather's late ones are later.
DARAJA_TIMEOUT_SECONDS = 2
#: A limit that nobody reaches: this is about money, not about manners.
NO_LIMIT = "1000000/minute"
#: Only this address of loopback speaks for Safaricom, so that a forger can come from another.
SAFARICOM = "127.0.0.1"
SIMULATOR_STOP_SECONDS = 10
DOWN_SECONDS = 0.5
#: Which shortcode pays, and above how much another admin has to agree.
PAYING_SHORTCODE = "600000"
APPROVAL_ABOVE = 5_000
REQUEST_SECONDS = 30


class Struck(Protocol):
    """A shop that is struck and comes back. `befell` counts with what, in words."""

    befell: Counter[str]

    @property
    def base_url(self) -> str: ...
    @property
    def env(self) -> Mapping[str, str]: ...
    @property
    def password(self) -> str: ...

    def flask(self, *arguments: str) -> subprocess.CompletedProcess[str]: ...
    def log_text(self) -> str: ...
    def strike(self) -> None: ...


def make_admins(shop: Struck, emails: Sequence[str]) -> None:
    """Make people who may pay out; their password is everybody's. Raises ServiceFailedError."""

    def make(email: str) -> None:
        person = ("--admin", "--email", email, "--password", shop.password)
        if (done := shop.flask("users", "create", *person)).returncode:
            raise ServiceFailedError(f"flask users create: {done.stderr}")

    with ThreadPoolExecutor(len(emails)) as hands:
        list(hands.map(make, emails))


class ChaosShop(LiveShop):
    """A shop whose engine runs at the pace in `pace`, and that is killed alone."""

    pace = 1

    def __init__(self, folder: Path, env: Mapping[str, str]) -> None:
        super().__init__(folder, env)
        self.befell: Counter[str] = Counter()

    def strike(self) -> None:
        """Kill it, and start it again. Raises ServiceFailedError."""
        self.kill()
        time.sleep(DOWN_SECONDS)
        self.start()
        self.befell["the shop killed"] += 1

    def start(self) -> None:
        with self.log.open("ab") as output:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "scripts.chaos.server", str(self.pace)],
                cwd=ROOT,
                env=self.env,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        try:
            self._wait_until_it_answers(self._process)
        except BaseException:
            self.kill()
            raise


class Simulator:
    """A running simulator, spoken to in its own JSON."""

    def __init__(self, address: str) -> None:
        self.address = address
        self._session = requests.Session()
        self._session.trust_env = False

    def ask(self, path: str) -> dict[str, Any]:
        """What stands at a path of its API."""
        return self._call("GET", path)

    def tell(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """Post to a path of its API."""
        return self._call("POST", path, json=body)

    def ledger(self) -> list[dict[str, Any]]:
        """Every movement of money, oldest first."""
        rows: list[dict[str, Any]] = self.ask("ledger")["entries"]
        return rows

    def prompts(self) -> list[dict[str, Any]]:
        """Every prompt, oldest first."""
        rows: list[dict[str, Any]] = self.ask("prompts")["prompts"]
        return rows

    def money_out(self) -> list[dict[str, Any]]:
        """Every movement of money back to phones, oldest first."""
        rows: list[dict[str, Any]] = self.ask("ledger")["money_out"]
        return rows

    def ended_out(self) -> set[str]:
        """Under which names Daraja could tell by now how money out has ended."""
        rows = self.ask("conversations")["conversations"]
        ended = (row for row in rows if row["kind"] in ("b2c", "reversal") and row["finalised_at"])
        return {row["originator_conversation_id"] for row in ended}

    def fill_float(self, shillings: int) -> None:
        """Put so much on the account that payouts are made from."""
        self.tell(f"shortcodes/{PAYING_SHORTCODE}", {"utility": shillings})

    def callbacks_to_come(self) -> int:
        """0 once nothing more will be posted unless somebody acts."""
        return int(self.ask("health")["callbacks_to_come"])

    def _call(self, method: str, path: str, **options: Any) -> dict[str, Any]:
        url = f"{self.address}/simulator/api/{path}"
        response = self._session.request(method, url, timeout=REQUEST_SECONDS, **options)
        response.raise_for_status()
        answer: dict[str, Any] = response.json()
        return answer


@dataclass(frozen=True)
class Ground:
    shop: Struck
    simulator: Simulator


@contextmanager
def chaos_ground(*, database: str, prompt_seconds: int, pace: int, seed: int) -> Iterator[Ground]:
    """Run simulator and shop while the block runs. `database` is `sqlite` or `postgresql`.

    Raises ServiceMissingError without PostgreSQL, and ServiceFailedError when something does not
    start.
    """
    with ExitStack() as stack:
        folder = stack.enter_context(throw_away_folder("chaos"))
        url = f"sqlite:///{folder / 'lipa.db'}"
        if database == "postgresql":
            url = stack.enter_context(postgres.serve()).create_database("chaos")
        address = stack.enter_context(_simulator(prompt_seconds, seed, folder / "simulator.log"))
        env = _settings(url, address) | manners(prompt_seconds)
        env["LIPA_ENV_FILE"] = str(folder / ".env")
        shop = ChaosShop(folder, env)
        shop.pace = pace
        shop.prepare()
        shop.start()
        stack.callback(shop.stop)
        yield Ground(shop, Simulator(address))


def manners(prompt_seconds: int) -> dict[str, str]:
    """The settings by which a shop behaves in a chaos run, wherever it stands."""
    return {
        "MPESA_TIMEOUT_SECONDS": str(DARAJA_TIMEOUT_SECONDS),
        "MPESA_CALLBACK_ALLOWLIST": SAFARICOM,
        "STK_PROMPT_SECONDS": str(prompt_seconds),
        # Short, so that orders expire while news about their prompts is still on its way.
        "ORDER_HOLD_MINUTES": "1",
        "PAYOUT_APPROVAL_ABOVE": str(APPROVAL_ABOVE),
        "RATE_LIMIT_INITIATE": NO_LIMIT,
        "RATE_LIMIT_STATUS": NO_LIMIT,
        "RATE_LIMIT_SIGN_IN": "1000/minute",
    }


def _settings(database_url: str, daraja: str) -> dict[str, str]:
    port = free_port()
    return plain_environment() | {
        "HOST": "127.0.0.1",
        "PORT": str(port),
        "PUBLIC_URL": f"http://127.0.0.1:{port}",
        "DATABASE_URL": database_url,
        "MPESA_ENVIRONMENT": "simulator",
        "MPESA_BASE_URL": daraja,
        "SECRET_KEY": secrets.token_urlsafe(32),
        "JWT_SECRET_KEY": secrets.token_urlsafe(32),
        "SETTINGS_ENCRYPTION_KEY": Fernet.generate_key().decode(),
        "DEMO_PASSWORD": secrets.token_urlsafe(16),
    }


@contextmanager
def _simulator(prompt_seconds: int, seed: int, log: Path) -> Iterator[str]:
    command = [sys.executable, "-m", "app.simulator", "--port", "0", "--exit-with-parent"]
    with log.open("w") as errors:
        process = subprocess.Popen(
            [*command, "--prompt-seconds", str(prompt_seconds)],
            cwd=ROOT,
            env=plain_environment() | {"SIMULATOR_SEED": str(seed)},
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        )
    with process:
        try:
            greeting = process.stdout.readline() if process.stdout else ""
            if not greeting:
                raise ServiceFailedError(f"the simulator did not start: {log.read_text()}")
            yield greeting.split()[-1]
        finally:
            process.terminate()
            process.wait(SIMULATOR_STOP_SECONDS)
