"""The world outside: its clock, its outages, and one access token for a whole shop."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from cryptography.fernet import Fernet
from flask import Flask
from sqlalchemy import select, text
from werkzeug.test import TestResponse

from app.extensions import db
from app.mpesa.breaker import MOST_FAILURES, PAUSE_SECONDS, Breakers
from app.mpesa.tokens import AccessToken, TokenCache
from app.mpesa.wires import MOST_REPEATS
from app.payments import provider
from app.payments.token_store import DatabaseShelf, SharedToken
from tests.support.app import Account, Shop, application, later, together
from tests.support.daraja import (
    ACCESS_TOKEN,
    TOKEN_PATH,
    Answer,
    Asked,
    FakeDaraja,
    html,
    refuse,
    token,
)
from tests.support.daraja import text as plain

KEY = Fernet.generate_key().decode()
#: One fetch is so many requests when a gateway fails.
TRIES = 1 + MOST_REPEATS


class Clock:
    """Seconds that pass when a test says so."""

    def __init__(self) -> None:
        self.seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def world(shop: Shop, clock: Clock) -> Iterator[Shop]:
    """A shop with a key to seal its token with, whose breakers go by the test's clock."""
    shop.set(settings_encryption_key=KEY)
    new_process(shop.app, clock)
    yield shop
    provider.prepare(shop.app)


def new_process(app: Flask, clock: Clock | None = None) -> None:
    """Forget what a process keeps in memory, as a restart does."""
    provider.prepare(app)
    if clock is not None:
        shared = app.extensions["lipa_daraja"]
        app.extensions["lipa_daraja"] = shared._replace(breakers=Breakers(clock=clock))


@pytest.fixture
def second(world: Shop, tmp_path: Path) -> Iterator[Flask]:
    """Another process of the same shop: an application of its own on the same database."""
    url = world.app.config["SQLALCHEMY_DATABASE_URI"]
    given = {"mpesa_base_url": world.daraja.url, "public_url": "http://shop.test"}
    with application(
        url, tmp_path, mpesa_timeout_seconds=1, settings_encryption_key=KEY, **given
    ) as app:
        yield app


def pay_at(app: Flask, who: Account, order: dict[str, Any]) -> TestResponse:
    body = {"order_id": order["id"], "phone_number": f"07{order['number']:08d}"}
    client = app.test_client()
    return client.post("/api/payments/mpesa/initiate", json=body, headers=who.headers)


def shared_row(app: Flask) -> SharedToken:
    with app.app_context():
        return db.session.scalars(select(SharedToken)).one()


@contextmanager
def one_at_a_time(daraja: FakeDaraja, answer: Answer, seconds: float) -> Iterator[list[int]]:
    """Have the token service take its time; yields how many asked at once, at every moment."""
    lock, inside, seen = threading.Lock(), [0], [0]

    def script(_: dict[str, Any]) -> Answer:
        with lock:
            inside[0] += 1
            seen.append(inside[0])
        time.sleep(seconds)
        with lock:
            inside[0] -= 1
        return answer

    daraja.token_answer = script
    yield seen


class Revocable:
    """A Daraja that knows its tokens. A new one ends the old one, as Safaricom's FAQ has it."""

    def __init__(self, daraja: FakeDaraja, monkeypatch: pytest.MonkeyPatch) -> None:
        self._answer = daraja.answer
        self._numbers = itertools.count(1)
        self._lock = threading.Lock()
        self.living = ""
        monkeypatch.setattr(daraja, "answer", self.answer)

    def answer(self, asked: Asked) -> Answer:
        answer = self._answer(asked)
        with self._lock:
            if asked.path.startswith(TOKEN_PATH):
                self.living = f"token-{next(self._numbers)}"
                return token(self.living)({})
            if asked.headers["Authorization"] != f"Bearer {self.living}":
                return refuse("Invalid Access Token", "404.001.03", 404)({})
        return answer

    def revoke(self) -> None:
        self.living = ""


@pytest.fixture
def revocable(daraja: FakeDaraja, monkeypatch: pytest.MonkeyPatch) -> Revocable:
    return Revocable(daraja, monkeypatch)


# A9: the clock.


@pytest.mark.parametrize("seconds", [7200, -7200], ids=["two hours on", "two hours back"])
def test_a9_a_clock_that_jumps_ends_in_one_fresh_token(world: Shop, seconds: float) -> None:
    # Seen from today, what is written two hours earlier looks forgotten.
    world.written_by_hand = seconds < 0
    wanjiku = world.person("wanjiku")
    assert world.pay(wanjiku, world.order(wanjiku)).status_code == 200
    world.daraja.requests.clear()
    with later(seconds):
        # Whoever signed in by the other clock is another part's concern.
        achieng = world.person("achieng")
        for _ in range(2):
            new_process(world.app)
            assert world.pay(achieng, world.order(achieng)).status_code == 200
    assert world.daraja.token_fetches == 1


