"""A new status or error code fails here until every dialect and the description say what they
call it (C-18).
"""

from __future__ import annotations

import copy
import importlib
import pkgutil
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from flask import Flask

from app import create_app, dialects
from app.core.errors import LipaError
from app.openapi.describe import CHAPTERS, Chapter
from app.openapi.document import document
from app.openapi.refusals import MEANINGS, error_kinds, known_codes
from app.payments.states import Status
from tests.support.app import explicit_settings

#: A dialect may have more modules than one; these have no words of their own for statuses.
PARTS = {"shop_payouts": "shop"}
MODULES = [
    module.name for module in pkgutil.iter_modules(dialects.__path__) if module.name not in PARTS
]
_REFUSED = {"reason": "refused_credentials"}
#: What errors may say of themselves, where a dialect's words depend on it.
DETAILS: dict[str, list[dict[str, Any]]] = {
    "INVALID_PHONE": [{"field": "phone_number"}, {"provider_code": "400.002.02"}],
    "VALIDATION_ERROR": [{}, {"fields": {"phone": "wrong", "phone_number": "wrong"}}],
    "PROVIDER_REFUSED": [
        {"reason": "refused_other"},
        _REFUSED | {"provider_message": "Invalid Access Token"},
        _REFUSED | {"provider_message": "Not allowed"},
    ],
    "PROVIDER_UNAVAILABLE": [{}, {"reason": "refused_unreachable"}],
}


def words_of(name: str) -> Mapping[Status, str]:
    found: Mapping[Status, str] = importlib.import_module(f"app.dialects.{name}").STATUS_WORDS
    return found


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Flask:
    database = f"sqlite:///{tmp_path_factory.mktemp('totality') / 'lipa.db'}"
    return create_app(explicit_settings(database_url=database))


@pytest.fixture(scope="module")
def described(app: Flask) -> dict[str, Any]:
    with app.app_context():
        return document(app)


def chapters() -> Iterator[Chapter]:
    """The chapters of the five documents: those that have words for statuses."""
    yield from {each.title: each for each in CHAPTERS.values() if each.statuses}.values()


def test_five_documents_are_five_dialects() -> None:
    assert len(MODULES) == 5
    assert set(PARTS.values()) <= set(MODULES)
    assert len(list(chapters())) == 5


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


@pytest.mark.parametrize("name", MODULES)
def test_a_dialect_says_how_its_messages_begin_for_every_code(name: str, app: Flask) -> None:
    """Each code either has beginnings of this dialect's, or is left as the core says it."""
    module = importlib.import_module(f"app.dialects.{name}")
    assert set(module.ERROR_WORDS) | module.PLAIN_CODES == set(known_codes())
    assert not set(module.ERROR_WORDS) & module.PLAIN_CODES


def test_a_dialect_begins_its_messages_as_it_says(app: Flask, described: dict[str, Any]) -> None:
    """Whatever an error says of itself, its message is the core's or begins as announced; and
    what is announced is said.
    """
    doors = {operation["tags"][0]: door for door, operation in _doors(described)}
    for chapter in chapters():
        heard = {(kind.code, said) for kind, said in _messages(app, *doors[chapter.title])}
        for code, said in heard:
            announced = tuple(f"{words}. " for words in chapter.words.get(code, ()))
            assert said == "Core." or said.startswith(announced), f"{code}: {said}"
        for code, beginnings in chapter.words.items():
            for words in beginnings:
                assert any(said.startswith(f"{words}. ") for of, said in heard if of == code), words


def _messages(app: Flask, path: str, method: str) -> Iterator[tuple[type[LipaError], str]]:
    """Yield what whoever answers at this door makes of every kind of error."""
    for kind in error_kinds():
        for details in DETAILS.get(kind.code, [{}]):
            error = kind.__new__(kind)
            LipaError.__init__(error, "Core.", details=copy.deepcopy(details))
            with app.test_request_context(path, method=method):
                answer = app.make_response(app.handle_user_exception(error))
            yield kind, answer.get_json()["message"]


def _doors(described: dict[str, Any]) -> Iterator[tuple[tuple[str, str], dict[str, Any]]]:
    for path, methods in described["paths"].items():
        for method, operation in methods.items():
            yield (path.replace("{", "").replace("}", ""), method), operation


def test_the_description_has_every_word_for_every_status(described: dict[str, Any]) -> None:
    told = {tag["name"]: tag for tag in described["tags"]}
    for chapter in chapters():
        words = {str(status): word for status, word in chapter.statuses.items()}
        assert set(words) == {str(status) for status in Status}
        assert told[chapter.title]["x-statuses"] == words


def test_the_description_says_what_every_code_means(described: dict[str, Any]) -> None:
    codes = set(known_codes())
    assert set(MEANINGS) == codes
    assert set(described["x-error-codes"]) == codes
    assert set(described["components"]["schemas"]["Error"]["properties"]["code"]["enum"]) == codes
    for tag in described["tags"]:
        assert set(tag.get("x-error-words", codes)) == codes, tag["name"]
