"""`mpesakit` against the simulator: `python -m … ADDRESS CREDENTIAL`."""

import asyncio
import sys
import tempfile
from collections.abc import Callable
from typing import Any

from mpesakit.b2c import B2CCommandIDType  # type: ignore[import-not-found]
from mpesakit.mpesa_client import (  # type: ignore[import-not-found]
    AsyncMpesaClient,
    MpesaClient,
)
from mpesakit.security import generate_security_credential  # type: ignore[import-not-found]

from tests.simulator.foreign.common import (
    B2C_SHORTCODE,
    INITIATOR,
    KEY,
    PASSKEY,
    PASSWORD,
    SECRET,
    SHORTCODE,
    Shop,
    complaint,
    tell,
)

Fields = dict[str, Any]


class Requests:
    """The arguments of every call, which the two clients share."""

    def __init__(self, shop: Shop, credential: str, mark: str) -> None:
        self._shop = shop
        self._mark = mark
        self._operator = {"initiator": INITIATOR, "security_credential": credential}
        self.payer, self.payee = f"2547220002{mark}1", f"2547220002{mark}2"

    def path(self, name: str) -> str:
        return f"/{name}{self._mark}"

    def told(self, name: str) -> Any:
        return self._shop.told(self.path(name))

    def _urls(self, name: str) -> Fields:
        return {
            "result_url": self._shop.url(self.path(name)),
            "queue_timeout_url": self._shop.url("/late"),
        }

    def push(self) -> Fields:
        return {
            "business_short_code": int(SHORTCODE),
            "transaction_type": "CustomerPayBillOnline",
            "amount": 7,
            "party_a": self.payer,
            "party_b": SHORTCODE,
            "phone_number": self.payer,
            "callback_url": self._shop.url(self.path("stk")),
            "account_reference": "INV-7",
            "transaction_desc": "Tea",
            "passkey": PASSKEY,
        }

    def query(self, checkout: str) -> Fields:
        return {
            "business_short_code": int(SHORTCODE),
            "checkout_request_id": checkout,
            "passkey": PASSKEY,
        }

    def payout(self) -> Fields:
        return {
            "originator_conversation_id": f"foreign-{self._mark}",
            "initiator_name": INITIATOR,
            "security_credential": self._operator["security_credential"],
            "command_id": B2CCommandIDType.BusinessPayment,
            "amount": 50,
            "party_a": B2C_SHORTCODE,
            "party_b": self.payee,
            "remarks": "Wages",
            **self._urls("b2c"),
        }

    def balance(self, credential: str | None = None, name: str = "balance") -> Fields:
        own = {"security_credential": credential} if credential else {}
        return {
            **self._operator,
            "command_id": "AccountBalance",
            "party_a": int(B2C_SHORTCODE),
            "identifier_type": 4,
            "remarks": "How much",
            **self._urls(name),
            **own,
        }

    def status(self, receipt: str, **more: Any) -> Fields:
        return {
            **self._operator,
            "command_id": "TransactionStatusQuery",
            "transaction_id": receipt,
            "party_a": int(SHORTCODE),
            "identifier_type": 4,
            "remarks": "Where is it",
            **self._urls("status"),
            **more,
        }

    def reversal(self, receipt: str) -> Fields:
        return {
            **self._operator,
            "transaction_id": receipt,
            "amount": 7,
            "receiver_party": int(SHORTCODE),
            "remarks": "Back it goes",
            **self._urls("reversal"),
        }

    def registration(self) -> Fields:
        return {
            "short_code": int(B2C_SHORTCODE),
            "response_type": "Completed",
            "confirmation_url": self._shop.url(self.path("paid")),
            "validation_url": self._shop.url(self.path("check")),
        }

    def picture(self) -> Fields:
        return {
            "merchant_name": "TEST SUPERMARKET",
            "ref_no": "Invoice Test",
            "amount": 1,
            "trx_code": "BG",
            "cpi": "373132",
            "size": "300",
        }


def main(address: str, credential: str) -> None:
    shop = Shop(address)
    asked = Requests(shop, credential, "1")
    client = client_at(address)
    answers = use(client, shop, asked)
    answers["callbacks"] = read(client, asked)
    own = own_credential(shop)
    client.balance.query(**asked.balance(own, "own"))
    answers["own_credential"] = asked.told("own")["Result"]["ResultCode"]
    wrong = client_at(address, "wrong")
    answers["wrong_secret"] = complaint(lambda: wrong.stk_push(**asked.push()))
    answers["again"] = complaint(lambda: client.b2c.send_payment(**asked.payout()))
    answers["async"] = asyncio.run(asynchronously(address, shop, credential))
    tell(answers)


