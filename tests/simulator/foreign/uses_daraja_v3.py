"""`daraja-v3` against the simulator: `python -m … ADDRESS CREDENTIAL`."""

import asyncio
import sys
import time
from dataclasses import asdict
from typing import Any

from mpesa import MpesaClient  # type: ignore[import-not-found]
from mpesa.async_client import MpesaAsyncClient  # type: ignore[import-not-found]

from tests.simulator.foreign.common import (
    B2C_SHORTCODE,
    INITIATOR,
    KEY,
    PASSKEY,
    SECRET,
    SHORTCODE,
    Shop,
    Watch,
    complaint,
    public_methods,
    tell,
)


def main(address: str, credential: str) -> None:
    with Watch() as watch:
        answers = use(address, credential)
    methods = public_methods("MpesaClient", MpesaClient, "mpesa")
    methods |= public_methods("MpesaAsyncClient", MpesaAsyncClient, "mpesa")
    tell(answers | {"driven": watch.driven(methods)})


def use(address: str, credential: str) -> dict[str, Any]:
    """Every API that the client has."""
    shop = Shop(address)
    stk = MpesaClient(KEY, SECRET, SHORTCODE, PASSKEY, base_url=address)
    out = MpesaClient(KEY, SECRET, B2C_SHORTCODE, base_url=address)
    operator: dict[str, Any] = {"initiator_name": INITIATOR, "security_credential": credential}
    pushed = stk.stk_push("0722000101", 7, "INV-7", "Tea", shop.url("/stk"))
    pending = stk.stk_query(pushed.checkout_request_id)
    shop.press(f"/prompts/{pushed.checkout_request_id}", pin="1234")
    sent = out.b2c(
        "0722000102",
        50,
        "Wages",
        callback_url=shop.url("/b2c"),
        queue_timeout_url=shop.url("/late"),
        **operator,
    )
    balance = out.account_balance(shop.url("/balance"), shop.url("/late"), **operator)
    registered = out.c2b_register_urls(shop.url("/c2b/check"), shop.url("/c2b/paid"))
    # The client names a payout by the second it is sent in: two in one are the same to Daraja.
    time.sleep(1)
    shop.press("/phones/0722000103/pay", shortcode=B2C_SHORTCODE, account="A", amount=5, pin="1234")
    return {
        "push": asdict(pushed),
        "pending": asdict(pending),
        "callback": stk.parse_stk_callback(shop.told("/stk")),
        "paid": asdict(stk.stk_query(pushed.checkout_request_id)),
        "b2c": asdict(sent),
        "b2c_result": shop.told("/b2c")["Result"],
        "balance": balance,
        "balance_result": shop.told("/balance")["Result"],
        "registered": registered,
        "validation": shop.told("/c2b/check"),
        "confirmation": shop.told("/c2b/paid"),
        "wrong_secret": complaint(
            lambda: MpesaClient(KEY, "wrong", SHORTCODE, PASSKEY, base_url=address).stk_push(
                "0722000101", 7, "INV-7", callback_url=shop.url("/stk")
            )
        ),
        "wrong_passkey": complaint(
            lambda: MpesaClient(KEY, SECRET, SHORTCODE, "wrong", base_url=address).stk_push(
                "0722000101", 7, "INV-7", callback_url=shop.url("/stk")
            )
        ),
        "async": asyncio.run(asynchronously(address, shop, operator)),
    }


async def asynchronously(address: str, shop: Shop, operator: dict[str, Any]) -> dict[str, Any]:
    stk = MpesaAsyncClient(KEY, SECRET, SHORTCODE, PASSKEY, base_url=address)
    out = MpesaAsyncClient(KEY, SECRET, B2C_SHORTCODE, base_url=address)
    async with stk, out:
        pushed = await stk.stk_push("0722000111", 8, "INV-8", "Tea", shop.url("/astk"))
        pending = await stk.stk_query(pushed.checkout_request_id)
        shop.press(f"/prompts/{pushed.checkout_request_id}", pin="1234")
        sent = await out.b2c(
            "0722000112",
            60,
            "Wages",
            callback_url=shop.url("/ab2c"),
            queue_timeout_url=shop.url("/late"),
            **operator,
        )
        balance = await out.account_balance(shop.url("/abalance"), shop.url("/late"), **operator)
        registered = await out.c2b_register_urls(shop.url("/c2b/check"), shop.url("/c2b/paid"))
    return {
        "push": asdict(pushed),
        "pending": asdict(pending),
        "b2c": asdict(sent),
        "balance": balance,
        "registered": registered,
        "b2c_result": shop.told("/ab2c")["Result"],
        "callback": stk.parse_stk_callback(shop.told("/astk")),
    }


if __name__ == "__main__":
    main(*sys.argv[1:])
