"""A new status of money out fails here until the dialects and the description know it (C-18)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from app import create_app
from app.dialects.shop_payouts import MESSAGES
from app.disbursements.states import NOT_PAID, OUT_EDGES, SENT, UNSENT, OutStatus
from app.openapi.document import document
from tests.support.app import explicit_settings
from tests.test_architecture import modules, name_of, writes_status

#: What the contract calls money out, and nothing else.
WORDS = {
    "awaiting_approval",
    "queued",
    "processing",
    "completed",
    "failed",
    "unknown",
    "cancelled",
}


def test_the_words_are_the_contract_s() -> None:
    assert {str(status) for status in OutStatus} == WORDS


def test_the_shop_dialect_speaks_of_each_in_words_of_its_own() -> None:
    assert set(MESSAGES) == set(OutStatus)
    assert len(set(MESSAGES.values())) == len(WORDS)


def test_there_is_a_way_to_each_and_each_is_of_one_kind() -> None:
    reached = set(OUT_EDGES.values()) | {OutStatus.AWAITING_APPROVAL}
    assert reached == set(OutStatus)
    kinds = [SENT, UNSENT, NOT_PAID, {OutStatus.COMPLETED}]
    assert sum(len(kind) for kind in kinds) == len(set().union(*kinds)) == len(OutStatus)


def test_nothing_leads_away_from_completed() -> None:
    assert OutStatus.COMPLETED not in {source for source, _ in OUT_EDGES}


@pytest.fixture(scope="module")
def described(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    database = f"sqlite:///{tmp_path_factory.mktemp('totality') / 'lipa.db'}"
    app = create_app(explicit_settings(database_url=database))
    with app.app_context():
        return document(app)


def enums(told: object) -> Iterator[set[str]]:
    """Yield every enumeration below a part of the document."""
    if isinstance(told, dict):
        if isinstance(told.get("enum"), list):
            yield set(told["enum"])
        for part in told.values():
            yield from enums(part)
    elif isinstance(told, list):
        for part in told:
            yield from enums(part)


def test_the_description_names_each_wherever_it_names_one(described: dict[str, Any]) -> None:
    named = [words for words in enums(described) if "awaiting_approval" in words]
    assert named == [WORDS] * len(named)
    assert len(named) >= 3, "payouts, and the refunds of two documents"


def test_one_module_writes_the_status_of_money_out() -> None:
    """I8: what moves is noted and booked in one place."""
    rooms = modules("disbursements", "suppliers", "dialects", "admin")
    assert {name_of(path) for path in rooms if writes_status(path)} == {"app.disbursements.machine"}
