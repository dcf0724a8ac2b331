"""Pictures that people upload: read with suspicion, and made anew before anybody sees them.

What is stored and served is never what was sent. It is a WebP that this shop has written from
the pixels alone, so that no script, no place and no camera's serial number travels with it.
"""

from __future__ import annotations

import hashlib
import io
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from PIL import Image, ImageOps, UnidentifiedImageError

from app.core.errors import Busy, LipaError, ValidationError
from app.core.texts import marked, said

MOST_BYTES = 5 * 1024 * 1024
#: Pixels on a side. With so many on both, a PNG takes 370 MB while it is read, and a WebP 560 MB.
MOST_SIDE = 6000
LARGE_SIDE = 1200
SMALL_SIDE = 400
_QUALITY = 82
_FORMATS = ("JPEG", "PNG", "WEBP")
#: A JPEG of some phones with a second picture in it, of which the first is the photograph.
_PHOTO_WITH_DEPTH = "MPO"
#: What a picture has no use for, and a browser or server that guesses may take for its own.
_MARKUP = re.compile(rb"<(?:script|svg|html|body|iframe|!doctype|\?php)", re.IGNORECASE)
_WAIT_SECONDS = 20
# One at a time, or a few uploads at once would take all of a small machine's memory.
_turn = threading.Lock()


class BadPicture(ValidationError):
    """The file is not taken. The message says why, and what to do."""

    def __init__(self, message: str) -> None:
        super().__init__(message, details={"field": "picture"})


@dataclass(frozen=True)
class Made:
    """A WebP of our own making; width and height in pixels."""

    data: bytes
    width: int
    height: int

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.data).hexdigest()


@dataclass(frozen=True)
class Sizes:
    """One picture for a page of its own, and for a list."""

    large: Made
    small: Made


def make(data: bytes) -> Sizes:
    """Read a JPEG, PNG or WebP and make it anew in two sizes. Raises BadPicture, and Busy while
    too many others are being read.
    """
    _require_takable(data)
    with _one_at_a_time():
        try:
            return _made(data)
        except LipaError:
            raise
        except (Image.DecompressionBombError, Image.DecompressionBombWarning) as bomb:
            raise _too_wide() from bomb
        except Exception as error:
            # A file made to break a decoder comes out of Pillow as any kind of exception.
            raise BadPicture(
                marked(
                    "The file cannot be read as a picture: it is broken or breaks off. "
                    "Save it again as a JPEG and send that."
                )
            ) from error


def _require_takable(data: bytes) -> None:
    if not data:
        raise BadPicture(marked("Choose a picture. The file that came is empty."))
    if len(data) > MOST_BYTES:
        raise BadPicture(
            said(
                "The picture has {size:.1f} MB; {most} MB are the most. "
                "Make it smaller and send it again.",
                size=len(data) / 1024 / 1024,
                most=MOST_BYTES // 1024 // 1024,
            )
        )
    if _MARKUP.search(data):
        raise BadPicture(
            marked(
                "There is a page or a program in this file. "
                "Save the picture again as a JPEG, PNG or WebP and send that."
            )
        )


def _made(data: bytes) -> Sizes:
    image = _opened(data)
    # Decoding a photograph at an eighth of its size costs an eighth of the time.
    image.draft("RGB", (LARGE_SIDE, LARGE_SIDE))
    mode = "RGBA" if image.has_transparency_data else "RGB"
    pixels: Image.Image = image if image.mode == mode else image.convert(mode)
    pixels.thumbnail((LARGE_SIDE, LARGE_SIDE))
    # Which side is up stands beside the pixels, and nothing that stands there is written again.
    upright = ImageOps.exif_transpose(pixels)
    small = upright.copy()
    small.thumbnail((SMALL_SIDE, SMALL_SIDE))
    return Sizes(large=_encoded(upright), small=_encoded(small))


def _opened(data: bytes) -> Image.Image:
    """Open a picture without reading its pixels, and refuse what it says of itself."""
    try:
        image = Image.open(io.BytesIO(data), formats=_FORMATS)
    except UnidentifiedImageError as error:
        raise BadPicture(
            marked(
                "The file is not a JPEG, PNG or WebP that can be read, whatever it is called. "
                "Save the picture as one of these and send that."
            )
        ) from error
    if max(image.size) > MOST_SIDE:
        raise _too_wide()
    if getattr(image, "n_frames", 1) > 1 and image.format != _PHOTO_WITH_DEPTH:
        raise BadPicture(marked("The picture moves. Send one that stands still."))
    return image


def _too_wide() -> BadPicture:
    return BadPicture(
        said(
            "The picture is larger than {most:,} × {most:,} pixels. "
            "Make it smaller and send it again.",
            most=MOST_SIDE,
        )
    )


def _encoded(image: Image.Image) -> Made:
    file = io.BytesIO()
    image.save(file, "WEBP", quality=_QUALITY)
    return Made(file.getvalue(), image.width, image.height)


@contextmanager
def _one_at_a_time() -> Iterator[None]:
    if not _turn.acquire(timeout=_WAIT_SECONDS):
        raise Busy
    try:
        yield
    finally:
        _turn.release()
