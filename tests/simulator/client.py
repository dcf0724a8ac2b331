"""A small Daraja client and a receiver of callbacks, for the tests of the simulator."""

import base64
import itertools
import json
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, TypeVar

import requests
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import padding, rsa

SHORTCODE = "174379"
PASSKEY = "bfb279f9aa9bdbcf158e97dd71a467cd2e0c893059b10f78e6b72ada1ed2c919"
OTHER_PASSKEY = "bfb279f9aa9bdbcf158e97dd71a467cd2e0c893059b10f78e6b72e1b1f430820"
TIMESTAMP = "20261121161500"
B2C_SHORTCODE = "600000"
INITIATOR, INITIATOR_PASSWORD = "testapi", "Safaricom999!*!"
WAIT_SECONDS = 10.0
# Longer than the simulator of the tests waits for a validation.
HANG_SECONDS = 2.5

T = TypeVar("T")

_numbers = itertools.count(712_000_001)
_ids = itertools.count(1)


def new_msisdn() -> str:
    """A phone that no other test has used."""
    return f"254{next(_numbers)}"


def new_id() -> str:
    """An OriginatorConversationID that no other request has used."""
    return f"shop-{next(_ids)}-{time.time_ns()}"


def security_credential(pem: bytes, password: str = INITIATOR_PASSWORD) -> str:
    """Encrypt a password as Safaricom documents it: PKCS#1 v1.5, then base64."""
    key = x509.load_pem_x509_certificate(pem).public_key()
    assert isinstance(key, rsa.RSAPublicKey)
    return base64.b64encode(key.encrypt(password.encode(), padding.PKCS1v15())).decode()


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

    @property
    def result(self) -> dict[str, Any]:
        return self.body["Result"]

    @property
    def parameters(self) -> dict[str, Any]:
        """What the result tells by name; what has no value is `...`."""
        listed = self.result.get("ResultParameters", {"ResultParameter": []})
        return {item["Key"]: item.get("Value", ...) for item in listed["ResultParameter"]}


class Receiver:
    """A shop's callback address.

    Paths with /500/, /redirect/, /hang/, /half/ or /drip/ are answered accordingly.

    `answers` holds bodies by path, for questions whose answer is read.
    """

    def __init__(self) -> None:
        self._received: list[Received] = []
        self.answers: dict[str, bytes] = {}
        self._ended = threading.Event()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                receiver._received.append(
                    Received(self.path, dict(self.headers), json.loads(body), time.monotonic())
                )
                status = 500 if "/500/" in self.path else 302 if "/redirect/" in self.path else 200
                if "/hang/" in self.path:
                    receiver._ended.wait(HANG_SECONDS)
                answer = receiver.answers.get(self.path, b"")
                # Whoever asked may have lost patience, and gone.
                with suppress(OSError):
                    self._answer(status, answer)

            def _answer(self, status: int, answer: bytes) -> None:
                self.send_response(status)
                if status == 302:
                    self.send_header("Location", receiver.url("/redirected"))
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                if "/drip/" in self.path:
                    for n in range(len(answer)):
                        self.wfile.write(answer[n : n + 1])
                        receiver._ended.wait(HANG_SECONDS / len(answer))
                    return
                half = len(answer) // 2 if "/half/" in self.path else 0
                self.wfile.write(answer[:half])
                if half:
                    receiver._ended.wait(HANG_SECONDS)
                self.wfile.write(answer[half:])

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
            if "Body" in r.body and r.callback["CheckoutRequestID"] == checkout_request_id
        ]

    def wait_for(self, checkout_request_id: str, count: int = 1) -> list[Received]:
        return eventually(
            lambda: got if len(got := self.about(checkout_request_id)) >= count else []
        )

    def results(self, conversation_id: str) -> list[Received]:
        """Results of an asynchronous request, by either of its two ids."""
        named = ("ConversationID", "OriginatorConversationID")
        return [
            r
            for r in list(self._received)
            if "Result" in r.body and conversation_id in [r.result[name] for name in named]
        ]

    def wait_for_result(self, conversation_id: str, count: int = 1) -> list[Received]:
        return eventually(lambda: got if len(got := self.results(conversation_id)) >= count else [])

    def echoes(self, **fields: Any) -> list[Received]:
        """Requests that came back, by fields that they have."""
        return [r for r in list(self._received) if fields.items() <= r.body.items()]

    def paid(self, path: str, receipt: str | None = None) -> list[Received]:
        """Validations or confirmations that came to this path, of one receipt or of all."""
        here = [r for r in list(self._received) if r.path == path]
        return [r for r in here if receipt in (None, r.body.get("TransID"))]

    def wait_for_paid(self, path: str, receipt: str | None = None) -> list[Received]:
        return eventually(lambda: self.paid(path, receipt))

    def stop(self) -> None:
        self._ended.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@dataclass
