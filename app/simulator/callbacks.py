"""STK callbacks: what they say, and their single journey to the shop."""

import json
import logging
import queue
import threading
from typing import Any, Final
from urllib.parse import urlsplit

import requests

from app.mpesa.result_codes import stk_result
from app.simulator.clock import daraja_timestamp
from app.simulator.traffic import Exchange, Traffic
from app.simulator.world import Prompt

CONNECT_TIMEOUT_SECONDS: Final = 3.0
READ_TIMEOUT_SECONDS: Final = 10.0
WORKERS: Final = 16
MOST_WAITING: Final = 10_000

log = logging.getLogger(__name__)


def stk_callback(prompt: Prompt) -> dict[str, Any]:
    """The body in its shape of 2026, without the Balance item (seen in recorded traffic)."""
    result = stk_result(prompt.result_code)
    callback: dict[str, Any] = {
        "MerchantRequestID": prompt.merchant_request_id,
        "CheckoutRequestID": prompt.checkout_request_id,
        # A number, except for codes that are none: E3008 came as a string.
        "ResultCode": int(result.code) if result.code.isdigit() else result.code,
        "ResultDesc": result.description,
    }
    if prompt.payment is not None and prompt.plan.callback_metadata:
        callback["CallbackMetadata"] = {"Item": _metadata(prompt)}
    return {"Body": {"stkCallback": callback}}


def _metadata(prompt: Prompt) -> list[dict[str, Any]]:
    payment = prompt.payment
    if payment is None:
        return []
    return [
        {
            "Name": "Amount",
            "Value": payment.amount_cents // 100 + prompt.plan.callback_extra_shillings,
        },
        {"Name": "MpesaReceiptNumber", "Value": payment.receipt},
        {"Name": "TransactionDate", "Value": int(daraja_timestamp(payment.moved_at))},
        {"Name": "PhoneNumber", "Value": int(payment.msisdn)},
    ]


class Delivery:
    """One letter, written when the prompt ended: a later change of the prompt is another one."""

    def __init__(self, prompt: Prompt) -> None:
        self.url = prompt.push.callback_url
        self.shortcode = prompt.push.shortcode
        self.checkout_request_id = prompt.checkout_request_id
        self.result_code = prompt.result_code
        self.body = json.dumps(stk_callback(prompt)).encode()


class Courier:
    """Delivers callbacks from a bounded pool of threads; one attempt each, no retry.

    Two logged trials saw none after a 500 and a 502. When more than `MOST_WAITING` wait, further
    ones are lost, as they may be in life.
    """

    def __init__(self, traffic: Traffic) -> None:
        self._traffic = traffic
        self._waiting: queue.Queue[Delivery] = queue.Queue(MOST_WAITING)
        self._start_lock = threading.Lock()
        self._started = False

    def send(self, delivery: Delivery) -> None:
        """Queue a delivery; never blocks."""
        self._start()
        try:
            self._waiting.put_nowait(delivery)
        except queue.Full:
            self._record(delivery, None, "the callback was lost: too many were waiting")

    def deliver(self, delivery: Delivery) -> None:
        """Deliver here and now; never raises."""
        try:
            status, why = _post(delivery), f"callback with ResultCode {delivery.result_code}"
        except (requests.RequestException, ValueError, OSError) as error:
            status, why = None, f"the callback was not answered: {type(error).__name__}"
        self._record(delivery, status, why)

    def clear(self) -> None:
        while True:
            try:
                self._waiting.get_nowait()
            except queue.Empty:
                return

    def _start(self) -> None:
        with self._start_lock:
            if self._started:
                return
            self._started = True
            for number in range(WORKERS):
                threading.Thread(target=self._run, name=f"courier-{number}", daemon=True).start()

    def _run(self) -> None:
        while True:
            delivery = self._waiting.get()
            try:
                self.deliver(delivery)
            except Exception:
                # A worker that dies would slow every later callback, with nobody the wiser.
                log.exception("a callback could not be delivered")

    def _record(self, delivery: Delivery, status: int | None, why: str) -> None:
        # The path may hold the shop's secret token, so only the host is kept.
        url = urlsplit(delivery.url)
        host = url.netloc.rpartition("@")[2]
        self._traffic.record(
            Exchange(
                direction="out",
                method="POST",
                path=f"{url.scheme}://{host}/…",
                status=status,
                error_code=None,
                why=why,
                checkout_request_id=delivery.checkout_request_id,
            )
        )


def _post(delivery: Delivery) -> int:
    with requests.Session() as session:
        # A proxy of the developer's environment does not belong between two local programs.
        session.trust_env = False
        with session.post(
            delivery.url,
            data=delivery.body,
            headers={
                "Content-Type": "application/json;charset=UTF-8",
                "Businessshortcode": delivery.shortcode,
            },
            timeout=(CONNECT_TIMEOUT_SECONDS, READ_TIMEOUT_SECONDS),
            allow_redirects=False,
            # Nothing suggests that the answer's body is read, so it is not even awaited.
            stream=True,
        ) as response:
            return response.status_code
