"""A Daraja that does not answer is left alone, tried once after a pause, and taken up again."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import requests
import requests_mock
from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

from app.mpesa.breaker import MOST_FAILURES, PAUSE_SECONDS, TRIAL_SECONDS, Breakers, RoadClosed
from app.mpesa.messages import PushAccepted, PushRefused, PushUnanswered, QueryUnanswered
from app.mpesa.service import MpesaService
from tests.rooms.mpesa.speaking import (
    ACCEPTED,
    PROMPT,
    PUSH_URL,
    QUERY_URL,
    TOKEN_URL,
    at,
    error,
    sent_to,
    service,
)
from tests.services.launch import free_port
from tests.services.redis import RedisServer
from tests.support.app import together
from tests.support.daraja import FakeDaraja

PAGE: dict[str, Any] = {"status_code": 502, "text": "<html>Bad Gateway</html>"}
ROAD = "https://daraja.test/"


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
def breakers(clock: Clock) -> Breakers:
    return Breakers(clock=clock)


@pytest.fixture
def speaking(breakers: Breakers) -> MpesaService:
    return service(breakers=breakers)


@pytest.fixture
def redis(redis_server: RedisServer) -> Iterator[Redis]:
    client = client_of(redis_server.url)
    client.flushdb()
    yield client
    client.close()


def client_of(url: str) -> Redis:
    return Redis.from_url(url, socket_timeout=0.25, retry=Retry(NoBackoff(), 0))


def call(breakers: Breakers, usable: bool = True) -> str:
    """Go down the road once and say what came of it."""
    try:
        breakers.road(ROAD, "stk").guard(lambda: usable, bool)
    except RoadClosed:
        return "closed road"
    return "asked"


def fail(breakers: Breakers, times: int = MOST_FAILURES) -> None:
    for _ in range(times):
        assert call(breakers, usable=False) == "asked"


USELESS: list[dict[str, Any]] = [
    PAGE,
    {"status_code": 500, "text": ""},
    {"status_code": 503, "text": "Service is currently unreachable"},
    {"status_code": 500, "text": "[]"},
    {
        "status_code": 503,
        "json": {"fault": {"detail": {"errorcode": "messaging.adaptors.http.flow.x"}}},
    },
    {"exc": requests.exceptions.ReadTimeout},
    {"exc": requests.exceptions.ConnectTimeout},
    {"exc": requests.ConnectionError(ConnectionResetError(104, "reset"))},
]
SPOKEN: list[dict[str, Any]] = [
    {"status_code": 500, "json": error("500.001.1001", "Wrong credentials")},
    {"status_code": 500, "json": error("500.001.1001", "Internal Server Error")},
    {"status_code": 503, "json": error("500.003.02", "System is busy.")},
    {"status_code": 400, "json": error("400.002.02", "Bad Request - Invalid PhoneNumber")},
    {"status_code": 400, "text": ""},
    {"status_code": 429, "json": {"fault": {"faultstring": "Spike arrest violation"}}},
    {
        "status_code": 500,
        "json": {"fault": {"detail": {"errorcode": "policies.ratelimit.QuotaViolation"}}},
    },
    {"json": ACCEPTED},
]


@pytest.mark.parametrize("answered", USELESS, ids=range(len(USELESS)))
def test_five_useless_answers_in_a_row_and_nothing_more_is_sent(
    wire: requests_mock.Mocker, speaking: MpesaService, answered: dict[str, Any]
) -> None:
    wire.post(PUSH_URL, **answered)
    wire.post(QUERY_URL, **answered)
    for _ in range(MOST_FAILURES):
        speaking.push(PROMPT)
    refused = speaking.push(PROMPT)
    assert isinstance(refused, PushRefused)
    assert (refused.kind, refused.code) == ("unreachable", "not_sent")
    assert isinstance(speaking.query("ws_CO_1"), QueryUnanswered)
    assert len(sent_to(wire, PUSH_URL)) == MOST_FAILURES
    assert sent_to(wire, QUERY_URL) == []


@pytest.mark.parametrize("answered", SPOKEN, ids=range(len(SPOKEN)))
def test_whatever_daraja_itself_says_keeps_the_road_open(
    wire: requests_mock.Mocker, speaking: MpesaService, answered: dict[str, Any]
) -> None:
    wire.post(PUSH_URL, **answered)
    for _ in range(2 * MOST_FAILURES):
        speaking.push(PROMPT)
    assert len(sent_to(wire, PUSH_URL)) == 2 * MOST_FAILURES


def test_only_failures_in_a_row_count(breakers: Breakers) -> None:
    for _ in range(3):
        fail(breakers, MOST_FAILURES - 1)
        assert call(breakers) == "asked"
    assert breakers.states() == {"daraja.test stk": "closed"}


def test_after_the_pause_one_trial_decides(breakers: Breakers, clock: Clock) -> None:
    fail(breakers)
    clock.seconds += PAUSE_SECONDS - 0.1
    assert call(breakers) == "closed road"
    clock.seconds += 0.2
    assert call(breakers, usable=False) == "asked"
    clock.seconds += PAUSE_SECONDS - 0.1
    assert call(breakers) == "closed road", "a trial that fails begins another pause"
    clock.seconds += 0.2
    assert [call(breakers) for _ in range(3)] == ["asked"] * 3
    assert breakers.states() == {"daraja.test stk": "closed"}


def test_there_is_one_trial_at_a_time(breakers: Breakers, clock: Clock) -> None:
    fail(breakers)
    clock.seconds += PAUSE_SECONDS + 1
    during: list[str] = []

    def trial() -> bool:
        during.extend(together(10, lambda _: call(breakers)))
        return True

    assert breakers.road(ROAD, "stk").guard(trial, bool)
    assert during == ["closed road"] * 10
    assert call(breakers) == "asked"


def test_a_trial_that_never_ends_does_not_close_the_road_for_ever(
    breakers: Breakers, clock: Clock
) -> None:
    fail(breakers)
    clock.seconds += PAUSE_SECONDS + 1
    breakers.road(ROAD, "stk")._admit()
    assert call(breakers) == "closed road"
    clock.seconds += TRIAL_SECONDS + 1
    assert call(breakers) == "asked"


def test_token_and_payments_have_a_breaker_each(
    wire: requests_mock.Mocker, speaking: MpesaService, breakers: Breakers
) -> None:
    wire.post(PUSH_URL, **PAGE)
    for _ in range(MOST_FAILURES):
        assert isinstance(speaking.push(PROMPT), PushUnanswered)
    speaking.test_connection()
    assert breakers.states() == {"daraja.test token": "closed", "daraja.test stk": "open"}


def test_two_darajas_have_a_breaker_each(breakers: Breakers) -> None:
    fail(breakers)
    assert breakers.road("https://other.test/x", "stk").guard(lambda: True, bool)
    assert breakers.states() == {"daraja.test stk": "open", "other.test stk": "closed"}


def test_a_token_service_that_fails_is_left_alone(
    wire: requests_mock.Mocker, speaking: MpesaService, clock: Clock
) -> None:
    wire.get(TOKEN_URL, status_code=500, json=error("500.003.1001", "Error"))
    wire.post(PUSH_URL, json=ACCEPTED)
    for _ in range(3 * MOST_FAILURES):
        assert isinstance(speaking.push(PROMPT), PushRefused)
    assert len(sent_to(wire, TOKEN_URL)) == MOST_FAILURES
    wire.get(TOKEN_URL, json={"access_token": "token-1"})
    clock.seconds += PAUSE_SECONDS + 1
    assert isinstance(speaking.push(PROMPT), PushAccepted)


def test_opening_and_closing_are_one_warning_each(
    breakers: Breakers, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG, logger="payments.mpesa"):
        fail(breakers)
        for _ in range(3):
            clock.seconds += PAUSE_SECONDS + 1
            fail(breakers, 1)
            call(breakers)
        clock.seconds += PAUSE_SECONDS + 1
        call(breakers)
        call(breakers)
    assert [(record.levelname, record.getMessage()) for record in caplog.records] == [
        ("WARNING", "daraja.test stk does not answer: left alone for 30 s"),
        ("WARNING", "daraja.test stk answers again"),
    ]


def test_the_address_in_the_log_has_no_password(breakers: Breakers) -> None:
    breakers.road("https://user:secret@daraja.test:8443/x", "stk").guard(lambda: True, bool)
    assert list(breakers.states()) == ["daraja.test:8443 stk"]


def test_twenty_pushes_are_on_the_wire_at_the_same_moment() -> None:
    """A breaker that held a lock over the call would send them one after the other."""
    daraja, meeting = FakeDaraja(), threading.Barrier(20)

    def wait_for_the_others(_: dict[str, Any]) -> None:
        meeting.wait(10)

    daraja.on_push = wait_for_the_others
    try:
        speaking = service(read_timeout_seconds=15, **at(daraja.url))
        answers = together(20, lambda _: speaking.push(PROMPT))
    finally:
        daraja.stop()
    assert daraja.problems == []
    assert all(isinstance(answer, PushAccepted) for answer in answers)


# Between processes.


def test_what_one_process_has_seen_the_others_know(redis_server: RedisServer, redis: Redis) -> None:
    one, other = Breakers(redis), Breakers(client_of(redis_server.url))
    fail(one, 3)
    fail(other, 2)
    assert call(one) == call(other) == "closed road"
    assert one.states() == other.states() == {"daraja.test stk": "open"}
    assert Breakers(redis).road(ROAD, "stk").state == "open", "a restart does not forget"


def test_one_process_makes_the_trial_for_all(redis_server: RedisServer, redis: Redis) -> None:
    one, other = Breakers(redis), Breakers(client_of(redis_server.url))
    fail(one)
    redis.delete("lipa:daraja.test stk:pause")
    during: list[str] = []

    def trial() -> bool:
        during.append(call(other))
        return True

    assert one.road(ROAD, "stk").guard(trial, bool)
    assert during == ["closed road"]
    assert call(other) == "asked"
    assert one.states() == other.states() == {"daraja.test stk": "closed"}


def test_the_pause_is_kept_by_redis_and_ends_by_itself(redis: Redis) -> None:
    """A6, A9: neither a dead process nor a clock set back leaves the road closed."""
    breakers = Breakers(redis)
    fail(breakers)
    left_ms = redis.pttl("lipa:daraja.test stk:pause")
    assert 0 < left_ms <= PAUSE_SECONDS * 1000


def test_a_redis_that_is_not_there_breaks_no_payment(
    clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    breakers = Breakers(client_of(f"redis://127.0.0.1:{free_port()}/0"), clock)
    fail(breakers)
    assert call(breakers) == "closed road", "the process counts for itself"
    clock.seconds += PAUSE_SECONDS + 1
    assert call(breakers) == "asked"
    said = [line for line in caplog.messages if "Redis does not answer" in line]
    assert len(said) == 2, "once in half a minute"


def break_after(allowed: int) -> Callable[..., Any]:
    """A Redis connection that works so many times."""
    left = iter(range(allowed))

    def send(self: Redis, *args: Any, **options: Any) -> Any:
        if next(left, None) is None:
            raise RedisError("gone")
        return execute(self, *args, **options)

    return send


execute = Redis.execute_command


@pytest.mark.parametrize("allowed", range(12))
def test_a_redis_that_goes_away_at_any_moment_hides_no_answer(
    redis: Redis, monkeypatch: pytest.MonkeyPatch, allowed: int
) -> None:
    breakers = Breakers(redis)
    monkeypatch.setattr(Redis, "execute_command", break_after(allowed))
    assert breakers.road(ROAD, "stk").guard(lambda: "the answer", bool) == "the answer"
    with pytest.raises(requests.exceptions.ReadTimeout):
        breakers.road(ROAD, "stk").guard(silence, bool)


def silence() -> bool:
    raise requests.exceptions.ReadTimeout


def test_what_another_program_writes_into_redis_hides_no_answer(redis: Redis) -> None:
    breakers, state = Breakers(redis), "lipa:daraja.test stk:pybreaker:state"

    def spoil() -> str:
        redis.set(state, "nonsense")
        return "the answer"

    assert breakers.road(ROAD, "stk").guard(spoil, bool) == "the answer"
    assert call(Breakers(redis)) == "asked", "a process that starts now goes by its own"
    assert call(breakers) == "asked"
    assert redis.get(state) == b"closed", "the next call puts it right"
