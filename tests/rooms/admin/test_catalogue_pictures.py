"""Pictures of products: read with suspicion, made anew, and served for good."""

from __future__ import annotations

import io
import struct
import zlib
from html import unescape
from typing import Any

import pytest
from PIL import Image

from app.accounts.roles import Role
from app.admin import catalogue_pages
from app.orders import pictures
from app.orders.models import Picture, ProductPhoto
from tests.rooms.admin.desk import HTML, Desk, flashed, problems, section
from tests.rooms.admin.shelves import KIONDO, ROOM, count, deeds, photo_of, picture, send_picture
from tests.support.app import Account, Shop, together
from tests.support.staff import staff

_ORIENTATION, _GPS, _MAKE = 0x0112, 0x8825, 0x010F
TURNED_TO_THE_RIGHT = 6


def snapshot() -> bytes:
    """A photograph on its side, that says where and with what it was taken."""
    exif = Image.Exif()
    exif[_ORIENTATION], exif[_MAKE] = TURNED_TO_THE_RIGHT, "Telltale Phones"
    exif.get_ifd(_GPS)[1] = "S"
    more: dict[str, Any] = {
        "comment": b"my secret garden",
        "icc_profile": b"a Telltale profile" * 20,
    }
    return picture(2400, 1200, exif=exif.tobytes(), **more)


def png_that_claims(width: int, height: int) -> bytes:
    """A few bytes that unfold into a picture of any size."""

    def chunk(name: bytes, body: bytes) -> bytes:
        checksum = zlib.crc32(name + body)
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", checksum)

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    pixels = zlib.compress(bytes(1024))
    signature = b"\x89PNG\r\n\x1a\n"
    return signature + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


def moving(kind: str) -> bytes:
    frames = [Image.new("RGB", (40, 30), colour) for colour in ("red", "blue", "green")]
    file = io.BytesIO()
    frames[0].save(file, kind, save_all=True, append_images=frames[1:], duration=100)
    return file.getvalue()


