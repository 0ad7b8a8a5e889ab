"""A page of HTML as PDF, by the Chromium that this machine has."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from factorylab.core import environment
from factorylab.report.hand_in import browser

PATIENCE_S = 120
_ELEMENT = re.compile(rb"\bnode\d{8}\b")
_DATE = re.compile(rb"(/(?:CreationDate|ModDate) \(D:)\d{14}[^)]*")


class NoPdf(Exception):
    """There is none; the text says why."""


def printed(page: str, figures: Mapping[str, bytes], at_wall_ns: int) -> bytes:
    """The page with its `figures` (path → content) as PDF. `at_wall_ns` stands in it as its date: the same page gives
    the same bytes.

    Raises:
        NoPdf: there is no browser, or it did not print.
    """
    try:
        program = browser.program()
    except browser.NoBrowser as error:
        raise NoPdf(f"{error}, which print it") from None
    with TemporaryDirectory(prefix="factorylab-pdf-") as scratch:
        folder = Path(scratch)
        for name, content in {"report.html": page.encode(), **figures}.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(content)
        _print(program, folder)
        content = (folder / "report.pdf").read_bytes()
    date = f"{datetime.fromtimestamp(at_wall_ns / 1e9, UTC):%Y%m%d%H%M%S}+00'00'".encode()
    return _renumbered(_DATE.sub(lambda found: found[1] + date, content))


def _renumbered(content: bytes) -> bytes:
    """The names of a page's elements count from 1, in their order; the browser goes on from whatever it counted before.
    None changes its length, so that each place in the file stays where it is."""
    names = sorted(set(_ELEMENT.findall(content)))
    new = {name: b"node%08d" % number for number, name in enumerate(names, 1)}
    return _ELEMENT.sub(lambda found: new[found[0]], content)


def _print(program: str, folder: Path) -> None:
    command = [
        program, "--headless", "--disable-gpu", "--no-pdf-header-footer", "--generate-pdf-document-outline",
        "--disable-dev-shm-usage",
        f"--user-data-dir={folder / 'profile'}", f"--print-to-pdf={folder / 'report.pdf'}",
        *(["--no-sandbox"] if os.geteuid() == 0 else []),  # Chromium's sandbox does not start as root
        (folder / "report.html").as_uri(),
    ]  # fmt: skip
    try:
        subprocess.run(command, env=environment.tool() | {"HOME": str(folder)}, capture_output=True, check=True,
                       timeout=PATIENCE_S)  # fmt: skip
    except (OSError, subprocess.SubprocessError) as error:
        raise NoPdf(f"{Path(program).name} did not print it ({type(error).__name__})") from None
    if not (folder / "report.pdf").exists():
        raise NoPdf(f"{Path(program).name} ended without printing it")
