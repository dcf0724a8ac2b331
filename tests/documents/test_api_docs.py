"""The page that describes the API: all of it, from this shop alone, and light."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from html.parser import HTMLParser

import pytest
from flask import Flask

from app.config import ROOT
from app.openapi.document import document
from app.openapi.page import marked
from tests.support.app import application

MOST_BYTES = 40_000


class Reader(HTMLParser):
    """Collects what a page is made of."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.ids: list[str] = []
        self.links: list[str] = []
        self.sources: list[str] = []
        self.inline: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = {name: value or "" for name, value in attrs}
        self.inline += [name for name in found if name == "style" or name.startswith("on")]
        self.inline += [tag] if tag in ("script", "style") else []
        self.ids += [found["id"]] if "id" in found else []
        address = found.get("href", found.get("src", ""))
        (self.links if tag == "a" else self.sources).append(address)


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Flask]:
    folder = tmp_path_factory.mktemp("api-docs")
    with application(f"sqlite:///{folder / 'lipa.db'}", folder) as app:
        yield app


@pytest.fixture(scope="module")
def page(shop: Flask) -> str:
    answer = shop.test_client().get("/api/docs/")
    assert answer.mimetype == "text/html"
    return answer.text


def test_the_page_names_every_operation_and_every_code(shop: Flask, page: str) -> None:
    with shop.app_context():
        told = document(shop)
    ids = set(Reader(page).ids)
    for path, methods in told["paths"].items():
        assert path in page
        assert {operation["operationId"] for operation in methods.values()} <= ids
    assert set(told["x-error-codes"]) <= ids


def test_no_link_of_the_page_leads_nowhere(shop: Flask, page: str) -> None:
    read = Reader(page)
    assert len(read.ids) == len(set(read.ids))
    for link in read.links:
        if link.startswith("#"):
            assert link[1:] in {*read.ids, "main"}, link
        elif not link.startswith("/simulator/"):
            assert shop.test_client().get(link).status_code < 400, link


def test_the_page_needs_nothing_from_elsewhere_and_no_script(page: str) -> None:
    read = Reader(page)
    assert read.inline == []
    assert [source for source in read.sources if "//" in source] == []


def test_the_page_is_light(page: str) -> None:
    assert len(gzip.compress(page.encode())) < MOST_BYTES


def test_what_a_description_says_is_text_and_never_markup() -> None:
    assert marked("`a` **b** <i>") == "<code>a</code> <strong>b</strong> &lt;i&gt;"


def test_the_template_writes_no_example_of_its_own() -> None:
    """Whatever it shows comes from the document, so that it cannot grow old."""
    template = (ROOT / "templates" / "api_docs" / "index.html").read_text()
    assert "/api/payment" not in template