def test_a_picture_is_made_anew_in_two_sizes_and_tells_nothing(
    shop: Shop, desk: Desk, admin: Account
) -> None:
    product = shop.product()
    assert send_picture(desk, product, snapshot(), alt=" A  kiondo ").status_code == 303
    stored = photo_of(shop, product)
    assert stored is not None
    large, small = stored
    # The photograph lay on its side, so it stands upright now.
    assert [(one.width, one.height) for one in stored] == [(600, 1200), (200, 400)]
    for one in (large, small):
        answer = shop.client().get(f"/pictures/{one.sha256}.webp")
        assert (answer.status_code, answer.mimetype) == (200, "image/webp")
        for secret in (b"Telltale", b"secret garden", b"EXIF", b"Exif", b"ICCP"):
            assert secret not in answer.data
        image = Image.open(io.BytesIO(answer.data), formats=["WEBP"])
        assert image.size == (one.width, one.height)
        # What was the upper half lies on the right now.
        red, _, blue = image.convert("RGB").getpixel((one.width - 5, one.height // 2))  # type: ignore[misc]
        assert red > 200 > blue
    shelf = shop.client().get("/", headers=HTML).text
    told = f'<img src="/pictures/{small.sha256}.webp" alt="A kiondo" width="200" height="400"'
    assert told in shelf
    [(actor, action, detail)] = deeds(shop, f"product {product}")
    assert (actor, action) == (admin.email, "product.picture_changed")
    assert detail == {"picture": large.sha256, "alt": "A kiondo"}


def test_a_picture_s_address_is_for_good_and_says_what_it_is(shop: Shop, desk: Desk) -> None:
    product = shop.product()
    send_picture(desk, product, picture())
    stored = photo_of(shop, product)
    assert stored is not None
    path = f"/pictures/{stored[0].sha256}.webp"
    answer = shop.client().get(path)
    assert answer.headers["Cache-Control"] == "public, max-age=31536000, immutable"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert "Set-Cookie" not in answer.headers
    again = shop.client().get(path, headers={"If-None-Match": answer.headers["ETag"]})
    assert (again.status_code, again.data) == (304, b"")


@pytest.mark.parametrize(
    ("kind", "mode"),
    [("PNG", "RGBA"), ("PNG", "P"), ("PNG", "L"), ("WEBP", "RGB"), ("JPEG", "CMYK")],
)
def test_what_people_have_is_taken(shop: Shop, desk: Desk, kind: str, mode: str) -> None:
    product = shop.product()
    data = picture(300, 200, kind, "RGB" if mode == "P" else mode)
    if mode == "P":
        file = io.BytesIO()
        Image.open(io.BytesIO(data)).convert("P").save(file, kind)
        data = file.getvalue()
    # What it is called says nothing.
    assert send_picture(desk, product, data, name="x.exe").status_code == 303
    stored = photo_of(shop, product)
    assert stored is not None
    assert (stored[0].width, stored[0].height) == (300, 200)


SVG = b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'
BAD = {
    "nothing": (b"", "empty"),
    "text": (b"hello " * 100, "not a JPEG, PNG or WebP"),
    "svg": (SVG, "page or a program"),
    "html": (b"<!DOCTYPE html><body onload=alert(1)>", "page or a program"),
    "a page inside": (picture(80, 60) + b"<script>alert(1)</script>", "page or a program"),
    "a page in a comment": (
        picture(80, 60, comment=b"<HTML><body onload=alert(1)>"),
        "page or a program",
    ),
    "gif": (moving("GIF"), "not a JPEG, PNG or WebP"),
    "tiff": (picture(80, 60, "TIFF"), "not a JPEG, PNG or WebP"),
    "truncated": (picture()[:3000], "broken or breaks off"),
    "a head alone": (picture(80, 60, "PNG")[:40], "not a JPEG, PNG or WebP"),
    "moving webp": (moving("WEBP"), "moves"),
    "moving png": (moving("PNG"), "moves"),
    "too wide": (png_that_claims(6001, 10), "larger than 6,000 × 6,000"),
    "bomb": (png_that_claims(30_000, 30_000), "larger than 6,000 × 6,000"),
    "smaller bomb": (png_that_claims(5_000, 5_000), "broken or breaks off"),
    "too large": (picture(80, 60) + bytes(pictures.MOST_BYTES), "5.0 MB; 5 MB are the most"),
}


@pytest.mark.parametrize("bad", BAD)
def test_a_bad_picture_is_refused_at_its_field(shop: Shop, desk: Desk, bad: str) -> None:
    data, words = BAD[bad]
    product = shop.product()
    answer = send_picture(desk, product, data, name="kiondo.jpg", alt="My basket")
    assert answer.status_code == 400
    page = section(unescape(answer.text), "picture-heading")
    [told] = problems(page)
    assert words in told
    assert 'id="picture-problem"' in page
    assert 'value="My basket"' in page
    assert count(shop, Picture) == count(shop, ProductPhoto) == 0


def test_an_upload_without_a_file_or_without_words_is_refused(shop: Shop, desk: Desk) -> None:
    product = shop.product()
    nothing = desk.send(f"{ROOM}/{product}/picture", alt="A basket")
    assert (nothing.status_code, problems(unescape(nothing.text))[0][:17]) == (
        400,
        "Choose a picture.",
    )
    for alt in ("  ", "a" * 161):
        wordless = send_picture(desk, product, picture(80, 60), alt=alt)
        assert wordless.status_code == 400
        assert 'id="alt-problem"' in wordless.text
    assert count(shop, Picture) == 0


def test_what_cannot_be_a_picture_s_form_is_not_read_at_all(shop: Shop, desk: Desk) -> None:
    product = shop.product()
    answer = send_picture(desk, product, bytes(catalogue_pages.MOST_UPLOAD_BYTES))
    assert answer.status_code == 413
    assert "Too large" in answer.text


def test_only_whoever_keeps_the_shop_sends_more_than_others(
    shop: Shop, desk: Desk, shopper: Account
) -> None:
    product, two_megabytes = shop.product(), picture(80, 60) + bytes(2 * 1024 * 1024)
    for onlooker in (staff(shop, "njeri", Role.VIEWER), shopper):
        other = Desk(shop, onlooker)
        assert send_picture(other, product, two_megabytes).status_code == 413
        assert send_picture(other, product, picture(80, 60)).status_code == 403
    assert desk.send(ROOM, **KIONDO, more="x" * 2_000_000).status_code == 413
    assert send_picture(desk, product, two_megabytes).status_code == 303


def test_the_same_picture_is_stored_once_and_a_new_one_takes_its_place(
    shop: Shop, desk: Desk
) -> None:
    kiondo, jiko = shop.product(), shop.product()
    for product in (kiondo, jiko, kiondo):
        send_picture(desk, product, picture())
    assert count(shop, Picture) == 2
    before = photo_of(shop, kiondo)
    send_picture(desk, kiondo, picture(500, 500))
    after = photo_of(shop, kiondo)
    assert before is not None
    assert after is not None
    assert (before[0].sha256, after[0].width) == (photo_of(shop, jiko)[0].sha256, 500)  # type: ignore[index]
    # A page that somebody has open still has its picture.
    assert shop.client().get(f"/pictures/{before[0].sha256}.webp").status_code == 200


def test_the_same_picture_for_three_products_at_once_is_stored_once(shop: Shop, desk: Desk) -> None:
    goods, data = [shop.product() for _ in range(3)], picture(80, 60)

    def send(number: int) -> int:
        return send_picture(Desk(shop, desk.who), goods[number], data).status_code

    assert together(3, send) == [303, 303, 303]
    # Too small to be made smaller: large and small are the same picture.
    assert (count(shop, Picture), count(shop, ProductPhoto)) == (1, 3)


def test_whoever_waits_too_long_for_a_turn_is_told_to_try_again(
    shop: Shop, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pictures, "_WAIT_SECONDS", 0.01)
    product = shop.product()
    with pictures._turn:
        answer = send_picture(desk, product, picture(80, 60), alt="My basket")
    assert answer.status_code == 503
    assert "try again in a few seconds" in problems(unescape(answer.text))[0]
    assert 'value="My basket"' in answer.text
    assert send_picture(desk, product, picture(80, 60)).status_code == 303


def test_a_picture_is_taken_away(shop: Shop, desk: Desk) -> None:
    product = shop.product()
    send_picture(desk, product, picture())
    path = f"{ROOM}/{product}/picture/remove"
    assert flashed(desk.told(path)) == ["The shop shows the new picture.", "The picture is gone."]
    assert flashed(desk.told(path)) == ["There was no picture."]
    assert "/pictures/" not in desk.read("/")
    actions = [action for _, action, _ in deeds(shop, f"product {product}")]
    assert actions == ["product.picture_changed", "product.picture_removed"]
    assert send_picture(desk, 424_242, picture()).status_code == 404
