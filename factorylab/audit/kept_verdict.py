"""The verdict that was written beside a run, for lists of many runs, which would take seconds to judge each time.

It is taken for the run's only where all that it follows from is as it was: the files of raw/, the code of this package
and the libraries, and the written verdict itself. Otherwise the run is judged.
"""

from __future__ import annotations

from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from factorylab.audit.model.verdict import Verdict
from factorylab.history import provenance
from factorylab.history.run_folders import RunFolder, broken_seal

if TYPE_CHECKING:
    from factorylab.audit.judged import JudgedRun

PACKAGE = Path(__file__).parents[1]


def verdict_of(run: JudgedRun) -> Verdict:
    """The run's verdict, read where it was written from the same evidence by the same code, else computed. Nothing is
    written."""
    return kept(run.folder) or run.verdict


def verdict_in(folder: RunFolder) -> Verdict:
    """The same of a run that was not opened yet: who finds it kept needs no analysis, which takes a second to load.

    Raises:
        UsageError: there is no run in this folder.
    """
    if found := kept(folder):
        return found
    from factorylab.audit.judged import load

    return load(folder.path).verdict


def kept(run: RunFolder) -> Verdict | None:
    """The written verdict, where it may be taken for the run's."""
    written, key = run.verdict, _key_file(run)
    if not (written.is_file() and key.is_file()):
        return None
    text = written.read_bytes()
    if key.read_bytes() != _key(run, text) or broken_seal(run):  # the seal itself may be damaged
        return None
    return msgspec.json.decode(text, type=Verdict)


def write_verdict(run: JudgedRun) -> Verdict:
    """Judge `run`, write derived/verdict.json, and what it follows from to derived/verdict.key."""
    path = run.folder.verdict
    path.parent.mkdir(parents=True, exist_ok=True)
    text = msgspec.json.format(msgspec.json.encode(run.verdict), indent=2) + b"\n"
    path.write_bytes(text)
    _key_file(run.folder).write_bytes(_key(run.folder, text))
    return run.verdict


def _key_file(run: RunFolder) -> Path:
    return run.derived / "verdict.key"


def _key(run: RunFolder, verdict: bytes) -> bytes:
    """A SHA-256 over the seal, which has those of all of raw/, the code with its libraries, and the verdict."""
    seal = run.raw / "seal.json"
    parts = (seal.read_bytes() if seal.exists() else b"", _code(), verdict)
    return sha256(b"".join(sha256(part).digest() for part in parts)).hexdigest().encode()


@cache
def _code() -> bytes:
    files = sorted(PACKAGE.rglob("*.py"))
    texts = [f"{path.relative_to(PACKAGE)} {sha256(path.read_bytes()).hexdigest()}" for path in files]
    return "\n".join([*texts, *map(str, sorted(provenance.versions().items()))]).encode()
