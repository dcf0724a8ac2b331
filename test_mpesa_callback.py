"""Post callbacks to a running shop, true and forged ones, and see what each changes.

For each case it makes an order and a prompt on a simulated phone that nobody answers, and then
speaks for M-Pesa itself. A success that is posted here is no money at the simulator: its ledger
stays as it was. What is looked at is only what the shop believes, and by which proofs.

Needs a shop with the simulator, and must be run beside it: the callback addresses, with their
secret tokens, come from this project's own database by `flask callback_url`. Exit status: 0 when
every callback was handled rightly, 1 when one was not, 2 when the script could not do its work.
"""

from __future__ import annotations

import argparse
import json
import secrets
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any, NamedTuple
from urllib.parse import SplitResult, urlsplit

from scripts.shop_client import ROOT, ShopClient, Trouble, say

RECEIPT_ALPHABET = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"
REPETITIONS = 5
QUESTION_SECONDS = 15.0
POLL_SECONDS = 0.3
BOOKS_SECONDS = 1.0
COMMAND_SECONDS = 60
QUERY_PATH = "/mpesa/stkpushquery/v1/query"


class Standing(NamedTuple):
    """What an order and its payment look like from outside; `credited` is shillings."""

    order: str
    payment: str
    credited: int = 0
    held_for_review: bool = False

    def __str__(self) -> str:
        held = ", held for review" if self.held_for_review else ""
        return f"order {self.order}, payment {self.payment}, KES {self.credited} credited{held}"


UNTOUCHED = Standing("pending", "pending")


class Attempt:
    """A fresh order whose prompt rings on a phone of its own, and its callback address."""

    def __init__(self, shop: ShopClient) -> None:
        self._shop = shop
        cheapest = min(shop.products(), key=lambda product: product["price"], default=None)
        if cheapest is None:
            raise Trouble("The shop has nothing to sell just now.")
        order = shop.place_order({cheapest["id"]: 1})
        self.order_id: str = order["id"]
        self.total: int = order["total"]
        self.phone = f"254700{secrets.randbelow(10**6):06d}"
        sent = shop.initiate(self.order_id, self.phone)
        if not sent["checkout_request_id"]:
            raise Trouble("M-Pesa did not answer the push clearly. Try again.")
        self.checkout_request_id: str = sent["checkout_request_id"]
        self._merchant_request_id: str = sent["merchant_request_id"]
        self._address = _callback_address(sent["transaction_id"])
        self.statuses: set[int] = set()
        self.problem: str | None = None

    def post(self, body: bytes, query: str | None = None) -> None:
        """Post to this attempt's callback address; `query` stands in for that with its token."""
        address = self._address if query is None else self._address._replace(query=query)
        self.statuses.add(self._shop.post_callback(f"{address.path}?{address.query}", body))

    def post_at_once(self, body: bytes, times: int) -> None:
        """Post the same body so many times at the same time."""
        with ThreadPoolExecutor(times) as pool:
            list(pool.map(self.post, [body] * times))

    def success(self, more_shillings: int = 0) -> bytes:
        """A success callback with a receipt that was never used before."""
        receipt = "U" + "".join(secrets.choice(RECEIPT_ALPHABET) for _ in range(9))
        items = [
            {"Name": "Amount", "Value": self.total + more_shillings},
            {"Name": "MpesaReceiptNumber", "Value": receipt},
            {"Name": "PhoneNumber", "Value": int(self.phone)},
        ]
        text = "The service request is processed successfully."
        return self._callback(0, text, CallbackMetadata={"Item": items})

    def cancelled(self) -> bytes:
        """The payer pressed Cancel."""
        return self._callback(1032, "Request cancelled by user")

    def timed_out(self) -> bytes:
        """Nobody answered."""
        return self._callback(1037, "No response from user.")

    def of_another(self) -> bytes:
        """A success for a CheckoutRequestID that the shop never got."""
        unknown = f"ws_CO_{secrets.randbelow(10**20):020d}"
        return self.success().replace(self.checkout_request_id.encode(), unknown.encode())

    def standing(self) -> Standing:
        """What the shop says now."""
        order = self._shop.order(self.order_id)
        return Standing(
            order["status"],
            order["payments"][0]["status"],
            order["amount_paid"],
            order["review"],
        )

    def wait_until_asked(self) -> None:
        """Wait until the shop has asked Daraja about this attempt, and a moment longer."""
        deadline = time.monotonic() + QUESTION_SECONDS
        while time.monotonic() < deadline:
            asked = self._shop.daraja_requests(self.checkout_request_id)
            if any(row["path"] == QUERY_PATH for row in asked):
                # The answer has to reach the shop's books before they are looked at.
                time.sleep(BOOKS_SECONDS)
                return
            time.sleep(POLL_SECONDS)
        self.problem = f"Daraja was not asked within {QUESTION_SECONDS:.0f} s"

    def _callback(self, code: int, text: str, **more: Any) -> bytes:
        callback = {
            "MerchantRequestID": self._merchant_request_id,
            "CheckoutRequestID": self.checkout_request_id,
            "ResultCode": code,
            "ResultDesc": text,
            **more,
        }
        return json.dumps({"Body": {"stkCallback": callback}}).encode()


@dataclass(frozen=True)
class Case:
    """What is posted, in words and in deed, and what must then be so."""

    name: str
    posted: str
    post: Callable[[Attempt], None]
    expected: Callable[[Attempt], Standing]


def _untouched(_attempt: Attempt) -> Standing:
    return UNTOUCHED


