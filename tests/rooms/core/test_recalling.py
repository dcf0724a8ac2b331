"""Sentences that were kept in English come back as what they were made of."""

from __future__ import annotations

import time

import pytest

from app.core.money import Kes
from app.core.recalling import MOST_LETTERS, recalled
from app.core.texts import Said, said


@pytest.mark.parametrize(
    "sentence",
    [
        said("it is above {amount}", amount=Kes(150_000)),
        said("its total of {total} is above {limit}", total=Kes(2_000_050), limit=Kes(300_000)),
        said("{count:,} more rows cannot be read", count=12_345),
        said(
            "{amount} to {name}: {why}",
            amount=Kes(5000_00),
            name="Kamau Supplies",
            why=said("it is above {amount}", amount=Kes(1000_00)),
        ),
        said("Daraja queued it as {id}", id="AG_20261121_1"),
        said(
            "This is a workbook and not a CSV. {mend}",
            mend=said("Save it as “CSV UTF-8” in your spreadsheet, and choose that file."),
        ),
    ],
)
def test_a_kept_sentence_is_known_again(sentence: Said) -> None:
    again = recalled(str(sentence))
    assert isinstance(again, Said)
    assert (again, again.template, again.values) == (sentence, sentence.template, sentence.values)
    assert [type(value) for value in again.values.values()] == [
        type(value) for value in sentence.values.values()
    ]


def test_what_people_wrote_stays_theirs() -> None:
    for text in ("", "Rang twice. It is above the shop.", "{amount}", "KES 40", "Juma: sold"):
        assert recalled(text) is text


def test_no_text_takes_long() -> None:
    began = time.monotonic()
    for piece in (". ", ": ", " is above ", " to ", "KES 1, "):
        recalled((piece * MOST_LETTERS)[:MOST_LETTERS])
    assert time.monotonic() - began < 2
