"""Scenarios, traffic and conditions as pages of forms, without a line of JavaScript."""

import html as html_
import re
from typing import Any

import pytest
import requests

from app.simulator.magic import MAGIC_CODES, MAGIC_WAYS
from app.simulator.scenarios import SCENARIOS
from app.simulator.switches import SWITCHES, Switches
from tests.simulator.client import Daraja, eventually, new_msisdn, password
from tests.simulator.test_pages import page


def armed(daraja: Daraja) -> list[dict[str, Any]]:
    rows = daraja.call("GET", "/simulator/api/scenarios").json()["armed"]
    return [{name: value for name, value in row.items() if name != "id"} for row in rows]


def arm(daraja: Daraja, **form: str) -> requests.Response:
    return daraja.call("POST", "/simulator/scenarios", data=form)


def text_of(html: str) -> str:
    return html_.unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", html)))


def test_every_scenario_stands_on_its_page_in_words(daraja: Daraja):
    html = html_.unescape(page(daraja, "/simulator/scenarios"))
    for row in SCENARIOS.values():
        assert f'<input type="hidden" name="scenario" value="{row.name}">' in html
        assert row.summary in html


def test_the_table_of_numbers_stands_on_the_page(daraja: Daraja):
    html = page(daraja, "/simulator/scenarios")
    for row in MAGIC_CODES:
        assert f'href="/simulator/phones/{row.msisdn}"' in html
        for amount in filter(None, (row.push_amount, row.out_amount)):
            assert f"{amount:,}" in html
    assert all(f'href="/simulator/phones/{way.msisdn}"' in html for way in MAGIC_WAYS)


@pytest.mark.parametrize(
    ("form", "expected"),
    [
        (
            {"scenario": "no_callback"},
            {"on": {"next": True}, "times": 1, "changes": {"callback_copies": 0}},
        ),
        (
            {"scenario": "late_callback", "phone": "0712 345 678", "seconds": "1.5", "times": "3"},
            {
                "on": {"msisdn": "254712345678"},
                "times": 3,
                "changes": {"callback_delay_seconds": 1.5},
            },
        ),
        (
            {"scenario": "duplicate_callback", "amount": "99", "copies": "5"},
            {"on": {"amount": 99}, "times": 1, "changes": {"callback_copies": 5}},
        ),
        (
            {"scenario": "result", "code": "E3008"},
            {"on": {"next": True}, "times": 1, "changes": {"result_code": "E3008"}},
        ),
        (
            {"scenario": "callback_phone", "as": "masked"},
            {"on": {"next": True}, "times": 1, "changes": {"callback_phone": "masked"}},
        ),
        (
            {"scenario": "out_result", "code": "2001", "api": "reversal"},
            {
                "on": {"next": True},
                "api": "reversal",
                "times": 1,
                "changes": {"result_code": "2001"},
            },
        ),
    ],
)
def test_a_form_arms_what_the_api_would_arm(
    daraja: Daraja, form: dict[str, str], expected: dict[str, Any]
):
    answer = arm(daraja, **form)
    assert (answer.status_code, answer.url) == (200, daraja.base_url + "/simulator/scenarios#armed")
    assert armed(daraja) == [{"scenario": form["scenario"], **expected}]


@pytest.mark.parametrize(
    ("form", "notice"),
    [
        ({}, "scenario must be one of"),
        ({"scenario": "nothing"}, "scenario must be one of"),
        ({"scenario": "no_callback", "phone": "12"}, "on must be"),
        ({"scenario": "no_callback", "phone": "0712345678", "amount": "5"}, "not both"),
        ({"scenario": "no_callback", "amount": "x"}, "the amount must be a whole number"),
        ({"scenario": "no_callback", "times": "0"}, "times must be from 1 to 1000"),
        ({"scenario": "late_callback", "seconds": "soon"}, "seconds must be a number"),
        ({"scenario": "late_callback", "seconds": "nan"}, "seconds must be from 0 to 600"),
        ({"scenario": "result", "code": "777"}, "code must be a final STK result code"),
    ],
)
def test_what_cannot_be_armed_is_explained_above_the_open_form(
    daraja: Daraja, form: dict[str, str], notice: str
):
    answer = arm(daraja, **form)
    assert answer.status_code == 400
    assert notice in text_of(answer.text)
    assert armed(daraja) == []
    if form.get("scenario") in SCENARIOS:
        opened = re.findall(r"<details class=\"scenario\" open>.*?</details>", answer.text, re.S)
        (form_again,) = opened
        assert f'value="{form["scenario"]}"' in form_again
        assert form.get("phone", "") in form_again


