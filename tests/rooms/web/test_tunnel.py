"""PUBLIC_URL=auto: where callbacks come, by the word of an ngrok agent that may say anything."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from app import doctor
from app.settings.service import callback_url
from app.tunnel import ASK_EVERY_SECONDS, MOST_BYTES, NoTunnel
from tests.documents import s0, s1, s2, s3
from tests.rooms.web.following import (
    CALLBACK,
    FIRST,
    HOME,
    SANDBOX,
    SECOND,
    Clock,
    Follow,
    Lines,
    callback_of_a_prompt,
    found,
    refusal,
)
from tests.support.app import Account, Shop, together
from tests.support.daraja import paid
from tests.support.ngrok import Agent, Behaviour, agent_running, endpoint, tunnel

# The tunnel that leads here.


@pytest.mark.parametrize(
    "upstream",
    [
        *("5000", "localhost:5000", "http://localhost:5000", "http://127.0.0.1:5000/"),
        *("http://[::1]:5000", "0.0.0.0:5000", "http://host.docker.internal:5000"),
    ],
)
def test_s4_25_the_tunnel_to_our_port_is_where_callbacks_come(
    sandbox: Shop, shopper: Account, agent: Agent, upstream: str
) -> None:
    """S4-25. However the agent writes where it leads to."""
    agent.tunnels = [
        tunnel("tcp://0.tcp.eu.ngrok.io:12345", upstream, "tcp"),
        tunnel(FIRST.replace("https", "http"), upstream, "http"),
        tunnel("https://other.ngrok-free.app", "http://localhost:8000"),
        tunnel("https://tls.ngrok-free.app", "https://localhost:5000"),
        tunnel("https://far.ngrok-free.app", "http://192.168.1.2:5000"),
        tunnel("https://shop.internal", upstream),
        tunnel(f"{FIRST.upper()}/", upstream),
    ]
    assert callback_of_a_prompt(sandbox, shopper).startswith(FIRST + CALLBACK)
    assert agent.asked == ["/api/tunnels"]


def test_s4_25_a_newer_agent_calls_its_tunnels_endpoints(
    sandbox: Shop, shopper: Account, agent: Agent
) -> None:
    """S4-25. The agent's documentation says that /api/tunnels will go."""
    body = json.dumps({"endpoints": [endpoint(FIRST, HOME)]}).encode()
    status = {"/api/endpoints": 200}
    agent.behave = lambda asking: asking.answer(body, status.get(asking.path, 404))
    assert callback_of_a_prompt(sandbox, shopper).startswith(FIRST + CALLBACK)
    assert agent.asked == ["/api/tunnels", "/api/endpoints"]


def test_s4_25_a_changed_tunnel_counts_from_the_next_prompt_and_is_told_once(
    sandbox: Shop, shopper: Account, agent: Agent, clock: Clock, lines: Lines
) -> None:
    """S4-25."""
    addresses = []
    for root in (FIRST, FIRST, SECOND, SECOND):
        agent.tunnels = [tunnel(root, HOME)]
        addresses.append(callback_of_a_prompt(sandbox, shopper).partition("/api/")[0])
        clock.pass_on()
    assert addresses == [FIRST, FIRST, SECOND, SECOND]
    told = "PUBLIC_URL=auto: callbacks of new prompts come by "
    assert lines() == [told + FIRST, told + SECOND]


def test_the_agent_is_asked_once_in_three_seconds_however_many_pay(
    sandbox: Shop, shopper: Account, agent: Agent, clock: Clock
) -> None:
    orders = [sandbox.order(shopper) for _ in range(8)]
    answers = together(8, lambda number: sandbox.pay(shopper, orders[number]).status_code)
    assert answers == [200] * 8
    assert len(agent.asked) == 1
    clock.seconds += ASK_EVERY_SECONDS - 0.1
    callback_of_a_prompt(sandbox, shopper)
    assert len(agent.asked) == 1
    clock.seconds += 0.1
    callback_of_a_prompt(sandbox, shopper)
    assert len(agent.asked) == 2


def test_of_several_tunnels_the_one_in_use_stays_for_as_long_as_it_is_there(
    sandbox: Shop, shopper: Account, agent: Agent, clock: Clock
) -> None:
    used = []
    for roots in ([SECOND], [FIRST, SECOND], [SECOND, FIRST], [FIRST], [SECOND, FIRST]):
        agent.tunnels = [tunnel(root, HOME) for root in roots]
        used.append(callback_of_a_prompt(sandbox, shopper).partition("/api/")[0])
        clock.pass_on()
    assert used == [SECOND, SECOND, SECOND, FIRST, FIRST]


