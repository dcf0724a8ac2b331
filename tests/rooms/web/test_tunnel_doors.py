"""PUBLIC_URL=auto beside payments: transactions, names, callers, the doctor, settings."""

from __future__ import annotations

import json
from typing import Any

import pytest
from flask import Flask, request
from pydantic import ValidationError

from app.config import Environment, Settings
from app.core.unit_of_work import transaction
from app.settings.service import callback_url, overview
from app.tunnel import BehindAgent
from tests.rooms.web.following import FIRST, HOME, SANDBOX, SECOND, Clock, Follow, found
from tests.services.launch import free_port
from tests.support.app import SAFARICOM, Account, Shop, explicit_settings
from tests.support.ngrok import Agent, tunnel

STRANGER = "203.0.113.9"

# No transaction waits for the agent.


def test_the_agent_is_never_asked_inside_a_transaction(sandbox: Shop, agent: Agent) -> None:
    with (
        sandbox.app.app_context(),
        pytest.raises(RuntimeError, match="never call out inside"),
        transaction(),
    ):
        callback_url()
    assert agent.asked == []


def test_no_intent_is_written_before_the_agent_has_answered(
    sandbox: Shop, shopper: Account, agent: Agent
) -> None:
    order = sandbox.order(shopper)
    seen: list[int] = []

    def look(asking: Any) -> None:
        seen.append(len(sandbox.payments(order)))
        asking.answer(json.dumps({"tunnels": agent.tunnels}).encode())

    agent.behave = look
    assert sandbox.pay(shopper, order).status_code == 200
    assert seen == [0]
    assert len(sandbox.daraja.pushes) == 1


def test_the_pages_that_show_the_settings_ask_no_agent(
    sandbox: Shop, admin: Account, agent: Agent
) -> None:
    with sandbox.app.app_context():
        [standing] = [each for each in overview() if each.key.name == "mpesa_callback_url"]
    assert (standing.value, str(standing.source)) == (None, "the ngrok tunnel of the moment")
    for path in ("/admin/settings", "/api/health"):
        assert sandbox.client().get(path, headers=admin.headers).status_code == 200
    assert agent.asked == []


# Names and callers.


def test_the_tunnels_name_is_one_of_the_shops_own_whichever_it_is_by_now(
    shop: Shop, agent: Agent, clock: Clock, follow: Follow
) -> None:
    follow(allowed_hosts="shop.example")

    def status(host: str) -> int:
        return shop.client().get("/api/health", headers={"Host": host}).status_code

    assert (status("shop.example"), agent.asked) == (200, [])
    names = [FIRST.removeprefix("https://"), SECOND.removeprefix("https://"), "evil.example"]
    assert [status(name) for name in names] == [200, 400, 400]
    assert len(agent.asked) == 1, "strangers cannot make us ask at their pace"
    agent.tunnels = [tunnel(SECOND, HOME)]
    clock.pass_on()
    assert [status(name) for name in names] == [400, 200, 400]
    agent.stop()
    clock.pass_on()
    assert [status(name) for name in [*names, "shop.example"]] == [400, 400, 400, 200]


def test_a_form_is_ours_when_it_comes_from_the_page_behind_the_tunnel(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shop.app, "wsgi_app", BehindAgent(shop.app.wsgi_app))
    form = {"email": "a@example.com", "password": "a-wrong-password"}
    for origin, expected in ((FIRST, 401), (SECOND, 403)):
        answer = shop.client().post(
            "/sign-in",
            data=form,
            headers={"Host": FIRST.removeprefix("https://"), "Origin": origin}
            | {"X-Forwarded-For": STRANGER, "X-Forwarded-Proto": "https"},
        )
        assert answer.status_code == expected, answer.text