class Daraja:
    """Speaks HTTP to a running simulator."""

    base_url: str
    callback_url: str
    session: requests.Session = field(default_factory=requests.Session)
    _credentials: dict[str, str] = field(default_factory=dict)

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

    def credential(self, password: str = INITIATOR_PASSWORD) -> str:
        if password not in self._credentials:
            pem = self.call("GET", "/simulator/certificate.pem").content
            self._credentials[password] = security_credential(pem, password)
        return self._credentials[password]

    def b2c_body(self, msisdn: str, amount: Any = 1500, **changes: Any) -> dict[str, Any]:
        body: dict[str, Any] = {
            "OriginatorConversationID": new_id(),
            "InitiatorName": INITIATOR,
            "SecurityCredential": self.credential(),
            "CommandID": "BusinessPayment",
            "Amount": amount,
            "PartyA": B2C_SHORTCODE,
            "PartyB": msisdn,
            "Remarks": "Payout 7",
            "QueueTimeOutURL": self.callback_url + "/time-out",
            "ResultURL": self.callback_url + "/result",
            "Occassion": "",
        } | changes
        return {name: value for name, value in body.items() if value is not ...}

    def b2c(
        self, msisdn: str, amount: Any = 1500, version: str = "v3", **changes: Any
    ) -> requests.Response:
        """A field given as `...` is left out."""
        body = self.b2c_body(msisdn, amount, **changes)
        return self.call("POST", f"/mpesa/b2c/{version}/paymentrequest", json=body)

    def pay_out(self, msisdn: str, amount: Any = 1500, **changes: Any) -> str:
        """Send a payout that is accepted; returns its ConversationID."""
        return self._accepted(self.b2c(msisdn, amount, **changes))

    def reverse(self, receipt: str, amount: Any = 1500, **changes: Any) -> requests.Response:
        own = {"TransactionID": receipt, "Amount": amount, "ReceiverParty": SHORTCODE}
        return self.ask(
            "/mpesa/reversal/v1/request",
            "TransactionReversal",
            **own | {"RecieverIdentifierType": "11"} | changes,
        )

    def status(self, **changes: Any) -> requests.Response:
        own = {"PartyA": B2C_SHORTCODE, "IdentifierType": "4"}
        return self.ask(
            "/mpesa/transactionstatus/v1/query", "TransactionStatusQuery", **own | changes
        )

    def balance(self, shortcode: str = B2C_SHORTCODE, **changes: Any) -> requests.Response:
        own = {"PartyA": shortcode, "IdentifierType": "4"}
        return self.ask("/mpesa/accountbalance/v1/query", "AccountBalance", **own | changes)

    def register(
        self, confirmation: str, validation: str, version: str = "v2", **changes: Any
    ) -> requests.Response:
        body = {
            "ShortCode": B2C_SHORTCODE,
            "ResponseType": "Completed",
            "ConfirmationURL": confirmation,
            "ValidationURL": validation,
        } | changes
        body = {name: value for name, value in body.items() if value is not ...}
        return self.call("POST", f"/mpesa/c2b/{version}/registerurl", json=body)

    def simulate(
        self, msisdn: str, amount: Any = 1500, version: str = "v2", **changes: Any
    ) -> requests.Response:
        body = {
            "ShortCode": B2C_SHORTCODE,
            "CommandID": "CustomerPayBillOnline",
            "Amount": amount,
            "Msisdn": msisdn,
            "BillRefNumber": "INV-0042",
        } | changes
        body = {name: value for name, value in body.items() if value is not ...}
        return self.call("POST", f"/mpesa/c2b/{version}/simulate", json=body)

    def pay(self, msisdn: str, amount: Any = 1500, **changes: Any) -> requests.Response:
        """A person pays by hand."""
        body = {
            "shortcode": B2C_SHORTCODE,
            "account": "INV-0042",
            "amount": amount,
            "pin": "1234",
        } | changes
        return self.call("POST", f"/simulator/api/phones/{msisdn}/pay", json=body)

    def switch(self, **switches: bool) -> requests.Response:
        return self.call("POST", "/simulator/api/switches", json=switches)

    def ask(self, path: str, command: str, **fields: Any) -> requests.Response:
        """Post to one of the APIs that call the operator Initiator."""
        body: dict[str, Any] = {
            "Initiator": INITIATOR,
            "SecurityCredential": self.credential(),
            "CommandID": command,
            "ResultURL": self.callback_url + "/result",
            "QueueTimeOutURL": self.callback_url + "/time-out",
            "Remarks": "Why not",
            "Occasion": "",
        } | fields
        body = {name: value for name, value in body.items() if value is not ...}
        return self.call("POST", path, json=body)

    def _accepted(self, answer: requests.Response) -> str:
        assert answer.status_code == 200, answer.text
        return answer.json()["ConversationID"]

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

    def money_out(self) -> list[dict[str, Any]]:
        return self.call("GET", "/simulator/api/ledger").json()["money_out"]

    def conversations(self) -> list[dict[str, Any]]:
        return self.call("GET", "/simulator/api/conversations").json()["conversations"]

    def accounts(self, shortcode: str = B2C_SHORTCODE) -> dict[str, Any]:
        return self.call("GET", f"/simulator/api/shortcodes/{shortcode}").json()

    def set_accounts(self, shortcode: str = B2C_SHORTCODE, **accounts: Any) -> requests.Response:
        return self.call("POST", f"/simulator/api/shortcodes/{shortcode}", json=accounts)
