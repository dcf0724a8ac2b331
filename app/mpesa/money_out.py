"""MoneyOut: one shortcode's requests to Daraja that pay, take back, or ask how that went."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

import requests

from app.mpesa.messages import plain
from app.mpesa.out_answers import read_out_answer
from app.mpesa.out_messages import (
    Addresses,
    B2cPayment,
    OutAnswer,
    OutNotSent,
    OutUnanswered,
    Reversal,
    StatusQuestion,
)
from app.mpesa.transport import NotSent, TokenRefused, Transport

logger = logging.getLogger("payments.mpesa")

#: Money out has a breaker of its own: prompts go on while it is open.
ROAD = "b2c"
REMARKS_LENGTH = 100
SHORTCODE = "4"
#: The only identifier type that reversals take (documentation).
REVERSED_SHORTCODE = "11"
Version = Literal["v1", "v3"]


@dataclass(frozen=True)
class OutSettings:
    """Who pays, and at which addresses. The credential is made anew for every request."""

    shortcode: str
    #: Which shortcode took what is taken back.
    collecting_shortcode: str
    initiator_name: str
    credential: Callable[[], str] = field(repr=False)
    root: str
    version: Version
    command: str


class MoneyOut:
    """Speak to Daraja about money going out. Nothing is ever sent twice by itself.

    Whatever Daraja answers, or fails to answer, comes back as a type of out_messages.py.
    """

    def __init__(self, settings: OutSettings, transport: Transport) -> None:
        self.settings = settings
        self._daraja = transport

    def pay(self, payment: B2cPayment) -> OutAnswer:
        """Ask Daraja to pay a phone."""
        body = {
            "InitiatorName": self.settings.initiator_name,
            "SecurityCredential": self.settings.credential(),
            "CommandID": self.settings.command,
            "Amount": payment.amount,
            "PartyA": self.settings.shortcode,
            "PartyB": payment.phone,
            "Remarks": remarks_of(payment.remarks),
            "QueueTimeOutURL": payment.addresses.timeout_url,
            "ResultURL": payment.addresses.result_url,
            "Occassion": plain(payment.originator_id),
        }
        if self.settings.version == "v3":
            body["OriginatorConversationID"] = payment.originator_id
        return self._ask(f"/mpesa/b2c/{self.settings.version}/paymentrequest", body, moves=True)

    def reverse(self, reversal: Reversal) -> OutAnswer:
        """Ask Daraja to give a payment back to its payer. It knows no id of ours."""
        body = self._question("TransactionReversal", reversal.remarks, reversal.addresses) | {
            "TransactionID": reversal.receipt,
            "Amount": reversal.amount,
            "ReceiverParty": self.settings.collecting_shortcode,
            # Misspelt by Daraja itself.
            "RecieverIdentifierType": REVERSED_SHORTCODE,
        }
        return self._ask("/mpesa/reversal/v1/request", body, moves=True)

    def ask_status(self, question: StatusQuestion) -> OutAnswer:
        """Have Daraja look a request up; its answer comes to the question's own address."""
        body = self._question("TransactionStatusQuery", question.remarks, question.addresses)
        of = self.settings.collecting_shortcode if question.is_reversal else self.settings.shortcode
        body |= _account(of) | {"OriginalConversationID": question.originator_id}
        return self._ask("/mpesa/transactionstatus/v1/query", body, moves=False)

    def ask_balance(self, addresses: Addresses) -> OutAnswer:
        """Have Daraja tell what the shortcode's accounts hold; the answer comes later."""
        body = self._question("AccountBalance", "Balance", addresses)
        body |= _account(self.settings.shortcode)
        return self._ask("/mpesa/accountbalance/v1/query", body, moves=False)

    def _question(self, command: str, remarks: str, addresses: Addresses) -> dict[str, Any]:
        return {
            "Initiator": self.settings.initiator_name,
            "SecurityCredential": self.settings.credential(),
            "CommandID": command,
            "Remarks": remarks_of(remarks),
            "QueueTimeOutURL": addresses.timeout_url,
            "ResultURL": addresses.result_url,
            "Occasion": "",
        }

    def _ask(self, path: str, body: dict[str, Any], *, moves: bool) -> OutAnswer:
        url = f"{self.settings.root}{path}"
        send = self._daraja.move if moves else self._daraja.question
        try:
            response = send(url, body, ROAD)
        except TokenRefused as error:
            return OutNotSent("credentials", str(error))
        except NotSent as error:
            return OutNotSent(
                "throttled" if error.kind == "throttled" else "unreachable", str(error)
            )
        except requests.RequestException as error:
            logger.warning("%s: no answer (%s)", body["CommandID"], type(error).__name__)
            return OutUnanswered(type(error).__name__)
        answer = read_out_answer(response)
        logger.info("%s: HTTP %s, %s", body["CommandID"], response.status_code, answer)
        return answer


def _account(shortcode: str) -> dict[str, Any]:
    return {"PartyA": shortcode, "IdentifierType": SHORTCODE}


def remarks_of(text: str) -> str:
    """Return a text as Remarks takes it: 2 to 100 plain characters (documentation)."""
    cleaned = plain(text)[:REMARKS_LENGTH].strip()
    return cleaned if len(cleaned) > 1 else "Payment"
