"""Several phones, phones used lately, and paying by hand, without a line of JavaScript."""

import re
from html.parser import HTMLParser

import pytest

from tests.simulator.client import Daraja, new_msisdn
from tests.simulator.test_pages import page


class Ids(HTMLParser):
    def __init__(self, html: str) -> None:
        super().__init__()
        self.ids: list[str] = []
        self.pointers: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if name == "id" and value:
                self.ids.append(value)
            if name in ("for", "aria-labelledby", "aria-describedby") and value:
                self.pointers += value.split()


def side_by_side(*numbers: str) -> str:
    return f"/simulator/phones?numbers={','.join(numbers)}"


def action_of(html: str, msisdn: str) -> str:
    form = re.search(rf'id="pin-form-{msisdn}"[^>]*?action="([^"]+)"', html, re.DOTALL)
    assert form, html
    return form[1]


def test_phones_stand_side_by_side_each_with_its_own_prompt(daraja: Daraja):
    one, other = new_msisdn(), new_msisdn()
    first, second = daraja.prompt(one, 10), daraja.prompt(other, 20)
    html = page(daraja, side_by_side(one, other))
    assert "pay Ksh 10 to" in html
    assert "pay Ksh 20 to" in html
    after = daraja.call(
        "POST", action_of(html, other), data={"pin": "1234", "beside": f"{one},{other}"}
    )
    assert after.url.endswith(f"/simulator/phones?numbers={one},{other}")
    assert "You paid Ksh 20 to LIPA DEMO SHOP." in after.text
    assert [daraja.result_code(c) for c in (first, second)] == ["4999", "0"]


def test_no_id_on_the_page_comes_twice_and_every_pointer_finds_its_own(daraja: Daraja):
    one, other = new_msisdn(), new_msisdn()
    daraja.prompt(one)
    number = daraja.traffic()[0]["id"]
    daraja.arm("no_callback")
    for path in (
        side_by_side(one, other),
        f"/simulator/phones/{one}",
        f"/simulator/phones/{one}/pay",
        "/simulator/",
        "/simulator/scenarios",
        "/simulator/conditions",
        f"/simulator/traffic/{number}",
    ):
        found = Ids(page(daraja, path))
        assert len(set(found.ids)) == len(found.ids), path
        assert set(found.pointers) <= set(found.ids), path


def test_a_wrong_pin_is_said_on_its_own_phone(daraja: Daraja):
    one, other = new_msisdn(), new_msisdn()
    daraja.prompt(one)
    daraja.prompt(other)
    html = page(daraja, side_by_side(one, other))
    after = daraja.call(
        "POST", action_of(html, other), data={"pin": "9", "beside": f"{one},{other}"}
    ).text
    notices = dict(re.findall(r'id="notice-(\d+)"[^>]*>([^<]*)<', after))
    assert notices == {one: "", other: "Wrong PIN. Try again."}


def test_numbers_are_read_in_any_spelling_each_once_and_nonsense_is_left_out(daraja: Daraja):
    one, other = new_msisdn(), new_msisdn()
    html = page(daraja, side_by_side("0" + one[3:], one, "x", f"%2B{other}"))
    assert "2 phones side by side" in html


@pytest.mark.parametrize("numbers", ["", "x,y", ",,,"])
def test_with_no_number_one_is_asked_for(daraja: Daraja, numbers: str):
    answer = daraja.call("GET", side_by_side(numbers), allow_redirects=False)
    assert (answer.status_code, answer.headers["Location"]) == (303, "/simulator/")


def test_one_number_is_a_phone_by_itself(daraja: Daraja):
    msisdn = new_msisdn()
    answer = daraja.call("GET", side_by_side(msisdn))
    assert answer.url.endswith(f"/simulator/phones/{msisdn}")


def test_a_phone_is_put_beside_and_put_away(daraja: Daraja):
    one, other = new_msisdn(), new_msisdn()
    asked = page(daraja, f"/simulator/?beside={one}")
    assert f'name="beside" value="{one}"' in asked
    both = daraja.call("GET", "/simulator/", params={"beside": one, "number": other})
    assert both.url.endswith(f"?numbers={one},{other}")
    assert f'href="/simulator/phones/{other}">Put away' in both.text


