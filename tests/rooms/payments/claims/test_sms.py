"""Reading what people paste: many shapes, no surprises."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.clock import NAIROBI
from app.payments.claims.sms import MOST_CHARACTERS, Kind, Sms, read_sms

AT = datetime(2026, 11, 21, 19, 42, tzinfo=UTC)
WHOLE = Sms(Kind.PAYMENT, "SGR7ABCDE1", 150_000, AT, "LIPA DUKA", "ABC")
CODES = st.from_regex(r"[A-Z][A-Z0-9]{8}[1-9]", fullmatch=True)


@pytest.mark.parametrize(
    "text",
    [
        "SGR7ABCDE1 Confirmed. Ksh1,500.00 sent to LIPA DUKA for account ABC on 21/11/26 at "
        "10:42 PM New M-PESA balance is Ksh3,000.00. Transaction cost, Ksh0.00.",
        "Sgr7abcde1 confirmed.Ksh1500 sent to LIPA DUKA  for account ABC on 21/11/2026 at 22:42",
        "FW: from MPESA: \u201cSGR7ABCDE1\u00a0Confirmed.\nKsh1,500.00\u00a0sent to\nLIPA DUKA for "
        "account ABC on 21/11/26 at 10:42\u202fPM.\u201d Thanks, I paid already",
        "SGR7ABCDE1 Imethibitishwa. Ksh1,500.00 imetumwa kwa LIPA DUKA kwa akaunti ABC tarehe "
        "21/11/26 saa 10:42 PM. Baki yako mpya ya M-PESA ni Ksh20.00.",
        "SGR7ABCDE1 Imethibitishwa. Ksh1,500.00 imelipwa kwa LIPA DUKA kwa akaunti nambari ABC "
        "mnamo 21/11/26 saa 10:42 PM",
    ],
)
def test_a_payment_to_a_paybill_is_read_whole(text: str) -> None:
    assert read_sms(text) == WHOLE


def test_a_till_is_paid_without_an_account() -> None:
    text = "SGR7ABCDE1 Confirmed. Ksh75.50 paid to MAMA MBOGA SHOP. on 1/1/26 at 12:05 AM"
    read = read_sms(text)
    assert (read.paid_to, read.account, read.amount_cents) == ("MAMA MBOGA SHOP", None, 7550)
    assert read.paid_at == datetime(2025, 12, 31, 21, 5, tzinfo=UTC)
    assert read.is_whole


@pytest.mark.parametrize("text", ["SGR7ABCDE1", " sgr7abcde1.\n", "my code is SGR7ABCDE1 ok?"])
def test_the_code_alone_is_enough(text: str) -> None:
    assert read_sms(text) == Sms(Kind.CODE, "SGR7ABCDE1")


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("SGR7ABCDE1 Confirmed.You have received Ksh9.00 from ANN 0712345678 on", Kind.RECEIVED),
        ("SGR7ABCDE1 Imethibitishwa. Umepokea Ksh9.00 kutoka kwa ANN", Kind.RECEIVED),
        ("SGR7ABCDE1 Confirmed.on 1/1/26 at 1:00 PMWithdraw Ksh9.00 from 1 - X", Kind.WITHDRAWN),
        ("SGR7ABCDE1 confirmed.You bought Ksh50.00 of airtime on 1/1/26", Kind.AIRTIME),
        ("SGR7ABCDE1 Confirmed. Ksh9.00 sent to ANN WERU 0712345678 on 1/1/26", Kind.TO_PERSON),
        ("SGR7ABCDE1 Confirmed. Transaction X has been reversed on 1/1/26", Kind.REVERSED),
        ("Failed. You do not have enough money in your M-PESA account", Kind.FAILED),
    ],
)
def test_messages_that_are_no_payment_to_a_shop_are_told_apart(text: str, kind: Kind) -> None:
    assert read_sms(text).kind is kind


@pytest.mark.parametrize("text", ["", "0712345678", "I have paid", "SGR7ABCDE", "SB60000000"])
def test_what_is_no_code_is_none(text: str) -> None:
    read = read_sms(text)
    assert read.code is None
    assert not read.several


def test_two_codes_are_not_guessed_between() -> None:
    read = read_sms("SGR7ABCDE1 Confirmed. Ksh9 SGR7ABCDE2 Confirmed. Ksh9")
    assert (read.code, read.several) == (None, True)


@given(st.text(max_size=3000))
def test_nothing_that_is_pasted_makes_it_fall_over(text: str) -> None:
    read = read_sms(text)
    assert read.code is None or re.fullmatch(r"[A-Z0-9]{10}", read.code)
    assert read.amount_cents is None or read.amount_cents > 0
    assert len(read.paid_to or "") <= 80
    assert len(read.account or "") <= 40


PIECES = ("SGR7ABCDE1", "Confirmed.", "Ksh", "1,500.00", "sent to", "kwa akaunti", "99/99/99",
          "at 13:99 PM", "on 0/0/00", " ", ".", "0712345678", "Umepokea", "\u00a0")  # fmt: skip


@given(st.lists(st.sampled_from(PIECES), max_size=40).map(" ".join))
def test_broken_messages_are_read_as_far_as_they_go(text: str) -> None:
    read_sms(text)


@given(
    code=CODES,
    cents=st.integers(100, 25_000_000),
    minutes=st.integers(0, 5_000_000),
    name=st.from_regex(r"[A-Z]{2,8}( [A-Z]{2,8}){0,2}", fullmatch=True),
    account=st.none() | st.from_regex(r"[A-Z2-9]{3,12}", fullmatch=True),
    before=st.sampled_from(["", "See this: ", "Fwd:\n> "]),
)
def test_what_mpesa_writes_is_what_is_read(
    code: str, cents: int, minutes: int, name: str, account: str | None, before: str
) -> None:
    at = datetime(2020, 1, 1, tzinfo=UTC) + timedelta(minutes=minutes)
    local = at.astimezone(NAIROBI)
    when = f"{local.day}/{local.month}/{local:%y} at {local.hour % 12 or 12}:{local:%M %p}"
    verb = f"sent to {name} for account {account}" if account else f"paid to {name}."
    amount = f"Ksh{cents // 100:,}.{cents % 100:02d}"
    text = f"{before}{code} Confirmed. {amount} {verb} on {when}. New M-PESA balance is Ksh7.00."
    assert read_sms(text) == Sms(Kind.PAYMENT, code, cents, at, name, account)


def test_only_so_much_is_read() -> None:
    assert read_sms("x " * MOST_CHARACTERS + "SGR7ABCDE1").code is None