@pytest.mark.parametrize("seconds", [7200, -7200], ids=["two hours on", "two hours back"])
def test_a9_a_process_that_has_a_token_goes_by_a_clock_that_nobody_sets(
    world: Shop, seconds: float
) -> None:
    world.written_by_hand = seconds < 0
    wanjiku = world.person("wanjiku")
    world.pay(wanjiku, world.order(wanjiku))
    with later(seconds):
        achieng = world.person("achieng")
        assert world.pay(achieng, world.order(achieng)).status_code == 200
    assert world.daraja.token_fetches == 1


def test_a9_a_fetch_under_way_before_the_clock_was_set_back_holds_nobody_up(world: Shop) -> None:
    with world.app.app_context():
        shelf = DatabaseShelf()
        account = "a" * 64
        assert shelf.claim(account, shelf.look(account), 15) is not None
        with later(-7200):
            cache = TokenCache(shelf, sleep=no_sleep)
            assert cache.get(account, lambda: AccessToken("fresh", 3599)) == "fresh"


def no_sleep(_: float) -> None:
    pytest.fail("nobody was to be waited for")


# A11: a crowd and a cold start.


def test_a11_twenty_threads_and_a_second_process_fetch_one_token(
    world: Shop, second: Flask, shopper: Account
) -> None:
    orders = [world.order(shopper) for _ in range(20)]
    apps = [world.app, second]
    accepted = Answer(200, b'{"access_token": "%s", "expires_in": "3599"}' % ACCESS_TOKEN.encode())
    with one_at_a_time(world.daraja, accepted, seconds=0.3):
        answers = together(20, lambda n: pay_at(apps[n % 2], shopper, orders[n]))
    assert [answer.status_code for answer in answers] == [200] * 20
    assert world.daraja.token_fetches == 1


def test_a11_a_process_that_starts_again_takes_the_token_that_is_there(
    world: Shop, shopper: Account
) -> None:
    for _ in range(3):
        new_process(world.app)
        assert world.pay(shopper, world.order(shopper)).status_code == 200
    assert world.daraja.token_fetches == 1


