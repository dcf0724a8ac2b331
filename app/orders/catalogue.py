"""The demo shop's shelves: goods of a Kenyan duka, two courses, and a box of matches.

The matches cost ten shillings, so that a first live payment can be a tiny one.
"""

from __future__ import annotations

from dataclasses import dataclass

from app.core.money import CENTS
from app.orders.models import Kind


@dataclass(frozen=True, slots=True)
class DemoProduct:
    """One thing to sell.

    ``price_cents`` is whole shillings in cents. ``stock`` None is unlimited, as for a course.
    ``picture`` is a path below ``static/``.
    """

    slug: str
    name: str
    kind: Kind
    price_cents: int
    stock: int | None
    description: str
    picture: str


def _goods(slug: str, name: str, shillings: int, stock: int, description: str) -> DemoProduct:
    cents, picture = shillings * CENTS, _picture(slug)
    return DemoProduct(slug, name, Kind.GOODS, cents, stock, description, picture)


def _course(slug: str, name: str, shillings: int, description: str) -> DemoProduct:
    cents, picture = shillings * CENTS, _picture(slug)
    return DemoProduct(slug, name, Kind.COURSE, cents, None, description, picture)


def _picture(slug: str) -> str:
    return f"img/products/{slug}.svg"


DEMO_PRODUCTS: tuple[DemoProduct, ...] = (
    _goods(
        "unga-wa-ugali-2kg",
        "Unga wa ugali 2 kg",
        190,
        120,
        "Sifted maize flour for a firm, white ugali.",
    ),
    _goods(
        "mafuta-ya-kupikia-1l",
        "Mafuta ya kupikia 1 L",
        340,
        80,
        "Sunflower cooking oil in a bottle that closes well.",
    ),
    _goods(
        "kenyan-tea-500g",
        "Kenyan tea 500 g",
        260,
        90,
        "Strong black tea from the highlands of Kericho.",
    ),
    _goods("maziwa-500ml", "Maziwa 500 ml", 60, 48, "Long-life milk for the morning chai."),
    _goods(
        "kiondo-basket",
        "Kiondo basket",
        1_850,
        12,
        "A sisal basket woven by hand in Machakos, with leather straps.",
    ),
    _goods(
        "kitenge-6-yards",
        "Kitenge 6 yards",
        1_500,
        25,
        "Printed cotton, enough for a dress and a headscarf.",
    ),
    _goods("maasai-shuka", "Maasai shuka", 950, 30, "A warm checked blanket for cold evenings."),
    _goods(
        "solar-lantern",
        "Solar lantern",
        2_400,
        15,
        "Eight hours of light from one day of sun, and it charges a phone.",
    ),
    _goods("jiko", "Jiko", 1_200, 18, "A clay-lined stove that cooks on half the charcoal."),
    _goods("gumboots", "Gumboots", 890, 40, "Rubber boots for the shamba and the long rains."),
    _goods(
        "exercise-books-12",
        "Exercise books, pack of 12",
        540,
        60,
        "Ruled school books of 96 pages with strong covers.",
    ),
    _goods(
        "wheelbarrow",
        "Wheelbarrow",
        6_500,
        4,
        "A steel tray and a pneumatic wheel for heavy work on site.",
    ),
    _goods("matchbox", "Box of matches", 10, 500, "Forty-five matches that light the first time."),
    _course(
        "german-a1-evening",
        "German A1 evening class",
        5_000,
        "Twelve weeks of German for beginners, two evenings a week.",
    ),
    _course(
        "mpesa-bookkeeping",
        "M-Pesa bookkeeping for shop owners",
        1_500,
        "One Saturday on matching your M-Pesa statement with your sales.",
    ),
)
