"""Which language a page speaks, who chose it, and how words, money and time are said in it."""

from __future__ import annotations

import copy
import pickle
import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

import pytest
from flask_babel import get_domain
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Engine, event, select
from sqlalchemy.exc import OperationalError
from werkzeug.test import TestResponse

from app.accounts.models import Person
from app.core.money import Kes
from app.core.texts import Said, marked, said
from app.core.unit_of_work import transaction
from app.extensions import db
from app.languages import in_readers_language, moment, money
from tests.support.app import Account, Shop

PAGE = {"Accept": "text/html"}
SAME = {"Origin": "http://localhost"}
NOT_FOUND = marked("There is nothing here under that name, or it is not yours.")
LEFT = "Only {count} left. Please take fewer."


def spoken(answer: TestResponse) -> str:
    """The language of a page, by its own word and by its header, which agree."""
    found = re.search(r'<html lang="(\w+)"', answer.text)
    assert found
    assert answer.headers["Content-Language"] == found[1]
    return found[1]


def keep(account: Account, shop: Shop, language: str | None) -> None:
    with shop.app.app_context(), transaction() as session:
        session.get_one(Person, account.id).language = language


def kept(account: Account, shop: Shop) -> str | None:
    with shop.app.app_context():
        return db.session.scalar(select(Person.language).where(Person.id == account.id))


@contextmanager
def every_question(shop: Shop, *, refused: bool = False) -> Iterator[list[str]]:
    """What the database is asked meanwhile; with ``refused`` it is away."""
    asked: list[str] = []

    def note(_connection, _cursor, statement, *_more):
        asked.append(statement)
        if refused:
            raise OperationalError(statement, {}, Exception("the database is away"))

    with shop.app.app_context():
        engine: Engine = db.engine
    event.listen(engine, "before_cursor_execute", note)
    try:
        yield asked
    finally:
        event.remove(engine, "before_cursor_execute", note)


@pytest.mark.parametrize(
    ("wanted", "spoken_then"),
    [
        ("sw", "sw"),
        ("sw-KE", "sw"),
        ("sw_TZ", "sw"),
        ("SW-ke, en;q=0.9", "sw"),
        ("sw-KE,en;q=0.5", "sw"),
        ("en;q=0.5, sw;q=0.9", "sw"),
        ("de, fr;q=0.9, sw;q=0.1", "sw"),
        ("en-GB,sw;q=0.9", "en"),
        ("sw;q=0, en", "en"),
        ("swa", "en"),
        ("*", "en"),
        ("", "en"),
        ("de", "en"),
        (";;,=,q=,sw;q=x\x7f", "en"),
        (",".join(["x"] * 5000), "en"),
    ],
)
def test_a_stranger_reads_the_first_of_our_languages_that_the_browser_asks_for(
    shop: Shop, wanted: str, spoken_then: str
) -> None:
    answer = shop.client().get("/sign-in", headers={"Accept-Language": wanted})
    assert (answer.status_code, spoken(answer)) == (200, spoken_then)
    assert {"accept-language", "cookie"} <= {name.lower() for name in answer.vary}


def test_this_browser_comes_before_the_account_and_the_account_before_the_browsers_wish(
    shop: Shop, shopper: Account
) -> None:
    client, headers = shop.client(), shopper.headers | {"Accept-Language": "en"}
    keep(shopper, shop, "sw")
    assert spoken(client.get("/orders", headers=headers)) == "sw"
    with client.session_transaction() as session:
        session["language"] = "en"
    headers["Accept-Language"] = "sw"
    assert spoken(client.get("/orders", headers=headers)) == "en"


def test_a_language_that_we_no_longer_speak_is_passed_over(shop: Shop, shopper: Account) -> None:
    client = shop.client()
    keep(shopper, shop, "fr")
    with client.session_transaction() as session:
        session["language"] = ["sw"]
    asked = client.get("/orders", headers=shopper.headers | {"Accept-Language": "sw-KE"})
    assert spoken(asked) == "sw"


