"""`mpesakit` against the simulator: `python -m … ADDRESS CREDENTIAL`."""

import asyncio
import inspect
import sys
import tempfile
from collections.abc import Callable
from typing import Any

from mpesakit.b2c_account_top_up import B2CAccountTopUpCallback  # type: ignore[import-not-found]
from mpesakit.bill_manager import (  # type: ignore[import-not-found]
    BillManagerSingleInvoiceRequest,
)
from mpesakit.business_buy_goods import (  # type: ignore[import-not-found]
    BusinessBuyGoodsResultCallback,
)
from mpesakit.business_paybill import (  # type: ignore[import-not-found]
    BusinessPayBillResultCallback,
)
from mpesakit.mpesa_client import (  # type: ignore[import-not-found]
    AsyncMpesaClient,
    MpesaClient,
)
from mpesakit.security import generate_security_credential  # type: ignore[import-not-found]

from tests.simulator.foreign.common import (
    B2C_SHORTCODE,
    KEY,
    PASSWORD,
    SECRET,
    Shop,
    Watch,
    complaint,
    public_methods,
    tell,
)
from tests.simulator.foreign.mpesakit_requests import TILL, TILL_OPERATOR, Fields, Requests

Note = Callable[[str, Any], Any]
#: Requests that are answered by a result.
RESULTS = ("b2c", "balance", "status", "reversal", "paybill", "buygoods", "topup", "tax")


def main(address: str, credential: str) -> None:
    with Watch() as watch:
        answers = use_all(address, credential)
    tell(answers | {"driven": watch.driven(methods_of(MpesaClient) | methods_of(AsyncMpesaClient))})


def methods_of(client_class: Any) -> dict[str, Any]:
    """What the client lets others call: its own methods, and those of every part that it has."""
    found = public_methods(client_class.__name__, client_class, "mpesakit")
    for part in vars(client_class(KEY, SECRET)).values():
        if inspect.ismethod(part):
            # An alias of a method of one of the parts.
            continue
        found |= public_methods(type(part).__name__, type(part), "mpesakit")
    return found


def use_all(address: str, credential: str) -> dict[str, Any]:
    shop = Shop(address)
    asked = Requests(shop, credential, "1")
    client = client_at(address)
    answers = use(client, shop, asked)
    answers["callbacks"] = read(client, asked, answers)
    own = own_credential(shop)
    client.balance.query(**asked.balance(own, "own"))
    answers["own_credential"] = asked.told("own")["Result"]["ResultCode"]
    wrong = client_at(address, "wrong")
    answers["wrong_secret"] = complaint(lambda: wrong.stk_push(**asked.push()))
    answers["again"] = complaint(lambda: client.b2c.send_payment(**asked.payout()))
    answers["async"] = asyncio.run(asynchronously(address, shop, credential))
    answers["ledger"] = shop.look("/ledger")["money_out"]
    client.http_client.close()
    return answers


def client_at(address: str, secret: str = SECRET) -> Any:
    client = MpesaClient(KEY, secret)
    client.http_client.base_url = address
    return client


def use(client: Any, shop: Shop, asked: Requests) -> dict[str, Any]:
    """Every API of the client, in the order of a day."""
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
    shop.press("/scenarios", on={"next": True}, scenario="ask_queue_time_out", api="balance")
    client.balance.query(**asked.balance(name="unasked"))
    note("status", client.transactions.query_status(**asked.status(receipt)))
    note("reversal", client.reversal.reverse(**asked.reversal(receipt)))
    note("registered", client.c2b.register_url(**asked.registration()))
    pay_by_hand(shop, asked)
    note("picture", client.dynamic_qr.generate(**asked.picture()))
    use_between_shops(client, shop, asked, note)
    use_standing_order(client, shop, asked, note)
    use_bill_manager(client, shop, asked, note)
    return answers


def use_between_shops(client: Any, shop: Shop, asked: Requests, note: Note) -> None:
    shop.press(f"/shortcodes/{B2C_SHORTCODE}", working=1_000)
    shop.press(f"/shortcodes/{TILL}", working=1_000)
    note("paybill", client.b2b.paybill(**asked.business("paybill")))
    note("buygoods", client.b2b.buygoods(**asked.business("buygoods"), occassion=""))
    note("topup", client.b2c.account_topup(**asked.business("topup")))
    note("tax", client.tax.remittance(**asked.tax()))
    note("till", client.b2b.express_checkout(**asked.till_push()))
    answer_prompt(shop, TILL_OPERATOR)
    asked.told("till")


def use_standing_order(client: Any, shop: Shop, asked: Requests, note: Note) -> None:
    note("standing", client.ratiba.create_standing_order(**asked.standing_order()))
    answer_prompt(shop, asked.standing_payer)
    refused = asked.standing_order() | {"callback_url": shop.url(asked.path("refused"))}
    client.ratiba.create_standing_order(**refused)


def use_bill_manager(client: Any, shop: Shop, asked: Requests, note: Note) -> None:
    bill = client.bill
    # As the client has it: the key of the opt-in is put in its place by hand.
    bill.bill_manager.app_key = note("optin", bill.opt_in(**asked.biller())).app_key
    note("change", bill.update_opt_in(**asked.biller()))
    note("invoice", bill.send_single_invoice(**asked.invoice("one")))
    several = [BillManagerSingleInvoiceRequest(**invoice_body(asked.invoice(r))) for r in "ab"]
    note("invoices", bill.send_bulk_invoice(several))
    account = asked.invoice("one")["account_reference"]
    pay = {"shortcode": B2C_SHORTCODE, "account": account, "amount": 800, "pin": "1234"}
    shop.press(f"/phones/{asked.payer}/pay", **pay)
    references = [asked.invoice(r)["external_reference"] for r in "ab"]
    note("cancelled", bill.cancel_single_invoice(references[0]))
    note("all_cancelled", bill.cancel_bulk_invoice(references[1:]))


