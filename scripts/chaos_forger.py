"""The forger of a chaos run, who posts callbacks and never pays."""

from __future__ import annotations

import json
import random
import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import requests
from requests.adapters import HTTPAdapter

from scripts.chaos_people import REQUEST_SECONDS, Body, Rumours, Tally
from scripts.chaos_shop import SAFARICOM

#: Under this name his callbacks are counted.
FORGED = "forged callback"
CALLBACK_PATH = "/api/payments/mpesa/callback"
#: Addresses of loopback that the shop takes for strangers. Linux has them all, others may not.
STRANGERS = tuple(f"127.0.0.{number}" for number in range(66, 98))
FORGER_PAUSE_SECONDS = 0.05
#: So many of his callbacks are under way at once.
FORGER_HANDS = 4
GARBAGE = (
    b"",
    b"null",
    b"[]",
    b'{"Body": {"stkCallback": null}}',
    b'{"Body": {"stkCallback": {"ResultCode": 0',
    b"\xff\xfe\x00nonsense",
    b"[" * 5000,
    b'{"Body": {"stkCallback": {"CheckoutRequestID": 7, "ResultCode": true}}}',
)
WRONG_AMOUNTS: tuple[Any, ...] = (1, -5, 0, 0.01, 10**12, "1e309", "NaN", True, None, {"KES": 5})


class Forger:
    """Posts callbacks that Safaricom never sent, until told to stop.

    He has no proof, or one of two: Safaricom's address, or a token. Never both, for whoever has
    both is Safaricom as far as a shop can tell. `token` is that of a payment of his own.
    """

    def __init__(
        self, base_url: str, tally: Tally, rumours: Rumours, token: str, seed: int
    ) -> None:
        self._url = base_url + CALLBACK_PATH
        self._tally = tally
        self._rumours = rumours
        self._token = token
        self._dice = random.Random(f"{seed}:forger")  # noqa: S311
        self._stop = threading.Event()
        self._hands = [threading.Thread(target=self._run, daemon=True) for _ in range(FORGER_HANDS)]
        self._inside = _session_from(SAFARICOM)
        self._outside = [_session_from(a) for a in STRANGERS if _is_ours(a)]

    def start(self) -> None:
        for hand in self._hands:
            hand.start()

    def stop(self) -> None:
        self._stop.set()
        for hand in self._hands:
            hand.join(REQUEST_SECONDS)

    def _run(self) -> None:
        tricks: list[Callable[[Body], None]] = [
            self._from_inside,
            self._with_anothers_token,
            self._with_a_wrong_amount,
            self._with_garbage,
        ]
        if self._outside:
            tricks += [self._without_any_proof, self._with_anothers_token_from_outside]
        while not self._stop.wait(FORGER_PAUSE_SECONDS):
            victim = self._rumours.any(self._dice)
            if victim is not None:
                with suppress(requests.RequestException):
                    self._dice.choice(tricks)(victim)

    def _from_inside(self, victim: Body) -> None:
        code = self._dice.choice([0, 0, 1032, 1037, 1])
        self._post(self._inside, _callback(victim, code, self._receipt()))

    def _with_anothers_token(self, victim: Body) -> None:
        self._post(self._inside, _callback(victim, 0, self._receipt()), self._token)

    def _with_a_wrong_amount(self, victim: Body) -> None:
        amount = self._dice.choice(WRONG_AMOUNTS)
        self._post(self._inside, _callback(victim | {"amount": amount}, 0, self._receipt()))

    def _with_garbage(self, _victim: Body) -> None:
        token = self._dice.choice([None, self._token])
        self._post(self._inside, self._dice.choice(GARBAGE), token)

    def _without_any_proof(self, victim: Body) -> None:
        stranger = self._dice.choice(self._outside)
        self._post(stranger, _callback(victim, 0, self._receipt()))

    def _with_anothers_token_from_outside(self, victim: Body) -> None:
        stranger = self._dice.choice(self._outside)
        self._post(stranger, _callback(victim, 0, self._receipt()), self._token)

    def _receipt(self) -> str:
        letters = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"
        return "F" + "".join(self._dice.choice(letters) for _ in range(9))

    def _post(self, session: requests.Session, body: bytes, token: str | None = None) -> None:
        response = session.post(
            self._url,
            data=body,
            params={"token": token} if token else None,
            headers={"Content-Type": "application/json"},
            timeout=REQUEST_SECONDS,
        )
        self._tally.answer(FORGED, response)


def _callback(victim: Body, code: int, receipt: str) -> bytes:
    callback: Body = {
        "MerchantRequestID": victim["merchant_request_id"],
        "CheckoutRequestID": victim["checkout_request_id"],
        "ResultCode": code,
        "ResultDesc": "The service request is processed successfully.",
    }
    if code == 0:
        callback["CallbackMetadata"] = {
            "Item": [
                {"Name": "Amount", "Value": victim["amount"]},
                {"Name": "MpesaReceiptNumber", "Value": receipt},
                {"Name": "PhoneNumber", "Value": int(victim["phone"])},
            ]
        }
    return json.dumps({"Body": {"stkCallback": callback}}).encode()


class _FromAddress(HTTPAdapter):
    """Sends from one address of this machine."""

    def __init__(self, address: str) -> None:
        self._address = address
        super().__init__()

    def init_poolmanager(self, *args: Any, **options: Any) -> None:
        super().init_poolmanager(*args, source_address=(self._address, 0), **options)


def _session_from(address: str) -> requests.Session:
    session = requests.Session()
    session.trust_env = False
    session.mount("http://", _FromAddress(address))
    return session


def _is_ours(address: str) -> bool:
    with socket.socket() as probe, suppress(OSError):
        probe.bind((address, 0))
        return True
    return False