def test_who_chooses_a_language_keeps_it_in_the_browser_and_in_the_account(
    shop: Shop, shopper: Account
) -> None:
    client = shop.client()
    form = {"language": "sw", "next": "/orders?page=1"}
    answer = client.post("/language", data=form, headers=SAME | shopper.headers)
    assert (answer.status_code, answer.location) == (303, "/orders?page=1")
    assert kept(shopper, shop) == "sw"
    assert spoken(client.get("/sign-in")) == "sw", "signed out, in the same browser"
    assert spoken(shop.client().get("/orders", headers=shopper.headers)) == "sw", "elsewhere"
    client.post("/language", data={"language": "en"}, headers=SAME)
    assert spoken(client.get("/sign-in", headers={"Accept-Language": "sw"})) == "en"


@pytest.mark.parametrize(
    "onward", ["https://evil.example/", "//evil.example", "/\\evil.example", "javascript:x", ""]
)
def test_a_choice_of_language_never_leads_out_of_the_shop(shop: Shop, onward: str) -> None:
    form = {"language": "sw", "next": onward}
    answer = shop.client().post("/language", data=form, headers=SAME)
    assert (answer.status_code, answer.location) == (303, "/")


@pytest.mark.parametrize("wanted", ["", "SW", "fr", "en,sw", "../sw", "s" * 100_000])
def test_a_language_that_we_do_not_speak_is_refused_in_words(
    shop: Shop, shopper: Account, wanted: str
) -> None:
    answer = shop.client().post(
        "/language", data={"language": wanted}, headers=PAGE | SAME | shopper.headers
    )
    assert answer.status_code == 400
    assert "en, sw" in answer.text
    assert kept(shopper, shop) is None


def test_no_foreign_page_chooses_somebodys_language(shop: Shop, shopper: Account) -> None:
    headers = shopper.headers | {"Origin": "https://evil.example"}
    answer = shop.client().post("/language", data={"language": "sw"}, headers=headers)
    assert answer.status_code == 403
    assert kept(shopper, shop) is None


def test_a_static_file_asks_the_database_nothing(shop: Shop, shopper: Account) -> None:
    with every_question(shop) as asked:
        answer = shop.client().get("/static/css/lipa.css", headers=shopper.headers)
        assert answer.status_code == 200
        assert "Content-Language" not in answer.headers
        answer.close()
    assert asked == []


def test_who_reads_is_asked_once_for_a_page(shop: Shop, shopper: Account) -> None:
    keep(shopper, shop, "sw")
    with every_question(shop) as asked:
        answer = shop.client().get("/cart", headers=shopper.headers)
        assert spoken(answer) == "sw"
    assert len([statement for statement in asked if "FROM people" in statement]) <= 1


def test_with_the_database_away_the_error_still_comes_in_the_readers_language(
    shop: Shop, shopper: Account
) -> None:
    client, headers = shop.client(), PAGE | shopper.headers | {"Accept-Language": "sw-KE"}
    with every_question(shop, refused=True):
        by_wish = client.get("/orders", headers=headers)
        with client.session_transaction() as session:
            session["language"] = "en"
        by_choice = client.get("/orders", headers=headers)
    assert (by_wish.status_code, spoken(by_wish)) == (503, "sw")
    assert (by_choice.status_code, spoken(by_choice)) == (503, "en")


@pytest.mark.parametrize("path", ["/nothing", "/orders/424242", "/receipts/nothing"])
def test_a_page_that_is_not_there_says_so_in_both_languages(
    shop: Shop, shopper: Account, path: str
) -> None:
    client = shop.client()
    pages = {
        language: client.get(path, headers=PAGE | shopper.headers | {"Accept-Language": language})
        for language in ("en", "sw")
    }
    assert {page.status_code for page in pages.values()} == {404}
    assert "Not found" in pages["en"].text
    assert "Not found" not in pages["sw"].text
    assert spoken(pages["sw"]) == "sw"


def test_programs_are_answered_in_english_and_our_own_script_in_the_pages_language(
    shop: Shop,
) -> None:
    client, headers = shop.client(), {"Accept-Language": "sw"}
    for path in ("/api/nothing", "/payments/nothing"):
        assert client.get(path, headers=headers).get_json()["message"] == NOT_FOUND
    ours = client.get("/nothing", headers=headers | {"Accept": "application/json"}).get_json()
    with shop.app.test_request_context(headers=headers):
        assert ours["message"] == ours["error"] == in_readers_language(NOT_FOUND) != NOT_FOUND
    assert ours["code"] == "NOT_FOUND"