async def asynchronously(address: str, shop: Shop, credential: str) -> dict[str, Any]:
    asked, answers = Requests(shop, credential, "2"), {}
    client = AsyncMpesaClient(KEY, SECRET)
    client.http_client.base_url = address
    client.http_client._client.base_url = address
    pushed = await client.stk_push(**asked.push())
    shop.press(f"/prompts/{pushed.CheckoutRequestID}", pin="1234")
    receipt = receipt_of(asked.told("stk"))
    shop.press(f"/shortcodes/{B2C_SHORTCODE}", working=1_000)
    shop.press(f"/shortcodes/{TILL}", working=1_000)
    calls = {
        "paid": client.stk_query(**asked.query(pushed.CheckoutRequestID)),
        "b2c": client.b2c.send_payment(**asked.payout()),
        "balance": client.balance.query(**asked.balance()),
        "status": client.transactions.query_status(**asked.status(receipt)),
        "reversal": client.reversal.reverse(**asked.reversal(receipt)),
        "registered": client.c2b.register_url(**asked.registration()),
        "picture": client.dynamic_qr.generate(**asked.picture()),
        "paybill": client.b2b.paybill(**asked.business("paybill")),
        "buygoods": client.b2b.buygoods(**asked.business("buygoods"), occassion=""),
        "topup": client.b2c.account_topup(**asked.business("topup")),
        "tax": client.tax.remittance(**asked.tax()),
        "till": client.b2b.express_checkout(**asked.till_push()),
        "standing": client.ratiba.create_standing_order(**asked.standing_order()),
    }
    for name, call in calls.items():
        answers[name] = (await call).is_successful()
    answers |= await asynchronous_bills(client.bill, asked)
    answer_prompt(shop, TILL_OPERATOR)
    for name in RESULTS:
        answers[f"{name}_result"] = asked.told(name)["Result"]["ResultCode"]
    await client.aclose()
    await client.http_client.aclose()
    return answers


async def asynchronous_bills(bill: Any, asked: Requests) -> dict[str, Any]:
    opted = await bill.opt_in(**asked.biller())
    bill.bill_manager.app_key = opted.app_key
    several = [BillManagerSingleInvoiceRequest(**invoice_body(asked.invoice(r))) for r in "ab"]
    references = [invoice.externalReference for invoice in several]
    calls = {
        "change": bill.update_opt_in(**asked.biller()),
        "invoice": bill.send_single_invoice(**asked.invoice("one")),
        "invoices": bill.send_bulk_invoice(several),
        "cancelled": bill.cancel_single_invoice(references[0]),
        "all_cancelled": bill.cancel_bulk_invoice(references[1:]),
    }
    told = {name: (await call).is_successful() for name, call in calls.items()}
    return {"optin": opted.is_successful(), **told}


def answer_prompt(shop: Shop, msisdn: str) -> None:
    """Enter the PIN of whatever the phone asks."""
    prompt = shop.look(f"/phones/{msisdn}")["prompts"][0]["checkout_request_id"]
    shop.press(f"/prompts/{prompt}", pin="1234")


def invoice_body(fields: Fields) -> Fields:
    """The arguments of one invoice as the client's schema of several has them."""

    def camel(name: str) -> str:
        first, *rest = name.split("_")
        return first + "".join(word.capitalize() for word in rest)

    return {camel(name): value for name, value in fields.items()}


def pay_by_hand(shop: Shop, asked: Requests) -> None:
    pay = {"shortcode": B2C_SHORTCODE, "account": "A", "amount": 5, "pin": "1234"}
    shop.press(f"/phones/{asked.payer}/pay", **pay)


def receipt_of(callback: dict[str, Any]) -> str:
    items = callback["Body"]["stkCallback"]["CallbackMetadata"]["Item"]
    return str(next(i["Value"] for i in items if i["Name"] == "MpesaReceiptNumber"))


def read(client: Any, asked: Requests, answers: dict[str, Any]) -> dict[str, Any]:
    """What the client's own schemas make of every callback, and each callback as it came."""
    from mpesakit.c2b.schemas import C2BValidationRequest  # type: ignore[import-not-found]

    readers: dict[str, Callable[[Any], Any]] = {
        "stk": client.process_stk_callback,
        "till": client.process_b2b_callback,
        "tax": client.process_tax_remittance_callback,
        "standing": client.process_ratiba_service_callback,
        "refused": client.process_ratiba_service_callback,
        "bill": client.process_bill_manager_callback,
        "paybill": BusinessPayBillResultCallback.model_validate,
        "buygoods": BusinessBuyGoodsResultCallback.model_validate,
        "topup": B2CAccountTopUpCallback.model_validate,
        "b2c": client.process_b2c_callback,
        "balance": client.process_account_balance_callback,
        "status": client.process_transactions_callback,
        "reversal": client.process_reversal_callback,
        "check": C2BValidationRequest.model_validate,
        "paid": C2BValidationRequest.model_validate,
    }
    seen = {}
    bodies = {name: asked.told(name) for name in readers}
    # What comes in place of a callback, or is no callback but the answer to a request.
    bodies["late"] = asked.told_late()
    readers["late"] = client.process_account_balance_timeout
    bodies |= {"paid_answer": answers["paid"], "picture_answer": answers["picture"]}
    readers["paid_answer"] = client.process_stk_query_callback
    readers["picture_answer"] = client.process_dynamic_qr_code_callback
    for name, reader in readers.items():
        body = bodies[name]
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
