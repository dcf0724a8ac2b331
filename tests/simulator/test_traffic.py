"""What was said on the wire: whole, with its reasons, bounded, and to be taken away."""

import json
import subprocess
from datetime import timedelta
from typing import Any

import pytest

from app.simulator import traffic as traffic_module
from app.simulator.clock import utc_now
from app.simulator.curl import curl, indented
from app.simulator.traffic import Exchange, Kept, Said, Sieve, Traffic
from tests.simulator.client import (
    PASSKEY,
    TIMESTAMP,
    Daraja,
    Receiver,
    eventually,
    new_msisdn,
    password,
)

PUSH = "/mpesa/stkpush/v1/processrequest"


def newest(daraja: Daraja, **sieve: Any) -> dict[str, Any]:
    """The newest exchange, whole."""
    rows = daraja.call("GET", "/simulator/api/requests", params=sieve).json()["requests"]
    return daraja.call("GET", f"/simulator/api/requests/{rows[0]['id']}").json()


def ids(daraja: Daraja, **sieve: Any) -> list[int]:
    answer = daraja.call("GET", "/simulator/api/requests", params=sieve)
    assert answer.status_code == 200, answer.text
    return [row["id"] for row in answer.json()["requests"]]


def test_a_push_is_kept_with_its_body_and_its_answer(daraja: Daraja):
    msisdn = new_msisdn()
    pushed = daraja.push(msisdn)
    seen = newest(daraja)
    assert seen["request"]["body"] == daraja.push_body(msisdn) | {"Password": "$PASSWORD"}
    assert seen["request"]["headers"]["Authorization"] == "Bearer $TOKEN"
    assert seen["request"]["url"] == daraja.base_url + PUSH
    assert seen["answer"]["body"] == pushed.json()
    assert seen["milliseconds"] >= 0
    assert not seen["shortened"]


def test_a_callback_is_kept_with_what_the_shop_said_to_it(daraja: Daraja, receiver: Receiver):
    checkout = daraja.prompt(new_msisdn(), CallBackURL=receiver.url("/payments/Tok3n?key=Tok3n"))
    daraja.answer(checkout, pin="1234")
    (letter,) = receiver.wait_for(checkout)
    eventually(lambda: ids(daraja, direction="out"))
    seen = newest(daraja, direction="out")
    assert seen["request"]["body"] == letter.body
    assert seen["request"]["headers"]["Businessshortcode"] == "174379"
    assert seen["request"]["url"] == receiver.url("/payments/$SECRET?key=$SECRET")
    assert (seen["status"], seen["answer"]["body"]) == (200, "")
    assert seen["CheckoutRequestID"] == checkout


def test_a_callback_that_nobody_answers_is_kept_too(daraja: Daraja):
    checkout = daraja.prompt(new_msisdn(), CallBackURL="http://127.0.0.1:9/callback")
    daraja.answer(checkout, pin="1234")
    eventually(lambda: ids(daraja, direction="out", status="none"))
    seen = newest(daraja, direction="out")
    assert (seen["status"], seen["answer"]) == (None, {"headers": {}, "body": ""})


def test_a_token_is_kept_without_the_token(daraja: Daraja):
    token = daraja.token()
    seen = newest(daraja, path="oauth")
    assert seen["request"]["headers"]["Authorization"] == "Basic $CONSUMER_KEY:$CONSUMER_SECRET"
    assert seen["request"]["url"].endswith("?grant_type=client_credentials")
    assert seen["answer"]["body"] == {"access_token": "$TOKEN", "expires_in": "3599"}
    assert token not in json.dumps(seen)


