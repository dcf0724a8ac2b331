"""Static files may be kept for as long as their address is named, and answers are light."""

from __future__ import annotations

import gzip
import re

import pytest
from werkzeug.test import TestResponse

from tests.support.app import Shop

STYLES = "/static/css/lipa.css"
PAGE = {"Accept": "text/html"}


def load(shop: Shop, path: str, encodings: str = "", **headers: str) -> TestResponse:
    return shop.client().get(path, headers={**PAGE, "Accept-Encoding": encodings, **headers})


def named_styles(shop: Shop) -> str:
    found = re.search(r'href="(/static/v/[0-9a-f]{12}/css/lipa.css)"', load(shop, "/").text)
    assert found, "the page names its styles by version"
    return found[1]


def test_a_file_that_is_named_by_its_version_is_kept_for_a_year(shop: Shop) -> None:
    answer = load(shop, named_styles(shop))
    assert answer.headers["Cache-Control"] == "public, max-age=31536000, immutable"
    assert answer.data == load(shop, STYLES).data


@pytest.mark.parametrize("path", [STYLES, "/static/v/000000000000/css/lipa.css"])
def test_a_file_under_any_other_address_is_asked_for_each_time(shop: Shop, path: str) -> None:
    answer = load(shop, path)
    assert answer.status_code == 200
    assert answer.headers["Cache-Control"] == "no-cache"
    again = load(shop, path, **{"If-None-Match": answer.headers["ETag"]})
    assert (again.status_code, again.data) == (304, b"")


def test_a_version_opens_no_door_out_of_the_folder(shop: Shop) -> None:
    version = named_styles(shop).split("/")[3]
    for path in ("..%2f..%2frun.py", "%2e%2e/%2e%2e/run.py", "no-such-file.css"):
        assert load(shop, f"/static/v/{version}/{path}").status_code == 404


@pytest.mark.parametrize("path", ["/", STYLES, "/static/js/checkout.js"])
def test_pages_styles_and_scripts_are_compressed_for_whoever_can_read_it(
    shop: Shop, path: str
) -> None:
    plain = load(shop, path)
    assert "Content-Encoding" not in plain.headers
    zipped = load(shop, path, "gzip")
    assert (zipped.headers["Content-Encoding"], zipped.vary.as_set() >= {"accept-encoding"}) == (
        "gzip",
        True,
    )
    # Each page has a form token of its own second, so only the length is the same.
    assert len(gzip.decompress(zipped.data)) == len(plain.data)
    assert len(zipped.data) < len(plain.data) * 0.6
    both = load(shop, path, "gzip, deflate, br")
    assert both.headers["Content-Encoding"] == "br"
    assert len(both.data) < len(plain.data) * 0.6


def test_a_part_of_a_file_is_sent_as_it_is(shop: Shop) -> None:
    with load(shop, STYLES, "gzip", Range="bytes=0-9") as answer:
        assert answer.status_code == 206
        assert "Content-Encoding" not in answer.headers
        assert answer.data == load(shop, STYLES).data[:10]
