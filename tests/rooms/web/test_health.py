"""What a process says of itself: to people, to whoever restarts it, and to balancers."""

from __future__ import annotations

from unittest import mock

import pytest
from flask import Flask
from sqlalchemy import create_engine, event, text

from app import health
from app.extensions import db
from tests.support.app import Shop

LIVE, READY = "/api/health/live", "/api/health/ready"
NOBODY_LISTENS = create_engine("postgresql+psycopg://lipa@127.0.0.1:1/lipa")


def _told(shop: Shop, path: str, **headers: str) -> tuple[int, dict[str, object]]:
    answer = shop.client().get(path, headers=headers)
    body: dict[str, object] = answer.get_json()
    return answer.status_code, body


def _stand_at(shop: Shop, revision: str) -> str:
    """Have the database say that it stands at another migration; return at which it stood."""
    with shop.app.app_context(), db.engine.begin() as connection:
        before = str(connection.scalar(text("SELECT version_num FROM alembic_version")))
        connection.execute(text("UPDATE alembic_version SET version_num = :it"), {"it": revision})
    return before


def test_a_process_whose_database_is_away_is_alive_and_not_ready(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert _told(shop, READY) == (200, {"status": "ok", "problems": []})
    # A database that is gone, without taking it from the tests that come after this one.
    monkeypatch.setattr("app.schema.db", mock.Mock(engine=NOBODY_LISTENS))
    assert _told(shop, READY) == (
        503,
        {"status": "unwell", "problems": ["the database does not answer"]},
    )
    assert _told(shop, LIVE) == (200, {"status": "ok"})


def test_whoever_asks_whether_a_process_lives_wakes_no_database(shop: Shop) -> None:
    asked: list[str] = []
    with shop.app.app_context():
        engine = db.engine

    def note(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        asked.append(statement)

    event.listen(engine, "before_cursor_execute", note)
    try:
        assert _told(shop, LIVE)[0] == 200
        assert asked == []
        assert _told(shop, READY)[0] == 200
        assert asked, "this one looks"
    finally:
        event.remove(engine, "before_cursor_execute", note)


def test_a_process_is_not_ready_for_a_database_that_lacks_a_migration(shop: Shop) -> None:
    newest = _stand_at(shop, "0019")
    try:
        status, told = _told(shop, READY)
    finally:
        _stand_at(shop, newest)
    assert (status, told["status"]) == (503, "unwell")
    assert "flask prepare" in str(told["problems"])


def test_a_process_of_yesterday_stays_ready_while_the_database_is_ahead_of_it(shop: Shop) -> None:
    newest = _stand_at(shop, "9999")
    try:
        assert _told(shop, READY)[0] == 200
    finally:
        _stand_at(shop, newest)


def test_balancers_reach_a_process_by_any_name_and_people_do_not(shop: Shop) -> None:
    shop.set(allowed_hosts="shop.example")
    statuses = [_told(shop, path, Host="10.0.0.7:8001")[0] for path in (LIVE, READY, "/api/health")]
    assert statuses == [200, 200, 400]


def test_what_is_stopping_is_alive_and_not_ready() -> None:
    app = Flask("stopping")
    app.register_blueprint(health.health_api)
    health.stops_when(app, lambda: True)
    answers = [app.test_client().get(path) for path in (LIVE, READY)]
    assert [answer.status_code for answer in answers] == [200, 503]
    assert answers[1].get_json()["problems"] == ["this process is stopping"]
