"""The audit trail as a page: sentences, filters and pages by key."""

from __future__ import annotations

from typing import Any

import pytest

from app.accounts.models import Person
from app.accounts.roles import Role
from app.audit import service as audit
from app.core.clock import nairobi
from app.core.unit_of_work import transaction
from tests.rooms.admin.desk import Desk
from tests.support.app import Account, Shop, later
from tests.support.staff import staff

PAGE = "/admin/audit"


def done(shop: Shop, who: Account | str, action: str, subject: str = "", **detail: Any) -> None:
    with shop.app.app_context(), transaction() as session:
        actor = who if isinstance(who, str) else session.get_one(Person, who.id)
        audit.record(session, actor, action, subject, **detail)


@pytest.fixture
def desk(shop: Shop) -> Desk:
    return Desk(shop, staff(shop, "auditor", Role.VIEWER))


def test_a_row_says_who_did_what_to_what_and_why(shop: Shop, desk: Desk, admin: Account) -> None:
    done(shop, admin, "payout.approved", "payout PAY1", amount="KES 1,500", why="I called them")
    page = desk.read(PAGE)
    assert "<strong>achieng@example.com</strong> agreed to the payout PAY1" in page
    assert "“I called them”" in page
    assert "amount: KES 1,500" in page


def test_an_action_without_a_sentence_is_told_all_the_same(shop: Shop, desk: Desk) -> None:
    done(shop, "machine", "day.closed_again", "day 2026-11-20", rows=3, forced=True, by_hand=None)
    page = desk.read(PAGE)
    assert "<strong>machine</strong> closed again: day 2026-11-20" in page
    assert "rows: 3 · forced: yes · by hand: none" in page


def test_what_people_wrote_is_text_and_no_markup(shop: Shop, desk: Desk) -> None:
    done(shop, "<b>m</b>", "x.y", "<script>", why="<img src=x>")
    page = desk.open(PAGE).text
    assert not {"<b>m", "<script>", "<img src=x"} & set(page.split())
    assert "&lt;img src=x&gt;" in page


@pytest.mark.parametrize(
    ("query", "seen"),
    [
        ("actor=Achieng@example.com", {"one"}),
        ("action=payout.", {"one", "two"}),
        ("action=payout.approved", {"one"}),
        ("action=payout_", set()),
        ("subject=payout+PAY2", {"two"}),
        ("actor=machine&action=order.", {"three"}),
        ("day=2001-01-01", set()),
    ],
)
def test_rows_are_narrowed_down(
    shop: Shop, desk: Desk, admin: Account, query: str, seen: set[str]
) -> None:
    done(shop, admin, "payout.approved", "payout PAY1", why="one")
    done(shop, "machine", "payout.asked", "payout PAY2", why="two")
    done(shop, "machine", "order.cancelled", "order 3", why="three")
    page = desk.read(f"{PAGE}?{query}")
    assert {word for word in ("one", "two", "three") if f"“{word}”" in page} == seen


def test_a_day_is_a_day_in_nairobi(shop: Shop, desk: Desk) -> None:
    done(shop, "machine", "x.y", why="today")
    with later(86_400):
        done(shop, "machine", "x.y", why="tomorrow")
    with shop.app.app_context():
        newest, before = audit.newest(limit=2)
        day = nairobi(newest.at).date()
    page = desk.read(f"{PAGE}?day={day}")
    assert ("“tomorrow”" in page, "“today”" in page) == (True, False)
    assert before.detail["why"] == "today"


def test_older_rows_are_reached_by_the_key_of_the_last(shop: Shop, desk: Desk) -> None:
    for number in range(60):
        done(shop, "machine", "x.y", f"thing {number}")
    first = desk.read(f"{PAGE}?action=x.")
    assert first.count('<li id="row-') == 50
    onward = first.partition('rel="next" href="')[2].partition('"')[0]
    assert "action=x." in onward
    assert desk.read(onward).count('<li id="row-') == 10


@pytest.mark.parametrize(
    "query",
    [
        "day=yesterday",
        "day=0001-01-01",
        "day=9999-12-31",
        "before=x",
        "before=99999999999999999999",
    ],
)
def test_a_filter_that_cannot_be_read_is_told(desk: Desk, query: str) -> None:
    assert desk.open(f"{PAGE}?{query}").status_code == 400
