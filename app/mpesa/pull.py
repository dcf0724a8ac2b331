"""PullTransactions: what customers paid to a shortcode in the last 48 hours, asked of Daraja.

The paths carry no ``/mpesa`` (documentation). It works only where Safaricom has switched it on
for the shortcode, which in effect means production with a live paybill.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import requests

from app.core.clock import NAIROBI, nairobi
from app.mpesa.answers import body_of
from app.mpesa.transport import NotSent, TokenRefused, Transport

logger = logging.getLogger("payments.mpesa")

#: How far back Daraja tells, and how many rows at a time (documentation).
WINDOW = timedelta(hours=48)
PAGE = 100
#: Ten thousand rows in 48 hours; more of them come by a statement.
MOST_PAGES = 100
#: A road of its own: a pull that is refused closes nothing for prompts.
ROAD = "pull"
_FOUND, _NONE = "1000", "1001"


class PullRefused(Exception):
    """Daraja does not tell. The message says why, in words for people."""


@dataclass(frozen=True)
class Pulled:
    """One payment as Daraja tells it. ``at`` is UTC, ``amount`` are shillings as they came."""

    receipt: str
    at: datetime
    amount: Decimal
    msisdn: str
    account: str
    kind: str


class PullTransactions:
    """Asks for a shortcode's payments. Nothing it does moves money."""

    def __init__(self, transport: Transport, root: str, shortcode: str) -> None:
        self._daraja = transport
        self._root = root
        self._shortcode = shortcode

    def register(self, nominated_number: str, callback_url: str) -> str:
        """Prepare the shortcode for questions; return what Daraja says. Raises PullRefused.

        ``nominated_number`` is twelve digits. Nothing was ever seen to be posted to the address,
        which Daraja wants all the same. One that is registered already is as good.
        """
        body = {
            "ShortCode": self._shortcode,
            "RequestType": "Pull",
            "NominatedNumber": nominated_number,
            "CallBackURL": callback_url,
        }
        answer = self._ask("register", body)
        # Some copies of the documentation write the key with a space.
        status = str(answer.get("ResponseStatus", answer.get("Response Status", "")))
        said = str(answer.get("ResponseDescription", ""))[:200]
        if status not in (_FOUND, _NONE):
            raise PullRefused(f"Daraja did not register the shortcode: {said or status or '?'}.")
        return said

    def pages(self, since: datetime, until: datetime) -> Iterator[list[dict[str, Any]]]:
        """Yield what was paid between two moments, a page at a time. Raises PullRefused."""
        for number in range(MOST_PAGES):
            body = {
                "ShortCode": self._shortcode,
                "StartDate": _told(since),
                "EndDate": _told(until),
                "OffSetValue": str(number * PAGE),
            }
            rows = _rows_in(self._ask("query", body))
            if rows:
                yield rows
            if len(rows) < PAGE:
                return
        raise PullRefused(
            f"There are more than {MOST_PAGES * PAGE:,} payments in this time. Send the statement "
            "as a file instead."
        )

    def _ask(self, what: str, body: dict[str, Any]) -> Mapping[str, Any]:
        url = f"{self._root}/pulltransactions/v1/{what}"
        try:
            response = self._daraja.question(url, body, ROAD)
        except (TokenRefused, NotSent) as error:
            raise PullRefused(f"Daraja could not be asked: {error}.") from error
        except requests.RequestException as error:
            raise PullRefused(f"Daraja did not answer ({type(error).__name__}).") from error
        answer = body_of(response)
        logger.info("pull %s: HTTP %s", what, response.status_code)
        said = str(answer.get("errorMessage", ""))[:200]
        if "apiproduct" in said:
            raise PullRefused(
                "This shortcode's app has no right to pull transactions. Ask Safaricom for it, or "
                "send the statement as a file."
            )
        if response.status_code != 200 or "errorCode" in answer or not answer:
            raise PullRefused(
                f"Daraja does not tell (HTTP {response.status_code}{': ' if said else ''}{said})."
            )
        return answer


def read_pulled(row: dict[str, Any]) -> Pulled:
    """Read one row of a page. Raises ValueError saying what cannot be read."""
    receipt, amount = str(row.get("transactionId", "")).strip().upper(), row.get("amount")
    if not (receipt.isascii() and receipt.isalnum() and 6 <= len(receipt) <= 20):
        raise ValueError("a payment has no readable transactionId")
    try:
        shillings = Decimal(str(amount).replace(",", ""))
    except ArithmeticError as error:
        raise ValueError(f"{receipt} has no readable amount") from error
    if not shillings.is_finite() or shillings <= 0:
        raise ValueError(f"{receipt} has no readable amount")
    return Pulled(
        receipt=receipt,
        at=_moment(receipt, row.get("trxDate")),
        amount=shillings,
        msisdn=_msisdn(row.get("msisdn")),
        account=str(row.get("billreference") or "")[:40],
        kind=str(row.get("transactiontype") or "")[:60],
    )


def _rows_in(answer: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Take the rows out of the array inside an array that they come in (documentation)."""
    if str(answer.get("ResponseCode")) == _NONE:
        return []
    outer = answer.get("Response")
    if str(answer.get("ResponseCode")) != _FOUND or not isinstance(outer, list):
        said = str(answer.get("ResponseMessage", ""))[:200]
        raise PullRefused(f"Daraja does not tell: {said or 'its answer cannot be read'}.")
    inner = outer[0] if outer and isinstance(outer[0], list) else outer
    return [row for row in inner if isinstance(row, dict)]


def _told(moment: datetime) -> str:
    return nairobi(moment).strftime("%Y-%m-%d %H:%M:%S")


def _moment(receipt: str, written: object) -> datetime:
    """Read ``2020-08-05T10:13:00Z``. Its Z is doubtful: every other time of Daraja's is Nairobi's
    and carries no zone, so this one is read as Nairobi's too.
    """
    text = str(written or "").strip().removesuffix("Z").replace("T", " ")[:19]
    try:
        read = datetime.strptime(text, "%Y-%m-%d %H:%M:%S")  # noqa: DTZ007
        return read.replace(tzinfo=NAIROBI).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise ValueError(f"{receipt} has no readable trxDate") from error


def _msisdn(written: object) -> str:
    """Put the country's code back before a number that came without it."""
    digits = "".join(mark for mark in str(written or "") if mark.isdigit() or mark == "*")
    return f"254{digits}" if len(digits) == 9 else digits
