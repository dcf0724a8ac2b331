"""The published results of prompts, payouts, reversals and status queries: code and text."""

LOCKED = "Unable to lock subscriber, a transaction is already in process for the current subscriber"

# Results of prompts: code, text of the callback, text of the query where it is another.
_LIMIT = "Declined due to limit rule: "
STK_RESULTS = [
    ("0", "The service request is processed successfully."),
    ("1", "The balance is insufficient for the transaction."),
    ("2", f"{_LIMIT}less than the minimum transaction amount."),
    ("3", f"{_LIMIT}greater than the maximum transaction amount."),
    ("4", f"{_LIMIT}would exceed daily transfer limit."),
    ("8", f"{_LIMIT}would exceed the maximum balance."),
    ("17", "Rule limited."),
    ("26", "System busy. The service request is rejected."),
    ("1001", LOCKED),
    ("1019", "Transaction has expired."),
    ("1025", "An error occurred while sending a push request."),
    ("1032", "Request cancelled by user"),
    ("1036", "SMSC ACK timeout."),
    ("1037", "No response from user."),
    ("2001", "The initiator information is invalid."),
    ("2028", "The request is not permitted according to product assignment."),
    ("8006", "The security credential is locked."),
    ("SFC_IC0003", "The operator does not exist."),
    ("E3008", "Error, the user has a bad debt contract."),
]
QUERY_TEXTS = {"1037": "DS timeout user cannot be reached."}
# Results of payouts.
B2C_RESULTS = [
    *STK_RESULTS[:6],
    ("11", "The DebitParty is in an invalid state."),
    ("15", "Duplicate detected."),
    ("17", "System internal error."),
    ("18", "Initiator credential check failure."),
    ("19", "Message sequencing failure."),
    ("20", "Unresolved initiator."),
    ("21", "The initiator is not allowed to initiate this request."),
    ("22", "The initiator has no permission for this request."),
    ("24", "Missing mandatory fields."),
    ("25", "The format of parameter null is invalid."),
    ("26", "System busy. The service request is rejected."),
    ("29", "Invalid command."),
    ("2001", "The initiator information is invalid."),
    (
        "2006",
        "Declined due to account rule: The account status does not allow this transaction.",
    ),
    ("2028", "The request is not permitted according to product assignment."),
    (
        "2040",
        "Credit Party customer type (Unregistered or Registered Customer) can't be supported "
        "by the service.",
    ),
    ("8006", "The security credential is locked."),
    ("SFC_IC0003", "The operator does not exist."),
    ("TP40153", "The operator does not have the permission."),
    ("100000000", "Request was cached, waiting for resending."),
    ("100000001", "The system is overload."),
    ("100000002", "Throttling error."),
    ("100000004", "Internal server error."),
    ("100000005", "Invalid input value."),
    ("100000007", "Service status is abnormal."),
    ("100000009", "API status is abnormal."),
    ("100000010", "Insufficient permission."),
    ("100000011", "Request rate exceeded."),
]
_BY_CODE = dict(B2C_RESULTS)
REVERSAL_RESULTS = [
    ("0", _BY_CODE["0"]),
    ("R000001", "The transaction has already been reversed."),
    ("R000002", "The OriginalTransactionID is invalid."),
    *((code, _BY_CODE[code]) for code in ("1", "11", "21", "2001", "2006", "2028", "8006")),
]
STATUS_RESULTS = [(code, _BY_CODE[code]) for code in ("SFC_IC0003", "2001", "21", "25")]
FATES = (
    *("Initiated", "Authorized", "Pending Authorized"),
    *("Completed", "Cancelled", "Declined", "Expired"),
)