def test_what_is_armed_is_shown_with_how_often_and_can_be_disarmed(daraja: Daraja):
    daraja.arm("no_callback", on={"msisdn": "0712345678"})
    daraja.arm("push_500", on={"amount": 1300}, times=4)
    html = page(daraja, "/simulator/scenarios/armed")
    told = text_of(html)
    assert "no_callback on 0712 345 678; once more" in told
    assert "push_500 on KES 1,300; 4 times more" in told
    number = re.findall(r'name="id" value="(\d+)"', html)[0]
    daraja.call("POST", "/simulator/scenarios/disarm", data={"id": number})
    assert [row["scenario"] for row in armed(daraja)] == ["push_500"]
    daraja.arm("push_html")
    daraja.call("POST", "/simulator/scenarios/disarm", data={"id": "all"})
    assert armed(daraja) == []
    assert "Nothing is armed." in page(daraja, "/simulator/scenarios")


def test_the_api_disarms_by_either_verb(daraja: Daraja):
    for method, path in (("DELETE", ""), ("POST", "/disarm")):
        number = daraja.arm("no_callback").json()["id"]
        path = f"/simulator/api/scenarios/{number}{path}"
        assert daraja.call(method, path).json() == {"armed": []}
        assert daraja.call(method, path).status_code == 404


def test_the_traffic_page_tells_why_and_shows_everything_about_one_exchange(daraja: Daraja):
    msisdn = new_msisdn()
    daraja.push(msisdn, Password=password(shortcode="174378"))
    listed = page(daraja, "/simulator/traffic")
    assert "Password decodes to shortcode 174378, expected 174379." in listed
    number = daraja.traffic()[0]["id"]
    shown = html_.unescape(page(daraja, f"/simulator/traffic/{number}"))
    assert f'"PhoneNumber": "{msisdn}"' in shown
    assert '"errorMessage": "Wrong credentials"' in shown
    assert "Authorization: Bearer $TOKEN" in shown
    assert 'readonly spellcheck="false">curl -i -X ' in shown
    assert f'href="/simulator/api/requests/export?only={number}"' in shown


def test_the_traffic_page_is_sifted_by_a_form(daraja: Daraja):
    one, other = new_msisdn(), new_msisdn()
    daraja.prompt(one)
    daraja.push(other, Amount="x")
    html = page(daraja, f"/simulator/traffic?phone=0{one[3:]}&direction=in&status=2xx&path=&id=")
    assert len(re.findall(r'id="exchange-\d+"', html)) == 1
    assert f'value="0{one[3:]}"' in html
    assert "export?direction=in&amp;status=2xx&amp;phone=" in html
    assert "Show all" in html


def test_a_sieve_that_makes_no_sense_is_explained_and_everything_shown(daraja: Daraja):
    daraja.prompt(new_msisdn())
    answer = daraja.call("GET", "/simulator/traffic", params={"phone": "12"})
    assert answer.status_code == 400
    assert "phone must be a Kenyan mobile number" in answer.text
    assert 'id="exchange-' in answer.text


def test_older_exchanges_are_a_link_away(daraja: Daraja):
    for _ in range(55):
        daraja.call("GET", "/nothing")
    first = page(daraja, "/simulator/traffic?path=nothing")
    assert len(re.findall(r'id="exchange-\d+"', first)) == 50
    link = re.search(r'id="older" href="([^"]+)"', first)
    assert link
    rest = page(daraja, html_.unescape(link[1]))
    assert len(re.findall(r'id="exchange-\d+"', rest)) == 5
    assert 'id="older"' not in rest


def test_an_exchange_that_is_gone_is_said_to_be(daraja: Daraja):
    answer = daraja.call("GET", "/simulator/traffic/999999999")
    assert answer.status_code == 404
    assert "not kept any more" in answer.text


def test_what_a_client_sends_is_only_text_on_the_traffic_page(daraja: Daraja):
    daraja.push(new_msisdn(), AccountReference="<img src=x>", TransactionDesc="</textarea><b>")
    daraja.call("GET", "/<script>alert(1)</script>")
    number = daraja.traffic()[1]["id"]
    for path in ("/simulator/traffic", f"/simulator/traffic/{number}"):
        html = page(daraja, path)
        assert "<img" not in html
        assert "<script>" not in html
        assert "</textarea><b>" not in html