def test_what_a_refusal_never_read_is_shown_all_the_same(daraja: Daraja):
    body = daraja.b2c_body(new_msisdn())
    answer = daraja.call(
        "POST",
        "/mpesa/b2c/v3/paymentrequest",
        json=body,
        headers={"Authorization": "Bearer some-token-of-old"},
    )
    assert "some-token-of-old" in answer.text
    seen = newest(daraja)
    assert seen["request"]["body"]["PartyB"] == body["PartyB"]
    assert seen["request"]["body"]["SecurityCredential"] == "$SECURITY_CREDENTIAL"
    assert "some-token-of-old" not in json.dumps(seen)


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        (
            {"Password": password(shortcode="174378")},
            "Password decodes to shortcode 174378, expected 174379.",
        ),
        (
            {"Password": password(at="20261121161501")},
            f"Password decodes to timestamp 20261121161501, expected {TIMESTAMP}.",
        ),
        (
            {"Password": password(passkey="x" * 64)},
            "Password decodes to the right shortcode and timestamp, but the passkey between them "
            "(64 characters) is not one of 174379.",
        ),
        (
            {"Password": password(passkey="shop-passkey")},
            "It holds the passkey of 600123, not of 174379.",
        ),
        (
            {"Password": "!" * 12},
            "Password is not base64 of BusinessShortCode, passkey and Timestamp.",
        ),
        ({"Password": ...}, "Password is missing, empty, or not a text."),
        (
            {"BusinessShortCode": "999999"},
            "No merchant has the BusinessShortCode 999999: known are 174379, 600123.",
        ),
        ({"Timestamp": "2026"}, 'Timestamp must be 14 digits, yyyyMMddHHmmss; "2026" came.'),
        (
            {"Timestamp": "20261341000000"},
            "Timestamp must be yyyyMMddHHmmss; there is no such moment as 20261341000000.",
        ),
        ({"Amount": 1.5}, "Amount must be a whole number of shillings, 1 or more; 1.5 came."),
        ({"Amount": ...}, "Amount is missing."),
        (
            {"PhoneNumber": "0712000000"},
            'PhoneNumber must be 12 digits, 2547… or 2541…; "0712000000" came.',
        ),
        (
            {"TransactionType": "Pay"},
            "TransactionType must be one of CustomerPayBillOnline, CustomerBuyGoodsOnline; "
            '"Pay" came.',
        ),
        ({"CallBackURL": "nowhere"}, "CallBackURL must be an http or https address."),
        ({"AccountReference": ""}, "AccountReference is missing or empty."),
        ({"TransactionDesc": ...}, "TransactionDesc is missing or empty."),
    ],
)
def test_a_refused_push_says_why_in_words(daraja: Daraja, changes: dict[str, Any], why: str):
    assert daraja.push(new_msisdn(), **changes).status_code >= 400
    seen = newest(daraja)
    assert seen["why"] == why
    assert PASSKEY not in json.dumps(seen)


@pytest.mark.parametrize(
    ("header", "why"),
    [
        (None, "There is no Authorization header."),
        (
            "Basic x",
            "Authorization must be the word Bearer, a space, and an access token.",
        ),
        (
            "Bearer nobodys",
            "This simulator never gave out such a token; when it is started again it knows none "
            "of the old ones.",
        ),
    ],
)
def test_a_refused_token_says_why_in_words(daraja: Daraja, header: str | None, why: str):
    daraja.session.headers["Authorization"] = header  # type: ignore[assignment]
    assert daraja.push(new_msisdn()).status_code == 404
    assert daraja.traffic()[0]["why"] == why


@pytest.mark.parametrize(
    ("key", "why"),
    [
        ("nobody", "No application has this consumer key."),
        ("simulator-key", "The consumer secret is not that of this consumer key."),
    ],
)
def test_a_refused_application_says_why_in_words(daraja: Daraja, key: str, why: str):
    daraja.ask_token(key, "wrong")
    assert daraja.traffic()[0]["why"] == why


def test_a_killed_token_says_so(daraja: Daraja):
    daraja.arm("token_killed")
    daraja.push(new_msisdn())
    daraja.push(new_msisdn())
    assert daraja.traffic()[0]["why"] == "A scenario ended this token before its time."


def test_the_list_can_be_sifted(daraja: Daraja, receiver: Receiver):
    one, other = new_msisdn(), new_msisdn()
    checkout = daraja.prompt(one)
    (pushed,) = ids(daraja)
    daraja.push(other, Password="x")
    refused = ids(daraja)[0]
    daraja.query(checkout)
    queried = ids(daraja)[0]
    daraja.answer(checkout, cancel=True)
    receiver.wait_for(checkout)
    (posted,) = eventually(lambda: ids(daraja, direction="out"))

    assert ids(daraja, direction="in") == [queried, refused, pushed]
    assert ids(daraja, path="STKPUSHQUERY") == [queried]
    assert ids(daraja, status="200") == [posted, queried, pushed]
    assert ids(daraja, status="5xx") == ids(daraja, status="refused") == [refused]
    assert ids(daraja, phone="0" + one[3:]) == ids(daraja, phone=one) == [posted, queried, pushed]
    assert ids(daraja, phone=other) == [refused]
    assert ids(daraja, id=checkout) == [posted, queried, pushed]
    assert ids(daraja, text="cancelled BY user") == [posted]
    assert ids(daraja, text="no such text") == []
    assert ids(daraja, after=queried) == [posted]
    assert ids(daraja, before=queried) == [refused, pushed]
    assert ids(daraja, only=queried) == [queried]
    assert ids(daraja, limit=1) == [posted]
    assert ids(daraja, direction="in", status="2xx", phone=one, text="query") == [queried]


