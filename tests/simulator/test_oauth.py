import base64
import re

import pytest

from app.simulator.tokens import Tokens
from tests.simulator.client import Daraja

PATH = "/oauth/v1/generate"
BASIC = "Basic " + base64.b64encode(b"simulator-key:simulator-secret").decode()


def test_a_token_is_28_letters_and_digits_and_its_life_is_a_string(daraja: Daraja):
    answer = daraja.ask_token()
    assert answer.status_code == 200
    assert set(answer.json()) == {"access_token", "expires_in"}
    assert answer.json()["expires_in"] == "3599"
    assert re.fullmatch(r"[A-Za-z0-9]{28}", answer.json()["access_token"])


@pytest.mark.parametrize(
    ("key", "secret"),
    [("simulator-key", "wrong"), ("nobody", "simulator-secret"), ("shop-key", "")],
)
def test_wrong_credentials_get_400_with_an_empty_body(daraja: Daraja, key: str, secret: str):
    answer = daraja.ask_token(key, secret)
    assert (answer.status_code, answer.content) == (400, b"")


def test_the_credentials_of_the_settings_are_known_too(daraja: Daraja):
    assert daraja.ask_token("shop-key", "shop-secret").status_code == 200


@pytest.mark.parametrize("header", ["", "Bearer x", "Basic !!!", "Basic bm9jb2xvbg==", "Basic"])
def test_without_basic_authentication_the_envelope_says_so(daraja: Daraja, header: str):
    answer = daraja.call(
        "GET", PATH + "?grant_type=client_credentials", headers={"Authorization": header}
    )
    assert answer.status_code == 400
    assert answer.json()["errorCode"] == "400.008.01"
    assert answer.json()["errorMessage"] == "Invalid Authentication passed"
    assert answer.json()["requestId"]


@pytest.mark.parametrize("query", ["", "?grant_type=password"])
def test_another_grant_type_is_refused(daraja: Daraja, query: str):
    answer = daraja.call("GET", PATH + query, headers={"Authorization": BASIC})
    assert (answer.status_code, answer.json()["errorCode"]) == (400, "400.008.02")
    assert answer.json()["errorMessage"] == "Invalid grant type passed"


def test_a_token_cannot_be_asked_for_by_post(daraja: Daraja):
    answer = daraja.call("POST", PATH + "?grant_type=client_credentials")
    assert (answer.status_code, answer.json()["errorCode"]) == (405, "405.001")


def test_tokens_of_one_application_live_side_by_side(daraja: Daraja):
    old = daraja.session.headers["Authorization"]
    daraja.token()
    assert daraja.session.headers["Authorization"] == old
    assert daraja.query("ws_CO_x").json()["errorCode"] == "500.001.1001"


def test_a_token_ends_after_its_lifetime():
    now = 100.0
    tokens = Tokens(lifetime_seconds=3600, new_ends_old=False, monotonic=lambda: now)
    token = tokens.issue("key")
    now = 3699.9
    assert tokens.is_valid(token)
    now = 3700.0
    assert not tokens.is_valid(token)


def test_a_new_token_ends_the_old_one_of_its_application_when_asked_to():
    tokens = Tokens(lifetime_seconds=3600, new_ends_old=True)
    other, old, new = tokens.issue("other"), tokens.issue("key"), tokens.issue("key")
    assert not tokens.is_valid(old)
    assert tokens.is_valid(new)
    assert tokens.is_valid(other)


def test_only_so_many_tokens_are_kept():
    tokens = Tokens(lifetime_seconds=3600, new_ends_old=False)
    first = tokens.issue("key")
    for _ in range(1_000):
        tokens.issue("key")
    assert not tokens.is_valid(first)
