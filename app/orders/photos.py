"""Which picture a product has, and the bytes behind a picture's address."""

from __future__ import annotations

import re

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from app.accounts.models import Person
from app.audit.service import record
from app.core.clock import now
from app.core.errors import NotFound, ValidationError
from app.core.statements import insert_or_nothing, rows_changed
from app.core.texts import marked, said
from app.core.unit_of_work import transaction
from app.extensions import db
from app.orders.models import Picture, ProductPhoto
from app.orders.pictures import Made, Sizes
from app.orders.products import locked, subject_of

MOST_ALT = 160
_SHA256 = re.compile(r"[0-9a-f]{64}")


def put(product_id: int, sizes: Sizes, alt: str, person: Person) -> None:
    """Give a product a picture, in the place of the one that it had.

    Raises NotFound, and ValidationError where ``alt`` does not say what is to be seen.
    """
    words = readable_alt(alt)
    with transaction() as session:
        product = locked(session, product_id)
        large_id, small_id = _stored(session, sizes.large), _stored(session, sizes.small)
        photo = session.get(ProductPhoto, product.id)
        if photo is None:
            photo = ProductPhoto(product_id=product.id)
            session.add(photo)
        photo.large_id, photo.small_id, photo.alt = large_id, small_id, words
        told = {"picture": sizes.large.sha256, "alt": words}
        record(session, person, "product.picture_changed", subject_of(product_id), **told)


def remove(product_id: int, person: Person) -> bool:
    """Take a product's picture away; False where it has none. Raises NotFound."""
    with transaction() as session:
        locked(session, product_id)
        gone = delete(ProductPhoto).where(ProductPhoto.product_id == product_id)
        if rows_changed(session, gone) != 1:
            return False
        record(session, person, "product.picture_removed", subject_of(product_id))
        return True


def bytes_of(sha256: str) -> bytes:
    """Return a picture by the name that its address has. Raises NotFound."""
    data = None
    if _SHA256.fullmatch(sha256):
        data = db.session.scalar(select(Picture.data).where(Picture.sha256 == sha256))
    if data is None:
        raise NotFound(marked("There is no such picture."))
    return data


def readable_alt(text: str) -> str:
    """Return what is to be seen, on one line. Raises ValidationError."""
    words = " ".join(text.split())
    if not 1 <= len(words) <= MOST_ALT:
        raise ValidationError(
            said(
                "Say in 1 to {most} characters what is to be seen, for whoever cannot see it.",
                most=MOST_ALT,
            ),
            details={"field": "alt"},
        )
    return words


def _stored(session: Session, made: Made) -> int:
    """Return the id of a picture; the same bytes are stored once."""
    row = {
        "sha256": made.sha256,
        "width": made.width,
        "height": made.height,
        "data": made.data,
        "created_at": now(),
    }
    new = insert_or_nothing(session, Picture, row, key=["sha256"])
    if new is not None:
        return new
    return session.scalars(select(Picture.id).where(Picture.sha256 == made.sha256)).one()
