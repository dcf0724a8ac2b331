"""The payment desk in Swahili: what rows keep as codes is told in words; programs hear English."""

from __future__ import annotations

import io
import zipfile

import pytest

from app.payments.models import Payment
from tests.rooms.admin.desk import Desk, flashed, problems, section
from tests.support.app import Account, Shop
from tests.support.daraja import unpaid


@pytest.fixture
def failed(shop: Shop, shopper: Account) -> Payment:
    payment = shop.prompted(shopper)
    shop.callback(unpaid(payment.checkout_request_id), token=payment.callback_token)
    return shop.fresh(payment)


@pytest.fixture
def mwangi(desk: Desk) -> Desk:
    desk.send("/language", language="sw", next="/admin")
    return desk


def test_the_first_page_counts_and_plots_in_swahili(
    shop: Shop, mwangi: Desk, admin: Account, failed: Payment
) -> None:
    shop.completed(shop.person("wanjiru"))
    page = mwangi.read("/admin?days=7")
    assert "Malipo: siku 7 zilizopita" in section(page, "figures-heading")
    assert "Imeghairiwa" in section(page, "figures-heading"), "why it failed"
    assert "Mapato kwa siku" in section(page, "takings-heading")
    assert 'data-nought="Ksh 0"' in section(page, "takings-heading")
    assert 'data-live-words="Moja kwa moja"' in page
    asked = admin.headers | {"Accept-Language": "sw"}
    figures = shop.client().get("/api/admin/figures?days=7", headers=asked)
    assert '"reason":"cancelled"' in figures.text.replace(" ", "")


def test_a_payment_s_events_are_told_in_the_reader_s_language(desk: Desk, failed: Payment) -> None:
    path = f"/admin/payments/{failed.public_ref}"
    assert "<strong>Payer cancelled</strong>" in section(desk.read(path), "timeline-heading")
    desk.send("/language", language="sw", next=path)
    told = section(desk.read(path), "timeline-heading")
    assert "<strong>Mlipaji ameghairi</strong>" in told
    assert "Payer cancelled" not in told
    pack = zipfile.ZipFile(io.BytesIO(desk.send(f"{path}/evidence.zip").data))
    assert '<html lang="sw">' in pack.read("summary.html").decode()
    assert "payer_cancelled" in pack.read("timeline.csv").decode(), "files for programs stay"


def test_a_deed_and_its_refusal_are_told_in_swahili(
    shop: Shop, mwangi: Desk, shopper: Account
) -> None:
    order = shop.order(shopper)
    path = f"/admin/orders/{order['id']}"
    refused = mwangi.send(f"{path}/cancel", why="")
    assert refused.status_code == 400
    assert problems(refused.text) == ["Eleza sababu, kwa herufi 1 hadi 500."]
    told = mwangi.told(f"{path}/cancel", why="Rang twice")
    assert flashed(told) == ["Oda imeghairiwa, na bidhaa zake zimerudi kwenye rafu."]
    deed = section(mwangi.read("/admin/audit"), "rows-heading")
    assert f"alighairi oda {order['number']}" in deed
    assert "“Rang twice”" in deed, "what a person wrote stays as it is"
