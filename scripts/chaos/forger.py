"""The forger of a chaos run, who posts callbacks and results and never moves a shilling."""

from __future__ import annotations

import json
import random
import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import requests
from requests.adapters import HTTPAdapter

from scripts.chaos.people import REQUEST_SECONDS, Body, Rumours, Tally
from scripts.chaos.shop import SAFARICOM

#: Under these names what he posts is counted.
FORGED = "forged callback"
FORGED_RESULT = "forged result"
RESULT_PATH = "/api/payments/b2c/result"
TIME_OUT_PATH = "/api/payments/b2c/timeout"
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
RESULT_GARBAGE = (
    b"",
    b"null",
    b'{"Result": []}',
    b'{"Result": {"ResultCode": 0',
    b"\xff\x00nonsense",
)
WRONG_AMOUNTS: tuple[Any, ...] = (1, -5, 0, 0.01, 10**12, "1e309", "NaN", True, None, {"KES": 5})


@dataclass(frozen=True)
class Overheard:
    """What the forger hears of one road of money, and the secret of a payment of his own there."""

    rumours: Rumours
    token: str


class Forger:
    """Posts what Safaricom never sent, until told to stop.

    He has no proof, or one of two: Safaricom's address, or a token. Never both, for whoever has
    both is Safaricom as far as a shop can tell.
    """

    def __init__(
        self, base_url: str, tally: Tally, money_in: Overheard, money_out: Overheard, seed: int
    ) -> None:
        self._base_url = base_url
        self._tally = tally
        self._in, self._out = money_in, money_out
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
        out_tricks: list[Callable[[Body], None]] = [
            self._result_from_inside,
            self._result_with_anothers_token,
            self._result_garbage,
            self._time_out,
        ]
        if self._outside:
            out_tricks.append(self._result_without_any_proof)
        while not self._stop.wait(FORGER_PAUSE_SECONDS):
            for heard, kinds in ((self._in, tricks), (self._out, out_tricks)):
                victim = heard.rumours.any(self._dice)
                if victim is not None:
                    with suppress(requests.RequestException):
                        self._dice.choice(kinds)(victim)

    def _from_inside(self, victim: Body) -> None:
        code = self._dice.choice([0, 0, 1032, 1037, 1])
        self._post(self._inside, _callback(victim, code, self._receipt()))

    def _with_anothers_token(self, victim: Body) -> None:
        self._post(self._inside, _callback(victim, 0, self._receipt()), self._in.token)

    def _with_a_wrong_amount(self, victim: Body) -> None:
        amount = self._dice.choice(WRONG_AMOUNTS)
        self._post(self._inside, _callback(victim | {"amount": amount}, 0, self._receipt()))

    def _with_garbage(self, _victim: Body) -> None:
        token = self._dice.choice([None, self._in.token])
        self._post(self._inside, self._dice.choice(GARBAGE), token)

    def _without_any_proof(self, victim: Body) -> None:
        stranger = self._dice.choice(self._outside)
        self._post(stranger, _callback(victim, 0, self._receipt()))

    def _with_anothers_token_from_outside(self, victim: Body) -> None:
        stranger = self._dice.choice(self._outside)
        self._post(stranger, _callback(victim, 0, self._receipt()), self._in.token)

    def _result_from_inside(self, victim: Body) -> None:
        self._post_result(self._inside, _result(victim, self._code(), self._receipt()))

    def _result_with_anothers_token(self, victim: Body) -> None:
        body = _result(victim, self._code(), self._receipt())
        who = self._dice.choice([self._inside, *self._outside])
        self._post_result(who, body, self._out.token)

    def _result_garbage(self, _victim: Body) -> None:
        self._post_result(self._inside, self._dice.choice(RESULT_GARBAGE), self._out.token)

    def _result_without_any_proof(self, victim: Body) -> None:
        stranger = self._dice.choice(self._outside)
        self._post_result(stranger, _result(victim, self._code(), self._receipt()))

    def _time_out(self, victim: Body) -> None:
        body = {"OriginatorConversationID": victim["originator_conversation_id"], "Amount": 1}
        self._post(self._inside, json.dumps(body).encode(), None, TIME_OUT_PATH, FORGED_RESULT)

    def _code(self) -> int:
        return self._dice.choice([0, 0, 1, 2001, 2040])

    def _receipt(self) -> str:
        letters = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"
        return "F" + "".join(self._dice.choice(letters) for _ in range(9))

    def _post_result(
        self, session: requests.Session, body: bytes, token: str | None = None
    ) -> None:
        self._post(session, body, token, RESULT_PATH, FORGED_RESULT)

    def _post(
        self,
        session: requests.Session,
        body: bytes,
        token: str | None = None,
        path: str = CALLBACK_PATH,
        name: str = FORGED,
    ) -> None:
        response = session.post(
            self._base_url + path,
            data=body,
            params={"token": token} if token else None,
            headers={"Content-Type": "application/json"},
            timeout=REQUEST_SECONDS,
        )
        self._tally.answer(name, response)


def _result(victim: Body, code: int, receipt: str) -> bytes:
    named = {
        "TransactionAmount": victim["amount"],
        "TransactionReceipt": receipt,
        "ReceiverPartyPublicName": f"{victim['mpesa_number']} - JANE DOE",
    }
    result: Body = {
        "ResultType": 0,
        "ResultCode": code,
        "ResultDesc": "The service request is processed successfully.",
        "OriginatorConversationID": victim["originator_conversation_id"],
        "ConversationID": victim["conversation_id"],
        "TransactionID": receipt,
        "ResultParameters": {
            "ResultParameter": [{"Key": key, "Value": value} for key, value in named.items()]
        },
    }
    return json.dumps({"Result": result}).encode()


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
