"""Nothing that a client sends makes the simulator fail, and whatever it refuses it refuses in form.

In process: what is asked here is whether any input reaches a line that nobody thought of.
"""

import json
import logging
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

import pytest
from flask.testing import FlaskClient
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from werkzeug.test import TestResponse

from app.simulator.factory import create_simulator
from app.simulator.settings import SimulatorSettings
from tests.simulator.fuzz_bodies import BILLER, BODIES, NOWHERE, PHONE

#: What the documentation has statuses of 5xx for.
DOCUMENTED_500 = {
    "500.001.1001": "the STK family's catch-all",
    "500.002.1001": "a duplicate OriginatorConversationID",
    "500.003.1001": "URLs that are registered already",
    "500.003.02": "too busy",
}


class Failures(logging.Handler):
    """Everything that the simulator logs as an accident."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.seen: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.seen.append(self.format(record))


@dataclass
class Room:
    client: FlaskClient
    failures: Failures = field(default_factory=Failures)

    def token(self) -> str:
        answer = self.client.get(
            "/oauth/v1/generate?grant_type=client_credentials",
            auth=("simulator-key", "simulator-secret"),
        )
        token: str = answer.get_json()["access_token"]
        return token

    def app_key(self) -> str:
        """The key of the shop that sends invoices, which may have gone with a reset."""
        headers = {"Authorization": f"Bearer {self.token()}"}
        path = "/v1/billmanager-invoice/optin"
        answer = self.client.post(path, json=BILLER, headers=headers)
        key: str = answer.get_json()["app_key"]
        return key


@pytest.fixture(scope="module")
def room() -> Iterator[Room]:
    app = create_simulator(SimulatorSettings(prompt_seconds=1, callback_delay_seconds=0.01))
    room = Room(app.test_client())
    logging.getLogger("app.simulator").addHandler(room.failures)
    yield room
    logging.getLogger("app.simulator").removeHandler(room.failures)


def is_own(path: str) -> bool:
    return path.startswith(("/simulator", "/favicon.ico"))


def is_in_form(path: str, method: str, answer: TestResponse) -> None:
    """The answer is one that the documentation has, or this program's own for its own paths."""
    if is_own(path):
        assert answer.status_code < 500, answer.text
        if answer.status_code >= 400 and path.startswith("/simulator/api/") and method != "HEAD":
            assert {"success", "status", "error", "message", "code"} <= set(answer.get_json())
        return
    if answer.status_code < 400 or method == "HEAD":
        return
    if path.startswith("/oauth") and not answer.data:
        assert answer.status_code == 400
        return
    said = answer.get_json()
    assert set(said) == {"requestId", "errorCode", "errorMessage"}
    assert said["errorCode"].startswith(str(answer.status_code))
    if answer.status_code >= 500:
        assert said["errorCode"] in DOCUMENTED_500
        assert said["errorMessage"] != "Internal Server Error"


# Half characters too: JSON can write them, and no text can hold them.
anything_written = st.text(st.characters(), max_size=30)
anything = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**40), 10**40)
    | st.floats()
    | anything_written
    | st.sampled_from(["", "0", "-1", "1e5", "٣", NOWHERE, "http://[", PHONE, "\ud800", "\x00"])
    | st.sampled_from(["0001-01-01 00:00:00", "9999-12-31 23:59:59", "00010101000000"]),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(anything_written, inner, max_size=3)
    ),
    max_leaves=5,
)
tokens = st.sampled_from(
    ["good", "good", "good", "", "Bearer", "Bearer x", "Basic eDp5", "Bearer é"]
)


@settings(
    max_examples=400,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    path=st.sampled_from(sorted(BODIES)),
    changes=st.dictionaries(st.integers(0, 20), anything | st.just(...), max_size=3),
    token=tokens,
)
@example("/mpesa/b2c/v1/paymentrequest", {0: "\ud800"}, "good")
@example("/mpesa/stkpush/v1/processrequest", {9: "\ud800"}, "good")
def test_no_field_of_any_request_makes_it_fail(
    room: Room, path: str, changes: dict[int, Any], token: str
):
    body = dict(BODIES[path])
    names = list(body)
    for place, value in changes.items():
        name = names[place % len(names)]
        if value is ...:
            body.pop(name, None)
        else:
            body[name] = value
    header = f"Bearer {room.token()}" if token == "good" else token
    answer = room.client.post(
        path,
        data=json.dumps(body),
        content_type="application/json",
        headers={
            "Authorization": header.encode().decode("latin-1"),
            "appKey": room.app_key(),
        },
    )
    is_in_form(path, "POST", answer)
    assert room.failures.seen == []