def test_an_address_that_is_set_is_used_and_no_agent_asked(
    shop: Shop, shopper: Account, agent: Agent, follow: Follow
) -> None:
    follow(**SANDBOX, mpesa_callback_url="https://shop.example/callback")
    assert callback_of_a_prompt(shop, shopper).startswith("https://shop.example/callback?token=")
    assert agent.asked == []


def test_a_command_prints_a_payments_address_by_the_tunnel_of_the_moment(
    sandbox: Shop, shopper: Account, agent: Agent, clock: Clock
) -> None:
    payment = sandbox.prompted(shopper)
    agent.tunnels = [tunnel(SECOND, HOME)]
    clock.pass_on()
    with sandbox.app.app_context():
        said = sandbox.app.test_cli_runner().invoke(args=["callback_url", payment.public_ref])
    assert said.output.strip() == f"{SECOND}{CALLBACK}{payment.callback_token}"
    agent.stop()
    clock.pass_on()
    with sandbox.app.app_context(), pytest.raises(NoTunnel):
        callback_url()


# No tunnel.


def test_s4_25_without_an_agent_nothing_is_sent_and_the_payer_learns_how_to_mend_it(
    sandbox: Shop, shopper: Account, agent: Agent, clock: Clock, lines: Lines
) -> None:
    """S4-25."""
    agent.stop()
    for _ in range(2):
        message = refusal(sandbox, shopper)["message"]
        clock.pass_on()
    assert f"The ngrok agent does not answer at {agent.url}" in message
    assert "Start `ngrok http 5000`" in message
    [line] = lines()
    assert line.startswith("PUBLIC_URL=auto: The ngrok agent does not answer")
    with agent_running(tunnel(SECOND, HOME), port=agent.port):
        assert callback_of_a_prompt(sandbox, shopper).startswith(SECOND)
    assert len(lines()) == 2


def test_s4_25_every_dialect_says_so_in_the_shape_of_its_errors(
    sandbox: Shop, shopper: Account, agent: Agent
) -> None:
    """S4-25."""
    agent.stop()
    order = sandbox.order(shopper)
    answers = [
        s0.initiate(sandbox, shopper, order),
        s1.checkout(sandbox, shopper),
        s2.initiate(sandbox, shopper, order),
        s3.initiate(sandbox, shopper, s3.course(sandbox)),
        sandbox.pay(shopper, order),
    ]
    for answer in answers:
        body = answer.get_json()
        assert (answer.status_code, body["code"]) == (503, "PROVIDER_UNAVAILABLE"), body
        assert "Start `ngrok http 5000`" in body["message"]
        assert body["error"] == body["message"]
        assert answer.headers["Retry-After"] == "30"
    assert sandbox.daraja.pushes == []


def test_a_prompt_that_is_live_and_an_order_that_is_paid_need_no_tunnel(
    sandbox: Shop, shopper: Account, agent: Agent, clock: Clock
) -> None:
    order = sandbox.order(shopper)
    payment = sandbox.prompted(shopper, order)
    agent.stop()
    clock.pass_on()
    again = sandbox.pay(shopper, order)
    assert again.status_code == 200
    assert again.get_json()["data"]["checkout_request_id"] == payment.checkout_request_id
    sandbox.callback(paid(payment.checkout_request_id), token=payment.callback_token)
    answer = sandbox.pay(shopper, order)
    assert (answer.status_code, answer.get_json()["code"]) == (409, "ORDER_ALREADY_PAID")
    assert len(sandbox.daraja.pushes) == 1


def test_a_key_is_not_spent_on_a_payment_that_had_no_tunnel(
    sandbox: Shop, shopper: Account, agent: Agent, clock: Clock
) -> None:
    order, key = sandbox.order(shopper), {"Idempotency-Key": "once"}
    body = {"order_id": order["id"], "phone_number": "0712345678"}

    def pay() -> int:
        headers = shopper.headers | key
        url = "/api/payments/mpesa/initiate"
        return sandbox.client().post(url, json=body, headers=headers).status_code

    agent.tunnels = []
    assert pay() == 503
    agent.tunnels = [tunnel(FIRST, HOME)]
    clock.pass_on()
    assert pay() == 200


def test_s4_25_the_simulator_works_without_a_tunnel_and_the_log_says_so_once(
    shop: Shop,
    shopper: Account,
    agent: Agent,
    clock: Clock,
    follow: Follow,
    lines: Lines,
) -> None:
    """S4-25."""
    follow()
    agent.stop()
    for _ in range(2):
        address = callback_of_a_prompt(shop, shopper)
        assert address.startswith(f"http://127.0.0.1:5000{CALLBACK}")
        clock.pass_on()
    [line] = lines()
    assert "The simulator calls http://127.0.0.1:5000 meanwhile." in line
    assert found(shop) == []
    with shop.app.app_context():
        assert ["The simulator needs none." in remark for remark in doctor.remarks()] == [True]