def client_at(address: str, secret: str = SECRET) -> Any:
    client = MpesaClient(KEY, secret)
    client.http_client.base_url = address
    return client


def use(client: Any, shop: Shop, asked: Requests) -> dict[str, Any]:
    """Every API that the client and the simulator have in common, in the order of a day."""
    answers: dict[str, Any] = {}

    def note(name: str, answer: Any) -> Any:
        answers[name] = answer.model_dump() | {"successful": answer.is_successful()}
        return answer

    pushed = note("push", client.stk_push(**asked.push()))
    note("pending", client.stk_query(**asked.query(pushed.CheckoutRequestID)))
    shop.press(f"/prompts/{pushed.CheckoutRequestID}", pin="1234")
    receipt = receipt_of(asked.told("stk"))
    note("paid", client.stk_query(**asked.query(pushed.CheckoutRequestID)))
    note("b2c", client.b2c.send_payment(**asked.payout()))
    note("balance", client.balance.query(**asked.balance()))
    note("status", client.transactions.query_status(**asked.status(receipt)))
    note("reversal", client.reversal.reverse(**asked.reversal(receipt)))
    note("registered", client.c2b.register_url(**asked.registration()))
    pay_by_hand(shop, asked)
    note("picture", client.dynamic_qr.generate(**asked.picture()))
    return answers


async def asynchronously(address: str, shop: Shop, credential: str) -> dict[str, Any]:
    asked, answers = Requests(shop, credential, "2"), {}
    async with AsyncMpesaClient(KEY, SECRET) as client:
        client.http_client.base_url = address
        client.http_client._client.base_url = address
        pushed = await client.stk_push(**asked.push())
        shop.press(f"/prompts/{pushed.CheckoutRequestID}", pin="1234")
        receipt = receipt_of(asked.told("stk"))
        calls = {
            "paid": client.stk_query(**asked.query(pushed.CheckoutRequestID)),
            "b2c": client.b2c.send_payment(**asked.payout()),
            "balance": client.balance.query(**asked.balance()),
            "status": client.transactions.query_status(**asked.status(receipt)),
            "reversal": client.reversal.reverse(**asked.reversal(receipt)),
            "registered": client.c2b.register_url(**asked.registration()),
            "picture": client.dynamic_qr.generate(**asked.picture()),
        }
        for name, call in calls.items():
            answers[name] = (await call).is_successful()
    for name in ("b2c", "balance", "status", "reversal"):
        answers[f"{name}_result"] = asked.told(name)["Result"]["ResultCode"]
    return answers


def pay_by_hand(shop: Shop, asked: Requests) -> None:
    pay = {"shortcode": B2C_SHORTCODE, "account": "A", "amount": 5, "pin": "1234"}
    shop.press(f"/phones/{asked.payer}/pay", **pay)


def receipt_of(callback: dict[str, Any]) -> str:
    items = callback["Body"]["stkCallback"]["CallbackMetadata"]["Item"]
    return str(next(i["Value"] for i in items if i["Name"] == "MpesaReceiptNumber"))


def read(client: Any, asked: Requests) -> dict[str, Any]:
    """What the client's own schemas make of every callback, and each callback as it came."""
    from mpesakit.c2b.schemas import C2BValidationRequest  # type: ignore[import-not-found]

    readers: dict[str, Callable[[Any], Any]] = {
        "stk": client.process_stk_callback,
        "b2c": client.process_b2c_callback,
        "balance": client.process_account_balance_callback,
        "status": client.process_transactions_callback,
        "reversal": client.process_reversal_callback,
        "check": C2BValidationRequest.model_validate,
        "paid": C2BValidationRequest.model_validate,
    }
    seen = {}
    for name, reader in readers.items():
        body = asked.told(name)
        seen[name] = {"body": body, "complaint": complaint(lambda r=reader, b=body: r(b))}  # type: ignore[misc]
    return seen


def own_credential(shop: Shop) -> str:
    """What the client makes of the simulator's certificate and the operator's password."""
    with tempfile.NamedTemporaryFile(suffix=".cer") as file:
        file.write(shop.certificate())
        file.flush()
        return str(generate_security_credential(PASSWORD, file.name))


if __name__ == "__main__":
    main(*sys.argv[1:])
