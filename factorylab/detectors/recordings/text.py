"""Bytes to text. What is not UTF-8 is read as what its first bytes say, else as cp1252, and that is told."""

from __future__ import annotations

import codecs
import gzip
import zlib
from pathlib import Path

from factorylab.core.errors import UsageError
from factorylab.detectors.recordings.account import Notes

BOMS = (  # UTF-32 before UTF-16, whose mark it begins with
    (codecs.BOM_UTF32_LE, "utf-32"), (codecs.BOM_UTF32_BE, "utf-32"), (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"),
)  # fmt: skip
NO_TEXT = {
    b"PK\x03\x04": "an Excel workbook or zip file", b"\xd0\xcf\x11\xe0": "an old Excel workbook",
    b"PAR1": "a Parquet file",
    b"\x89HDF": "an HDF5 file", b"MATLAB 5.0": "a MATLAB file", b"SQLite format 3": "a SQLite database",
    b"\x93NUMPY": "a NumPy file", b"BZh": "packed by bzip2", b"\xfd7zXZ": "packed by xz",
    b"7z\xbc\xaf": "packed by 7-Zip", b"\x28\xb5\x2f\xfd": "packed by Zstandard",
}  # fmt: skip
SAMPLE = 4_096
ZEROS = 0.3  # the least share of zero bytes at odd or even places that makes a text without a mark UTF-16


def read_text(path: Path, encoding: str | None, notes: Notes) -> str:
    """The text of a file, gzip undone, without a mark at its start.

    Raises:
        UsageError: it cannot be read, is no text, or is not in `encoding`.
    """
    data = _unpacked(path)
    for magic, what in NO_TEXT.items():
        if data.startswith(magic):
            raise UsageError(f"{path} is {what}, not text: export it as CSV")
    known = encoding or _by_first_bytes(data)
    try:
        if known is None:
            return data.decode()
        text = data.decode(known).removeprefix("\ufeff")
    except LookupError:
        raise UsageError(f"there is no encoding {encoding!r}: utf-8, cp1252, utf-16 and latin-1 are usual") from None
    except UnicodeDecodeError as error:
        if known is None:
            return _western(path, data, notes)
        line = data.count(b"\n", 0, error.start) + 1
        raise UsageError(f"{path}, line {line}: not {known}: name the file's encoding with --encoding") from None
    if known != "utf-8-sig" and encoding is None:
        notes.assumed.append(f"the text is {known.upper()}")
    return text


def _unpacked(path: Path) -> bytes:
    try:
        data = path.read_bytes()
        return gzip.decompress(data) if data.startswith(b"\x1f\x8b") else data
    except (OSError, EOFError, zlib.error) as error:
        raise UsageError(f"{path} cannot be read: {getattr(error, 'strerror', None) or error}") from None


def _by_first_bytes(data: bytes) -> str | None:
    for mark, name in BOMS:
        if data.startswith(mark):
            return name
    odd, even = data[1:SAMPLE:2], data[0:SAMPLE:2]
    for half, name in ((odd, "utf-16-le"), (even, "utf-16-be")):
        if half and half.count(0) / len(half) > ZEROS:
            return name
    return None


def _western(path: Path, data: bytes, notes: Notes) -> str:
    try:
        text = data.decode("cp1252")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise UsageError(
            f"{path}, line {line}: neither UTF-8 nor cp1252: name the file's encoding with --encoding"
        ) from None
    odd = next(line for line in text.splitlines() if not line.isascii()).strip()
    notes.assumed.append(f"not UTF-8, so read as cp1252 ({odd[:60]!r}); if that is wrong, name it with --encoding")
    return text