@pytest.mark.parametrize(
    ("peer", "forwarded", "expected"),
    [
        ("127.0.0.1", None, "127.0.0.1 http"),
        ("127.0.0.1", STRANGER, f"{STRANGER} https"),
        ("::1", STRANGER, f"{STRANGER} https"),
        ("::ffff:127.0.0.1", STRANGER, f"{STRANGER} https"),
        ("127.0.0.1", f"{SAFARICOM}, {STRANGER}", f"{STRANGER} https"),
        ("127.0.0.1", f"127.0.0.1,{STRANGER}", f"{STRANGER} https"),
        ("192.168.1.7", SAFARICOM, "192.168.1.7 http"),
        (STRANGER, "127.0.0.1", f"{STRANGER} http"),
    ],
)
def test_the_agents_callers_are_told_from_the_programs_of_this_machine(
    peer: str, forwarded: str | None, expected: str
) -> None:
    app = Flask("echo")
    app.add_url_rule("/", view_func=lambda: f"{request.remote_addr} {request.scheme}")
    app.wsgi_app = BehindAgent(app.wsgi_app)  # type: ignore[method-assign]
    headers = {"X-Forwarded-For": forwarded, "X-Forwarded-Proto": "https"} if forwarded else {}
    answer = app.test_client().get("/", headers=headers, environ_overrides={"REMOTE_ADDR": peer})
    assert answer.text == expected


# The doctor.


def test_s4_25_the_doctor_finds_a_tunnel_that_does_not_lead_to_this_shop(
    sandbox: Shop, agent: Agent
) -> None:
    """S4-25. The way out and back is walked; one that does lead here is walked by a journey."""
    nowhere = f"https://127.0.0.1:{free_port()}"
    agent.tunnels = [tunnel(nowhere, HOME)]
    [finding] = found(sandbox)
    assert finding.startswith(f"{nowhere} does not lead to this shop: ConnectionError.")
    assert "Start the shop on port 5000." in finding


def test_s4_25_the_doctor_finds_several_tunnels_and_too_many_proxies(
    shop: Shop, agent: Agent, follow: Follow
) -> None:
    """S4-25."""
    roots = sorted(f"https://127.0.0.1:{free_port()}" for _ in range(2))
    agent.tunnels = [tunnel(root, HOME) for root in roots]
    follow(**SANDBOX, trusted_proxies=2)
    several, proxies, unreached = found(shop)
    assert f"More than one tunnel leads here: {roots[0]}, {roots[1]}. The first is used." in several
    assert "Leave TRUSTED_PROXIES blank" in proxies
    assert unreached.startswith(roots[0])


def test_beside_an_address_that_is_set_the_doctor_still_trusts_what_auto_tells_apart(
    shop: Shop, follow: Follow
) -> None:
    shop.set(**SANDBOX, mpesa_callback_url="https://shop.example/callback")
    assert ["TRUSTED_PROXIES=1" in finding for finding in found(shop)] == [True]
    follow()
    assert found(shop) == []


# Settings.


@pytest.mark.parametrize("written", ["auto", "AUTO", " Auto "])
def test_auto_is_read_in_any_case(written: str) -> None:
    configured = explicit_settings(public_url=written, port=8000)
    assert configured.follows_tunnel
    assert (configured.public_root, configured.local_root) == (None, "http://127.0.0.1:8000")


def test_s4_25_production_refuses_a_tunnel_that_changes() -> None:
    """S4-25."""
    secrets = dict.fromkeys(("secret_key", "jwt_secret_key", "settings_encryption_key"), "s" * 44)
    live: dict[str, Any] = secrets | {"mpesa_environment": Environment.PRODUCTION}
    with pytest.raises(ValidationError, match="production does not take PUBLIC_URL=auto"):
        explicit_settings(**live, public_url="auto")
    assert explicit_settings(**live, public_url="https://shop.example").is_production


def test_the_agents_address_is_the_one_that_ngrok_prints() -> None:
    assert Settings.model_fields["ngrok_api_url"].default == "http://127.0.0.1:4040"
    assert (
        explicit_settings(ngrok_api_url="http://ngrok:4041/").ngrok_api_url == "http://ngrok:4041"
    )
    for wrong in ("4040", "127.0.0.1:4040", "https://127.0.0.1:4040", "http://127.0.0.1:4040/api"):
        with pytest.raises(ValidationError, match="Web Interface"):
            explicit_settings(ngrok_api_url=wrong)
