"""C2B: reading what Daraja posts about a paybill, registering addresses, asking about receipts."""

from __future__ import annotations

import hashlib
import logging
import re
from dataclasses import dataclass
from typing import Any, Literal

import requests

from app.mpesa.answers import body_of, error_of, is_refusal, read_code, read_text
from app.mpesa.bodies import Unreadable, clean_text, json_object, read_cents, read_receipt
from app.mpesa.money_out import SHORTCODE, OutSettings
from app.mpesa.out_answers import read_out_answer
from app.mpesa.out_messages import Addresses, OutAnswer, OutNotSent, OutUnanswered
from app.mpesa.transport import NotSent, TokenRefused, Transport

logger = logging.getLogger("payments.mpesa")

ROAD = "c2b"
Version = Literal["v1", "v2"]
ResponseType = Literal["Completed", "Cancelled"]
#: Words that addresses must not hold, in any case (documentation; the first is recorded).
_FORBIDDEN = re.compile(
    r"mpesa|m-pesa|safaricom|exec|exe|cmd|sql|query|ngrok|mockbin|requestbin", re.IGNORECASE
)
_HASHED = re.compile(r"[0-9a-f]{64}")
#: Stands for digits that are not told. Recorded: ``2547 ***** 126``.
_HIDDEN = re.compile(r"\*+")


@dataclass(frozen=True)
class C2bNews:
    """A validation or confirmation as understood. ``amount_cents`` is None where unreadable.

    ``account`` is what the payer typed, as it came. ``msisdn`` is masked by v2 of the registration
    and the SHA-256 of the number by v1 (recorded traffic); it may be plain or blank too.
    """

    transaction_type: str
    receipt: str | None
    amount_cents: int | None
    amount_problem: str | None
    account: str
    msisdn: str
    shortcode: str
    first_name: str


@dataclass(frozen=True)
class Registered:
    """Daraja posts to the addresses from now on."""


@dataclass(frozen=True)
class NotRegistered:
    """Nothing was changed. ``kept``: the shortcode has addresses that only the portal changes."""

    told: str
    kept: bool = False


@dataclass(frozen=True)
class RegistrationUnknown:
    """Nobody knows whether Daraja took the addresses."""

    told: str


RegisterAnswer = Registered | NotRegistered | RegistrationUnknown


def read_c2b(raw: bytes) -> C2bNews:
    """Understand a raw body. Raises Unreadable, never anything else."""
    body = json_object(raw)
    if "TransID" not in body or "TransAmount" not in body:
        raise Unreadable("TransID or TransAmount is missing")
    amount_cents, problem = read_cents(body["TransAmount"])

    def text(name: str, length: int = 64) -> str:
        return (clean_text(body.get(name), length) or "").strip("\x00")

    return C2bNews(
        transaction_type=text("TransactionType"),
        receipt=read_receipt(body["TransID"]),
        amount_cents=amount_cents,
        amount_problem=problem,
        account=text("BillRefNumber"),
        msisdn=text("MSISDN"),
        shortcode=text("BusinessShortCode", 12),
        first_name=text("FirstName"),
    )


def may_be_of(told: str, phone: str) -> bool:
    """Tell whether a payer's number, as C2B tells it, can be this one (twelve digits).

    A hash decides it; a mask or a blank only rules others out.
    """
    told = told.strip()
    if _HASHED.fullmatch(told):
        return told == hashlib.sha256(phone.encode()).hexdigest()
    parts = _HIDDEN.split(told.replace(" ", ""))
    start, end = parts[0].removeprefix("+"), parts[-1] if len(parts) > 1 else ""
    start = f"254{start[1:]}" if start.startswith("0") else start
    return phone.startswith(start) and phone.endswith(end)


def forbidden_word(address: str) -> str | None:
    """Return a word in an address for which Daraja would not register it."""
    found = _FORBIDDEN.search(address)
    return found[0] if found else None


class C2b:
    """One shortcode's requests about its paybill. They move nothing."""

    def __init__(self, root: str, transport: Transport) -> None:
        self._root = root
        self._daraja = transport

    def register(
        self,
        shortcode: str,
        version: Version,
        response_type: ResponseType,
        confirmation_url: str,
        validation_url: str,
    ) -> RegisterAnswer:
        """Ask Daraja to post about the paybill to these addresses."""
        body = {
            "ShortCode": shortcode,
            "ResponseType": response_type,
            "ConfirmationURL": confirmation_url,
            "ValidationURL": validation_url,
        }
        try:
            response = self._daraja.move(
                f"{self._root}/mpesa/c2b/{version}/registerurl", body, ROAD
            )
        except (TokenRefused, NotSent) as error:
            return NotRegistered(str(error))
        except requests.RequestException as error:
            return RegistrationUnknown(f"Daraja did not answer ({type(error).__name__}).")
        answer = _read_registration(response)
        logger.info("C2B register of %s: HTTP %s, %s", shortcode, response.status_code, answer)
        return answer

    def ask_receipt(self, account: OutSettings, receipt: str, addresses: Addresses) -> OutAnswer:
        """Have Daraja tell what became of a receipt of the collecting shortcode.

        The answer comes later, to the addresses. ``account`` brings the initiator.
        """
        body: dict[str, Any] = {
            "Initiator": account.initiator_name,
            "SecurityCredential": account.credential(),
            "CommandID": "TransactionStatusQuery",
            "TransactionID": receipt,
            "PartyA": account.collecting_shortcode,
            "IdentifierType": SHORTCODE,
            "Remarks": "Paybill",
            "QueueTimeOutURL": addresses.timeout_url,
            "ResultURL": addresses.result_url,
            "Occasion": "",
        }
        try:
            url = f"{self._root}/mpesa/transactionstatus/v1/query"
            response = self._daraja.question(url, body, ROAD)
        except TokenRefused as error:
            return OutNotSent("credentials", str(error))
        except NotSent as error:
            return OutNotSent("unreachable", str(error))
        except requests.RequestException as error:
            return OutUnanswered(type(error).__name__)
        return read_out_answer(response)


def _read_registration(response: requests.Response) -> RegisterAnswer:
    """Type the answer. Success comes as "0", "00000000", or with no code at all (recorded)."""
    body = body_of(response)
    code, message = error_of(body)
    lowered = message.lower()
    if "already registered" in lowered or "duplicate notification info" in lowered:
        return NotRegistered(message, kept=True)
    if code:
        told = f"{code} {message}".strip()
        refused = is_refusal(response.status_code) or code.startswith(("4", "500.003"))
        return NotRegistered(told) if refused else RegistrationUnknown(told)
    if response.status_code != 200 or not body:
        return RegistrationUnknown(f"HTTP {response.status_code} without a readable body")
    if read_code(body.get("ResponseCode", "0")).strip("0"):
        return NotRegistered(read_text(body.get("ResponseDescription"), 300) or "refused")
    return Registered()
