"""MoneyOut on the wire: what it sends, once, to where, and what it tells nobody."""

from __future__ import annotations

import itertools
import logging
from collections.abc import Callable, Iterator

import pytest
import requests
import requests_mock
from urllib3.connectionpool import HTTPConnectionPool
from urllib3.exceptions import NewConnectionError

from app.monitoring import redact
from app.mpesa.breaker import Breakers
from app.mpesa.money_out import MoneyOut, remarks_of
from app.mpesa.out_messages import (
    B2cPayment,
    OutAccepted,
    OutAnswer,
    OutNotSent,
    OutUnanswered,
    Reversal,
    StatusQuestion,
)
from app.mpesa.tokens import AccessToken
from app.mpesa.wires import Wires
from tests.rooms.mpesa.paying import (
    ACCEPTANCE,
    ACKNOWLEDGED,
    ADDRESSES,
    B2C_URL,
    B2C_V1_URL,
    BALANCE_URL,
    CREDENTIAL,
    PAYMENT,
    QUESTION,
    REVERSAL,
    REVERSAL_URL,
    STATUS_URL,
    money_out,
)
from tests.rooms.mpesa.speaking import TOKEN_URL, error, sent_to
from tests.services.launch import free_port
from tests.support.daraja import OUT_PATHS, Answer, FakeDaraja, Script, html, reset

PLAIN = {
    "SecurityCredential": CREDENTIAL,
    "QueueTimeOutURL": ADDRESSES.timeout_url,
    "ResultURL": ADDRESSES.result_url,
}
THROTTLED: Script = lambda _: Answer(429, b"", content_type="text/html")  # noqa: E731
Act = Callable[[MoneyOut], OutAnswer]
MOVES: dict[str, tuple[Act, str]] = {
    "pay": (lambda out: out.pay(PAYMENT), B2C_URL),
    "reverse": (lambda out: out.reverse(REVERSAL), REVERSAL_URL),
}
ASKS: dict[str, tuple[Act, str]] = {
    "status": (lambda out: out.ask_status(QUESTION), STATUS_URL),
    "balance": (lambda out: out.ask_balance(ADDRESSES), BALANCE_URL),
}


@pytest.fixture
def daraja() -> Iterator[FakeDaraja]:
    fake = FakeDaraja()
    yield fake
    fake.stop()


@pytest.fixture
def speaking(daraja: FakeDaraja) -> Iterator[MoneyOut]:
    """One that talks to a Daraja on a real socket, with a token in its pocket."""
    wires = Wires()
    yield with_token(daraja.url, wires)
    wires.close()


def with_token(root: str, wires: Wires) -> MoneyOut:
    speaking = money_out(wires, root=root)
    road = speaking._daraja
    road._tokens.get(road._account, lambda: AccessToken("in the pocket", 3599))
    return speaking


# What is sent.


def test_a_payment_by_v3_has_exactly_the_documented_fields(wire: requests_mock.Mocker) -> None:
    wire.post(B2C_URL, json=ACKNOWLEDGED)
    assert money_out().pay(PAYMENT) == ACCEPTANCE
    [asked] = sent_to(wire, B2C_URL)
    assert asked.headers["Authorization"] == "Bearer token-1"
    assert asked.headers["Content-Type"] == "application/json"
    assert asked.json() == PLAIN | {
        "OriginatorConversationID": "PAY-1-abc_def",
        "InitiatorName": "testapi",
        "CommandID": "BusinessPayment",
        "Amount": 5000,
        "PartyA": "600000",
        "PartyB": "254722000111",
        "Remarks": "Beans rice",
        # Misspelt by Daraja, in this request alone.
        "Occassion": "PAY-1-abc_def",
    }


def test_a_payment_by_v1_has_no_name_of_ours(wire: requests_mock.Mocker) -> None:
    wire.post(B2C_V1_URL, json=ACKNOWLEDGED | {"OriginatorConversationID": "1c5b-4ba8"})
    answer = money_out(version="v1", command="SalaryPayment").pay(PAYMENT)
    assert answer == OutAccepted(ACKNOWLEDGED["ConversationID"], "1c5b-4ba8")
    [asked] = sent_to(wire, B2C_V1_URL)
    assert "OriginatorConversationID" not in asked.json()
    assert asked.json()["CommandID"] == "SalaryPayment"


def test_a_reversal_has_exactly_the_documented_fields(wire: requests_mock.Mocker) -> None:
    wire.post(REVERSAL_URL, json=ACKNOWLEDGED)
    assert money_out().reverse(REVERSAL) == ACCEPTANCE
    assert sent_to(wire, REVERSAL_URL)[0].json() == PLAIN | {
        "Initiator": "testapi",
        "CommandID": "TransactionReversal",
        "TransactionID": "UKL4XX00XX",
        "Amount": 1500,
        "ReceiverParty": "174379",
        "RecieverIdentifierType": "11",
        "Remarks": "Broken",
        "Occasion": "",
    }


