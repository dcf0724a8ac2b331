"""The description of the API, as people read it."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.browser import pictures
from tests.browser.conftest import NewContext


@pytest.mark.parametrize("width", [360, 1280])
def test_the_description_of_the_api_can_be_read_on_every_screen(
    new_context: NewContext, width: int
) -> None:
    """It fits, its contents lead to each call, and no error is heard on the console."""
    page = new_context(width=width).new_page()
    page.goto("/api/docs")
    pictures.take(page, "api-docs")
    assert page.evaluate("document.documentElement.scrollWidth") == width

    contents = page.get_by_role("navigation", name="Contents")
    contents.get_by_role("link", name="Ask for the fee of a course").click()
    call = page.get_by_role("article", name="Ask for the fee of a course")
    expect(call).to_be_in_viewport()
    expect(call.get_by_text("/api/payments/initiate", exact=True)).to_be_visible()

    keys = call.get_by_role("table", name="Keys of the answer").first
    expect(keys).to_be_hidden()
    call.get_by_text("Its keys").first.click()
    expect(keys.get_by_role("rowheader", name="merchant_request_id")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") == width

    call.get_by_role("link", name="AMOUNT_MISMATCH").click()
    expect(page.get_by_role("row", name="AMOUNT_MISMATCH")).to_be_in_viewport()
