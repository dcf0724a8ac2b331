"""The back office in Swahili, with what its books have kept; programs hear English."""

from __future__ import annotations

from gettext import GNUTranslations
from typing import Any

import pytest

from app.core.recalling import CATALOGUE
from tests.rooms.admin.desk import HTML, Desk, flashed, section, title
from tests.support.app import Account, Shop
from tests.support.daraja import html


@pytest.fixture
def supplier(shop: Shop, admin: Account) -> dict[str, Any]:
    return shop.supplier(admin)


def swahili(english: str, **values: str) -> str:
    """Return how the catalogue says something, which must not be in English."""
    with CATALOGUE.open("rb") as file:
        said = GNUTranslations(file).gettext(english)
    assert said != english
    return said.format(**values)


def in_swahili(desk: Desk) -> Desk:
    desk.send("/language", language="sw", next="/admin")
    return desk


def test_why_a_payout_waits_is_told_in_swahili(
    shop: Shop, desk: Desk, admin: Account, supplier: dict[str, Any]
) -> None:
    """The reason was kept in English when it was asked for, with its amount."""
    shop.set(payout_approval_above=1000)
    record = shop.payout(admin, supplier, 5000)
    assert record.approval_why == "it is above KES 1,000"
    page = in_swahili(desk).read(f"/admin/payouts/{record.public_ref}")
    assert title(page) == swahili("Waits for another admin")
    waits, why = (
        section(page, "approve-heading"),
        swahili("it is above {amount}", amount="Ksh 1,000"),
    )
    assert why in waits
    assert swahili("You asked for this yourself: another person has to agree.") in waits
    assert f"Ksh 5,000 kwa Kamau Supplies: {why}" in page
    assert "KES" not in page


def test_what_was_done_is_told_in_swahili(
    shop: Shop, desk: Desk, admin: Account, supplier: dict[str, Any]
) -> None:
    shop.daraja.out_answer = html(502)
    path = f"/admin/payouts/{shop.payout(admin, supplier, 5000).public_ref}"
    page = in_swahili(desk).told(f"{path}/declare-not-paid", evidence="Taarifa", looked="yes")
    assert flashed(page) == [swahili("Written down as not paid, with your name and evidence.")]
    refused = swahili("It is {status} and cannot be called off any more.", status=swahili("failed"))
    assert flashed(desk.told(f"{path}/call-off", why="Mara mbili")) == [refused]


def test_rows_of_a_file_are_judged_in_swahili(shop: Shop, desk: Desk) -> None:
    page = desk.read(in_swahili(desk).upload(b"supplier,amount\nNobody,99.50\n").location)
    called = swahili("called {name}", name="Nobody")
    assert swahili("There is no supplier {named}.", named=called) in page
    amount = "{amount} has cents, and M-Pesa pays whole shillings."
    assert swahili(amount, amount="99.50") in page
    mend = swahili("Save it as “CSV UTF-8” in your spreadsheet, and choose that file.")
    refused = desk.upload(b"PK\x03\x04").text
    assert swahili("This is a workbook and not a CSV. {mend}", mend=mend) in refused


def test_an_address_that_is_refused_is_refused_in_swahili_to_pages_alone(
    shop: Shop, desk: Desk, admin: Account
) -> None:
    missing = "There is no such supplier."
    answer = in_swahili(desk).browser.get("/admin/suppliers/999999", headers=HTML)
    assert (answer.status_code, swahili(missing) in answer.text) == (404, True)
    headers = {**admin.headers, "Accept-Language": "sw"}
    assert f'"{missing}"' in shop.client().get("/api/suppliers/999999", headers=headers).text
