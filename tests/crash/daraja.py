"""The simulator as a program of its own, which outlives the shop: its ledger is the truth."""

from __future__ import annotations

import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import requests

from tests.services.launch import (
    START_SECONDS,
    STOP_SECONDS,
    ServiceFailedError,
    free_port,
    plain_environment,
)

ROOT = Path(__file__).resolve().parents[2]
PIN = "1234"


class Daraja:
    """What people do on their phones, what the weather is, and what money really moved."""

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self._session = requests.Session()
        self._session.trust_env = False

    def prompts(self, msisdn: str) -> list[dict[str, Any]]:
        """Every prompt that a phone has had, oldest first."""
        found: list[dict[str, Any]] = self._get(f"phones/{msisdn}")["prompts"]
        return found[::-1]

    def open_prompt(self, msisdn: str) -> dict[str, Any] | None:
        """The prompt that a phone shows at this moment."""
        return next((p for p in self.prompts(msisdn) if p["status"] == "open"), None)

    def pay(self, prompt: dict[str, Any]) -> None:
        self._answer(prompt, {"pin": PIN})

    def cancel(self, prompt: dict[str, Any]) -> None:
        self._answer(prompt, {"cancel": True})

    def arm(self, scenario: str, msisdn: str, **options: Any) -> None:
        """Have one request about a phone's prompt go another way."""
        self._post("scenarios", {"scenario": scenario, "on": {"msisdn": msisdn}} | options)

    def ledger(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self._get("ledger")["entries"]
        return found

    def money_out(self) -> list[dict[str, Any]]:
        """What has left shops, oldest first."""
        found: list[dict[str, Any]] = self._get("ledger")["money_out"]
        return found

    def refused_with(self, code: str) -> list[dict[str, Any]]:
        """Requests that were lately answered by this error."""
        return [row for row in self._get("requests")["requests"] if row["errorCode"] == code]

    def moved(self) -> dict[str, int]:
        """Shillings that really moved, by the AccountReference of their prompt."""
        sums: dict[str, int] = defaultdict(int)
        for entry in self.ledger():
            sums[entry["account_reference"]] += entry["amount"]
        return sums

    def deliveries(self) -> dict[str, list[int | None]]:
        """How the shop answered each callback, by CheckoutRequestID, newest first.

        None is a callback that found nobody, or no answer in time.
        """
        answers: dict[str, list[int | None]] = defaultdict(list)
        for exchange in self._get("requests")["requests"]:
            if exchange["direction"] == "out":
                answers[exchange["CheckoutRequestID"]].append(exchange["status"])
        return answers

    def answers(self) -> bool:
        try:
            return self._get("health")["status"] == "ok"
        except requests.RequestException:
            return False

    def close(self) -> None:
        self._session.close()

    def _answer(self, prompt: dict[str, Any], body: dict[str, Any]) -> None:
        self._post(f"prompts/{prompt['checkout_request_id']}", body)

    def _get(self, path: str) -> dict[str, Any]:
        answer = self._session.get(f"{self.url}/simulator/api/{path}", timeout=10)
        answer.raise_for_status()
        found: dict[str, Any] = answer.json()
        return found

    def _post(self, path: str, body: dict[str, Any]) -> None:
        answer = self._session.post(f"{self.url}/simulator/api/{path}", json=body, timeout=10)
        answer.raise_for_status()


@contextmanager
def running_daraja(folder: Path, prompt_seconds: int) -> Iterator[Daraja]:
    """Run a simulator while the block runs. Raises ServiceFailedError when it does not start."""
    port = free_port()
    command = [sys.executable, "-m", "app.simulator", "--port", str(port)]
    command += ["--prompt-seconds", str(prompt_seconds)]
    with (folder / "daraja.log").open("wb") as log:
        process = subprocess.Popen(
            command, cwd=ROOT, env=plain_environment(), stdout=log, stderr=subprocess.STDOUT
        )
    daraja = Daraja(port)
    try:
        _wait(process, daraja)
        yield daraja
    finally:
        daraja.close()
        process.terminate()
        process.wait(STOP_SECONDS)


def _wait(process: subprocess.Popen[bytes], daraja: Daraja) -> None:
    deadline = time.monotonic() + START_SECONDS
    while not daraja.answers():
        if process.poll() is not None or time.monotonic() > deadline:
            raise ServiceFailedError("the simulator did not start")
        time.sleep(0.05)
