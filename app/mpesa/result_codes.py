"""Published STK push result codes, as data.

The facts only: what a code says on the wire, how the payment ended, and whether asking the
payer again can help. Sentences for shoppers live with the pages that speak to them.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, Literal

Outcome = Literal["paid", "cancelled", "timed_out", "declined", "not_final"]
Source = Literal["recorded traffic", "Safaricom documentation", "third parties", "unknown"]


@dataclass(frozen=True, slots=True)
class ResultCode:
    """One row of the table.

    `code` is the wire value as text: Daraja sends a number in callbacks, a string in queries,
    and a string in both for codes such as ``E3008`` (seen in recorded traffic).
    `description` is the `ResultDesc` of the callback. `retry_helps` says whether a new prompt,
    at the payer's wish, can succeed. `source` is how the row is known.
    """

    code: str
    description: str
    outcome: Outcome
    retry_helps: bool
    source: Source


_ROWS: Final = (
    ResultCode(
        "0",
        "The service request is processed successfully.",
        "paid",
        False,
        "recorded traffic",
    ),
    ResultCode(
        "1",
        "The balance is insufficient for the transaction.",
        "declined",
        True,
        "recorded traffic",
    ),
    ResultCode(
        "2",
        "Declined due to limit rule: less than the minimum transaction amount.",
        "declined",
        False,
        "Safaricom documentation",
    ),
    ResultCode(
        "3",
        "Declined due to limit rule: greater than the maximum transaction amount.",
        "declined",
        False,
        "Safaricom documentation",
    ),
    ResultCode(
        "4",
        "Declined due to limit rule: would exceed daily transfer limit.",
        "declined",
        False,
        "Safaricom documentation",
    ),
    ResultCode(
        "8",
        "Declined due to limit rule: would exceed the maximum balance.",
        "declined",
        False,
        "Safaricom documentation",
    ),
    ResultCode("17", "Rule limited.", "declined", False, "Safaricom documentation"),
    ResultCode(
        "26",
        "System busy. The service request is rejected.",
        "declined",
        True,
        "recorded traffic",
    ),
    ResultCode(
        "1001",
        "Unable to lock subscriber, a transaction is already in process for the current subscriber",
        "declined",
        True,
        "recorded traffic",
    ),
    ResultCode("1019", "Transaction has expired.", "timed_out", True, "recorded traffic"),
    ResultCode(
        "1025",
        "An error occurred while sending a push request.",
        "declined",
        True,
        "Safaricom documentation",
    ),
    ResultCode("1031", "Request cancelled by user", "cancelled", True, "third parties"),
    ResultCode("1032", "Request cancelled by user", "cancelled", True, "recorded traffic"),
    ResultCode("1036", "SMSC ACK timeout.", "declined", True, "recorded traffic"),
    ResultCode("1037", "No response from user.", "timed_out", True, "recorded traffic"),
    ResultCode(
        "2001",
        "The initiator information is invalid.",
        "declined",
        True,
        "recorded traffic",
    ),
    ResultCode(
        "2002",
        "Agent number and Store number do not match",
        "declined",
        False,
        "third parties",
    ),
    ResultCode(
        "2028",
        "The request is not permitted according to product assignment.",
        "declined",
        False,
        "Safaricom documentation",
    ),
    ResultCode(
        "4999",
        "The transaction is still under processing",
        "not_final",
        False,
        "recorded traffic",
    ),
    ResultCode(
        "8006",
        "The security credential is locked.",
        "declined",
        False,
        "Safaricom documentation",
    ),
    ResultCode(
        "9999",
        "An error occurred while sending a push request.",
        "declined",
        True,
        "third parties",
    ),
    ResultCode(
        "E3008",
        "Error, the user has a bad debt contract.",
        "declined",
        False,
        "recorded traffic",
    ),
    ResultCode(
        "SFC_IC0003",
        "The operator does not exist.",
        "declined",
        False,
        "Safaricom documentation",
    ),
)

#: Which of Daraja's services says a code: the same number means different things.
Api = Literal["stk", "b2c"]

#: Integration guides' words for the codes that people meet most. Their 2001 is right of a payout;
#: of a prompt it is a wrong PIN (recorded traffic).
_MEANINGS: Final[Mapping[tuple[Api, str], str]] = MappingProxyType(
    {
        ("stk", "0"): "Success",
        ("stk", "1"): "Insufficient funds",
        ("stk", "1032"): "User cancelled transaction",
        ("stk", "1037"): "Timeout - user didn't enter PIN",
        ("stk", "2001"): "Wrong PIN",
        ("b2c", "0"): "Success",
        ("b2c", "1"): "Insufficient funds",
        ("b2c", "2001"): "Invalid initiator credentials",
    }
)

STK_RESULTS: Final[Mapping[str, ResultCode]] = MappingProxyType({row.code: row for row in _ROWS})


def stk_result(code: object) -> ResultCode:
    """Look a code up, whatever type it came in; never raises.

    A code that is not in the table is declined for an unknown reason: Daraja's final answers
    are open-ended, and a final answer other than 0 moved no money.
    """
    text = str(code).strip()
    return STK_RESULTS.get(text) or ResultCode(
        text, "Unknown result code.", "declined", False, "unknown"
    )


def meaning(api: Api, code: str | None) -> str | None:
    """Say in a guide's few words what a code means; None for one that guides leave out."""
    return _MEANINGS.get((api, code or ""))
