import pytest

from app.mpesa.result_codes import STK_RESULTS, stk_result


@pytest.mark.parametrize(
    ("code", "outcome"),
    [
        (0, "paid"),
        ("0", "paid"),
        (" 1032 ", "cancelled"),
        (1031, "cancelled"),
        (1037, "timed_out"),
        ("1019", "timed_out"),
        ("4999", "not_final"),
        (2001, "declined"),
        ("E3008", "declined"),
    ],
)
def test_a_code_of_any_type_has_its_outcome(code: object, outcome: str):
    assert stk_result(code).outcome == outcome


def test_only_the_named_codes_are_anything_but_declined():
    others = {code for code, row in STK_RESULTS.items() if row.outcome != "declined"}
    assert others == {"0", "1019", "1031", "1032", "1037", "4999"}


@pytest.mark.parametrize("code", ["777", None, True, 0.5, "", "0.0", [], {"a": 1}, -1])
def test_an_unknown_code_is_declined_and_never_paid(code: object):
    row = stk_result(code)
    assert row.outcome == "declined"
    assert row.source == "unknown"
    assert not row.retry_helps


def test_every_row_stands_under_its_own_code_and_says_something():
    for code, row in STK_RESULTS.items():
        assert row.code == code
        assert row.description
        assert row.source != "unknown"
