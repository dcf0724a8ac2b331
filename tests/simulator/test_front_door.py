import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from app.simulator.front_door import front_door
from tests.simulator.client import Daraja, new_msisdn


def shop(port: int | str) -> FlaskClient:
    app = Flask("shop")
    app.config["SIMULATOR_PORT"] = port
    app.register_blueprint(front_door)
    return app.test_client()


@pytest.fixture
def door(simulator_address: str) -> FlaskClient:
    return shop(simulator_address.rpartition(":")[2])


@pytest.fixture
def mirror() -> Iterator[ThreadingHTTPServer]:
    """Answers with what it was sent."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            seen = {"path": self.path, "headers": dict(self.headers), "body": body.decode()}
            answer = json.dumps(seen).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Set-Cookie", "a=b")
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        do_GET = do_POST

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def test_the_phone_works_through_the_shops_port(daraja: Daraja, door: FlaskClient):
    msisdn = new_msisdn()
    checkout = daraja.prompt(msisdn)
    assert door.get(f"/simulator/phones/{msisdn}").status_code == 200
    assert door.get("/simulator/static/phone.css").mimetype == "text/css"
    assert door.get(f"/simulator/api/phones/{msisdn}").get_json()["msisdn"] == msisdn
    answer = door.post(f"/simulator/phones/{msisdn}/prompts/{checkout}", data={"pin": "1234"})
    assert (answer.status_code, answer.headers["Location"]) == (303, f"/simulator/phones/{msisdn}")
    assert daraja.result_code(checkout) == "0"


def test_json_is_passed_on_with_its_status(daraja: Daraja, door: FlaskClient):
    checkout = daraja.prompt(new_msisdn())
    path = f"/simulator/api/prompts/{checkout}"
    assert door.post(path, json={"pin": "9"}).get_json()["pin_attempts_left"] == 2
    assert door.post(path, json={}).status_code == 400
    assert door.get("/simulator/api/phones/x").status_code == 404


def test_the_first_page_answers_with_its_query(door: FlaskClient):
    answer = door.get("/simulator/?number=0712%20345%20678")
    assert answer.headers["Location"] == "/simulator/phones/254712345678"


def test_no_cookie_and_no_authorization_leave_the_shop(mirror: ThreadingHTTPServer):
    door = shop(mirror.server_port)
    door.set_cookie("access_token_cookie", "secret")
    answer = door.post(
        "/simulator/api/x?a=1&b=%20",
        data=b"body",
        headers={"Authorization": "Bearer secret", "X-CSRF-TOKEN": "secret"},
        content_type="text/x-odd",
    )
    assert "secret" not in answer.text
    assert answer.get_json()["path"] == "/simulator/api/x?a=1&b=%20"
    assert answer.get_json()["headers"]["Content-Type"] == "text/x-odd"
    assert answer.get_json()["body"] == "body"
    assert "Set-Cookie" not in answer.headers


@pytest.mark.parametrize(
    "path", ["/simulator/../oauth/v1/generate", "/simulator/%2e%2e/x", "/simulator/a/..%2f..%2fb"]
)
def test_no_path_leads_out_of_the_simulators_own(mirror: ThreadingHTTPServer, path: str):
    assert shop(mirror.server_port).get(path).status_code == 404


def test_a_body_beyond_64_kib_is_not_passed_on(door: FlaskClient):
    assert door.post("/simulator/api/reset", data=b"x" * 70_000).status_code == 413


def test_other_verbs_are_not_passed_on(door: FlaskClient):
    assert door.delete("/simulator/api/ledger").status_code == 405


def test_without_a_simulator_the_door_says_so():
    door = shop(9)
    page = door.get("/simulator/")
    assert page.status_code == 503
    assert "not running" in page.text
    api = door.get("/simulator/api/health")
    assert (api.status_code, api.get_json()["code"]) == (503, "PROVIDER_UNAVAILABLE")
    assert api.headers["Retry-After"]
