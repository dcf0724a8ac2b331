"""Pictures of the road for people to look at: only when SCREENSHOTS names a folder."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal

from playwright.sync_api import Page

WIDTHS = (360, 1280)
SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")
HEIGHT = 740


def take(page: Page, name: str) -> None:
    """Picture a page on a phone and on a desk, light and dark; leaves it as it was."""
    folder = os.environ.get("SCREENSHOTS")
    if not folder:
        return
    before = page.viewport_size
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": HEIGHT})
        for scheme in SCHEMES:
            page.emulate_media(color_scheme=scheme)
            path = Path(folder) / f"{name}-{width}-{scheme}.png"
            # A dialog lies over the part of a page that can be seen, and over no more.
            page.screenshot(path=path, full_page=not page.get_by_role("dialog").is_visible())
    page.emulate_media(color_scheme="light")
    if before:
        page.set_viewport_size(before)
