"""Buy something in a running shop: sign in, order, pay by M-Pesa, follow, print the receipt.

With the simulator it also answers the prompt, as a person would on the phone; anywhere else a
person must. Exit status: 0 when the payment ended as asked, 1 when it did not, 2 when it could
not begin because of how the script was called or because the shop could not be reached.
"""

from __future__ import annotations

import argparse
import sys
import time
from typing import Any

from scripts.shop_client import Refused, ShopClient, Trouble, masked, msisdn, say

#: Safaricom's test number: in the simulator it approves by itself, after two seconds.
SELF_APPROVING = "254708374149"
RINGING = "254711222333"
MOST_SHILLINGS = 250_000
MOST_OF_A_PRODUCT = 99
PIN_TRIES = 3
POLL_SECONDS = 1.0
PROMPT_SECONDS = 5.0
PLAIN_LINE_SECONDS = 10.0
CLEAR_LINE = "\r\033[K"
SPINNER = "|/-\\"


def main() -> int:
    """Returns the exit status."""
    arguments = _arguments()
    try:
        return _buy(arguments)
    except Trouble as trouble:
        print(trouble, file=sys.stderr)
        return 1 if isinstance(trouble, Refused) and trouble.status >= 500 else 2
    except KeyboardInterrupt:
        print("\nStopped. A prompt may still be on the phone.", file=sys.stderr)
        return 1


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--phone", help=f"whose prompt it is; by default {SELF_APPROVING}")
    parser.add_argument(
        "--amount", type=_amount, help="shillings; by default one of what is cheapest"
    )
    parser.add_argument("--base-url", help="the shop; by default the port of .env on 127.0.0.1")
    parser.add_argument("--email", help="who buys; by default the demo shopper")
    parser.add_argument("--password", help="by default DEMO_PASSWORD, from .env too")
    parser.add_argument(
        "--timeout", type=float, default=120, metavar="SECONDS", help="how long to follow"
    )
    answer = parser.add_mutually_exclusive_group()
    answer.add_argument("--pin", default="1234", help="what is typed on the simulated phone")
    answer.add_argument(
        "--cancel", action="store_true", help="cancel on the phone, and expect that"
    )
    arguments = parser.parse_args()
    number = msisdn(arguments.phone or (RINGING if arguments.cancel else SELF_APPROVING))
    if number is None:
        parser.error("--phone must be a Kenyan mobile number, such as 0712345678")
    if arguments.cancel and number == SELF_APPROVING:
        parser.error(f"{SELF_APPROVING} approves by itself: name another --phone to cancel on")
    arguments.phone = number
    return arguments


def _amount(text: str) -> int:
    amount = int(text) if text.isascii() and text.isdigit() and len(text) < 10 else 0
    if not 1 <= amount <= MOST_SHILLINGS:
        raise argparse.ArgumentTypeError(f"must be whole shillings from 1 to {MOST_SHILLINGS:,}")
    return amount


def _buy(arguments: argparse.Namespace) -> int:
    shop = ShopClient(arguments.base_url)
    environment = shop.environment()
    email = shop.sign_in(arguments.email, arguments.password)
    say(f"Signed in to {shop.base_url} ({environment}) as {email}.")
    order = shop.place_order(choose(shop.products(), arguments.amount))
    goods = ", ".join(f"{line['quantity']} × {line['name']}" for line in order["items"])
    say(f"Order {order['number']} ({order['reference']}): {goods}: {_kes(order['total'])}.")
    started = shop.initiate(order["id"], arguments.phone)
    say(f"{started['transaction_id']}: a prompt for {masked(arguments.phone)}.")
    if environment != "simulator":
        say("Answer it on the phone.")
    elif arguments.phone != SELF_APPROVING:
        _answer(shop, order, arguments)
    state = _follow(shop, order["id"], arguments.timeout)
    return _report(shop, order["id"], state, arguments.cancel)


def choose(products: list[dict[str, Any]], amount: int | None) -> dict[int, int]:
    """Product ids with quantities that cost exactly `amount` shillings.

    Without an amount it is one of the cheapest. Raises Trouble when nothing fits.
    """
    if not products:
        raise Trouble("The shop has nothing to sell just now.")
    if amount is None:
        cheapest = min(products, key=lambda product: product["price"])
        return {cheapest["id"]: 1}
    found = _combination(products, amount)
    if found is None:
        raise Trouble(f"What is in the shop cannot be made to cost exactly {_kes(amount)}.")
    return found