def test_the_speed_is_set_by_a_button_or_a_field(daraja: Daraja):
    answer = daraja.call("POST", "/simulator/conditions/clock", data={"speed": "10"})
    assert "The clock runs at the new speed." in answer.text
    assert "Now 10 simulated seconds pass in a real one" in text_of(answer.text)
    assert 'aria-pressed="true">× 10' in answer.text
    for wrong in ("", "fast", "0", "nan", "1e9"):
        refused = daraja.call("POST", "/simulator/conditions/clock", data={"speed": wrong})
        assert refused.status_code == 400
        assert "from 0.1 to 100" in refused.text
    assert daraja.call("GET", "/simulator/api/clock").json()["speed"] == 10


def switches_form(**changes: str) -> dict[str, str]:
    own = {name: str(value).lower() for name, value in Switches().as_json().items()}
    return own | changes


def test_all_switches_are_turned_in_one_form(daraja: Daraja):
    html = page(daraja, "/simulator/conditions")
    for row in SWITCHES.values():
        assert row.summary in html_.unescape(html)
    form = switches_form(callback_shape="2024", query_limit="true", all_names="true")
    answer = daraja.call("POST", "/simulator/conditions/switches", data=form)
    assert "Daraja behaves so from now on." in answer.text
    assert '<option value="2024" selected>' in answer.text
    seen = daraja.call("GET", "/simulator/api/switches").json()["switches"]
    assert (seen["callback_shape"], seen["query_limit"]) == ("2024", True)
    assert seen["all_names"] is True


def test_a_switch_that_makes_no_sense_turns_none(daraja: Daraja):
    form = switches_form(callback_shape="1999", all_names="true")
    answer = daraja.call("POST", "/simulator/conditions/switches", data=form)
    assert answer.status_code == 400
    assert "callback_shape must be one of: 2026, 2024" in answer.text
    assert not daraja.call("GET", "/simulator/api/switches").json()["switches"]["all_names"]


def test_what_a_shop_holds_is_shown_and_set(daraja: Daraja):
    daraja.answer(daraja.prompt(new_msisdn()), pin="1234")
    assert 'name="working" inputmode="numeric" size="10" maxlength="13" value="1500"' in page(
        daraja, "/simulator/conditions"
    )
    form = {"shortcode": "600000", "utility": "500"}
    answer = daraja.call("POST", "/simulator/conditions/accounts", data=form)
    assert "The account is set." in answer.text
    assert (daraja.accounts()["utility"], daraja.accounts()["working"]) == (500, 0)
    daraja.call("POST", "/simulator/conditions/accounts", data=form | {"working": "70"})
    assert (daraja.accounts()["utility"], daraja.accounts()["working"]) == (500, 70)
    shown = {"working": "60", "working_shown": "60"}
    daraja.call("POST", "/simulator/conditions/accounts", data=form | shown)
    assert daraja.accounts()["working"] == 70
    for wrong in (
        {"working": "-1"},
        {"utility": "-1"},
        {"utility": "x"},
        {"utility": "9" * 29},
        {"shortcode": "1"},
    ):
        refused = daraja.call("POST", "/simulator/conditions/accounts", data=form | wrong)
        assert refused.status_code == 400
    assert daraja.accounts()["utility"] == 500


def test_the_weather_is_shown(daraja: Daraja):
    assert "Calm" in page(daraja, "/simulator/conditions")
    daraja.weather(chances={"no_callback": 0.25}, payers={"pays": 1}, payer_seconds=[0, 0])
    daraja.prompt(new_msisdn())
    eventually(lambda: "pays 100 %, 1 so far" in text_of(page(daraja, "/simulator/conditions")))
    assert "no_callback 25 %, " in text_of(page(daraja, "/simulator/conditions"))


def test_a_new_world_begins_by_a_button_with_a_seed_or_without(daraja: Daraja):
    for seed, told in (("7", True), ("", False)):
        daraja.answer(daraja.prompt(new_msisdn()), pin="1234")
        answer = daraja.call("POST", "/simulator/conditions/reset", data={"seed": seed})
        assert "A new world has begun." in answer.text
        assert ("This world began with the seed 7." in text_of(answer.text)) is told
        assert daraja.ledger() == []
    refused = daraja.call("POST", "/simulator/conditions/reset", data={"seed": "x"})
    assert refused.status_code == 400
