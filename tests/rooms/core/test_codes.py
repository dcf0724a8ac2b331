"""Codes out of rows have words for people: all of them, and the words are the code's own."""

from __future__ import annotations

from enum import StrEnum

import pytest

from app.core.codes import in_words
from app.core.texts import Said
from app.figures.words import of_reason
from app.orders.states import OrderEvent
from app.payments.evidence import Evidence
from app.payments.states import UNPAID_ENDS, Decision, Event, Standing
from app.payments.words import reason_of

RESULTS = (
    "1 2 3 4 8 17 26 1001 1019 1025 1031 1032 1036 1037 2001 2002 2028 8006 9999 E3008 SFC_IC0003"
)


@pytest.mark.parametrize("kind", [Event, OrderEvent, Standing, Decision, Evidence])
def test_every_code_has_words_that_can_be_translated(kind: type[StrEnum]) -> None:
    for code in kind:
        words = in_words(code)
        assert isinstance(words, Said), f"{code} has no words"
        assert words == code.replace("_", " ")


def test_a_code_that_nobody_has_words_for_is_still_readable() -> None:
    assert in_words("sun_went_down") == "sun went down"


def test_every_reason_why_a_payment_failed_has_a_name_that_can_be_translated() -> None:
    for reason in {*map(reason_of, RESULTS.split()), *UNPAID_ENDS}:
        assert isinstance(of_reason(reason), Said), f"{reason} has no name"
    assert of_reason("wrong_pin") == "Wrong PIN"
    assert of_reason("sun_went_down") == "Sun went down"