def _combination(products: list[dict[str, Any]], amount: int) -> dict[int, int] | None:
    """Reach the amount coin by coin, dear things first, so that an order has few lines."""
    last_added: dict[int, dict[str, Any] | None] = {0: None}
    for product in sorted(products, key=lambda product: -product["price"]):
        price, stock = product["price"], product["stock"]
        most = MOST_OF_A_PRODUCT if stock is None else min(stock, MOST_OF_A_PRODUCT)
        used: dict[int, int] = {}
        for total in range(price, amount + 1):
            before = total - price
            if total not in last_added and before in last_added and used.get(before, 0) < most:
                last_added[total], used[total] = product, used.get(before, 0) + 1
    if amount not in last_added:
        return None
    quantities: dict[int, int] = {}
    while (taken := last_added[amount]) is not None:
        quantities[taken["id"]] = quantities.get(taken["id"], 0) + 1
        amount -= taken["price"]
    return quantities


def _answer(shop: ShopClient, order: dict[str, Any], arguments: argparse.Namespace) -> None:
    """Do on the simulated phone what a person would; a wrong PIN is tried until M-Pesa ends it."""
    prompt = _prompt_of(shop, order["reference"], arguments.phone)
    if arguments.cancel:
        shop.answer_prompt(prompt["checkout_request_id"], {"cancel": True})
        say("Cancelled on the phone.")
        return
    for _ in range(PIN_TRIES):
        prompt = shop.answer_prompt(prompt["checkout_request_id"], {"pin": arguments.pin})
        if prompt["status"] != "open":
            break
        say(f"The PIN was wrong; tries left: {prompt['pin_attempts_left']}.")
    say("Entered the PIN on the phone.")


def _prompt_of(shop: ShopClient, reference: str, phone: str) -> dict[str, Any]:
    """The open prompt that names this order, once it is on the phone."""
    deadline = time.monotonic() + PROMPT_SECONDS
    while time.monotonic() < deadline:
        for prompt in shop.prompts_on(phone):
            if prompt["status"] == "open" and prompt["account_reference"] == reference:
                return prompt
        time.sleep(POLL_SECONDS / 4)
    raise Trouble("The prompt never came to the simulated phone: see `flask doctor`.")


def _follow(shop: ShopClient, order_id: str, seconds: float) -> dict[str, Any]:
    """Poll until the payment has ended or needs a person, at most for so many seconds.

    A poll that fails is no end: the shop is asked again, as its own page does.
    """
    began = time.monotonic()
    state: dict[str, Any] = {"status": "pending", "review": False, "title": "Not heard yet"}
    progress = Progress(began)
    while time.monotonic() - began < seconds:
        try:
            state = shop.query(order_id)
        except Trouble as trouble:
            state["title"] = f"{trouble} Asking again"
        if state["status"] != "pending" or state["review"]:
            break
        progress.show(state["title"])
        time.sleep(POLL_SECONDS)
    progress.end()
    return state


class Progress:
    """One line that moves on a terminal; elsewhere a line for each news and each ten seconds."""

    def __init__(self, began: float) -> None:
        self._began = began
        self._moves = sys.stdout.isatty()
        self._turns = 0
        self._said = ""
        self._said_at = began

    def show(self, text: str) -> None:
        """Say what is waited for."""
        now = time.monotonic()
        line = f"{text} … {now - self._began:.0f} s"
        if self._moves:
            self._turns += 1
            spinner = SPINNER[self._turns % len(SPINNER)]
            print(f"{CLEAR_LINE}{spinner} {line}", end="", flush=True)
        elif text != self._said or now - self._said_at >= PLAIN_LINE_SECONDS:
            self._said, self._said_at = text, now
            say(line)

    def end(self) -> None:
        """Leave no half line behind."""
        if self._moves:
            print(CLEAR_LINE, end="")


def _report(shop: ShopClient, order_id: str, state: dict[str, Any], cancelling: bool) -> int:
    if state["status"] == "completed":
        say("Paid.")
        _print_receipt(shop.order(order_id))
        return 1 if cancelling else 0
    if state["status"] == "pending" and not state["review"]:
        say("No end was heard in time. The shop goes on asking M-Pesa; do not pay twice.")
        return 1
    say(f"Not paid: {state['title']}. {state['message']}")
    return 0 if cancelling and state["reason"] == "cancelled" else 1


def _print_receipt(order: dict[str, Any]) -> None:
    paid = next(payment for payment in order["payments"] if payment["status"] == "completed")
    rows = {
        "Receipt": paid["transaction_id"].replace("TXN", "RCP", 1),
        "M-Pesa code": paid["receipt"] or "not known yet: a query confirmed the payment",
        "Amount": _kes(order["amount_paid"]),
        "Order": f"{order['number']} ({order['reference']}), {order['status']}",
    }
    for name, value in rows.items():
        say(f"  {name:<12} {value}")


def _kes(shillings: float) -> str:
    return f"KES {shillings:,}"


if __name__ == "__main__":
    sys.exit(main())
