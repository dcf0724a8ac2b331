"""A shop that registers for C2B, for the tests of payments by hand."""

import json
from dataclasses import dataclass
from typing import Any

from tests.simulator.client import Daraja, Received, Receiver, eventually

ACCEPT = {"ResultCode": "0", "ResultDesc": "Accepted"}


@dataclass
class Shop:
    """A shop with addresses of its own, registered at the simulator."""

    daraja: Daraja
    receiver: Receiver
    name: str

    def paths(self, kind: str = "") -> tuple[str, str]:
        return f"/{self.name}{kind}/confirm", f"/{self.name}{kind}/validate"

    def register(
        self, answer: Any = ACCEPT, kind: str = "", version: str = "v2", **changes: Any
    ) -> None:
        confirm, validate = self.paths(kind)
        if answer is not None:
            said = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
            self.receiver.answers[validate] = said
        urls = self.receiver.url(confirm), self.receiver.url(validate)
        assert self.daraja.register(*urls, version, **changes).status_code == 200

    def confirmations(self, count: int = 1, kind: str = "") -> list[Received]:
        path = self.paths(kind)[0]
        return eventually(lambda: got if len(got := self.receiver.paid(path)) >= count else [])

    def validations(self, kind: str = "") -> list[Received]:
        return self.receiver.paid(self.paths(kind)[1])


def quiet(daraja: Daraja) -> None:
    """Wait until nothing more will be posted."""
    path = "/simulator/api/health"
    eventually(lambda: daraja.call("GET", path).json()["callbacks_to_come"] == 0)
