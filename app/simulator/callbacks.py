"""STK callbacks: what they say, and their single journey to the shop."""

import json
import logging
import queue
import threading
from collections.abc import Callable
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
# What a contradicting callback claims: nobody entered a PIN.
FALSE_RESULT: Final = "1037"
# Far enough apart that two letters arrive in the order in which they were sent.
CONTRADICTION_SECONDS: Final = 0.2

log = logging.getLogger(__name__)


def stk_callback(prompt: Prompt, false_result: str | None = None) -> dict[str, Any]:
    """The body in its shape of 2026, without the Balance item (seen in recorded traffic).

    `false_result` is a code to claim in place of the prompt's own.
    """
    result = stk_result(false_result or prompt.result_code)
    callback: dict[str, Any] = {
        "MerchantRequestID": prompt.merchant_request_id,
        "CheckoutRequestID": prompt.checkout_request_id,
        # A number, except for codes that are none: E3008 came as a string.
        "ResultCode": int(result.code) if result.code.isdigit() else result.code,
        "ResultDesc": result.description,
    }
    if prompt.payment is not None and prompt.plan.callback_metadata and not false_result:
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

    def __init__(self, prompt: Prompt, false_result: str | None = None) -> None:
        self.url = prompt.push.callback_url
        self.shortcode = prompt.push.shortcode
        self.checkout_request_id = prompt.checkout_request_id
        self.result_code = false_result or prompt.result_code
        self.body = json.dumps(stk_callback(prompt, false_result)).encode()


def letters_about(prompt: Prompt) -> list[tuple[float, Delivery]]:
    """What is posted about a prompt that has ended, and how many seconds after its time.

    Only a payment is contradicted: to claim a success that never was, one must be a forger.
    """
    truth, told = Delivery(prompt), prompt.plan.false_time_out
    letters = [(0.0, truth)]
    if prompt.payment is not None and told != "none":
        lie = Delivery(prompt, FALSE_RESULT)
        first, second = (lie, truth) if told == "before" else (truth, lie)
        letters = [(0.0, first), (CONTRADICTION_SECONDS, second)]
    return letters * prompt.plan.callback_copies


class Courier:
    """Delivers callbacks from a bounded pool of threads; one attempt each, no retry.

    Two logged trials saw none after a 500 and a 502. When more than `MOST_WAITING` wait, further
    ones are lost, as they may be in life.
    """

    def __init__(
        self, traffic: Traffic, on_delivery: Callable[[str, bool], None] = lambda *_: None
    ) -> None:
        """`on_delivery` is told a CheckoutRequestID, and whether the shop answered with 2xx."""
        self._traffic = traffic
        self._on_delivery = on_delivery
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

    def waiting(self) -> int:
        """Deliveries that are queued or under way."""
        return self._waiting.unfinished_tasks

    def clear(self) -> None:
        while True:
            try:
                self._waiting.get_nowait()
                self._waiting.task_done()
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
            finally:
                self._waiting.task_done()

    def _record(self, delivery: Delivery, status: int | None, why: str) -> None:
        # The path may hold the shop's secret token, so only the host is kept.
        self._on_delivery(delivery.checkout_request_id, status is not None and status < 300)
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
