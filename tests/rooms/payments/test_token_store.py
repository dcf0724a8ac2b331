"""The one access token of all processes: who may fetch, who waits, and whose token stands."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import timedelta

import pytest
from cryptography.fernet import Fernet
from sqlalchemy import update

from app.core.clock import now
from app.core.unit_of_work import transaction
from app.mpesa.tokens import AccessToken, TokenCache, TokenUnavailable
from app.payments.token_store import DatabaseShelf, SharedToken
from tests.support.app import Shop

ACCOUNT = "b" * 64


@pytest.fixture
def shelf(shop: Shop) -> Iterator[DatabaseShelf]:
    shop.set(settings_encryption_key=Fernet.generate_key().decode())
    with shop.app.app_context():
        yield DatabaseShelf()


def test_of_two_who_saw_the_same_one_may_fetch(shelf: DatabaseShelf) -> None:
    for _ in range(2):
        seen = shelf.look(ACCOUNT)
        leases = [shelf.claim(ACCOUNT, seen, 15), shelf.claim(ACCOUNT, seen, 15)]
        assert [lease is None for lease in leases] == [False, True]
        assert shelf.look(ACCOUNT).lease == "held"
        shelf.release(ACCOUNT, leases[0])
        assert shelf.look(ACCOUNT).lease == "none"


def test_whoever_waits_takes_the_token_that_comes(shelf: DatabaseShelf) -> None:
    lease = shelf.claim(ACCOUNT, shelf.look(ACCOUNT), 15)

    def fetched_meanwhile(_: float) -> None:
        shelf.put(ACCOUNT, lease, AccessToken("theirs", 3599))

    cache = TokenCache(shelf, sleep=fetched_meanwhile)
    assert cache.get(ACCOUNT, lambda: pytest.fail("there was no need to fetch")) == "theirs"


def test_whoever_waits_for_a_fetch_that_fails_gives_up_with_it(shelf: DatabaseShelf) -> None:
    lease = shelf.claim(ACCOUNT, shelf.look(ACCOUNT), 15)

    def failed_meanwhile(_: float) -> None:
        shelf.release(ACCOUNT, lease)

    cache = TokenCache(shelf, sleep=failed_meanwhile)
    with pytest.raises(TokenUnavailable, match="another process could not"):
        cache.get(ACCOUNT, lambda: pytest.fail("one failure is enough for all"))
    assert cache.get(ACCOUNT, lambda: AccessToken("fresh", 3599)) == "fresh"


def test_the_right_of_a_process_that_died_goes_to_the_next(shelf: DatabaseShelf) -> None:
    shelf.claim(ACCOUNT, shelf.look(ACCOUNT), 0.05)
    cache = TokenCache(shelf, sleep=lambda _: time.sleep(0.1))
    assert cache.get(ACCOUNT, lambda: AccessToken("fresh", 3599)) == "fresh"
    assert shelf.look(ACCOUNT).value == "fresh"


def test_waiting_has_an_end(shelf: DatabaseShelf) -> None:
    shelf.claim(ACCOUNT, shelf.look(ACCOUNT), 100)
    passed = [0.0]

    def pass_by(seconds: float) -> None:
        passed[0] += seconds

    cache = TokenCache(shelf, clock=lambda: passed[0], sleep=pass_by)
    with pytest.raises(TokenUnavailable, match="still"):
        cache.get(ACCOUNT, lambda: pytest.fail("another process has the right"))
    assert passed[0] < 20


def test_a_latecomer_does_not_put_its_token_over_a_newer_one(shelf: DatabaseShelf) -> None:
    old = shelf.claim(ACCOUNT, shelf.look(ACCOUNT), 0.01)
    time.sleep(0.02)
    new = shelf.claim(ACCOUNT, shelf.look(ACCOUNT), 15)
    shelf.put(ACCOUNT, new, AccessToken("newer", 3599))
    shelf.put(ACCOUNT, old, AccessToken("older", 3599))
    assert shelf.look(ACCOUNT).value == "newer"


def test_only_the_token_that_was_refused_is_forgotten(shelf: DatabaseShelf) -> None:
    lease = shelf.claim(ACCOUNT, shelf.look(ACCOUNT), 15)
    shelf.put(ACCOUNT, lease, AccessToken("newer", 3599))
    shelf.forget(ACCOUNT, "older")
    assert shelf.look(ACCOUNT).value == "newer"
    shelf.forget(ACCOUNT, "newer")
    assert shelf.look(ACCOUNT).value == ""
    assert shelf.look(ACCOUNT).lease == "none"


@pytest.mark.parametrize("seconds", [3601, 9 * 3600, -1])
def test_a_token_with_an_end_that_cannot_be_is_none(shelf: DatabaseShelf, seconds: float) -> None:
    lease = shelf.claim(ACCOUNT, shelf.look(ACCOUNT), 15)
    shelf.put(ACCOUNT, lease, AccessToken("odd", 3599))
    with transaction() as session:
        expires_at = now() + timedelta(seconds=seconds)
        session.execute(update(SharedToken).values(expires_at=expires_at))
    assert shelf.look(ACCOUNT).value == ""
