"""No secret is kept of what goes over the wire, wherever it stands and however broken it comes."""

import base64
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.simulator.masking import Masks, address, own_query

PASSKEY = "bfb279f9aa9bdbcf158e97dd71a467cd"
MASKS = Masks([PASSKEY, "Safaricom999!*!"])
#: What of a secret would be too much.
MOST_SHOWN = 8
SECRET = "Zq7" + base64.b64encode(b"no passkey at all, but a secret").decode()

# No secret's name can be written with these.
words = st.text("abcdefgh é", max_size=8)
leaves = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | words
trees = st.recursive(
    leaves, lambda t: st.lists(t, max_size=3) | st.dictionaries(words, t, max_size=3), max_leaves=8
)
names = st.sampled_from(
    ["Password", "password", "SecurityCredential", "access_token", "PassKey", "consumer_secret"]
)
layouts = st.sampled_from([{}, {"indent": 2}, {"separators": (",", ":")}, {"ensure_ascii": False}])


@settings(max_examples=200, deadline=None, derandomize=True, database=None)
@given(
    before=trees,
    name=names,
    after=trees,
    depth=st.integers(0, 3),
    layout=layouts,
    cut=st.floats(0, 1),
    quotes=st.sampled_from(['"', "'"]),
)
def test_a_secret_is_not_seen_in_json_that_is_whole_cut_or_wrongly_quoted(
    before: Any, name: str, after: Any, depth: int, layout: dict[str, Any], cut: float, quotes: str
):
    tree: Any = {"before": before, name: SECRET, "after": after}
    for _ in range(depth):
        tree = {"inner": [tree]}
    text = json.dumps(tree, **layout).replace('"', quotes)
    for shown in (text, text[: round(len(text) * cut)]):
        masked = MASKS.text(shown)
        assert all(
            SECRET[start : start + MOST_SHOWN] not in masked
            for start in range(len(SECRET) - MOST_SHOWN)
        ), masked


@settings(max_examples=100, deadline=None, derandomize=True, database=None)
@given(tree=trees, layout=layouts)
def test_what_is_no_secret_stays_as_it_was_written(tree: Any, layout: dict[str, Any]):
    text = json.dumps({"Amount": tree}, **layout)
    assert MASKS.text(text) == text


def test_numbers_keep_their_fractions_and_names_that_come_twice_stay():
    text = '{"Amount": 1.00, "a": 1, "a": 2, "ResultURL": null}'
    assert MASKS.text(text) == text


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("Password=hunter22&Amount=1", "Password=$PASSWORD&Amount=1"),
        ('{"Password": 12345678}', '{"Password": "$PASSWORD"}'),
        ('{"Password": ["a1b2c3", "d4"]}', '{"Password": ["$PASSWORD", "$PASSWORD"]}'),
        ('{"pa\\u0073sword": "x"}', '{"pa\\u0073sword": "$PASSWORD"}'),
        ('{"Remarks": "Safaricom999!*!"}', '{"Remarks": "$SECRET"}'),
        (f"the passkey is {PASSKEY}.", "the passkey is $SECRET."),
        ('{"pin": "1234"}', '{"pin": "$PIN"}'),
        ("", ""),
    ],
)
def test_secrets_are_masked_by_name_and_because_they_are_known(text: str, masked: str):
    assert MASKS.text(text) == masked


def test_a_password_under_a_misspelt_name_is_known_by_what_is_inside():
    inside = base64.b64encode(f"174379{PASSKEY}20261121161500".encode()).decode()
    assert MASKS.text(json.dumps({"Passwort": inside})) == '{"Passwort": "$SECRET"}'


@pytest.mark.parametrize(
    ("url", "masked"),
    [
        ("https://shop.example/payments/callback", "https://shop.example/payments/callback"),
        ("https://shop.example/v1/callback/aB3xY9", "https://shop.example/v1/callback/$SECRET"),
        ("https://shop.example/c?t=aB3&x", "https://shop.example/c?t=$SECRET&x=$SECRET"),
        ("https://user:pass@shop.example/c#frag", "https://shop.example/c"),
        ("shop.example/secret-token", "$SECRET/$SECRET"),
        ("http://[", "$SECRET"),
    ],
)
def test_of_an_address_only_what_is_surely_a_word_is_kept(url: str, masked: str):
    assert address(url) == masked
    assert json.loads(MASKS.text(json.dumps({"CallBackURL": url})))["CallBackURL"] == masked


def test_an_address_is_found_under_any_name():
    text = json.dumps({"note": "see https://shop.example/x/aB3xY9zz1 there"})
    assert MASKS.text(text) == '{"note": "see https://shop.example/x/$SECRET there"}'


def test_words_in_the_query_of_a_request_are_no_secrets():
    assert own_query("grant_type=client_credentials&a=X9") == (
        "grant_type=client_credentials&a=$SECRET"
    )
    assert own_query("token=abc") == "token=$SECRET"


def test_headers_show_how_somebody_was_authorized_and_not_by_what():
    assert MASKS.header("Authorization", "Bearer aB3xY9") == "Bearer $TOKEN"
    assert MASKS.header("authorization", "Basic aB3xY9=") == "Basic $CONSUMER_KEY:$CONSUMER_SECRET"
    assert MASKS.header("Authorization", "Digest aB3") == "$SECRET"
    assert MASKS.header("User-Agent", f"x {PASSKEY}") == "x $SECRET"
