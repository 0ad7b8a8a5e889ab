"""A replayed page in a browser without a window: pictures of chosen moments, small enough to be handed in."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from factorylab.core import environment
from factorylab.report.hand_in import browser

if TYPE_CHECKING:
    from playwright.sync_api import Page

WIDTH_PX = 1200
HEIGHT_PX = 1400  # until the page has said where its charts end
COLOURS = 64
FRAME_MS = 250
PATIENCE_MS = 60_000
BELOW_CHARTS = "Math.ceil(document.querySelector('#charts').getBoundingClientRect().bottom) + 24"


class NoPictures(Exception):
    """There are none; the text says why."""


class Screen:
    """An open page; each picture is a PNG file of it from the top to the end of its charts."""

    def __init__(self, page: Page) -> None:
        self._page = page

    def at(self, number: int) -> bytes:
        """With the slider at the moment of that number."""
        self._page.fill("#at", str(number))
        self._page.locator("#at").blur()  # the ring of the focus would be in the picture
        return self._page.screenshot()


@contextmanager
def opened(file: Path) -> Iterator[Screen]:
    """The page in `file`, as long as the context lasts; it can ask nobody for anything.

    Raises:
        NoPictures: there is no browser or nothing that drives it, or it did not show the page.
    """
    try:
        import PIL  # noqa: F401
        from playwright.sync_api import Error, sync_playwright
    except ImportError as error:
        raise NoPictures(f"{error.name}, which they need, is not installed") from None
    try:
        program = browser.program()
        with sync_playwright() as playwright:
            chromium = playwright.chromium.launch(
                executable_path=program, chromium_sandbox=os.geteuid() != 0, env={**environment.tool()}
            )  # Chromium's sandbox does not start as root
            context = chromium.new_context(
                viewport={"width": WIDTH_PX, "height": HEIGHT_PX}, color_scheme="light", reduced_motion="reduce",
                locale="en-US", timezone_id="UTC", offline=True,
            )  # fmt: skip
            page = context.new_page()
            page.set_default_timeout(PATIENCE_MS)
            page.goto(file.as_uri())
            page.locator("#charts canvas").first.wait_for()
            page.set_viewport_size({"width": WIDTH_PX, "height": page.evaluate(BELOW_CHARTS)})
            yield Screen(page)
            chromium.close()
    except browser.NoBrowser as error:
        raise NoPictures(f"{error}, which show the page") from None
    except Error as error:
        raise NoPictures(f"{Path(program).name} did not show the page ({type(error).__name__})") from None


def reduced(png: bytes) -> bytes:
    """The picture with the colours that a page has, a third of its size."""
    from PIL import Image

    out = io.BytesIO()
    Image.open(io.BytesIO(png)).convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE).save(
        out, "PNG", optimize=True
    )
    return out.getvalue()


def animated(pngs: Sequence[bytes]) -> bytes:
    """The pictures one after the other, each for `FRAME_MS`, once, as a WebP file without loss."""
    from PIL import Image

    first, *others = (Image.open(io.BytesIO(png)).convert("RGB") for png in pngs)
    out = io.BytesIO()
    first.save(out, "WEBP", save_all=True, append_images=others, duration=FRAME_MS, loop=1, lossless=True, method=2)
    return out.getvalue()
