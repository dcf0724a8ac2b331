"""The table of numbers: phones and amounts that decide by themselves how a request ends.

Every result code has four digits here. `0799 00` and the four digits are a phone; KES 60,000 and
the four digits are the amount of a push, KES 200,000 and the four digits that of money out. A phone
begins with KES 50,000, so that nobody can pay such an amount by accident.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

from app.mpesa.result_codes import STK_RESULTS
from app.simulator.out_codes import OUT_RESULTS
from app.simulator.plans import MOMENTS, Moment
from app.simulator.scenarios import SCENARIOS

PUSH_AMOUNT: Final = 60_000
OUT_AMOUNT: Final = 200_000
_CODES_PREFIX: Final = "25479900"
_WAYS_PREFIX: Final = "25479950"

# What has no four digits of its own.
_FOUR_DIGITS: Final[Mapping[str, int]] = {
    "E3008": 3008,
    "SFC_IC0003": 7003,
    "R000001": 7101,
    "R000002": 7102,
    "TP40153": 7153,
    **{f"1000000{n:02d}": 7200 + n for n in range(12)},
}

# Behind 0799 50; a scenario that needs to be told something is told it here.
_WAYS: Final[Mapping[int, tuple[str, Mapping[str, Any]]]] = {
    101: ("no_callback", {}),
    102: ("late_callback", {}),
    103: ("duplicate_callback", {}),
    104: ("early_callback", {}),
    105: ("late_success", {}),
    106: ("wrong_amount", {}),
    107: ("no_metadata", {}),
    108: ("failure_then_success", {}),
    109: ("success_then_failure", {}),
    110: ("push_500", {}),
    111: ("push_html", {}),
    112: ("push_rate_limited", {}),
    113: ("reset_after_processing", {}),
    114: ("error_after_processing", {}),
    115: ("html_after_processing", {}),
    116: ("broken_json_after_processing", {}),
    117: ("hang", {}),
    121: ("callback_shape", {"shape": "2024"}),
    122: ("callback_phone", {"as": "text"}),
    123: ("callback_phone", {"as": "masked"}),
    124: ("callback_phone", {"as": "hashed"}),
    125: ("callback_phone", {"as": "absent"}),
    201: ("query_noise", {}),
    202: ("query_rate_limited", {}),
    203: ("query_html", {}),
    204: ("query_hang", {}),
    205: ("query_too_early", {}),
    206: ("query_old_pending", {}),
    301: ("no_confirmation", {}),
    302: ("late_confirmation", {}),
    303: ("duplicate_confirmation", {}),
    304: ("wrong_confirmation_amount", {}),
    401: ("no_result", {}),
    402: ("no_result_not_moved", {}),
    403: ("late_result", {}),
    404: ("slow_processing", {}),
    405: ("duplicate_result", {}),
    406: ("early_result", {}),
    407: ("insufficient_float", {}),
    408: ("wrong_result_amount", {}),
    409: ("no_result_parameters", {}),
    410: ("queue_time_out", {}),
    411: ("queue_time_out_not_moved", {}),
    412: ("out_500", {}),
    413: ("out_maintenance", {}),
    414: ("out_html", {}),
    415: ("out_rate_limited", {}),
    416: ("out_reset", {}),
    417: ("out_hang", {}),
    418: ("out_reset_after_processing", {}),
    419: ("out_error_after_processing", {}),
    420: ("out_html_after_processing", {}),
    421: ("out_broken_json_after_processing", {}),
    422: ("out_hang_after_processing", {}),
    423: ("duplicate_answer", {}),
    501: ("ask_no_result", {}),
    502: ("ask_late_result", {}),
    503: ("ask_duplicate_result", {}),
    504: ("ask_early_result", {}),
    505: ("ask_queue_time_out", {}),
    506: ("status_pending", {}),
    507: ("status_unknown", {}),
    508: ("ask_500", {}),
    509: ("ask_html", {}),
    510: ("ask_rate_limited", {}),
    511: ("ask_reset", {}),
    512: ("ask_hang", {}),
}


@dataclass(frozen=True, slots=True)
class MagicCode:
    """A result code and what brings it about; without an amount, any ordinary one does.

    `push` and `out` are its ResultDesc in either family, None where it has no meaning there.
    """

    code: str
    msisdn: str
    push_amount: int | None
    out_amount: int | None
    push: str | None
    out: str | None


@dataclass(frozen=True, slots=True)
class MagicWay:
    """A phone with which something always goes the same way."""

    msisdn: str
    name: str
    parameters: Mapping[str, Any]

    @property
    def summary(self) -> str:
        return SCENARIOS[self.name].summary


def _magic_code(code: str) -> MagicCode:
    digits = _FOUR_DIGITS[code] if code in _FOUR_DIGITS else int(code)
    pushed, out = STK_RESULTS.get(code), OUT_RESULTS.get(code)
    return MagicCode(
        code=code,
        msisdn=f"{_CODES_PREFIX}{digits:04d}",
        push_amount=PUSH_AMOUNT + digits if pushed and digits else None,
        out_amount=OUT_AMOUNT + digits if out and digits else None,
        push=pushed.description if pushed else None,
        out=out,
    )


def _in_order(code: str) -> tuple[int, str]:
    return (int(code), "") if code.isdigit() else (10**9, code)


_STK_CODES: Final = [code for code, row in STK_RESULTS.items() if row.outcome != "not_final"]

MAGIC_CODES: Final = tuple(
    _magic_code(code) for code in sorted({*_STK_CODES, *OUT_RESULTS}, key=_in_order)
)
MAGIC_WAYS: Final = tuple(
    MagicWay(f"{_WAYS_PREFIX}{digits:04d}", name, parameters)
    for digits, (name, parameters) in _WAYS.items()
)

Key = tuple[Moment, str | int]


def _by_key() -> Mapping[Key, Mapping[str, Any]]:
    changes: dict[Key, Mapping[str, Any]] = {}
    for row in MAGIC_CODES:
        ends = {"result_code": row.code}
        if row.push is not None:
            changes |= {("push", key): ends for key in (row.msisdn, row.push_amount) if key}
        if row.out is not None:
            keys = [key for key in (row.msisdn, row.out_amount) if key]
            changes |= {(moment, key): ends for moment in MOMENTS["out"] for key in keys}
    for way in MAGIC_WAYS:
        scenario = SCENARIOS[way.name]
        read = scenario.read_changes(way.parameters)
        changes |= {(moment, way.msisdn): read for moment in MOMENTS[scenario.moment]}
    return MappingProxyType(changes)


_CHANGES: Final = _by_key()
_NOTHING: Final[Mapping[str, Any]] = {}


def magic_changes(moment: Moment, msisdn: str | None, amount: int | None) -> Mapping[str, Any]:
    """What this phone or this amount changes in a plan; the phone comes first."""
    by_phone = _CHANGES.get((moment, msisdn or ""))
    if by_phone is not None:
        return by_phone
    return _CHANGES.get((moment, amount or 0), _NOTHING)
