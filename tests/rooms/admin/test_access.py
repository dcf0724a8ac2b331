"""Who may enter the pages about money out, from where, and what strangers write on them."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from typing import Any

import pytest
from markupsafe import escape

from app.core.unit_of_work import transaction
from app.disbursements.models import Disbursement
from tests.rooms.admin.desk import HTML, Desk, hidden
from tests.support import results
from tests.support.app import Account, Shop

SCRIPT = "<script>alert(1)</script>"
IMAGE = '"><img src=x onerror=alert(1)>'
HARMFUL = ("=", "+", "-", "@", "\t", "\r", "\uff1d")


@pytest.fixture
def supplier(shop: Shop, admin: Account) -> dict[str, Any]:
    return shop.supplier(admin)


@pytest.fixture
def record(shop: Shop, admin: Account, supplier: dict[str, Any]) -> Disbursement:
    shop.set(payout_approval_above=1000)
    return shop.payout(admin, supplier, 5000)


@pytest.fixture
def run(desk: Desk, supplier: dict[str, Any]) -> str:
    return desk.draft(f"supplier,amount\n{supplier['id']},1500\n")


@pytest.fixture
def doors(supplier: dict[str, Any], record: Disbursement, run: str) -> dict[str, list[str]]:
    """Every page and every form about money out, each about something that is there."""
    of, pay = f"/admin/suppliers/{supplier['id']}", f"/admin/payouts/{record.public_ref}"
    rooms = ("suppliers", "payouts", "refunds", "runs", "books")
    pages = [*(f"/admin/{room}" for room in rooms), "/admin", "/admin/suppliers/new"]
    return {
        "GET": [*pages, of, pay, run, f"{run}/results.csv"],
        "POST": [
            "/admin/suppliers",
            of,
            *(f"{of}/{form}" for form in ("number", "prove", "active", "pay")),
            *(
                f"{pay}/{form}"
                for form in ("approve", "call-off", "ask", "declare-paid", "acknowledge", "again")
            ),
            "/admin/runs",
            *(f"{run}/{form}" for form in ("ask", "write", "approve", "call-off")),
            "/admin/books/float",
        ],
    }


def each(doors: dict[str, list[str]]) -> Iterator[tuple[str, str]]:
    for method, paths in doors.items():
        for path in paths:
            yield method, path


def test_e2_a_shopper_enters_no_page_about_money_out(
    shop: Shop, shopper: Account, record: Disbursement, doors: dict[str, list[str]]
) -> None:
    """E2."""
    browser = Desk(shop, shopper).browser
    for method, path in each(doors):
        answer = browser.open(path, method=method, headers=HTML)
        assert answer.status_code == 403, f"{method} {path}"
        assert "Kamau" not in answer.text
    assert shop.daraja.payouts == []
    assert shop.out(record).status == record.status


def test_e2_a_stranger_is_led_to_the_sign_in_page(shop: Shop, doors: dict[str, list[str]]) -> None:
    """E2."""
    headers = HTML | {"Origin": "http://localhost"}
    for method, path in each(doors):
        answer = shop.client().open(path, method=method, headers=headers)
        assert answer.status_code == 303, f"{method} {path}"
        assert answer.location.startswith("/sign-in?next=")


def test_e1_a_shopper_learns_nothing_of_another_s_payment_or_refund(
    shop: Shop, shopper: Account, other_shopper: Account
) -> None:
    """E1: what is there and what is not there look the same."""
    payment = shop.completed(shopper)
    refund = shop.refund(shopper, payment, 500)
    stranger = Desk(shop, other_shopper)
    there = (f"payments/{payment.public_ref}", f"refunds/{refund.public_ref}")
    not_there = ("payments/TXN20261121090000K7Q", "refunds/RFD20261121090000K7Q")
    for real, made_up in zip(there, not_there, strict=True):
        answers = [stranger.open(f"/admin/{path}") for path in (real, made_up)]
        assert [answer.status_code for answer in answers] == [403, 403]
        # The page's own address stands in its language form, and the second in its tokens.
        pages = [
            re.sub(r'(?<=name="csrf_token" value=")[^"]+', "", each.text).replace(path, "")
            for each, path in zip(answers, (real, made_up), strict=True)
        ]
        assert pages[0] == pages[1]
    form = {"amount": "10", "reason": "x", "form_key": "k" * 20}
    assert stranger.send(f"/admin/{there[0]}/refund", **form).status_code == 403
    assert len(shop.outs()) == 1


@pytest.mark.parametrize(
    "headers",
    [{"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "cross-site"}, {}],
    ids=["origin", "fetch site", "neither"],
)
def test_e4_another_site_s_form_moves_nothing(
    shop: Shop,
    admin: Account,
    record: Disbursement,
    doors: dict[str, list[str]],
    headers: dict[str, str],
) -> None:
    """E4: with an admin's cookie, from another site's page."""
    victim = shop.client()
    victim.set_cookie("access_token_cookie", shop.person("baraka", admin=True).access)
    form = {"amount": "700", "form_key": "k" * 20, "why": "x", "name": "x", "active": "no"}
    for path in doors["POST"]:
        answer = victim.post(path, data=form, headers=HTML | headers)
        assert answer.status_code == 403, path
        assert "did not come from our own page" in answer.text
    assert shop.daraja.payouts == []
    assert [out.status for out in shop.outs()] == [record.status]


def test_e4_the_token_of_a_form_is_proof_enough(
    shop: Shop, admin: Account, supplier: dict[str, Any]
) -> None:
    """E4: a browser that says nothing of where a form comes from still has the form's token."""
    browser = shop.client()
    browser.set_cookie("access_token_cookie", admin.access)
    path = f"/admin/suppliers/{supplier['id']}"
    page = browser.get(path, headers=HTML).text
    token, key = hidden(page, "csrf_token"), hidden(page, "form_key")
    form = {"amount": "700", "notes": "", "form_key": key, "csrf_token": token}
    assert browser.post(f"{path}/pay", data=form, headers=HTML).status_code == 303
    page = browser.get("/admin/runs", headers=HTML).text
    rows = (io.BytesIO(b"supplier,amount\nKamau Supplies,1500\n"), "a.csv")
    upload = {"csrf_token": hidden(page, "csrf_token"), "file": rows}
    assert browser.post("/admin/runs", data=upload, headers=HTML).status_code == 303


