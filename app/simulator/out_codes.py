"""Result codes of the asynchronous APIs, with the `ResultDesc` that goes with each on the wire."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

SUCCESS: Final = "0"
INSUFFICIENT_FUNDS: Final = "1"
BELOW_MINIMUM: Final = "2"
ABOVE_MAXIMUM: Final = "3"
ABOVE_MAXIMUM_BALANCE: Final = "8"
INVALID_PARAMETER: Final = "25"
INVALID_INITIATOR: Final = "2001"
UNKNOWN_RECEIPT: Final = "2032"
ALREADY_REVERSED: Final = "R000001"
INVALID_ORIGINAL: Final = "R000002"

_LIMIT: Final = "Declined due to limit rule: "

# Published by Safaricom on its pages about B2C, reversals and balances, but for 2032 (recorded in
# the sandbox, September and October 2026) and TP40153 (told by one who runs it in production).
OUT_RESULTS: Final[Mapping[str, str]] = MappingProxyType(
    {
        SUCCESS: "The service request is processed successfully.",
        INSUFFICIENT_FUNDS: "The balance is insufficient for the transaction.",
        BELOW_MINIMUM: f"{_LIMIT}less than the minimum transaction amount.",
        ABOVE_MAXIMUM: f"{_LIMIT}greater than the maximum transaction amount.",
        "4": f"{_LIMIT}would exceed daily transfer limit.",
        ABOVE_MAXIMUM_BALANCE: f"{_LIMIT}would exceed the maximum balance.",
        "11": "The DebitParty is in an invalid state.",
        "15": "Duplicate detected.",
        "17": "System internal error.",
        "18": "Initiator credential check failure.",
        "19": "Message sequencing failure.",
        "20": "Unresolved initiator.",
        "21": "The initiator is not allowed to initiate this request.",
        "22": "The initiator has no permission for this request.",
        "24": "Missing mandatory fields.",
        INVALID_PARAMETER: "The format of parameter null is invalid.",
        "26": "System busy. The service request is rejected.",
        "29": "Invalid command.",
        INVALID_INITIATOR: "The initiator information is invalid.",
        "2006": "Declined due to account rule: The account status does not allow this transaction.",
        "2028": "The request is not permitted according to product assignment.",
        UNKNOWN_RECEIPT: "The transaction receipt number does not exist.",
        "2040": "Credit Party customer type (Unregistered or Registered Customer) "
        "can't be supported by the service.",
        "8006": "The security credential is locked.",
        ALREADY_REVERSED: "The transaction has already been reversed.",
        INVALID_ORIGINAL: "The OriginalTransactionID is invalid.",
        "SFC_IC0003": "The operator does not exist.",
        "TP40153": "The operator does not have the permission.",
        "100000000": "Request was cached, waiting for resending.",
        "100000001": "The system is overload.",
        "100000002": "Throttling error.",
        "100000004": "Internal server error.",
        "100000005": "Invalid input value.",
        "100000007": "Service status is abnormal.",
        "100000009": "API status is abnormal.",
        "100000010": "Insufficient permission.",
        "100000011": "Request rate exceeded.",
    }
)

#: Refused before there is a transaction, so that no receipt was drawn for one.
BEFORE_ANY_TRANSACTION: Final = frozenset(
    {"18", "19", "20", "21", "22", "24", "25", "29", INVALID_INITIATOR, "8006", "TP40153"}
)