def test_money_and_time_are_written_as_the_reader_writes_them(shop: Shop) -> None:
    evening = datetime(2026, 3, 31, 21, 5, tzinfo=UTC)
    with shop.app.test_request_context():
        assert (money(150_000), money(-50)) == ("KES 1,500", "KES -0.50")
        assert moment(evening) == "1 Apr 2026, 00:05"
    with shop.app.test_request_context(headers={"Accept-Language": "sw-KE"}):
        assert (money(150_000), money(100, decimals=True)) == ("Ksh 1,500", "Ksh 1.00")
        assert moment(evening) == "1 Apr 2026, 00:05"
        assert moment(datetime(2026, 8, 1, 9, 0, tzinfo=UTC)) == "1 Ago 2026, 12:00"
        assert moment(datetime(2026, 10, 9, 9, 0, tzinfo=UTC)) == "9 Okt 2026, 12:00"


def test_one_and_many_are_told_apart_in_swahili(shop: Shop) -> None:
    with shop.app.test_request_context(headers={"Accept-Language": "sw"}):
        rule = get_domain().get_translations().plural
        assert [rule(count) for count in (0, 1, 2, 11, 1_000_000)] == [1, 0, 1, 1, 1]


def test_a_sentence_is_said_again_from_its_parts(shop: Shop) -> None:
    said_once = said(LEFT, count=3)
    assert said_once == "Only 3 left. Please take fewer."
    with shop.app.test_request_context(headers={"Accept-Language": "sw"}):
        again = in_readers_language(said_once)
        assert again not in ("", said_once)
        assert "3" in again
        nested = said("{first}: {second}", first=marked("Not found"), second=said_once)
        assert nested == "Not found: Only 3 left. Please take fewer."
        assert in_readers_language(nested) == f"{in_readers_language('Not found')}: {again}"
        assert in_readers_language(said("It costs {sum}.", sum=Kes(150_000))).endswith("1,500.")


def test_a_job_in_the_background_speaks_english(shop: Shop) -> None:
    left, price = said(LEFT, count=3), Kes(150_000)
    with shop.app.app_context():
        assert in_readers_language(left) == left
        assert money(price) == "KES 1,500"


def test_what_somebody_has_written_is_never_translated(shop: Shop) -> None:
    """A product may be called as one of our own words is."""
    with shop.app.test_request_context(headers={"Accept-Language": "sw"}):
        assert in_readers_language("Not found") != "Not found"
        assert in_readers_language(said("{name}!", name="Not found")) == "Not found!"


anything = st.text(max_size=30) | st.integers() | st.sampled_from(["{", "}", "{0}", "{x}", "%(a)s"])


@given(anything, anything)
def test_whatever_the_values_are_a_sentence_holds_them_as_they_are(
    one: object, two: object
) -> None:
    sentence = said("{one} and {two}", one=one, two=two)
    assert sentence == f"{one} and {two}"
    for copied in (copy.deepcopy(sentence), pickle.loads(pickle.dumps(sentence))):
        assert (copied, type(copied)) == (sentence, Said)
        assert (copied.template, copied.values) == (sentence.template, sentence.values)


@given(st.text(max_size=40))
def test_a_marked_text_is_itself(text: str) -> None:
    assert marked(text) == text
    assert said("{part}", part=marked(text)) == text


def test_words_are_stored_and_sent_as_plain_texts(shop: Shop, shopper: Account) -> None:
    with shop.app.app_context():
        with transaction() as session:
            session.get_one(Person, shopper.id).name = said("Wanjiku {n}", n=2)
        db.session.expire_all()
        name = db.session.scalar(select(Person.name).where(Person.id == shopper.id))
    assert (name, type(name)) == ("Wanjiku 2", str)
    assert shop.app.json.dumps(said(LEFT, count=3)) == '"Only 3 left. Please take fewer."'