def test_a11_a_payment_with_a_token_at_hand_does_not_read_the_shelf(
    world: Shop, shopper: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.pay(shopper, world.order(shopper))
    monkeypatch.setattr(DatabaseShelf, "look", lambda *_: pytest.fail("the shelf was read"))
    assert world.pay(shopper, world.order(shopper)).status_code == 200


# B1: gateway's pages.


def test_b1_after_five_pages_a_shopper_is_told_503_until_daraja_is_back(
    world: Shop, shopper: Account, clock: Clock
) -> None:
    world.daraja.push_answer = html(502)
    for _ in range(MOST_FAILURES):
        told = world.pay(shopper, world.order(shopper))
        assert told.status_code == 202, "a page does not say whether the prompt was sent"
    order = world.order(shopper)
    refused = world.pay(shopper, order)
    assert refused.status_code == 503
    assert refused.get_json()["code"] == "PROVIDER_UNAVAILABLE"
    assert int(refused.headers["Retry-After"]) > 0
    assert world.payment(order).status == "failed", "it is known that nothing was sent"
    assert len(world.daraja.pushes) == MOST_FAILURES
    with world.app.app_context():
        assert set(provider.breaker_states().values()) == {"open", "closed"}

    world.daraja.push_answer = world.daraja.accept
    clock.seconds += PAUSE_SECONDS + 1
    assert world.pay(shopper, order).status_code == 200
    with world.app.app_context():
        assert set(provider.breaker_states().values()) == {"closed"}


def test_b1_a_daraja_that_says_no_is_still_there(world: Shop, shopper: Account) -> None:
    world.daraja.push_answer = refuse("Error Occurred: Spike Arrest Violation", "500.003.02")
    for _ in range(2 * MOST_FAILURES):
        assert world.pay(shopper, world.order(shopper)).status_code == 503
    assert len(world.daraja.pushes) == 2 * MOST_FAILURES


# B4: a token that Daraja does not take any more.


def test_b4_a_revoked_token_is_replaced_once_and_the_push_repeated_once(
    world: Shop, shopper: Account, revocable: Revocable
) -> None:
    world.pay(shopper, world.order(shopper))
    revocable.revoke()
    assert world.pay(shopper, world.order(shopper)).status_code == 200
    assert world.daraja.token_fetches == 2
    assert len(world.daraja.pushes) == 1 + 2


def test_b4_a_second_process_takes_the_new_token_without_a_fetch(
    world: Shop, second: Flask, shopper: Account, revocable: Revocable
) -> None:
    for app in (world.app, second):
        assert pay_at(app, shopper, world.order(shopper)).status_code == 200
    revocable.revoke()
    for app in (world.app, second, world.app):
        assert pay_at(app, shopper, world.order(shopper)).status_code == 200
    assert world.daraja.token_fetches == 2


def test_b4_a_crowd_with_a_revoked_token_fetches_one(
    world: Shop, second: Flask, shopper: Account, revocable: Revocable
) -> None:
    """A new token ends the old one, so that a second fetch would make the first's users fail."""
    apps = [world.app, second]
    for app in apps:
        pay_at(app, shopper, world.order(shopper))
    orders = [world.order(shopper) for _ in range(20)]
    revocable.revoke()
    answers = together(20, lambda n: pay_at(apps[n % 2], shopper, orders[n]))
    assert [answer.status_code for answer in answers] == [200] * 20
    assert world.daraja.token_fetches == 2


def test_b4_a_token_that_is_never_taken_is_not_fetched_for_ever(
    world: Shop, shopper: Account
) -> None:
    world.daraja.push_answer = refuse("Invalid Access Token", "404.001.03", 404)
    assert world.pay(shopper, world.order(shopper)).status_code == 502
    assert (world.daraja.token_fetches, len(world.daraja.pushes)) == (2, 2)


# B5: the token service is down.


def test_b5_a_minute_without_tokens_fails_fast_and_recovers_by_itself(
    world: Shop, shopper: Account, clock: Clock
) -> None:
    world.daraja.token_answer = html(503)
    for _ in range(20):
        assert world.pay(shopper, world.order(shopper)).status_code == 503
        clock.seconds += 3
    # Five fetches, and at most one trial in each half minute.
    assert world.daraja.token_fetches <= (MOST_FAILURES + 2) * TRIES
    assert world.daraja.pushes == []
    world.daraja.token_answer = token()
    clock.seconds += PAUSE_SECONDS
    assert world.pay(shopper, world.order(shopper)).status_code == 200


def test_b5_a_crowd_does_not_try_one_after_the_other(
    world: Shop, second: Flask, shopper: Account
) -> None:
    orders = [world.order(shopper) for _ in range(20)]
    apps = [world.app, second]
    with one_at_a_time(world.daraja, Answer(503, b""), seconds=0.4) as seen:
        answers = together(20, lambda n: pay_at(apps[n % 2], shopper, orders[n]))
    assert [answer.status_code for answer in answers] == [503] * 20
    assert max(seen) == 1, "one fetch is under way in all processes together"
    assert world.daraja.token_fetches <= 2 * TRIES, "a latecomer may have found the way free"


def test_b5_wrong_credentials_are_told_as_such_and_do_not_open_the_breaker(
    world: Shop, shopper: Account
) -> None:
    world.daraja.token_answer = plain(b"", 400)
    for _ in range(MOST_FAILURES + 1):
        answer = world.pay(shopper, world.order(shopper))
        assert (answer.status_code, answer.get_json()["code"]) == (502, "PROVIDER_REFUSED")
    assert world.daraja.token_fetches == MOST_FAILURES + 1


# The token's place in the database.


def test_the_shared_token_cannot_be_read_from_its_row(world: Shop, shopper: Account) -> None:
    world.pay(shopper, world.order(shopper))
    row = shared_row(world.app)
    assert ACCESS_TOKEN.encode() not in row.encrypted_value
    assert Fernet(KEY).decrypt(row.encrypted_value).decode() == ACCESS_TOKEN
    assert len(row.account) == 64
    assert row.fetching_until is None


def test_a_token_sealed_with_another_key_is_replaced(world: Shop, shopper: Account) -> None:
    world.pay(shopper, world.order(shopper))
    world.set(settings_encryption_key=Fernet.generate_key().decode())
    for _ in range(2):
        new_process(world.app)
        assert world.pay(shopper, world.order(shopper)).status_code == 200
    assert world.daraja.token_fetches == 2


@pytest.mark.parametrize("key", [None, "no key at all"])
def test_without_a_key_every_process_fetches_for_itself(
    world: Shop, shopper: Account, key: str | None, caplog: pytest.LogCaptureFixture
) -> None:
    world.set(settings_encryption_key=key)
    for _ in range(2):
        new_process(world.app)
        assert world.pay(shopper, world.order(shopper)).status_code == 200
    assert world.daraja.token_fetches == 2
    assert "the access token is not shared with other processes" in caplog.text


def test_a_shelf_that_breaks_down_stops_no_payment(
    world: Shop, shopper: Account, caplog: pytest.LogCaptureFixture
) -> None:
    with broken_shelf(world):
        assert world.pay(shopper, world.order(shopper)).status_code == 200
        with world.app.app_context():
            provider.mpesa()._daraja._tokens.forget("a" * 64, "refused")
    assert world.daraja.token_fetches == 1
    assert "the database does not answer" in caplog.text
    assert ACCESS_TOKEN not in caplog.text


@contextmanager
def broken_shelf(shop: Shop) -> Iterator[None]:
    def rename(old: str, new: str) -> None:
        with shop.app.app_context(), db.engine.begin() as connection:
            connection.execute(text(f"ALTER TABLE {old} RENAME TO {new}"))

    rename("access_tokens", "mislaid")
    try:
        yield
    finally:
        rename("mislaid", "access_tokens")
