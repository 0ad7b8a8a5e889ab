"""The Chromium or Chrome of this machine, which prints the PDF and shows the live page."""

from __future__ import annotations

import shutil

PROGRAMS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


class NoBrowser(Exception):
    """There is none; the text says so."""


def program() -> str:
    """The path of the first browser that is there.

    Raises:
        NoBrowser: there is none.
    """
    found = next((path for name in PROGRAMS if (path := shutil.which(name))), None)
    if found is None:
        raise NoBrowser(f"this machine has none of {', '.join(PROGRAMS)}")
    return found
