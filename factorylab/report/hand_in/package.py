"""The files of a hand-in as a folder, or as a ZIP file whose bytes depend on nothing but them."""

from __future__ import annotations

import shutil
import zipfile
from collections.abc import Mapping
from pathlib import Path
from tempfile import mkdtemp

from factorylab.core.errors import UsageError

ZIP = ".zip"
MODE = 0o644 << 16


def check_free(out: Path) -> None:
    """There is nothing yet that would be overwritten.

    Raises:
        UsageError: there is; with the way out.
    """
    taken = out.exists() and (out.suffix == ZIP or not out.is_dir() or any(out.iterdir()))
    if taken:
        what = "is a folder with something in it" if out.is_dir() else "is there already"
        raise UsageError(f"{out} {what}: name another one, or remove it first")


def write(files: Mapping[str, bytes], out: Path) -> None:
    """Write `files` to the folder or the ZIP file `out`, which appears only when all is written.

    Raises:
        UsageError: something is there already.
    """
    check_free(out)
    out.parent.mkdir(parents=True, exist_ok=True)
    scratch = Path(mkdtemp(dir=out.parent, prefix=f".{out.name}-"))
    try:
        made = scratch / out.name
        if out.suffix == ZIP:
            _zip(files, made)
        else:
            _folder(files, made)
            if out.is_dir():
                out.rmdir()  # it is empty
        made.replace(out)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _folder(files: Mapping[str, bytes], out: Path) -> None:
    for name, content in files.items():
        path = out / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def _zip(files: Mapping[str, bytes], out: Path) -> None:
    with zipfile.ZipFile(out, "w") as archive:
        for name, content in files.items():
            entry = zipfile.ZipInfo(f"{out.stem}/{name}")  # 1980-01-01, the earliest that a ZIP file can say
            entry.external_attr = MODE
            archive.writestr(entry, content, zipfile.ZIP_DEFLATED, 9)
