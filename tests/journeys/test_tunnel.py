"""PUBLIC_URL=auto: a whole shop behind a tunnel that changes while it runs."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass

import pytest
import requests

from app.dialects.shop import shop_dialect
from tests.journeys.test_another_daraja import Buyer
from tests.services.launch import free_port
from tests.support.live_shop import LiveShop, live_shop
from tests.support.ngrok import Agent, Authority, Edge, agent_running, edge_running, tunnel

SETTLE_SECONDS = 30
#: The agent is asked again after three seconds.
NOTICE_SECONDS = 15
SELF_APPROVING = "254708374149"
CALLBACK = f"POST {shop_dialect.url_prefix}/mpesa/callback?token="
#: Python runs it at its start: certificates are then checked against the edge's authority.
TRUST = "import certifi\ncertifi.where = lambda: {path!r}\n"
FROM_SAFARICOM = {"X-Forwarded-For": "196.201.214.200"}


@dataclass
class Place:
    """A shop that follows its tunnel, two tunnels that lead to it, and the agent that tells."""

    shop: LiveShop
    agent: Agent
    first: Edge
    second: Edge
    authority: Authority

    def use(self, edge: Edge) -> None:
        """Let the agent have this tunnel and no other."""
        self.agent.tunnels = [tunnel(edge.root, f"http://localhost:{self.shop.env['PORT']}")]

    def get(self, url: str) -> requests.Response:
        return requests.get(url, verify=str(self.authority.certificate), timeout=20)

    def post(self, url: str, headers: dict[str, str] | None = None) -> requests.Response:
        verify = str(self.authority.certificate)
        return requests.post(url, json={}, headers=headers, verify=verify, timeout=20)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    folder = tmp_path_factory.mktemp("tunnel")
    authority = Authority(folder)
    (folder / "sitecustomize.py").write_text(TRUST.format(path=str(authority.certificate)))
    port = free_port()
    with ExitStack() as stack:
        first = stack.enter_context(edge_running(authority, "127.0.0.1", port))
        second = stack.enter_context(edge_running(authority, "localhost", port))
        agent = stack.enter_context(agent_running())
        env = {
            "PORT": str(port),
            "PUBLIC_URL": "auto",
            "NGROK_API_URL": agent.url,
            "ALLOWED_HOSTS": "127.0.0.1",
            "PYTHONPATH": str(folder),
        }
        shop = stack.enter_context(live_shop(extra_env=env))
        yield Place(shop, agent, first, second, authority)


def wait_until(is_so: Callable[[], bool], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < deadline, "waited too long"
        time.sleep(0.1)


def pay(place: Place) -> None:
    """Order, let the phone that pays by itself pay, and wait until the order is paid."""
    buyer = Buyer(place.shop)
    order = buyer.post("/api/orders", {"items": [{"product_id": 1, "quantity": 1}]})
    body = {"order_id": order["id"], "phone_number": SELF_APPROVING}
    buyer.post("/api/payments/mpesa/initiate", body)
    wait_until(lambda: buyer.order(order["id"])["status"] == "paid", SETTLE_SECONDS)


def callbacks(edge: Edge) -> int:
    return sum(passed.startswith(CALLBACK) for passed in edge.passed)


def said(place: Place) -> list[str]:
    """What the log says of the tunnel, one line for each change."""
    marks = "PUBLIC_URL=auto: "
    return [
        line.partition(marks)[2] for line in place.shop.log_text().splitlines() if marks in line
    ]


def test_s4_25_callbacks_follow_a_tunnel_that_changes_while_the_shop_runs(place: Place) -> None:
    """S4-25, S3-03."""
    place.use(place.first)
    pay(place)
    assert callbacks(place.first) == 1

    place.use(place.second)
    # The shop's own names do not have this one: it is answered as soon as the agent said so.
    wait_until(lambda: place.get(f"{place.second.root}/").status_code == 200, NOTICE_SECONDS)
    pay(place)
    assert (callbacks(place.first), callbacks(place.second)) == (1, 1)

    come_by = "callbacks of new prompts come by "
    assert said(place) == [come_by + place.first.root, come_by + place.second.root]


def test_s4_25_nobody_is_taken_for_a_program_of_this_machine_by_coming_through_the_tunnel(
    place: Place,
) -> None:
    """S4-25. This address answers 403 to whoever is not proven by origin."""
    path = "/payments/callback/"
    assert place.post(place.shop.base_url + path).status_code == 200
    assert place.post(place.first.root + path).status_code == 403
    assert place.post(place.first.root + path, FROM_SAFARICOM).status_code == 403


def test_s4_25_the_doctor_goes_out_and_comes_back_through_the_tunnel(place: Place) -> None:
    """S4-25."""
    place.use(place.first)
    before = len(place.first.passed)
    done = place.shop.flask("doctor")
    assert place.first.passed[before:] == ["GET /api/health"]
    assert done.returncode == 0, done.stdout
    assert f"PUBLIC_URL=auto: the tunnel is {place.first.root}." in done.stdout

    place.first.upstream_port = free_port()
    done = place.shop.flask("doctor")
    place.first.upstream_port = int(place.shop.env["PORT"])
    assert done.returncode == 1
    assert f"{place.first.root} does not lead to this shop" in done.stdout
    assert "HTTP 502" in done.stdout
