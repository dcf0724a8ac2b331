"""Phone numbers as people write them, and whose address a caller has."""

from __future__ import annotations

from ipaddress import ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.config import SAFARICOM_ADDRESSES, networks_of
from app.mpesa.origin import is_proven
from app.mpesa.phone import is_wire_form, masked, msisdn, operator_hint


@pytest.mark.parametrize(
    "written",
    [
        "0712345678",
        "712345678",
        "254712345678",
        "+254712345678",
        "0712 345 678",
        "0712-345-678",
        "+254 712 345678",
        "(0712) 345.678",
        " 0712345678 ",
        "\t0712345678\n",
    ],
)
def test_every_documented_form_becomes_the_twelve_digits(written: str) -> None:
    """S4-100, S4-72, S1-24 to S1-26."""
    assert msisdn(written) == "254712345678"


@pytest.mark.parametrize(
    ("written", "number"),
    [
        ("0110345678", "254110345678"),
        ("0210345678", "254210345678"),
        ("0140345678", "254140345678"),
    ],
)
def test_numbers_begin_2547_2541_or_2542(written: str, number: str) -> None:
    """S4-73, S4-101."""
    assert msisdn(written) == number


@pytest.mark.parametrize(
    "written",
    [
        "",
        "0",
        "071234567",
        "07123456789",
        "0812345678",
        "255712345678",
        "+255712345678",
        "2540712345678",
        "00254712345678",
        "++254712345678",
        "0712345678x",
        "٠٧١٢٣٤٥٦٧٨",
        "0712345678" * 10,
        "null",
    ],
)
def test_what_is_no_kenyan_mobile_number_is_none(written: str) -> None:
    """S4-71, S1-43."""
    assert msisdn(written) is None


@given(st.text())
def test_any_text_is_a_number_or_none(written: str) -> None:
    number = msisdn(written)
    assert number is None or (is_wire_form(number) and msisdn(number) == number)
    masked(written)
    operator_hint(written)


@given(st.from_regex(r"[127][0-9]{8}", fullmatch=True), st.sampled_from(["", "0", "254", "+254"]))
def test_every_form_of_one_number_is_the_same_number(national: str, prefix: str) -> None:
    assert msisdn(prefix + national) == f"254{national}"


@pytest.mark.parametrize(
    "written", ["0712345678", "+254712345678", "254 712345678", "254812345678"]
)
def test_only_the_twelve_digits_are_the_wire_form(written: str) -> None:
    """S0-51, S2-64."""
    assert not is_wire_form(written)


@pytest.mark.parametrize(
    ("prefix", "operator"),
    [
        *((str(n), "Safaricom") for n in (700, 729, 740, 743, 745, 746, 748, 749, 757, 759)),
        *((str(n), "Safaricom") for n in (768, 769, 790, 799, 110, 119, 140, 146, 180, 189)),
        *((str(n), "Airtel") for n in (730, 739, 750, 756, 760, 762, 767, 780, 789, 100, 108)),
        *((str(n), "Airtel") for n in (135, 139)),
        *((str(n), "Telkom") for n in (770, 779, 761, 120)),
        *((str(n), None) for n in (744, 747, 109, 122, 149, 199)),
    ],
)
def test_the_operator_is_guessed_by_the_allocated_prefix(prefix: str, operator: str | None) -> None:
    """C-17: a hint for words, never a reason to refuse."""
    number = f"254{prefix}345678"
    assert operator_hint(number) == operator
    assert msisdn(number) == number


def test_a_masked_number_does_not_give_the_number_away() -> None:
    assert masked("254712345678") == masked("+254712345678") == "0712 *** 678"
    assert masked("nonsense") == "***"


SAFARICOM = networks_of(SAFARICOM_ADDRESSES)


@pytest.mark.parametrize("address", ["196.201.214.200", "196.201.212.69", "::ffff:196.201.212.69"])
def test_an_address_on_the_list_is_proven(address: str) -> None:
    """S1-15, S1-27."""
    assert is_proven(address, SAFARICOM)


@pytest.mark.parametrize(
    "address",
    [None, "", "196.201.214.201", "127.0.0.1", "::1", "unknown", "196.201.214.200, 1.2.3.4", "1"],
)
def test_any_other_address_is_not(address: str | None) -> None:
    assert not is_proven(address, SAFARICOM)


def test_a_network_holds_its_addresses_of_its_own_kind_only() -> None:
    networks = [ip_network("10.0.0.0/8"), ip_network("fd00::/8")]
    assert is_proven("10.9.8.7", networks)
    assert is_proven("fd00::1", networks)
    assert not is_proven("11.0.0.1", networks)


@given(st.text())
def test_nonsense_is_never_proven_and_never_raises(address: str) -> None:
    assert not is_proven(address, [ip_network("10.0.0.0/8")]) or address.startswith(("10.", ":"))