# What others write.


@pytest.mark.parametrize("text", [SCRIPT, IMAGE, "{{ 7 * 7 }}"])
def test_f1_what_others_write_is_shown_and_does_nothing(
    shop: Shop, desk: Desk, admin: Account, text: str
) -> None:
    """F1: names, notes, reasons, file names and M-Pesa's own words."""
    seen = ""
    for path in _written_everywhere(shop, admin, desk, text):
        answer = desk.open(path)
        assert answer.status_code == 200, path
        for harm in (SCRIPT, "<img src=x", ">49<"):
            assert harm not in answer.text, path
        assert "unsafe-inline" not in answer.headers["Content-Security-Policy"]
        seen += answer.text
    # Each of the eight places where it was written, at least once.
    assert seen.count(str(escape(text))) >= 8


def _written_everywhere(shop: Shop, admin: Account, desk: Desk, text: str) -> list[str]:
    """Put a text wherever people or M-Pesa may write, and return the pages that show it."""
    supplier = shop.supplier(admin, "Kamau")
    of = f"/admin/suppliers/{supplier['id']}"
    desk.sent(of, name=text, email="", notes=text)
    record = shop.payout(admin, supplier, 5000, notes=text)
    with shop.app.app_context(), transaction() as session:
        session.get_one(Disbursement, record.id).receiver_name = text
    shop.proven(record, results.declined(record) | _saying(record, text))
    desk.sent(f"{of}/number", mpesa_number="0733000222", reason=text)
    rows = io.StringIO()
    csv.writer(rows).writerows([["supplier", "amount", "notes"], [text, "1500", text], ["?", "1"]])
    draft = desk.upload(rows.getvalue().encode(), name=f"{text}.csv".replace('"', "%22")).location
    pay = f"/admin/payouts/{record.public_ref}"
    return ["/admin", "/admin/suppliers", of, "/admin/payouts", pay, "/admin/runs", draft]


def _saying(record: Disbursement, text: str) -> dict[str, Any]:
    body = results.declined(record)
    return {"Result": body["Result"] | {"ResultDesc": text}}


@pytest.mark.parametrize("name", ["=HYPERLINK(0)", "+1", "-1", "@SUM(1)", "\uff1dcmd", " \t=1"])
def test_f5_no_cell_of_a_download_is_a_formula(
    shop: Shop, desk: Desk, admin: Account, name: str
) -> None:
    """F5: a supplier may be called anything, and so may a row that was left out."""
    supplier = shop.supplier(admin)
    desk.sent(f"/admin/suppliers/{supplier['id']}", name=name, email="", notes="")
    rows = f"supplier,amount,notes\n{supplier['id']},1500,Beans\nNobody,10,{name}\n{name},20,\n"
    run = desk.draft(rows)
    as_draft = [cell for row in desk.results(run) for cell in row.values()]
    desk.ask_for(run, leave_out="yes")
    as_run = [cell for row in desk.results(run) for cell in row.values()]
    assert len(shop.outs()) == 1
    for cells in (as_draft, as_run):
        assert [cell for cell in cells if cell.startswith(HARMFUL)] == []
        assert f"'{name.strip()}" in cells


def test_no_page_about_money_out_is_kept_by_a_cache(
    desk: Desk, doors: dict[str, list[str]]
) -> None:
    """F9."""
    for path in doors["GET"]:
        assert desk.open(path).headers["Cache-Control"] == "no-store", path
