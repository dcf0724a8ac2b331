"""A small Daraja on a real socket that does exactly what a test tells it to.

It knows no rule of M-Pesa: a test says how the next request is answered, and reads afterwards
what was asked. The shapes of its bodies are those of recorded traffic; what it posts about money
out stands in results.py.
"""

from __future__ import annotations

import itertools
import json
import socket
import struct
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from app.simulator.certificate import Certificate

PUSH_PATH = "/mpesa/stkpush/v1/processrequest"
QUERY_PATH = "/mpesa/stkpushquery/v1/query"
TOKEN_PATH = "/oauth/v1/generate"
CERTIFICATE_PATH = "/simulator/certificate.pem"
B2C_PATHS = ("/mpesa/b2c/v3/paymentrequest", "/mpesa/b2c/v1/paymentrequest")
REVERSAL_PATH = "/mpesa/reversal/v1/request"
STATUS_PATH = "/mpesa/transactionstatus/v1/query"
BALANCE_PATH = "/mpesa/accountbalance/v1/query"
#: What moves money out, and what only asks about it.
OUT_PATHS, ASK_PATHS = (*B2C_PATHS, REVERSAL_PATH), (STATUS_PATH, BALANCE_PATH)
ACCESS_TOKEN = "c9SQxWWhmdVRlyh0zh8gZDTkubVF"
#: One key pair for the whole run: making one takes a while.
CERTIFICATE = Certificate()


@dataclass(frozen=True)
class Answer:
    """What is sent back. ``reset`` drops the connection instead, after the request was read."""

    status: int = 200
    body: bytes = b"{}"
    content_type: str = "application/json"
    delay_seconds: float = 0
    reset: bool = False


@dataclass(frozen=True)
class Asked:
    """A request as it came."""

    path: str
    headers: dict[str, str]
    body: dict[str, Any]


Script = Callable[[dict[str, Any]], Answer]


def json_answer(body: dict[str, Any], status: int = 200, delay_seconds: float = 0) -> Answer:
    return Answer(status, json.dumps(body).encode(), delay_seconds=delay_seconds)


def refuse(message: str, code: str = "500.001.1001", status: int = 500) -> Script:
    """Answer with Daraja's error envelope."""
    body = {"requestId": "1c5b-4ba8-815c-1", "errorCode": code, "errorMessage": message}
    return lambda _: json_answer(body, status)


def token(value: str = ACCESS_TOKEN, delay_seconds: float = 0) -> Script:
    """Answer with an access token that lives an hour."""
    body = {"access_token": value, "expires_in": "3599"}
    return lambda _: json_answer(body, delay_seconds=delay_seconds)


def html(status: int) -> Script:
    """Answer with a gateway's page, as during an outage."""
    return lambda _: Answer(status, b"<html><body>Bad Gateway</body></html>", "text/html")


def text(body: bytes, status: int = 200) -> Script:
    return lambda _: Answer(status, body)


def reset(_: dict[str, Any]) -> Answer:
    """Drop the connection after the request was read: nobody knows what became of it."""
    return Answer(reset=True)


def still_processing(_: dict[str, Any]) -> Answer:
    return json_answer(_query_body("4999", "The transaction is still under processing"))


def ended(code: str, description: str = "") -> Script:
    """Answer a query with a final result."""
    return lambda _: json_answer(_query_body(code, description))


def _query_body(code: str, description: str) -> dict[str, Any]:
    return {
        "ResponseCode": "0",
        "ResponseDescription": "The service request has been accepted successsfully",
        "ResultCode": code,
        "ResultDesc": description,
    }


