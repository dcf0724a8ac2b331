"""What can go wrong with a push, with its query, and with any call: one row for each scenario."""

from collections.abc import Collection
from typing import Final

from app.mpesa.result_codes import STK_RESULTS
from app.simulator.plans import (
    CALLBACK_PHONES,
    CALLBACK_SHAPES,
    Code,
    Count,
    Scenario,
    Seconds,
)
from app.simulator.published_errors import PUBLISHED_ERRORS

_FINAL_CODES: Final = frozenset(
    code for code, row in STK_RESULTS.items() if row.outcome != "not_final"
)

_ERRORS: Final = ", ".join(PUBLISHED_ERRORS)


def _words(known: Collection[bool | str]) -> tuple[str, ...]:
    return tuple(str(one) for one in known)


def _one_of(known: Collection[bool | str]) -> str:
    return f"one of: {', '.join(_words(known))}"


TOKEN_ROWS: Final = (
    Scenario(
        "token_empty_400",
        "token",
        "No token is given: status 400 with no body, as for a wrong secret.",
        {"answer": "empty_400"},
    ),
    Scenario(
        "token_html",
        "token",
        "No token is given: the web firewall answers with HTML, status 403.",
        {"answer": "firewall"},
    ),
    Scenario(
        "token_500",
        "token",
        "No token is given: an internal error.",
        {"answer": "server_error"},
    ),
    Scenario(
        "token_reset",
        "token",
        "No token is given: the connection closes with no answer.",
        {"answer": "dropped_unread"},
    ),
    Scenario(
        "token_hang",
        "token",
        "The token takes so many seconds.",
        {"answer_delay_seconds": Seconds(30, 120)},
    ),
)

ROWS: Final = (
    Scenario(
        "no_callback",
        "push",
        "The callback never comes.",
        {"callback_copies": 0},
    ),
    Scenario(
        "late_callback",
        "push",
        "The callback comes so many seconds late.",
        {"callback_delay_seconds": Seconds(20, 600)},
    ),
    Scenario(
        "duplicate_callback",
        "push",
        "The callback comes more than once, at about the same time.",
        {"callback_copies": Count("copies", 2, 2, 20)},
    ),
    Scenario(
        "early_callback",
        "push",
        "The payer is instant: the callback is sent before the push is answered.",
        {"early_callback": True},
    ),
    Scenario(
        "result",
        "push",
        "The prompt ends at once with this result code.",
        {"result_code": Code("code", _FINAL_CODES, "a final STK result code")},
    ),
    Scenario(
        "late_success",
        "push",
        "After a time-out is reported, the payment succeeds so many seconds later.",
        {"late_success_seconds": Seconds(2, 600)},
    ),
    Scenario(
        "wrong_amount",
        "push",
        "The callback claims one shilling more than was paid.",
        {"callback_extra_shillings": 1},
    ),
    Scenario(
        "no_metadata",
        "push",
        "The callback says success and nothing else.",
        {"callback_metadata": False},
    ),
    Scenario(
        "callback_shape",
        "push",
        "The callback has the items of this year, whatever the switch says.",
        {"callback_shape": Code("shape", _words(CALLBACK_SHAPES), _one_of(CALLBACK_SHAPES))},
    ),
    Scenario(
        "callback_phone",
        "push",
        "The payer's number stands in the callback like this, whatever the switch says.",
        {"callback_phone": Code("as", _words(CALLBACK_PHONES), _one_of(CALLBACK_PHONES))},
    ),
    Scenario(
        "failure_then_success",
        "push",
        "A payment is first reported as timed out, and then as the success that it is.",
        {"false_time_out": "before"},
    ),
    Scenario(
        "success_then_failure",
        "push",
        "A payment is reported as the success that it is, and then as timed out.",
        {"false_time_out": "after"},
    ),
    Scenario(
        "push_500",
        "push",
        "The push is answered with an internal error and not processed.",
        {"answer": "server_error"},
    ),
    Scenario(
        "push_html",
        "push",
        "The push is answered by the web firewall: HTML, status 403, not processed.",
        {"answer": "firewall"},
    ),
    Scenario(
        "push_rate_limited",
        "push",
        "The push runs into the gateway's rate limit and is not processed.",
        {"answer": "rate_limited"},
    ),
    Scenario(
        "reset_after_processing",
        "push",
        "The prompt lives, but the connection closes with no answer.",
        {"answer": "dropped"},
    ),
    Scenario(
        "error_after_processing",
        "push",
        "The prompt lives, but the answer is an internal error with no body.",
        {"answer": "empty_500"},
    ),
    Scenario(
        "html_after_processing",
        "push",
        "The prompt lives, but the answer is a gateway's HTML page, status 502.",
        {"answer": "bad_gateway"},
    ),
    Scenario(
        "broken_json_after_processing",
        "push",
        "The prompt lives, but the answer breaks off in the middle of its JSON.",
        {"answer": "cut_short"},
    ),
    Scenario(
        "hang",
        "push",
        "The prompt lives, but the answer takes so many seconds.",
        {"answer_delay_seconds": Seconds(30, 120)},
    ),
    Scenario(
        "token_refused_once",
        "call",
        "The next call that carries a token is told that it is invalid.",
        {"refuse_token": True},
    ),
    Scenario(
        "token_killed",
        "call",
        "The token of the next call has ended before its time, and stays refused.",
        {"kill_token": True},
    ),
    Scenario(
        "published_error",
        "call",
        "The next call gets this error of the gateway and is not processed.",
        {"published_error": Code("error", PUBLISHED_ERRORS, f"one of: {_ERRORS}")},
    ),
    Scenario(
        "query_noise",
        "query",
        "The query is answered with 500.001.1001, which says nothing about the payment.",
        {"answer": "server_error"},
    ),
    Scenario(
        "query_old_pending",
        "query",
        "While the prompt is open the query is told so by status 500, as in older recordings.",
        {"pending_answer": "being_processed"},
    ),
    Scenario(
        "query_too_early",
        "query",
        "The query is told that its CheckoutRequestID is invalid, as one that comes at once.",
        {"answer": "too_early"},
    ),
    Scenario(
        "query_rate_limited",
        "query",
        "The query runs into the gateway's rate limit.",
        {"answer": "rate_limited"},
    ),
    Scenario(
        "query_html",
        "query",
        "The query is answered by the web firewall: HTML, status 403.",
        {"answer": "firewall"},
    ),
    Scenario(
        "query_hang",
        "query",
        "The answer to the query takes so many seconds.",
        {"answer_delay_seconds": Seconds(30, 120)},
    ),
)

C2B_ROWS: Final = (
    Scenario(
        "no_confirmation",
        "c2b",
        "The money moves, and the confirmation never comes.",
        {"callback_copies": 0},
    ),
    Scenario(
        "late_confirmation",
        "c2b",
        "The money moves, and the confirmation comes so many seconds late.",
        {"callback_delay_seconds": Seconds(20, 600)},
    ),
    Scenario(
        "duplicate_confirmation",
        "c2b",
        "The confirmation comes more than once, at about the same time.",
        {"callback_copies": Count("copies", 2, 2, 20)},
    ),
    Scenario(
        "wrong_confirmation_amount",
        "c2b",
        "The confirmation claims one shilling more than was paid.",
        {"callback_extra_shillings": 1},
    ),
    Scenario(
        "registered_elsewhere",
        "register",
        "The URLs are refused: the shortcode has some on the platform of old.",
        {"answer": "registered_elsewhere"},
    ),
)