def _paid(attempt: Attempt) -> Standing:
    return Standing("paid", "completed", attempt.total)


def _repeated(attempt: Attempt) -> None:
    body = attempt.success()
    attempt.post(body)
    attempt.post_at_once(body, REPETITIONS)


def _without_token(attempt: Attempt) -> None:
    attempt.post(attempt.success(), query="")
    attempt.wait_until_asked()


def _with_wrong_token(attempt: Attempt) -> None:
    attempt.post(attempt.success(), query=f"token={secrets.token_urlsafe(32)}")
    attempt.wait_until_asked()


def _late(attempt: Attempt) -> None:
    attempt.post(attempt.cancelled())
    attempt.post(attempt.success())


CASES = (
    Case("success", "a success with both proofs", lambda a: a.post(a.success()), _paid),
    Case("duplicate", f"a success, then the same {REPETITIONS} times at once", _repeated, _paid),
    Case(
        "cancelled",
        "1032, the payer cancelled",
        lambda a: a.post(a.cancelled()),
        lambda _: Standing("pending", "cancelled"),
    ),
    Case(
        "time-out",
        "1037, nobody answered",
        lambda a: a.post(a.timed_out()),
        lambda _: Standing("pending", "expired"),
    ),
    Case(
        "no token",
        "a success from this machine without the token; Daraja, asked, knows of no end",
        _without_token,
        _untouched,
    ),
    Case(
        "wrong token",
        "the same with a made-up token",
        _with_wrong_token,
        _untouched,
    ),
    Case(
        "wrong amount",
        "a success with both proofs over one shilling too much",
        lambda a: a.post(a.success(more_shillings=1)),
        # A prompt cannot move more than it asks for, so no more than that is credited.
        lambda a: Standing("review", "pending", a.total, held_for_review=True),
    ),
    Case("late success", "1032, then a success with both proofs", _late, _paid),
    Case("unreadable", "half a JSON object", lambda a: a.post(b'{"Body": {'), _untouched),
    Case(
        "unknown prompt",
        "a success for a CheckoutRequestID that the shop never got",
        lambda a: a.post(a.of_another()),
        _untouched,
    ),
)


def main() -> int:
    """Returns the exit status."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--base-url", help="the shop; by default the port of .env on 127.0.0.1")
    parser.add_argument("--email", help="who orders; by default the demo shopper")
    parser.add_argument("--password", help="by default DEMO_PASSWORD, from .env too")
    names = [case.name for case in CASES]
    parser.add_argument("--only", choices=names, metavar="CASE", help=", ".join(names))
    arguments = parser.parse_args()
    cases = [case for case in CASES if arguments.only in (None, case.name)]
    try:
        shop = _open(arguments)
        with _cleaning_up(shop) as attempts:
            wrong = sum(not _try(shop, case, attempts) for case in cases)
    except Trouble as trouble:
        print(trouble, file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("\nStopped.", file=sys.stderr)
        return 2
    say(f"{len(cases) - wrong} of {len(cases)} cases were handled rightly.")
    return 1 if wrong else 0


def _open(arguments: argparse.Namespace) -> ShopClient:
    shop = ShopClient(arguments.base_url)
    environment = shop.environment()
    if environment != "simulator":
        raise Trouble(
            f"This shop runs in {environment}. Callbacks are tried with the simulator only."
        )
    if not shop.simulator_is_there():
        raise Trouble("The simulator is not running beside this shop: see `flask doctor`.")
    shop.sign_in(arguments.email, arguments.password)
    say(f"Posting callbacks to {shop.base_url}. No money moves at the simulator by them.")
    return shop


@contextmanager
def _cleaning_up(shop: ShopClient) -> Iterator[list[Attempt]]:
    """At the end cancel what still rings, so that no phone is left with a prompt."""
    attempts: list[Attempt] = []
    try:
        yield attempts
    finally:
        for attempt in attempts:
            with suppress(Trouble):
                shop.answer_prompt(attempt.checkout_request_id, {"cancel": True})


def _try(shop: ShopClient, case: Case, attempts: list[Attempt]) -> bool:
    attempt = Attempt(shop)
    attempts.append(attempt)
    case.post(attempt)
    seen, expected = attempt.standing(), case.expected(attempt)
    if seen != expected:
        attempt.problem = f"expected: {expected}"
    elif attempt.statuses != {200}:
        attempt.problem = "expected: HTTP 200 to every callback"
    verdict = f"WRONG, {attempt.problem}" if attempt.problem else "OK"
    statuses = "/".join(str(status) for status in sorted(attempt.statuses))
    say(f"{case.name}: posted {case.posted} -> HTTP {statuses}; {seen}: {verdict}")
    return attempt.problem is None


def _callback_address(transaction_id: str) -> SplitResult:
    """Where Daraja was told to post; only path and query matter here, not the public root."""
    command = [sys.executable, "-m", "flask", "callback_url", transaction_id]
    done = subprocess.run(  # noqa: S603
        command, cwd=ROOT, capture_output=True, text=True, timeout=COMMAND_SECONDS
    )
    if done.returncode != 0:
        raise Trouble(
            f"`flask callback_url` does not know {transaction_id}: "
            f"{(done.stderr.strip().splitlines() or ['it said nothing'])[-1]} "
            "Does the shop use the database that .env or DATABASE_URL names here?"
        )
    return urlsplit(done.stdout.strip().splitlines()[-1])


if __name__ == "__main__":
    sys.exit(main())