def test_at_most_six_phones_stand_side_by_side(daraja: Daraja):
    numbers = [new_msisdn() for _ in range(7)]
    assert "6 phones side by side" in page(daraja, side_by_side(*numbers))
    asked = daraja.call(
        "GET", "/simulator/", params={"beside": ",".join(numbers[:6]), "number": numbers[6]}
    )
    assert "At most 6 phones stand side by side." in asked.text


def test_a_page_waits_to_be_reloaded_until_the_first_prompt_has_ended(daraja: Daraja):
    one, other = new_msisdn(), new_msisdn()
    reload_ = re.compile(r'http-equiv="refresh" content="(\d+)"')
    quiet = reload_.search(page(daraja, side_by_side(one, other)))
    daraja.prompt(one)
    ringing = reload_.search(page(daraja, side_by_side(one, other)))
    assert quiet
    assert ringing
    assert int(quiet[1]) == 3
    assert 3 <= int(ringing[1]) <= 4


def test_phones_that_ring_come_first_and_those_used_lately_after(daraja: Daraja):
    paid, ringing, payee = new_msisdn(), new_msisdn(), new_msisdn()
    daraja.answer(daraja.prompt(paid), pin="1234")
    daraja.pay_out(payee, 250)
    daraja.prompt(ringing, 70)
    html = page(daraja, "/simulator/recent")
    waiting, lately = html.split("Used lately")
    assert f'href="/simulator/phones/{ringing}"' in waiting
    assert "Ksh 70" in waiting
    assert "Ksh48,500.00" in lately
    assert "Ksh50,250.00" in lately
    assert ringing not in lately
    assert "Ksh 70 is asked of" in waiting


def test_all_that_ring_can_be_opened_together(daraja: Daraja):
    ringing = [new_msisdn() for _ in range(3)]
    for msisdn in ringing:
        daraja.prompt(msisdn)
    link = re.search(r'id="all-ringing" href="([^"]+)"', page(daraja, "/simulator/"))
    assert link
    html = page(daraja, link[1].replace("&amp;", "&"))
    assert "3 phones side by side" in html
    assert all(f'id="pin-form-{msisdn}"' in html for msisdn in ringing)


def test_a_paybill_is_paid_by_hand_and_a_message_tells_of_it(daraja: Daraja):
    msisdn = new_msisdn()
    form = {"shortcode": "600777", "account": "INV 7", "amount": "120", "pin": "1234"}
    after = daraja.call("POST", f"/simulator/phones/{msisdn}/pay", data=form)
    assert after.url.endswith(f"/simulator/phones/{msisdn}")
    assert "Ksh120.00 sent to LIPA DEMO SHOP for account INV 7" in after.text
    assert daraja.phone(msisdn)["balance"] == 49_880


@pytest.mark.parametrize(
    ("changes", "notice"),
    [
        ({"pin": "9"}, "Wrong PIN. Nothing was paid."),
        ({"amount": "0"}, "amount must be a whole number of shillings."),
        ({"shortcode": "x"}, "shortcode must have 5 to 7 digits."),
    ],
)
def test_a_payment_that_cannot_be_made_is_explained_and_the_form_kept(
    daraja: Daraja, changes: dict[str, str], notice: str
):
    msisdn = new_msisdn()
    form = {"shortcode": "600777", "account": "INV 7", "amount": "120", "pin": "1234"}
    answer = daraja.call("POST", f"/simulator/phones/{msisdn}/pay", data=form | changes)
    assert answer.status_code in (400, 403)
    assert notice in answer.text
    assert 'value="INV 7"' in answer.text
    assert "1234" not in answer.text.split("<aside")[0]
    assert daraja.phone(msisdn)["balance"] == 50_000


def test_recent_phones_are_told_by_the_api_too(daraja: Daraja):
    one, other = new_msisdn(), new_msisdn()
    daraja.answer(daraja.prompt(one), pin="1234")
    daraja.prompt(other, 70)
    phones = daraja.call("GET", "/simulator/api/phones").json()["phones"]
    assert [phone["msisdn"] for phone in phones] == [other, one]
    assert phones[0]["prompt"]["amount"] == 70
    assert (phones[1]["prompt"], phones[1]["balance"]) == (None, 48_500)