# An agent that is none, and tunnels that lead nowhere.


def stays_silent(asking: Any) -> None:
    asking.server.agent.stopping.wait(30)


def hangs_up(asking: Any) -> None:
    asking.connection.close()


def says(body: bytes, status: int = 200, kind: str = "application/json") -> Behaviour:
    return lambda asking: asking.answer(body, status, kind)


def whole(*tunnels: object) -> Behaviour:
    return says(json.dumps({"tunnels": tunnels}).encode())


HUGE = json.dumps({"tunnels": [tunnel(FIRST, HOME)] * (MOST_BYTES // 100)}).encode()
NO_AGENT = "is no ngrok agent"
NO_ANSWER = "does not answer"
NO_HTTPS = "has no https tunnel"
ELSEWHERE = "and this shop is at http://127.0.0.1:5000"


@pytest.mark.parametrize(
    ("behave", "words"),
    [
        (says(b"<html>It works!</html>", kind="text/html"), NO_AGENT),
        (says(b"<tunnelListResource/>", 404, "application/xml"), NO_AGENT),
        (says(b""), NO_AGENT),
        (says(b"\xff\xfe\x00"), NO_AGENT),
        (says(b"[" * 100_000), NO_AGENT),
        (says(b'{"tunnels": null}'), NO_AGENT),
        (says(b"9" * 5000), NO_AGENT),
        (says(HUGE), NO_AGENT),
        (says(b"", 302), NO_AGENT),
        (stays_silent, NO_ANSWER),
        (hangs_up, NO_ANSWER),
        (lambda asking: asking.drip(b"HTTP/1.1 200 OK\r\nX: " + b"x" * 500), NO_ANSWER),
        (lambda asking: asking.wfile.write(b"SSH-2.0-OpenSSH_9.2\r\n"), NO_ANSWER),
        (whole(), NO_HTTPS),
        (whole(None, 7, "x", [], {}, {"config": 5}, {"public_url": FIRST}), NO_HTTPS),
        (whole(tunnel(FIRST.replace("https", "http"), HOME)), NO_HTTPS),
        (whole(tunnel("https://shop.internal", HOME)), NO_HTTPS),
        (whole(tunnel("https://*.ngrok-free.app", HOME)), NO_HTTPS),
        (whole(tunnel("https://you@evil.example", HOME)), NO_HTTPS),
        (whole(tunnel("https://a.example/path", HOME)), NO_HTTPS),
        (whole(tunnel("https://a.example?x=1", HOME)), NO_HTTPS),
        (whole(tunnel("https://", HOME)), NO_HTTPS),
        (whole(tunnel(FIRST, "http://localhost:8000")), ELSEWHERE),
        (whole(tunnel(FIRST, "https://localhost:5000")), ELSEWHERE),
        (whole(tunnel(FIRST, "http://other.example:5000")), ELSEWHERE),
        (whole(tunnel(FIRST, "http://localhost:99999999")), ELSEWHERE),
        (whole(tunnel(FIRST, "http://[::1:5000")), ELSEWHERE),
        (whole(tunnel(FIRST, "http://localhost")), ELSEWHERE),
        (whole(tunnel(FIRST, "file:///var/www")), ELSEWHERE),
        (whole(tunnel(FIRST, "²")), ELSEWHERE),
        (whole(tunnel(FIRST, "localhost:1\n\x1b[31m" + "y" * 9000)), ELSEWHERE),
    ],
)
def test_whatever_the_agent_says_a_payer_hears_in_time_that_there_is_no_tunnel(
    sandbox: Shop, shopper: Account, agent: Agent, behave: Behaviour, words: str
) -> None:
    agent.behave = behave
    began = time.monotonic()
    message = refusal(sandbox, shopper)["message"]
    assert time.monotonic() - began < 4
    assert words in message
    assert message.isprintable()
    assert len(message) < 1000
    assert ["ngrok" in finding for finding in found(sandbox)] == [True]


def test_those_who_come_while_a_silent_agent_is_asked_wait_no_longer_than_one(
    sandbox: Shop, shopper: Account, agent: Agent
) -> None:
    agent.behave = stays_silent
    orders = [sandbox.order(shopper) for _ in range(8)]
    began = time.monotonic()
    answers = together(8, lambda number: sandbox.pay(shopper, orders[number]).status_code)
    assert answers == [503] * 8
    assert time.monotonic() - began < 6
    assert len(agent.asked) == 1