@pytest.mark.parametrize(("is_reversal", "party"), [(False, "600000"), (True, "174379")])
def test_a_question_about_a_request_has_exactly_the_documented_fields(
    wire: requests_mock.Mocker, is_reversal: bool, party: str
) -> None:
    """What was reversed is known at the shortcode that had collected it."""
    wire.post(STATUS_URL, json=ACKNOWLEDGED)
    asked = StatusQuestion("PAY-1-abc_def", "PAY-1", ADDRESSES, is_reversal=is_reversal)
    assert money_out().ask_status(asked) == ACCEPTANCE
    assert sent_to(wire, STATUS_URL)[0].json() == PLAIN | {
        "Initiator": "testapi",
        "CommandID": "TransactionStatusQuery",
        "OriginalConversationID": "PAY-1-abc_def",
        "PartyA": party,
        "IdentifierType": "4",
        "Remarks": "PAY-1",
        "Occasion": "",
    }


def test_a_question_for_the_balance_has_exactly_the_documented_fields(
    wire: requests_mock.Mocker,
) -> None:
    wire.post(BALANCE_URL, json=ACKNOWLEDGED)
    assert money_out().ask_balance(ADDRESSES) == ACCEPTANCE
    assert sent_to(wire, BALANCE_URL)[0].json() == PLAIN | {
        "Initiator": "testapi",
        "CommandID": "AccountBalance",
        "PartyA": "600000",
        "IdentifierType": "4",
        "Remarks": "Balance",
        "Occasion": "",
    }


@pytest.mark.parametrize(
    ("words", "remarks"),
    [
        ("Beans", "Beans"),
        ("Beans & rice,\n50 kg!", "Beans rice 50 kg"),
        ("Kahawa ☕ na chai", "Kahawa na chai"),
        ("<script>alert('x')</script>", "script alert x script"),
        ("x", "Payment"),
        ("", "Payment"),
        ("☕☕☕", "Payment"),
        ("word " * 40, ("word " * 20).strip()),
        ("x" * 99 + " y", "x" * 99),
    ],
)
def test_remarks_are_two_to_a_hundred_plain_characters(words: str, remarks: str) -> None:
    assert remarks_of(words) == remarks
    assert 2 <= len(remarks) <= 100


def test_each_request_has_a_credential_of_its_own(wire: requests_mock.Mocker) -> None:
    wire.post(B2C_URL, json=ACKNOWLEDGED)
    numbers = itertools.count(1)
    out = money_out(credential=lambda: f"credential {next(numbers)}")
    for _ in range(2):
        out.pay(PAYMENT)
    sent = [asked.json()["SecurityCredential"] for asked in sent_to(wire, B2C_URL)]
    assert sent == ["credential 1", "credential 2"]


# Once.


@pytest.mark.parametrize("name", MOVES)
@pytest.mark.parametrize(
    "script", [html(500), html(502), html(503), html(504), THROTTLED, html(403), html(302), reset]
)
def test_what_moves_money_is_never_sent_again_by_the_wires(
    daraja: FakeDaraja, speaking: MoneyOut, name: str, script: Script
) -> None:
    daraja.out_answer = script
    act, _ = MOVES[name]
    assert not isinstance(act(speaking), OutAccepted)
    assert [asked.path in OUT_PATHS for asked in daraja.requests] == [True]


@pytest.mark.parametrize("name", MOVES)
def test_what_moves_money_is_not_sent_again_after_a_silence(
    daraja: FakeDaraja, speaking: MoneyOut, name: str
) -> None:
    daraja.out_answer = lambda asked: daraja.accept_out(asked, delay_seconds=0.6)
    act, _ = MOVES[name]
    assert act(speaking) == OutUnanswered("ReadTimeout")
    assert len(daraja.moves) == 1


def test_a_connection_that_was_kept_open_and_is_gone_sends_nothing_twice(
    daraja: FakeDaraja, speaking: MoneyOut
) -> None:
    assert isinstance(speaking.pay(PAYMENT), OutAccepted)
    daraja.out_answer = reset
    assert isinstance(speaking.pay(PAYMENT), OutUnanswered)
    assert len(daraja.moves) == 2


@pytest.mark.parametrize("name", [*MOVES, *ASKS])
@pytest.mark.parametrize(
    ("status", "code"), [(404, "404.001.03"), (401, "401.002.01"), (400, "400.003.01")]
)
def test_only_a_refused_token_is_worth_a_second_request(
    wire: requests_mock.Mocker, name: str, status: int, code: str
) -> None:
    """The gateway turns it away before M-Pesa sees it."""
    act, url = (MOVES | ASKS)[name]
    refused = {"status_code": status, "json": error(code, "Invalid Access Token")}
    wire.get(TOKEN_URL, [{"json": {"access_token": f"token-{n}"}} for n in (1, 2, 3)])
    wire.post(url, [refused, {"json": ACKNOWLEDGED}])
    assert act(money_out()) == ACCEPTANCE
    used = [asked.headers["Authorization"] for asked in sent_to(wire, url)]
    assert used == ["Bearer token-1", "Bearer token-2"]


