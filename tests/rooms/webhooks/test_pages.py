"""The pages about webhooks: the secret once, the log as it is, and nothing for who may only see."""

from __future__ import annotations

import re

import pytest
from sqlalchemy import select

from app.accounts.roles import Role
from app.audit.models import AuditEntry
from app.extensions import db
from app.webhooks import endpoints
from app.webhooks.delivery import due_endpoints, serve
from app.webhooks.models import Delivery
from tests.rooms.admin.desk import Desk, flashed
from tests.rooms.webhooks.listening import Listening
from tests.support.app import Account, Shop
from tests.support.staff import staff

ROOM = "/admin/webhooks"
PAYMENTS = ["payment.completed", "payment.failed"]


@pytest.fixture
def desk(keyed: Shop, owner: Account) -> Desk:
    return Desk(keyed, owner)


def added(desk: Desk, address: str) -> tuple[str, str]:
    """Add an endpoint by the form; return its page and its secret."""
    answer = desk.send(ROOM, address=address, events=PAYMENTS)
    assert answer.status_code == 201, answer.text
    secret = re.search(r"whsec_[\w-]+", answer.text)
    number = re.search(rf"{ROOM}/(\d+)/test", answer.text)
    assert secret
    assert number
    return f"{ROOM}/{number[1]}", secret[0]


def turn(shop: Shop) -> None:
    with shop.app.app_context():
        for endpoint_id in due_endpoints():
            serve(endpoint_id)


def actions(shop: Shop) -> list[str]:
    with shop.app.app_context():
        rows = db.session.scalars(select(AuditEntry).order_by(AuditEntry.id))
        return [row.action for row in rows if row.action.startswith("webhook.")]


def test_a_secret_is_shown_once_and_kept_sealed(
    keyed: Shop, desk: Desk, listening: Listening
) -> None:
    page, secret = added(desk, listening.url)
    assert secret not in desk.read(page)
    changed = desk.send(f"{page}/secret")
    newer = re.search(r"whsec_[\w-]+", changed.text)
    assert newer
    assert newer[0] != secret
    assert newer[0] not in desk.read(page)
    assert changed.headers["Cache-Control"] == "no-store"
    assert actions(keyed) == ["webhook.added", "webhook.given_a_new_secret"]


def test_a_test_its_answer_and_its_repetition_stand_in_the_log(
    keyed: Shop, desk: Desk, listening: Listening
) -> None:
    listening.status, listening.answer = 500, b"<script>alert(1)</script>"
    page, _ = added(desk, listening.url)
    desk.told(f"{page}/test")
    turn(keyed)
    raw = desk.open(page).text
    assert "&lt;script&gt;alert(1)" in raw
    assert "<script>alert" not in raw
    assert "<strong>500</strong>" in raw
    listening.status = 200
    with keyed.app.app_context():
        [told] = db.session.scalars(select(Delivery))
    assert flashed(desk.told(f"{page}/deliver-again", delivery=str(told.id))) == [
        "1 delivery is tried again."
    ]
    turn(keyed)
    assert "Delivered" in desk.read(page)
    assert listening.heard[0].body == listening.heard[1].body


def test_an_address_that_is_not_allowed_is_told_beside_its_field(desk: Desk) -> None:
    answer = desk.send(ROOM, address="https://10.0.0.1/", events=PAYMENTS)
    assert answer.status_code == 400
    assert "is not an address of the internet" in answer.text
    assert 'value="https://10.0.0.1/"' in answer.text
    assert desk.send(ROOM, address="http://127.0.0.1:9/").status_code == 400


def test_without_a_key_nothing_is_stored(shop: Shop, admin: Account) -> None:
    desk = Desk(shop, admin)
    answer = desk.send(ROOM, address="http://127.0.0.1:9/", events=PAYMENTS)
    assert answer.status_code == 503
    assert "SETTINGS_ENCRYPTION_KEY" in answer.text


def test_pausing_and_removing_are_written_down(
    keyed: Shop, desk: Desk, listening: Listening
) -> None:
    page, _ = added(desk, listening.url)
    assert "Paused since" in desk.told(f"{page}/pause", paused="yes")
    assert "Paused since" not in desk.told(f"{page}/pause", paused="no")
    assert "None yet." in desk.told(f"{page}/remove")
    assert desk.open(page).status_code == 404
    assert actions(keyed)[1:] == ["webhook.paused", "webhook.resumed", "webhook.removed"]


@pytest.mark.parametrize("deed", ["", "/secret", "/pause", "/test", "/deliver-again", "/remove"])
def test_who_may_only_see_changes_nothing(
    keyed: Shop, desk: Desk, listening: Listening, deed: str
) -> None:
    page, _ = added(desk, listening.url)
    viewer = Desk(keyed, staff(keyed, "njoki", Role.VIEWER))
    before = actions(keyed)
    assert listening.url in viewer.read(ROOM)
    assert "Send a test" not in viewer.read(page)
    form = {"address": "http://127.0.0.1:9/", "events": PAYMENTS, "paused": "yes"}
    assert viewer.send(f"{page}{deed}" if deed else ROOM, **form).status_code == 403
    assert actions(keyed) == before


def test_the_log_goes_back_page_by_page(
    keyed: Shop, desk: Desk, listening: Listening, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.webhooks.pages.PER_PAGE", 2)
    monkeypatch.setattr(endpoints, "spend", lambda *_: True)
    page, _ = added(desk, listening.url)
    for _ in range(5):
        desk.send(f"{page}/test")
    seen: list[str] = []
    path: str | None = page
    while path:
        told = desk.read(path)
        seen += re.findall(r'name="delivery" value="(\d+)"', told)
        older = re.search(r'href="(\?before=\d+)', told)
        path = page + older[1] if older else None
    assert [int(one) for one in seen] == sorted((int(one) for one in seen), reverse=True)
    assert len(seen) == 5


@pytest.mark.parametrize("query", ["before=x", "before=9" + "9" * 30, "state=nothing", "state="])
def test_a_strange_query_shows_a_page(desk: Desk, listening: Listening, query: str) -> None:
    page, _ = added(desk, listening.url)
    assert desk.open(f"{page}?{query}").status_code == 200
    assert desk.open(f"{ROOM}/99999999999999999999999").status_code == 404
