"""A small Daraja client and a receiver of callbacks, for the tests of the simulator."""

import base64
import itertools
import json
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, TypeVar

import requests

SHORTCODE = "174379"
PASSKEY = "bfb279f9aa9bdbcf158e97dd71a467cd2e0c893059b10f78e6b72ada1ed2c919"
OTHER_PASSKEY = "bfb279f9aa9bdbcf158e97dd71a467cd2e0c893059b10f78e6b72e1b1f430820"
TIMESTAMP = "20261121161500"
WAIT_SECONDS = 10.0

T = TypeVar("T")

_numbers = itertools.count(712_000_001)


def new_msisdn() -> str:
    """A phone that no other test has used."""
    return f"254{next(_numbers)}"


def password(shortcode: str = SHORTCODE, passkey: str = PASSKEY, at: str = TIMESTAMP) -> str:
    return base64.b64encode(f"{shortcode}{passkey}{at}".encode()).decode()


def eventually(question: Callable[[], T], seconds: float = WAIT_SECONDS) -> T:
    """Ask until the answer is truthy."""
    end = time.monotonic() + seconds
    while not (answer := question()):
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.03)
    return answer


@dataclass(frozen=True)
class Received:
    path: str
    headers: dict[str, str]
    body: dict[str, Any]
    at: float

    @property
    def callback(self) -> dict[str, Any]:
        return self.body["Body"]["stkCallback"]

    @property
    def items(self) -> dict[str, Any]:
        metadata = self.callback.get("CallbackMetadata", {"Item": []})
        return {item["Name"]: item.get("Value") for item in metadata["Item"]}


class Receiver:
    """A shop's callback address. Paths with /500/ or /redirect/ are answered accordingly."""

    def __init__(self) -> None:
        self._received: list[Received] = []
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                receiver._received.append(
                    Received(self.path, dict(self.headers), json.loads(body), time.monotonic())
                )
                status = 500 if "/500/" in self.path else 302 if "/redirect/" in self.path else 200
                self.send_response(status)
                if status == 302:
                    self.send_header("Location", receiver.url("/redirected"))
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.05,), daemon=True
        )
        self._thread.start()

    def url(self, path: str = "/callback") -> str:
        return f"http://127.0.0.1:{self._server.server_port}{path}"

    def about(self, checkout_request_id: str) -> list[Received]:
        return [
            r
            for r in list(self._received)
            if r.callback["CheckoutRequestID"] == checkout_request_id
        ]

    def wait_for(self, checkout_request_id: str, count: int = 1) -> list[Received]:
        return eventually(
            lambda: got if len(got := self.about(checkout_request_id)) >= count else []
        )

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@dataclass
class Daraja:
    """Speaks HTTP to a running simulator."""

    base_url: str
    callback_url: str
    session: requests.Session = field(default_factory=requests.Session)

    def __post_init__(self) -> None:
        self.session.trust_env = False
        self.session.headers["Authorization"] = f"Bearer {self.token()}"

    def call(self, method: str, path: str, **options: Any) -> requests.Response:
        return self.session.request(method, self.base_url + path, timeout=30, **options)

    def ask_token(
        self, key: str = "simulator-key", secret: str = "simulator-secret"
    ) -> requests.Response:
        return self.call(
            "GET", "/oauth/v1/generate?grant_type=client_credentials", auth=(key, secret)
        )

    def token(self) -> str:
        return self.ask_token().json()["access_token"]

    def push_body(self, msisdn: str, amount: Any = 1500, **changes: Any) -> dict[str, Any]:
        body: dict[str, Any] = {
            "BusinessShortCode": SHORTCODE,
            "Password": password(),
            "Timestamp": TIMESTAMP,
            "TransactionType": "CustomerPayBillOnline",
            "Amount": amount,
            "PartyA": msisdn,
            "PartyB": SHORTCODE,
            "PhoneNumber": msisdn,
            "CallBackURL": self.callback_url,
            "AccountReference": "ABC123",
            "TransactionDesc": "Order 12",
        } | changes
        return {name: value for name, value in body.items() if value is not ...}

    def push(self, msisdn: str, amount: Any = 1500, **changes: Any) -> requests.Response:
        """A field given as `...` is left out."""
        return self.call(
            "POST",
            "/mpesa/stkpush/v1/processrequest",
            json=self.push_body(msisdn, amount, **changes),
        )

    def prompt(self, msisdn: str, amount: Any = 1500, **changes: Any) -> str:
        response = self.push(msisdn, amount, **changes)
        assert response.status_code == 200, response.text
        return response.json()["CheckoutRequestID"]

    def query(self, checkout_request_id: str, **changes: Any) -> requests.Response:
        body = {
            "BusinessShortCode": SHORTCODE,
            "Password": password(),
            "Timestamp": TIMESTAMP,
            "CheckoutRequestID": checkout_request_id,
        } | changes
        return self.call("POST", "/mpesa/stkpushquery/v1/query", json=body)

    def result_code(self, checkout_request_id: str) -> str:
        return self.query(checkout_request_id).json()["ResultCode"]

    def answer(self, checkout_request_id: str, **body: Any) -> requests.Response:
        return self.call("POST", f"/simulator/api/prompts/{checkout_request_id}", json=body)

    def phone(self, msisdn: str) -> dict[str, Any]:
        return self.call("GET", f"/simulator/api/phones/{msisdn}").json()

    def arm(self, scenario: str, **more: Any) -> requests.Response:
        body = {"on": {"next": True}, "scenario": scenario} | more
        return self.call("POST", "/simulator/api/scenarios", json=body)

    def weather(self, **forecast: Any) -> requests.Response:
        # Written here, because requests refuses to write what is no JSON, such as NaN.
        return self.call("POST", "/simulator/api/weather", data=json.dumps(forecast))

    def history(self) -> list[dict[str, Any]]:
        return self.call("GET", "/simulator/api/prompts").json()["prompts"]

    def ledger(self) -> list[dict[str, Any]]:
        return self.call("GET", "/simulator/api/ledger").json()["entries"]

    def traffic(self) -> list[dict[str, Any]]:
        return self.call("GET", "/simulator/api/requests").json()["requests"]
