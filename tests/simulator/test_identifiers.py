import re
from datetime import UTC, datetime

import pytest

from app.simulator.identifiers import Identifiers, is_placeholder, placeholder_receipt


@pytest.mark.parametrize(
    ("moment", "prefix"),
    [
        (datetime(2024, 2, 6, 9, tzinfo=UTC), "SB6"),
        (datetime(2023, 1, 19, 9, tzinfo=UTC), "RAJ"),
        (datetime(2022, 5, 27, 9, tzinfo=UTC), "QER"),
        (datetime(2026, 5, 4, 9, tzinfo=UTC), "UE4"),
        (datetime(2026, 11, 21, 20, 59, tzinfo=UTC), "UKL"),
        (datetime(2026, 11, 21, 21, 0, tzinfo=UTC), "UKM"),
        (datetime(2026, 12, 31, 9, tzinfo=UTC), "ULV"),
    ],
)
def test_a_receipt_begins_with_its_date_in_nairobi(moment: datetime, prefix: str):
    receipt = Identifiers(0).receipt(moment)
    assert receipt.startswith(prefix)
    assert len(receipt) == 10
    assert receipt.isalnum()
    assert receipt.isupper()


def test_receipts_of_one_moment_are_all_different():
    identifiers, moment = Identifiers(0), datetime(2026, 11, 21, 9, tzinfo=UTC)
    assert len({identifiers.receipt(moment) for _ in range(20_000)}) == 20_000


def test_a_restarted_simulator_does_not_repeat_its_receipts():
    moments = [datetime(2026, 11, 21, 9, 0, second, tzinfo=UTC) for second in (0, 1)]
    assert len({Identifiers(0).receipt(moment) for moment in moments}) == 2


def test_checkout_request_ids_of_one_moment_are_all_different():
    identifiers, moment = Identifiers(0), datetime(2026, 11, 21, 21, 30, tzinfo=UTC)
    made = [identifiers.checkout_request_id(moment, "254712345678") for _ in range(1500)]
    assert made[0] == "ws_CO_22112026003000000712345678"
    assert made[1000] == "ws_CO_22112026003001000712345678"
    assert len(set(made)) == 1500


def test_the_counter_of_request_ids_grows():
    identifiers = Identifiers(0)
    first, second = (int(identifiers.request_id()[27:]) for _ in range(2))
    assert second == first + 1


def test_a_conversation_id_has_its_day_in_nairobi_and_is_never_repeated():
    identifiers, moment = Identifiers(0), datetime(2026, 11, 21, 21, 30, tzinfo=UTC)
    made = {identifiers.conversation_id(moment) for _ in range(1000)}
    assert len(made) == 1000
    assert all(re.fullmatch(r"AG_20261122_2010[0-9a-f]{16}", one) for one in made)


def test_what_stands_for_a_receipt_has_its_date_and_is_told_from_one():
    moment = datetime(2026, 11, 21, 9, tzinfo=UTC)
    assert placeholder_receipt(moment) == "UKL0000000"
    assert is_placeholder("UKL0000000")
    assert not is_placeholder(Identifiers(0).receipt(moment))
