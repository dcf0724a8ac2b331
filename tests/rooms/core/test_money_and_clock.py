"""Money is whole shillings in, integer cents inside; time is UTC inside, Nairobi outside."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core import clock
from app.core.errors import InvalidAmount
from app.core.money import (
    MAX_SHILLINGS,
    cents_from_shillings,
    kes,
    shillings_number,
    whole_shillings,
)


@pytest.mark.parametrize("written", [1500, "1500", "1500.00", Decimal("1500.0"), " 1500 ", "01500"])
def test_a_whole_number_of_shillings_is_read_in_any_form(written: object) -> None:
    assert cents_from_shillings(written) == 150_000


@pytest.mark.parametrize(
    "written",
    [
        "10.50",
        Decimal("10.50"),
        "0.001",
        Decimal("1E+3"),
        "1e3",
        "-1",
        -1,
        "+1",
        "NaN",
        Decimal("NaN"),
        Decimal("Infinity"),
        "inf",
        True,
        False,
        None,
        [],
        {},
        10.0,
        float("nan"),
        "",
        " ",
        "1,500",
        "1_500",
        "KES 1500",
        "0x10",
        "١٥٠٠",
        "1500.",
        ".5",
        10**12,
        "9" * 400,
        MAX_SHILLINGS + 1,
    ],
)
def test_anything_else_is_refused_and_named(written: object) -> None:
    """D9: refused where it enters, never rounded."""
    with pytest.raises(InvalidAmount) as caught:
        cents_from_shillings(written, "price")
    assert caught.value.details == {"field": "price"}


@given(st.integers(0, MAX_SHILLINGS), st.integers(0, 10))
def test_reading_and_giving_back_are_each_others_reverse(shillings: int, zeros: int) -> None:
    written = f"{shillings}.{'0' * zeros}" if zeros else str(shillings)
    cents = cents_from_shillings(written)
    assert cents == shillings * 100
    assert whole_shillings(cents) == shillings_number(cents) == shillings


@given(st.decimals(allow_nan=True, allow_infinity=True) | st.text() | st.integers())
def test_nothing_is_ever_rounded(written: object) -> None:
    try:
        cents = cents_from_shillings(written)
    except InvalidAmount:
        return
    assert Decimal(str(written).strip()) * 100 == cents


@given(st.integers())
def test_daraja_never_gets_a_rounded_amount(cents: int) -> None:
    if cents % 100:
        with pytest.raises(ValueError, match="not whole shillings"):
            whole_shillings(cents)
    else:
        assert whole_shillings(cents) * 100 == cents


@pytest.mark.parametrize(
    ("cents", "short", "long"),
    [
        (100_000, "KES 1,000", "KES 1,000.00"),
        (1050, "KES 10.50", "KES 10.50"),
        (0, "KES 0", "KES 0.00"),
        (-150_000, "KES -1,500", "KES -1,500.00"),
        (123_456_789, "KES 1,234,567.89", "KES 1,234,567.89"),
    ],
)
def test_money_for_people_has_its_currency_and_commas(cents: int, short: str, long: str) -> None:
    """S0-25."""
    assert (kes(cents), kes(cents, decimals=True)) == (short, long)


def test_a_json_number_has_cents_only_when_there_are_any() -> None:
    assert json.dumps([shillings_number(150_000), shillings_number(1050)]) == "[1500, 10.5]"


ZONES = st.sampled_from([ZoneInfo(name) for name in ("Africa/Nairobi", "Asia/Tokyo", "UTC")])
MOMENT = datetime(2023, 8, 15, 21, 34, 56, 577718, tzinfo=UTC)


def test_every_documented_format_of_a_moment() -> None:
    """S0-21, C-25."""
    assert clock.iso_seconds(MOMENT) == "2023-08-15T21:34:56Z"
    assert clock.for_people(MOMENT) == "16 Aug 2023, 00:34"
    assert clock.daraja_timestamp(MOMENT) == "20230816003456"


@given(st.datetimes(min_value=datetime(1990, 1, 1), timezones=ZONES))  # noqa: DTZ001
def test_formats_do_not_depend_on_the_zone_a_moment_came_in(moment: datetime) -> None:
    for form in (clock.iso_seconds, clock.daraja_timestamp):
        assert form(moment) == form(moment.astimezone(UTC))


def test_nairobi_is_three_hours_ahead_all_year() -> None:
    for month in range(1, 13):
        noon = datetime(2026, month, 1, 12, tzinfo=UTC)
        assert clock.nairobi(noon).utcoffset() == timedelta(hours=3)


def test_now_is_aware_and_in_utc() -> None:
    assert clock.now().tzinfo is UTC
