"""What befalls a chaos run, and by what chance; and how the owners of the phones act."""

from __future__ import annotations

from typing import Any

from scripts.chaos.shop import DARAJA_TIMEOUT_SECONDS

LATE_SECONDS = DARAJA_TIMEOUT_SECONDS + 1

MONEY_IN: dict[str, Any] = {
    "early_callback": 0.03,
    "no_callback": 0.06,
    "late_callback": {"chance": 0.06, "seconds": 5},
    "duplicate_callback": {"chance": 0.1, "copies": 10},
    "failure_then_success": 0.04,
    "success_then_failure": 0.04,
    "late_success": {"chance": 0.1, "seconds": 2},
    "wrong_amount": 0.04,
    "no_metadata": 0.03,
    "push_500": 0.02,
    "push_html": 0.02,
    "push_rate_limited": 0.01,
    "reset_after_processing": 0.03,
    "error_after_processing": 0.02,
    "html_after_processing": 0.02,
    "broken_json_after_processing": 0.02,
    "hang": {"chance": 0.02, "seconds": LATE_SECONDS},
    "token_refused_once": 0.02,
    "query_noise": 0.08,
    "query_rate_limited": 0.04,
    "query_html": 0.02,
    "query_hang": {"chance": 0.02, "seconds": LATE_SECONDS},
}
MONEY_OUT: dict[str, Any] = {
    "no_result": 0.06,
    "no_result_not_moved": 0.03,
    "late_result": {"chance": 0.05, "seconds": 5},
    "slow_processing": {"chance": 0.05, "seconds": 4},
    "duplicate_result": {"chance": 0.1, "copies": 10},
    "early_result": 0.04,
    "out_result": {"chance": 0.03, "code": "2040"},
    "insufficient_float": 0.02,
    "wrong_result_amount": 0.03,
    "no_result_parameters": 0.03,
    "queue_time_out": 0.03,
    "queue_time_out_not_moved": 0.02,
    "out_500": 0.02,
    "out_maintenance": 0.02,
    "out_html": 0.02,
    "out_rate_limited": 0.02,
    "out_reset": 0.02,
    "out_hang": {"chance": 0.01, "seconds": LATE_SECONDS},
    "out_reset_after_processing": 0.03,
    "out_error_after_processing": 0.02,
    "out_html_after_processing": 0.02,
    "out_broken_json_after_processing": 0.02,
    "out_hang_after_processing": {"chance": 0.02, "seconds": LATE_SECONDS},
    "duplicate_answer": 0.02,
}
ASKING: dict[str, Any] = {
    "ask_no_result": 0.05,
    "ask_late_result": {"chance": 0.04, "seconds": 5},
    "ask_duplicate_result": {"chance": 0.05, "copies": 3},
    "ask_early_result": 0.04,
    "ask_result": {"chance": 0.02, "code": "SFC_IC0003"},
    "ask_queue_time_out": 0.03,
    "status_pending": 0.03,
    "status_unknown": 0.03,
    "ask_500": 0.03,
    "ask_html": 0.02,
    "ask_rate_limited": 0.03,
    "ask_reset": 0.02,
    "ask_hang": {"chance": 0.02, "seconds": LATE_SECONDS},
}
PAYERS = {"pays": 0.7, "cancels": 0.1, "enters_wrong_pin": 0.05}


def forecast(seed: int, prompt_seconds: int) -> dict[str, Any]:
    """The weather of a run, as the simulator takes it."""
    return {
        "seed": seed,
        "chances": MONEY_IN | MONEY_OUT | ASKING,
        "payers": PAYERS,
        # Some come when the prompt is about to end, and some after that.
        "payer_seconds": [0.1, prompt_seconds * 1.1],
    }