@dataclass
class FakeDaraja:
    """Listens on a free port of loopback.

    ``on_push`` runs before a push is answered, ``on_out`` with the ids that are about to be given
    before a request that moves money out is.
    """

    requests: list[Asked] = field(default_factory=list)
    problems: list[BaseException] = field(default_factory=list)
    on_push: Callable[[dict[str, Any]], None] | None = None
    on_out: Callable[[dict[str, Any], dict[str, Any]], None] | None = None

    def __post_init__(self) -> None:
        self._numbers = itertools.count(1)
        self._lock = threading.Lock()
        self._server = _Server(self)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))
        self._thread.start()
        self.reset()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    @property
    def pushes(self) -> list[dict[str, Any]]:
        return [asked.body for asked in self.requests if asked.path == PUSH_PATH]

    @property
    def queries(self) -> list[dict[str, Any]]:
        return [asked.body for asked in self.requests if asked.path == QUERY_PATH]

    @property
    def payouts(self) -> list[dict[str, Any]]:
        """Every request to pay a phone, oldest first."""
        return [asked.body for asked in self.requests if asked.path in B2C_PATHS]

    @property
    def reversals(self) -> list[dict[str, Any]]:
        return [asked.body for asked in self.requests if asked.path == REVERSAL_PATH]

    @property
    def moves(self) -> list[dict[str, Any]]:
        """Every request that may move money out, by whichever road."""
        return [asked.body for asked in self.requests if asked.path in OUT_PATHS]

    @property
    def status_questions(self) -> list[dict[str, Any]]:
        return [asked.body for asked in self.requests if asked.path == STATUS_PATH]

    @property
    def balance_questions(self) -> list[dict[str, Any]]:
        return [asked.body for asked in self.requests if asked.path == BALANCE_PATH]

    @property
    def token_fetches(self) -> int:
        return sum(asked.path.partition("?")[0] == TOKEN_PATH for asked in self.requests)

    def reset(self) -> None:
        """Forget every request and every instruction."""
        self.requests.clear()
        self.problems.clear()
        self.on_push = self.on_out = None
        self.push_answer: Script = self.accept
        self.out_answer: Script = self.accept_out
        self.ask_answer: Script = self.accept_out
        self.query_answer: Script = still_processing
        self.token_answer: Script = token()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def accept(self, push: dict[str, Any], delay_seconds: float = 0) -> Answer:
        """Queue the prompt; ids never repeat, so a test may look a payment up by them."""
        with self._lock:
            number = next(self._numbers)
        body = {
            "MerchantRequestID": f"234f-43a9-ae11-d0b0c2dbe930{number:08d}",
            "CheckoutRequestID": f"ws_CO_21112026010203{number:06d}{str(push['PhoneNumber'])[-9:]}",
            "ResponseCode": "0",
            "ResponseDescription": "Success. Request accepted for processing",
            "CustomerMessage": "Success. Request accepted for processing",
        }
        return json_answer(body, delay_seconds=delay_seconds)

    def accept_out(self, asked: dict[str, Any], delay_seconds: float = 0) -> Answer:
        """Queue what pays or asks; an OriginatorConversationID of the caller's is given back."""
        with self._lock:
            number = next(self._numbers)
        body = {
            "ConversationID": f"AG_20261121_2010{number:016x}",
            "OriginatorConversationID": asked.get("OriginatorConversationID")
            or f"1c5b-4ba8-815c-ac45c57a3db0{number:07d}",
            "ResponseCode": "0",
            "ResponseDescription": "Accept the service request successfully.",
        }
        return json_answer(body, delay_seconds=delay_seconds)

    def _answer_out(self, asked: dict[str, Any]) -> Answer:
        answer = self.out_answer(asked)
        if self.on_out is not None:
            self.on_out(asked, _object_of(answer))
        return answer

    def answer(self, asked: Asked) -> Answer:
        self.requests.append(asked)
        path = asked.path.partition("?")[0]
        if path == CERTIFICATE_PATH:
            return Answer(body=CERTIFICATE.pem(), content_type="application/x-pem-file")
        if path == TOKEN_PATH:
            return self.token_answer(asked.body)
        if path == QUERY_PATH:
            return self.query_answer(asked.body)
        if path in OUT_PATHS:
            return self._answer_out(asked.body)
        if path in ASK_PATHS:
            return self.ask_answer(asked.body)
        if path != PUSH_PATH:
            return refuse("Resource not found", "404.001.01", 404)(asked.body)
        if self.on_push is not None:
            self.on_push(asked.body)
        return self.push_answer(asked.body)


def _object_of(answer: Answer) -> dict[str, Any]:
    """Return the ids of an acknowledgement; none where there is no readable one."""
    try:
        body: dict[str, Any] = json.loads(answer.body)
    except ValueError:
        return {}
    return body


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    # A crowd of threads connects at the same moment.
    request_queue_size = 64

    def __init__(self, daraja: FakeDaraja) -> None:
        self.daraja = daraja
        super().__init__(("127.0.0.1", 0), _Handler)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: a client that gave up waiting is part of some tests."""


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def do_GET(self) -> None:
        self._reply(self._answer())

    def do_POST(self) -> None:
        self._reply(self._answer())

    def log_message(self, format: str, *args: Any) -> None:
        """Keep the test's output free of a line for every request."""

    def _answer(self) -> Answer:
        raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        asked = Asked(self.path, dict(self.headers), json.loads(raw) if raw else {})
        try:
            return self.server.daraja.answer(asked)
        except BaseException as problem:
            # An assertion inside a script fails the test, which looks here at its end.
            self.server.daraja.problems.append(problem)
            return Answer(status=500)

    def _reply(self, answer: Answer) -> None:
        if answer.delay_seconds:
            time.sleep(answer.delay_seconds)
        if answer.reset:
            linger = struct.pack("ii", 1, 0)
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            self.connection.close()
            return
        self.send_response(answer.status)
        self.send_header("Content-Type", answer.content_type)
        self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        self.wfile.write(answer.body)


def paid(
    checkout_request_id: str | None,
    amount: object = 1500,
    receipt: str | None = "UKL4XX00XX",
    merchant_request_id: str | None = None,
    phone: int = 254712345678,
) -> dict[str, Any]:
    """The callback of a paid prompt. Parts given as None are left out."""
    items: list[dict[str, Any]] = [{"Name": "Balance"}]
    if amount is not None:
        items.append({"Name": "Amount", "Value": amount})
    if receipt is not None:
        items.append({"Name": "MpesaReceiptNumber", "Value": receipt})
    items.append({"Name": "TransactionDate", "Value": 20261121010245})
    items.append({"Name": "PhoneNumber", "Value": phone})
    body = unpaid(checkout_request_id, 0, "The service request is processed successfully.")
    body["Body"]["stkCallback"]["CallbackMetadata"] = {"Item": items}
    if merchant_request_id is not None:
        body["Body"]["stkCallback"]["MerchantRequestID"] = merchant_request_id
    return body


def bare(checkout_request_id: str | None) -> dict[str, Any]:
    """A success that names neither amount nor receipt."""
    return unpaid(checkout_request_id, 0, "The service request is processed successfully.")


def unpaid(
    checkout_request_id: str | None, code: int | str = 1032, description: str = "Cancelled"
) -> dict[str, Any]:
    """The callback of a prompt that ended without money."""
    callback: dict[str, Any] = {
        "CheckoutRequestID": checkout_request_id,
        "ResultCode": code,
        "ResultDesc": description,
    }
    return {"Body": {"stkCallback": callback}}
