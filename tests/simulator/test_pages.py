import re
from html.parser import HTMLParser
from typing import Any

import pytest
import requests

from tests.simulator.client import Daraja, new_msisdn


def page(daraja: Daraja, path: str) -> str:
    answer = daraja.call("GET", path)
    assert answer.status_code == 200, answer.text
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    return answer.text


def form(daraja: Daraja, html: str, **fields: str) -> requests.Response:
    action = re.search(r'id="pin-form"[^>]*action="([^"]+)"', html)
    assert action, html
    return daraja.call("POST", action[1], data=fields)


def test_a_number_is_chosen_in_any_spelling(daraja: Daraja):
    msisdn = new_msisdn()
    local = f"0{msisdn[3:6]} {msisdn[6:9]}-{msisdn[9:]}"
    answer = daraja.call("GET", "/simulator/", params={"number": local})
    assert answer.url.endswith(f"/simulator/phones/{msisdn}")
    assert msisdn in answer.text


def test_what_is_no_number_is_said_so_beside_the_field(daraja: Daraja):
    html = page(daraja, "/simulator/?number=<script>")
    assert "Write a Kenyan mobile number" in html
    assert "<script>" not in html
    assert 'aria-invalid="true"' in html


def test_the_first_page_leads_to_phones_that_wait(daraja: Daraja):
    msisdn = new_msisdn()
    daraja.prompt(msisdn)
    html = page(daraja, "/simulator/")
    assert f'href="/simulator/phones/{msisdn}"' in html
    assert "Ksh 1,500" in html


def test_a_local_spelling_in_the_address_leads_to_the_phone(daraja: Daraja):
    answer = daraja.call("GET", "/simulator/phones/0712345678", allow_redirects=False)
    assert (answer.status_code, answer.headers["Location"]) == (
        303,
        "/simulator/phones/254712345678",
    )


def test_the_prompt_reads_as_on_a_handset_and_pays_without_javascript(daraja: Daraja):
    msisdn = new_msisdn()
    daraja.prompt(msisdn)
    html = page(daraja, f"/simulator/phones/{msisdn}")
    assert (
        "Do you want to pay Ksh 1,500 to LIPA DEMO SHOP account no. ABC123? Enter M-PESA PIN:"
        in html
    )
    after = form(daraja, html, pin="1234")
    assert after.status_code == 200
    assert "You paid Ksh 1,500 to LIPA DEMO SHOP." in after.text
    assert "Ksh48,500.00" in after.text
    assert daraja.ledger()[0]["msisdn"] == msisdn


def test_the_cancel_button_works_without_javascript(daraja: Daraja):
    msisdn = new_msisdn()
    checkout = daraja.prompt(msisdn)
    after = form(daraja, page(daraja, f"/simulator/phones/{msisdn}"), pin="", cancel="1")
    assert "You cancelled the request" in after.text
    assert daraja.result_code(checkout) == "1032"


def test_a_wrong_pin_is_said_without_javascript(daraja: Daraja):
    msisdn = new_msisdn()
    checkout = daraja.prompt(msisdn)
    after = form(daraja, page(daraja, f"/simulator/phones/{msisdn}"), pin="9")
    assert "Wrong PIN. Try again." in after.text
    assert daraja.result_code(checkout) == "4999"


def test_a_prompt_cannot_be_answered_from_another_phone(daraja: Daraja):
    checkout = daraja.prompt(new_msisdn())
    path = f"/simulator/phones/{new_msisdn()}/prompts/{checkout}"
    assert daraja.call("POST", path, data={"pin": "1234"}).status_code == 200
    assert daraja.result_code(checkout) == "4999"


def test_what_a_shop_writes_is_only_text_on_the_phone(daraja: Daraja):
    msisdn = new_msisdn()
    daraja.answer(daraja.prompt(msisdn, AccountReference="<b onclick=x>A"), pin="1234")
    daraja.prompt(msisdn, AccountReference="<img src=x>")
    html = page(daraja, f"/simulator/phones/{msisdn}")
    assert "<b onclick" not in html
    assert "<img" not in html
    assert "&lt;img src=x&gt;" in html


class NothingInline(HTMLParser):
    """Fails on what `default-src 'self'` would refuse, and on links that leave this origin."""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        named: dict[str, Any] = dict(attrs)
        assert tag != "style"
        assert "style" not in named
        assert not [name for name in named if name.startswith("on")]
        if tag == "script":
            assert named["src"]
        for name in ("src", "href", "action"):
            address = named.get(name) or "/simulator/"
            assert address.startswith(("/simulator/", "#"))


def test_the_pages_need_nothing_inline_and_stay_on_their_origin(daraja: Daraja):
    msisdn = new_msisdn()
    daraja.prompt(msisdn)
    daraja.arm("no_callback")
    number = daraja.traffic()[0]["id"]
    for path in (
        "/simulator/",
        "/simulator/recent",
        f"/simulator/phones/{msisdn}",
        f"/simulator/phones?numbers={msisdn},{new_msisdn()}",
        f"/simulator/phones/{msisdn}/pay",
        "/simulator/scenarios",
        "/simulator/scenarios/armed",
        "/simulator/traffic",
        "/simulator/traffic/rows",
        f"/simulator/traffic/{number}",
        "/simulator/conditions",
    ):
        answer = daraja.call("GET", path)
        assert answer.headers["Content-Security-Policy"].startswith("default-src 'self'")
        assert answer.headers["Cache-Control"] == "no-store"
        NothingInline().feed(answer.text)


@pytest.mark.parametrize(
    "name", ["phone.js", "phone.css", "phone.svg", "console.js", "console.css"]
)
def test_what_the_pages_need_is_served(daraja: Daraja, name: str):
    assert daraja.call("GET", f"/simulator/static/{name}").status_code == 200


def test_unknown_pages_are_404(daraja: Daraja):
    for path in ("/simulator/nothing", "/simulator/static/../api.py", "/simulator/static/x"):
        assert daraja.call("GET", path).status_code == 404