@pytest.mark.parametrize(
    "sieve",
    [
        {"direction": "up"},
        {"status": "fine"},
        {"status": "9xx"},
        {"phone": "12"},
        {"after": "x"},
        {"before": "-1"},
        {"only": "1.5"},
        {"limit": "x"},
    ],
)
def test_a_sieve_that_makes_no_sense_is_refused(daraja: Daraja, sieve: dict[str, str]):
    for path in ("requests", "requests/export"):
        answer = daraja.call("GET", f"/simulator/api/{path}", params=sieve)
        assert (answer.status_code, answer.json()["code"]) == (400, "VALIDATION_ERROR")


def test_exchanges_can_be_saved_as_a_fixture(daraja: Daraja, receiver: Receiver):
    msisdn = new_msisdn()
    checkout = daraja.prompt(msisdn)
    daraja.query(checkout)
    daraja.push(new_msisdn())
    answer = daraja.call("GET", "/simulator/api/requests/export", params={"phone": msisdn})
    assert answer.headers["Content-Disposition"] == 'attachment; filename="daraja-exchanges.json"'
    pushed, queried = answer.json()["exchanges"]
    assert (pushed["method"], pushed["path"], pushed["status"]) == ("POST", PUSH, 200)
    assert pushed["request"]["body"]["PhoneNumber"] == msisdn
    assert queried["answer"]["body"]["ResultCode"] == "4999"


def test_an_exchange_that_is_not_kept_is_404(daraja: Daraja):
    answer = daraja.call("GET", "/simulator/api/requests/999999999")
    assert (answer.status_code, answer.json()["code"]) == (404, "NOT_FOUND")


def test_the_curl_of_a_push_pushes_again_once_its_secrets_are_filled_in(daraja: Daraja):
    msisdn, reference = new_msisdn(), "It's $HOME `id`"
    checkout = daraja.prompt(msisdn, AccountReference=reference)
    daraja.answer(checkout, cancel=True)
    script = newest(daraja, path="processrequest")["curl"]
    done = subprocess.run(
        ["bash", "-c", script],
        env={
            "PATH": "/usr/bin:/bin",
            "TOKEN": str(daraja.session.headers["Authorization"]).removeprefix("Bearer "),
            "PASSWORD": password(),
            "SECRET": "x",
        },
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert "Success. Request accepted for processing" in done.stdout, done.stdout + done.stderr
    assert daraja.phone(msisdn)["prompts"][0]["account_reference"] == reference


def test_the_curl_of_a_token_asks_for_one_by_name_and_password():
    said = Said({"Authorization": "Basic $CONSUMER_KEY:$CONSUMER_SECRET", "Accept": "*/*"})
    url = "http://127.0.0.1:1/oauth/v1/generate?grant_type=client_credentials"
    exchange = Exchange("in", "GET", "/oauth/v1/generate", 200, None, "ok", url=url, request=said)
    assert curl(Kept(1, exchange, False)) == (
        f"curl -i '{url}' \\\n  -u ''\"$CONSUMER_KEY\"':'\"$CONSUMER_SECRET\"''"
    )


def test_bodies_are_drawn_out_for_the_eye_and_keep_every_number():
    text = '{"Amount":1.00,"Item":[{"Name":"a, {b}"},{}],"None":null}'
    drawn = indented(text)
    assert json.loads(drawn) == json.loads(text)
    assert '"Amount": 1.00,\n' in drawn
    assert indented("<html>{") == "<html>{"
    assert indented("[" * 5_000 + "]" * 5_000).startswith("[[")


def an_exchange(body: str = "", why: str = "ok", **more: Any) -> Exchange:
    return Exchange("in", "POST", "/x", 200, None, why, request=Said({}, body), **more)


def test_bodies_are_kept_up_to_a_limit_and_said_to_be_cut():
    log = Traffic()
    log.record(an_exchange("x" * (traffic_module.LONGEST_BODY + 1)))
    (kept,) = log.find(Sieve(), 10)
    assert kept.is_cut
    assert len(kept.exchange.request.body) == traffic_module.LONGEST_BODY


def test_all_bodies_together_are_bounded(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(traffic_module, "MOST_CHARACTERS", 250)
    log = Traffic()
    for number in range(5):
        log.record(an_exchange("x" * 100, f"{number}"))
    assert [kept.exchange.why for kept in log.find(Sieve(), 10)] == ["4", "3"]


def test_what_is_older_than_an_hour_is_forgotten():
    log, now = Traffic(), utc_now()
    for minutes in (61, 59):
        log.record(an_exchange(why=f"{minutes}", at=now - timedelta(minutes=minutes)))
    assert [kept.exchange.why for kept in log.find(Sieve(), 10)] == ["59"]


def test_numbers_go_on_after_a_reset_so_that_whoever_looks_on_sees_what_is_new():
    log = Traffic()
    log.record(an_exchange())
    log.clear()
    log.record(an_exchange())
    assert [kept.number for kept in log.find(Sieve(after=1), 10)] == [2]
