"""What tests know of the catalogue: products as committed, its trail, and pictures to send."""

from __future__ import annotations

import io
from typing import Any

from PIL import Image
from sqlalchemy import func, select
from werkzeug.test import TestResponse

from app.audit.models import AuditEntry
from app.extensions import db
from app.orders.models import Picture, Product, ProductPhoto
from tests.rooms.admin.desk import HTML, Desk, hidden
from tests.support.app import Shop

ROOM = "/admin/products"
KIONDO = {
    "name": "Kiondo",
    "kind": "goods",
    "price": "1500",
    "stock": "5",
    "description": "Sisal, woven by hand",
}


def product_now(shop: Shop, product_id: int) -> Product:
    """Return a product as committed at this moment."""
    with shop.app.app_context():
        return db.session.get_one(Product, product_id)


def count(shop: Shop, model: Any) -> int:
    with shop.app.app_context():
        return db.session.scalar(select(func.count()).select_from(model)) or 0


def photo_of(shop: Shop, product_id: int) -> tuple[Picture, Picture] | None:
    """Return the large and the small picture of a product."""
    with shop.app.app_context():
        photo = db.session.get(ProductPhoto, product_id)
        return (photo.large, photo.small) if photo else None


def deeds(shop: Shop, subject: str) -> list[tuple[str, str, dict[str, Any]]]:
    """Return who did what to something, with the details, oldest first."""
    with shop.app.app_context():
        query = select(AuditEntry).where(AuditEntry.subject == subject).order_by(AuditEntry.id)
        return [(row.actor, row.action, row.detail) for row in db.session.scalars(query)]


def form_of(desk: Desk, path: str, **changes: str) -> dict[str, str]:
    """Return the form of a product's page as it stands there, with some fields typed anew."""
    page = desk.read(path)
    shown = {name: hidden(page, name) for name in ("version", "stock_was")}
    return KIONDO | {"stock": shown["stock_was"]} | shown | changes


def picture(
    width: int = 1600, height: int = 900, kind: str = "JPEG", mode: str = "RGB", **more: Any
) -> bytes:
    """Return the bytes of a picture whose upper half is red and whose lower half is blue."""
    image = Image.new(mode, (width, height), "blue")
    image.paste(Image.new(mode, (width, height // 2), "red"))
    file = io.BytesIO()
    image.save(file, kind, **more)
    return file.getvalue()


def send_picture(
    desk: Desk, product_id: int, data: bytes, name: str = "kiondo.jpg", alt: str = "A basket"
) -> TestResponse:
    """Send a picture by the form of a product's page, as browsers do."""
    edge, disposition = b"--edge", "Content-Disposition: form-data; name="
    words = f'{disposition}"alt"\r\n\r\n{alt}'.encode()
    head = f'{disposition}"picture"; filename="{name}"\r\nContent-Type: image/jpeg\r\n\r\n'
    lines = (edge, words, edge, head.encode() + data, edge + b"--", b"")
    return desk.browser.post(
        f"{ROOM}/{product_id}/picture",
        data=b"\r\n".join(lines),
        content_type="multipart/form-data; boundary=edge",
        headers=HTML,
    )