bodies = (
    st.binary(max_size=200)
    | st.sampled_from(
        [b"", b"[]", b"null", b"{", b"[" * 60_000, b"{" * 60_000, b"\xff\xfe", b"x" * 70_000]
    )
    | anything.map(lambda value: json.dumps(value).encode())
)
methods = st.sampled_from(["GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "HEAD"])


def paths(room_paths: list[str]) -> st.SearchStrategy[str]:
    """Paths that there are, with anything in their gaps, and paths that there are not."""
    known = st.sampled_from(room_paths)
    filled = st.tuples(known, st.text(max_size=12)).map(lambda both: fill(*both))
    return filled | st.text(max_size=20).map(lambda text: "/" + quote(text))


def fill(rule: str, text: str) -> str:
    parts = [quote(text) if part.startswith("<") else part for part in rule.split("/")]
    return "/".join(parts)


ALL_RULES = sorted(str(rule) for rule in create_simulator(SimulatorSettings()).url_map.iter_rules())


@settings(
    max_examples=600,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    path=paths(ALL_RULES),
    method=methods,
    query=st.dictionaries(
        st.sampled_from(
            ["number", "numbers", "beside", "limit", "offset", "direction", "status", "phone", "id"]
            + [
                "text",
                "after",
                "before",
                "only",
                "chosen",
                "notice",
                "noticed",
                "done",
                "grant_type",
            ]
        ),
        st.text(max_size=10) | st.sampled_from(["7", "-1", "9" * 30, "in", "5xx", PHONE]),
        max_size=3,
    ),
    body=bodies,
    content_type=st.sampled_from(
        ["application/json", "application/x-www-form-urlencoded", "", "é"]
    ),
    token=tokens,
)
def test_no_path_no_verb_and_no_body_makes_it_fail(
    room: Room,
    path: str,
    method: str,
    query: dict[str, str],
    body: bytes,
    content_type: str,
    token: str,
):
    header = f"Bearer {room.token()}" if token == "good" else token
    answer = room.client.open(
        path,
        method=method,
        query_string=query,
        data=body,
        content_type=content_type,
        headers={"Authorization": header.encode().decode("latin-1")},
    )
    is_in_form(path, method, answer)
    assert room.failures.seen == []


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("/", "404.001.01"),
        ("/nothing", "404.001.01"),
        ("/mpesa/stkpush/v2/processrequest", "404.001.01"),
        ("/mpesa/reversal/v2/request", "404.001.01"),
        ("/mpesa/b2c/v2/paymentrequest", "404.002.01"),
        ("/mpesa/b2b/v2/paymentrequest", "404.002.01"),
        ("/mpesa/b2pochi/v3/paymentrequest", "404.002.01"),
        ("/v1/billmanager-invoice/reminders", "404.001.01"),
        ("/mpesa/accountbalance/v2/query", "404.002.01"),
        ("/mpesa/c2b/v3/registerurl", "404.003.01"),
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_an_unknown_path_is_not_found_by_its_family(room: Room, path: str, code: str, method: str):
    answer = room.client.open(path, method=method, json={} if method == "POST" else None)
    assert answer.status_code == 404
    assert answer.get_json()["errorCode"] == code
    assert answer.get_json()["errorMessage"] == "Resource not found"


def test_every_page_and_every_list_can_be_read_after_all_this(room: Room):
    for rule in ALL_RULES:
        if "<" not in rule and rule.startswith("/simulator"):
            assert room.client.get(rule).status_code in (200, 303, 404, 405), rule
    for page in (f"/simulator/phones/{PHONE}", "/simulator/traffic/1", "/simulator/api/requests/1"):
        assert room.client.get(page).status_code in (200, 404)
    assert room.failures.seen == []