@pytest.mark.parametrize("name", [*MOVES, *ASKS])
def test_a_token_that_is_refused_twice_is_not_tried_a_third_time(
    wire: requests_mock.Mocker, name: str
) -> None:
    act, url = (MOVES | ASKS)[name]
    wire.post(url, status_code=404, json=error("404.001.03", "Invalid Access Token"))
    answer = act(money_out())
    assert isinstance(answer, OutNotSent)
    assert answer.kind == "credentials"
    assert len(sent_to(wire, url)) == 2


@pytest.mark.parametrize("name", [*MOVES, *ASKS])
@pytest.mark.parametrize(
    ("answered", "kind"),
    [
        ({"status_code": 400, "text": ""}, "credentials"),
        ({"status_code": 403, "text": "<html>blocked</html>"}, "throttled"),
        ({"status_code": 503, "text": "unreachable"}, "unreachable"),
        ({"status_code": 200, "text": "<html>Sign in to this network</html>"}, "unreachable"),
        ({"exc": requests.exceptions.ReadTimeout}, "unreachable"),
    ],
)
def test_without_a_token_nothing_is_sent(
    wire: requests_mock.Mocker, name: str, answered: dict[str, object], kind: str
) -> None:
    act, url = (MOVES | ASKS)[name]
    wire.get(TOKEN_URL, **answered)  # type: ignore[arg-type]
    answer = act(money_out())
    assert isinstance(answer, OutNotSent)
    assert answer.kind == kind
    assert sent_to(wire, url) == []


def test_a_connection_that_was_refused_is_known_not_to_have_been_used() -> None:
    out = with_token(f"http://127.0.0.1:{free_port()}", Wires())
    answer = out.pay(PAYMENT)
    assert isinstance(answer, OutNotSent)
    assert answer.kind == "unreachable"


@pytest.mark.parametrize(
    ("name", "times"), [("pay", 1), ("reverse", 1), ("status", 3), ("balance", 3)]
)
def test_only_a_question_tries_again_to_connect(
    monkeypatch: pytest.MonkeyPatch, name: str, times: int
) -> None:
    tried = []

    def refuse(pool: HTTPConnectionPool, connection: object, *_: object, **__: object) -> None:
        tried.append(pool)
        raise NewConnectionError(pool._get_conn(), "refused")  # type: ignore[arg-type]

    out = with_token("http://127.0.0.1:9", Wires())
    monkeypatch.setattr(HTTPConnectionPool, "_make_request", refuse)
    act, _ = (MOVES | ASKS)[name]
    assert isinstance(act(out), OutNotSent)
    assert len(tried) == times


def test_a_road_that_is_closed_is_not_taken_and_prompts_have_one_of_their_own(
    wire: requests_mock.Mocker,
) -> None:
    wire.post(B2C_URL, status_code=502, text="<html>")
    wire.post(STATUS_URL, json=ACKNOWLEDGED)
    breakers = Breakers()
    out = money_out(breakers=breakers)
    for _ in range(20):
        answer = out.pay(PAYMENT)
    assert isinstance(answer, OutNotSent)
    assert len(sent_to(wire, B2C_URL)) < 20
    assert {name for name, state in breakers.states().items() if state == "open"} == {
        name for name in breakers.states() if "b2c" in name
    }


# What nobody is told.


def test_nothing_secret_stands_in_a_repr_or_a_log(
    wire: requests_mock.Mocker, caplog: pytest.LogCaptureFixture
) -> None:
    """I10."""
    wire.post(B2C_URL, json=ACKNOWLEDGED)
    wire.post(STATUS_URL, status_code=401, json=error("401.002.01", "Invalid Access Token - t0ken"))
    out = money_out()
    with caplog.at_level(logging.DEBUG):
        out.pay(PAYMENT)
        out.ask_status(QUESTION)
    assert "BusinessPayment: HTTP 200" in caplog.text
    written = redact(caplog.text) + repr(out.settings)
    for secret in (CREDENTIAL, "t0k3n", "254722000111", "the-consumer-secret", "token-1"):
        assert secret not in written


@pytest.mark.parametrize("payment", [PAYMENT, REVERSAL])
def test_what_is_to_be_paid_is_not_changed_on_its_way(payment: B2cPayment | Reversal) -> None:
    with pytest.raises(AttributeError):
        payment.amount = 1  # type: ignore[misc]
