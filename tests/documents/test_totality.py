"""A new status fails here until every dialect says what it calls it (C-18)."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Mapping

import pytest

from app import dialects
from app.payments.states import Status

MODULES = [module.name for module in pkgutil.iter_modules(dialects.__path__)]


def words_of(name: str) -> Mapping[Status, str]:
    found: Mapping[Status, str] = importlib.import_module(f"app.dialects.{name}").STATUS_WORDS
    return found


def test_five_documents_are_five_dialects() -> None:
    assert len(MODULES) == 5


@pytest.mark.parametrize("name", MODULES)
def test_a_dialect_has_a_word_for_every_status(name: str) -> None:
    assert set(words_of(name)) == set(Status)


@pytest.mark.parametrize("name", MODULES)
def test_what_waits_for_a_person_is_called_like_what_is_pending(name: str) -> None:
    words = words_of(name)
    pending = {Status.CREATED, Status.PENDING, Status.UNCONFIRMED, Status.REVIEW}
    assert {words[status] for status in pending} == {words[Status.PENDING]}


@pytest.mark.parametrize("name", MODULES)
def test_no_unpaid_status_is_called_like_a_paid_one(name: str) -> None:
    words = words_of(name)
    unpaid = set(Status) - {Status.COMPLETED}
    assert words[Status.COMPLETED] not in {words[status] for status in unpaid}
