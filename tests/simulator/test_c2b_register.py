"""C2B: where a shop wants to hear of payments by hand, and the switches of Daraja's ways."""

import re
from typing import Any

import pytest

from app.simulator.c2b_rules import MOST_REGISTERED, C2bRules, Registration
from app.simulator.settings import SimulatorSettings
from app.simulator.switches import Switches
from tests.simulator.client import B2C_SHORTCODE, SHORTCODE, Daraja, new_msisdn
from tests.simulator.test_b2c import REQUEST_ID, envelope


@pytest.mark.parametrize("version", ["v1", "v2"])
def test_urls_are_registered_and_the_key_of_the_answer_is_misspelt(daraja: Daraja, version: str):
    answer = daraja.register("https://shop.test/c", "https://shop.test/v", version)
    body = answer.json()
    assert answer.status_code == 200
    assert re.fullmatch(REQUEST_ID, body.pop("OriginatorCoversationID"))
    assert body == {"ResponseCode": "0", "ResponseDescription": "Success"}
    (known,) = daraja.call("GET", "/simulator/api/c2b").json()["registered"]
    assert known == {
        "shortcode": B2C_SHORTCODE,
        "response_type": "Completed",
        "version": version,
    }


@pytest.mark.parametrize(
    "word",
    ["mpesa", "MPESA", "M-Pesa", "safaricom", "exe", "exec", "cmd", "sql", "query"]
    + ["ngrok", "mockbin", "requestbin"],
)
@pytest.mark.parametrize("field", ["ConfirmationURL", "ValidationURL"])
def test_a_url_with_a_forbidden_word_is_refused_by_name(daraja: Daraja, field: str, word: str):
    answer = daraja.register(
        "https://shop.test/c", "https://shop.test/v", **{field: f"https://shop.test/a{word}b"}
    )
    text = f"Bad Request - Invalid {field} - URL has the word {word.upper()}"
    assert envelope(answer) == (400, "400.003.02", text)
    assert daraja.call("GET", "/simulator/api/c2b").json()["registered"] == []


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("ShortCode", ...),
        ("ShortCode", "12"),
        ("ResponseType", ...),
        ("ResponseType", "completed"),
        ("ResponseType", "CANCELLED"),
        ("ConfirmationURL", ...),
        ("ConfirmationURL", "shop.test/c"),
        ("ConfirmationURL", 7),
        ("ValidationURL", "https://shop.test/a b"),
        ("ValidationURL", None),
    ],
)
def test_each_bad_field_of_a_registration_is_named(daraja: Daraja, field: str, value: Any):
    answer = daraja.register("https://shop.test/c", "https://shop.test/v", **{field: value})
    assert envelope(answer) == (400, "400.003.02", f"Bad Request - Invalid {field}")


@pytest.mark.parametrize("path", ["registerurl", "simulate"])
@pytest.mark.parametrize("version", ["v1", "v2"])
def test_what_is_no_json_and_who_has_no_token_are_refused(daraja: Daraja, path: str, version: str):
    url = f"/mpesa/c2b/{version}/{path}"
    json_type = {"Content-Type": "application/json"}
    broken = daraja.call("POST", url, data=b"{", headers=json_type)
    assert envelope(broken) == (400, "400.002.05", "Invalid Request Payload")
    stranger = daraja.call("POST", url, json={}, headers={"Authorization": "Bearer abc"})
    text = "Error Occurred - Invalid Access Token - abc"
    assert envelope(stranger) == (401, "401.003.01", text)


def test_urls_are_replaced_freely_until_they_are_registered_once_only(daraja: Daraja):
    for _ in range(2):
        assert daraja.register("https://a.test/c", "https://a.test/v").status_code == 200
    assert daraja.switch(register_once=True).json()["switches"]["register_once"] is True
    again = daraja.register("https://b.test/c", "https://b.test/v")
    assert envelope(again) == (500, "500.003.1001", "Urls are already registered.")
    other = daraja.register("https://b.test/c", "https://b.test/v", ShortCode=SHORTCODE)
    assert other.status_code == 200


@pytest.mark.parametrize("code", ["0", "00000000", "absent"])
def test_success_has_the_codes_that_were_recorded_and_none_at_all(daraja: Daraja, code: str):
    daraja.call("POST", "/simulator/api/switches", json={"register_code": code})
    answer = daraja.register("https://a.test/c", "https://a.test/v")
    assert answer.status_code == 200
    assert answer.json().get("ResponseCode", "absent") == code
    assert daraja.simulate(new_msisdn()).json()["ResponseCode"] == "0"


def test_urls_on_the_platform_of_old_stand_in_the_way_when_a_scenario_says_so(daraja: Daraja):
    daraja.arm("registered_elsewhere")
    answer = daraja.register("https://a.test/c", "https://a.test/v")
    text = f"Duplicate notification info, SP ID is 107078, correlator is {B2C_SHORTCODE}"
    assert envelope(answer) == (500, "500.003.1001", text)
    assert daraja.register("https://a.test/c", "https://a.test/v").status_code == 200


def test_no_more_registrations_are_kept_than_there_is_room_for():
    rules = C2bRules()
    for n in range(MOST_REGISTERED + 1):
        rules.register(Registration(str(n), "Completed", "c", "v", hashes=True))
    assert rules.of("0") is None
    assert rules.of("1") is not None


@pytest.mark.parametrize("body", [{}, {"register_once": 1}, {"other": True}, [], "register_once"])
def test_what_is_no_switch_is_refused_and_changes_nothing(daraja: Daraja, body: Any):
    answer = daraja.call("POST", "/simulator/api/switches", json=body)
    assert answer.status_code == 400
    assert answer.json()["code"] == "VALIDATION_ERROR"
    switches = daraja.call("GET", "/simulator/api/switches").json()["switches"]
    assert switches == Switches().as_json()


def test_switches_and_patience_come_from_the_environment():
    environ = {
        "SIMULATOR_SWITCHES": "register_once, all_names",
        "SIMULATOR_VALIDATION_SECONDS": "2",
    }
    settings = SimulatorSettings.from_environment(environ)
    assert settings.switches == Switches(register_once=True, all_names=True)
    assert settings.validation_seconds == 2.0
    # Eight seconds are what Safaricom documents.
    assert SimulatorSettings.from_environment({}).validation_seconds == 8.0


@pytest.mark.parametrize(
    "environ", [{"SIMULATOR_SWITCHES": "registeronce"}, {"SIMULATOR_VALIDATION_SECONDS": "0"}]
)
def test_switches_and_patience_that_make_no_sense_are_refused(environ: dict[str, str]):
    with pytest.raises(ValueError, match=r"must be|no switch"):
        SimulatorSettings.from_environment(environ)
