"""What can go wrong with money out (B2C, reversals) and with asking (status, balance)."""

from typing import Final

from app.simulator.out_codes import INSUFFICIENT_FUNDS, OUT_RESULTS
from app.simulator.plans import Code, Count, Scenario, Seconds

_ANY_CODE: Final = Code("code", frozenset(OUT_RESULTS), "a result code of money out")
_LATE: Final = Seconds(20, 600)
_COPIES: Final = Count("copies", 2, 2, 20)
# What the documentation says a TransactionStatus may be; only Completed is paid.
STATUS_WORDS: Final = (
    "Initiated",
    "Authorized",
    "Pending Authorized",
    "Completed",
    "Cancelled",
    "Declined",
    "Expired",
)
_HANG: Final = Seconds(30, 120)

OUT_ROWS: Final = (
    Scenario(
        "no_result",
        "out",
        "The money moves, and the result never comes.",
        {"callback_copies": 0},
    ),
    Scenario(
        "no_result_not_moved",
        "out",
        "It is accepted and then lost: no money moves, and no result ever comes.",
        {"callback_copies": 0, "moves_money": False},
    ),
    Scenario(
        "late_result",
        "out",
        "The money moves, and the result comes so many seconds late.",
        {"callback_delay_seconds": _LATE},
    ),
    Scenario(
        "slow_processing",
        "out",
        "It waits in the queue for so many seconds; then the money moves and the result comes.",
        {"processing_seconds": Seconds(5, 600)},
    ),
    Scenario(
        "duplicate_result",
        "out",
        "The result comes more than once, at about the same time.",
        {"callback_copies": _COPIES},
    ),
    Scenario(
        "early_result",
        "out",
        "The result is sent before the request is answered.",
        {"early_callback": True},
    ),
    Scenario(
        "out_result",
        "out",
        "It ends with this result code; with any but 0 no money moves.",
        {"result_code": _ANY_CODE},
    ),
    Scenario(
        "insufficient_float",
        "out",
        "It ends as if the shop's account were empty, and no money moves.",
        {"result_code": INSUFFICIENT_FUNDS},
    ),
    Scenario(
        "wrong_result_amount",
        "out",
        "The result claims one shilling more than moved.",
        {"callback_extra_shillings": 1},
    ),
    Scenario(
        "no_result_parameters",
        "out",
        "The result says success and nothing else.",
        {"callback_metadata": False},
    ),
    Scenario(
        "queue_time_out",
        "out",
        "The money moves; QueueTimeOutURL gets the request back, and no result comes.",
        {"queue_time_out": True},
    ),
    Scenario(
        "queue_time_out_not_moved",
        "out",
        "No money moves; QueueTimeOutURL gets the request back, and no result comes.",
        {"queue_time_out": True, "moves_money": False},
    ),
    Scenario(
        "out_500",
        "out",
        "It is answered with an internal error and not processed.",
        {"answer": "server_error"},
    ),
    Scenario(
        "out_maintenance",
        "out",
        "It is answered with the code of duplicates, about maintenance, and not processed.",
        {"answer": "maintenance"},
    ),
    Scenario(
        "out_html",
        "out",
        "It is answered by the web firewall: HTML, status 403, not processed.",
        {"answer": "firewall"},
    ),
    Scenario(
        "out_rate_limited",
        "out",
        "It runs into the gateway's rate limit and is not processed.",
        {"answer": "rate_limited"},
    ),
    Scenario(
        "out_reset",
        "out",
        "The connection closes with no answer, and it is not processed.",
        {"answer": "dropped_unread"},
    ),
    Scenario(
        "out_hang",
        "out",
        "After so many seconds the connection closes with no answer; it is not processed.",
        {"answer": "dropped_unread", "answer_delay_seconds": _HANG},
    ),
    Scenario(
        "out_reset_after_processing",
        "out",
        "It takes its course, but the connection closes with no answer.",
        {"answer": "dropped"},
    ),
    Scenario(
        "out_error_after_processing",
        "out",
        "It takes its course, but the answer is an internal error with no body.",
        {"answer": "empty_500"},
    ),
    Scenario(
        "out_html_after_processing",
        "out",
        "It takes its course, but the answer is a gateway's HTML page, status 502.",
        {"answer": "bad_gateway"},
    ),
    Scenario(
        "out_broken_json_after_processing",
        "out",
        "It takes its course, but the answer breaks off in the middle of its JSON.",
        {"answer": "cut_short"},
    ),
    Scenario(
        "out_hang_after_processing",
        "out",
        "It takes its course, but the answer takes so many seconds.",
        {"answer_delay_seconds": _HANG},
    ),
    Scenario(
        "duplicate_answer",
        "out",
        "It takes its course, but the first request is itself answered as a duplicate.",
        {"answer": "duplicate"},
    ),
)

ASK_ROWS: Final = (
    Scenario(
        "ask_no_result",
        "ask",
        "The result of the question never comes.",
        {"callback_copies": 0},
    ),
    Scenario(
        "ask_late_result",
        "ask",
        "The result of the question comes so many seconds late, as things stood when asked.",
        {"callback_delay_seconds": _LATE},
    ),
    Scenario(
        "ask_duplicate_result",
        "ask",
        "The result of the question comes more than once.",
        {"callback_copies": _COPIES},
    ),
    Scenario(
        "ask_early_result",
        "ask",
        "The result of the question is sent before the question is acknowledged.",
        {"early_callback": True},
    ),
    Scenario(
        "ask_result",
        "ask",
        "The question itself ends with this result code, which says nothing about the money.",
        {"result_code": _ANY_CODE},
    ),
    Scenario(
        "ask_queue_time_out",
        "ask",
        "QueueTimeOutURL gets the question back, and no result comes.",
        {"queue_time_out": True},
    ),
    Scenario(
        "status_pending",
        "ask",
        "The status query finds the transaction, not final yet.",
        {"status_seen": "pending"},
    ),
    Scenario(
        "status_says",
        "ask",
        "The status query finds the transaction and has this word for its fate, true or not.",
        {"status_word": Code("status", STATUS_WORDS, f"one of: {', '.join(STATUS_WORDS)}")},
    ),
    Scenario(
        "status_unknown",
        "ask",
        "The status query does not find the transaction, although there is one.",
        {"status_seen": "unknown"},
    ),
    Scenario(
        "ask_500",
        "ask",
        "The question is answered with an internal error and not processed.",
        {"answer": "server_error"},
    ),
    Scenario(
        "ask_html",
        "ask",
        "The question is answered by the web firewall: HTML, status 403, not processed.",
        {"answer": "firewall"},
    ),
    Scenario(
        "ask_rate_limited",
        "ask",
        "The question runs into the gateway's rate limit and is not processed.",
        {"answer": "rate_limited"},
    ),
    Scenario(
        "ask_reset",
        "ask",
        "The connection closes with no answer, and the question is not processed.",
        {"answer": "dropped_unread"},
    ),
    Scenario(
        "ask_hang",
        "ask",
        "The question takes its course, but the acknowledgement takes so many seconds.",
        {"answer_delay_seconds": _HANG},
    ),
)
