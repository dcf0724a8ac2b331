"""The arguments of every call of `mpesakit`, which its two clients share."""

from typing import Any

from mpesakit.b2c import B2CCommandIDType  # type: ignore[import-not-found]
from mpesakit.mpesa_ratiba.schemas import (  # type: ignore[import-not-found]
    FrequencyEnum,
    ReceiverPartyIdentifierTypeEnum,
    TransactionTypeEnum,
)

from tests.simulator.foreign.common import B2C_SHORTCODE, INITIATOR, PASSKEY, SHORTCODE, Shop

Fields = dict[str, Any]
SUPPLIER = "600777"
TILL = "600345"
TILL_OPERATOR = "254700600345"


class Requests:
    """`mark` sets the phones and paths of one client apart from those of the other."""

    def __init__(self, shop: Shop, credential: str, mark: str) -> None:
        self._shop = shop
        self._mark = mark
        self._operator = {"initiator": INITIATOR, "security_credential": credential}
        self.payer, self.payee = f"2547220002{mark}1", f"2547220002{mark}2"
        self.standing_payer = f"2547220002{mark}3"

    def path(self, name: str) -> str:
        return f"/{name}{self._mark}"

    def told(self, name: str) -> Any:
        return self._shop.told(self.path(name))

    def told_late(self) -> Any:
        """What came to the address of queues that time out."""
        return self._shop.told("/late")

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

    def business(self, name: str, **more: Any) -> Fields:
        """A payment to another shop; `name` is that of the path where its result comes."""
        return {
            **self._operator,
            "amount": 10,
            "party_a": int(B2C_SHORTCODE),
            "party_b": int(SUPPLIER),
            "account_reference": "INV-19008",
            "requester": self.payer,
            "remarks": "Flour",
            **self._urls(name),
            **more,
        }

    def tax(self) -> Fields:
        own = self.business("tax")
        return {name: own[name] for name in own if name not in ("party_b", "requester")}

    def till_push(self) -> Fields:
        return {
            "primary_short_code": TILL,
            "receiver_short_code": SHORTCODE,
            "amount": 5,
            "payment_ref": "INV-71",
            "callback_url": self._shop.url(self.path("till")),
            "partner_name": "Vendor Ltd",
            "request_ref_id": f"foreign-{self._mark}",
        }

    def standing_order(self) -> Fields:
        paybill = TransactionTypeEnum.STANDING_ORDER_CUSTOMER_PAY_BILL
        return {
            "standing_order_name": "Rent",
            "start_date": "20261201",
            "end_date": "2027-12-01",
            "business_short_code": B2C_SHORTCODE,
            "transaction_type": paybill,
            "receiver_party_identifier_type": ReceiverPartyIdentifierTypeEnum.BUSINESS_SHORT_CODE,
            "amount": "45",
            "party_a": self.standing_payer,
            "callback_url": self._shop.url(self.path("standing")),
            "account_reference": "HOUSE-7",
            "transaction_desc": "Rent",
            "frequency": FrequencyEnum.MONTHLY,
        }

    def biller(self) -> Fields:
        return {
            "shortcode": int(B2C_SHORTCODE),
            "email": "bills@duka.co.ke",
            "official_contact": "0710123456",
            "send_reminders": 1,
            "logo": None,
            "callback_url": self._shop.url(self.path("bill")),
        }

    def invoice(self, reference: str) -> Fields:
        return {
            "external_reference": f"{reference}-{self._mark}",
            "billed_full_name": "John Doe",
            "billed_phone_number": self.payer,
            "billed_period": "August 2026",
            "invoice_name": "School fees",
            "due_date": "2026-12-15",
            "account_reference": f"{reference}-{self._mark}",
            "amount": 800,
        }
