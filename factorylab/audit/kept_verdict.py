"""The verdict that was written beside a run, for lists of many runs, which would take seconds to judge each time.

It is taken for the run's only where all that it follows from is as it was: the files of raw/, the code of this package
and the libraries, and the written verdict itself. Otherwise the run is judged.
"""

from __future__ import annotations

from functools import cache
from hashlib import sha256
from pathlib import Path

import msgspec

from factorylab.audit.judged import JudgedRun
from factorylab.audit.model.verdict import Verdict
from factorylab.history import provenance
from factorylab.history.run_folders import RunFolder, broken_seal

PACKAGE = Path(__file__).parents[1]


def verdict_of(run: JudgedRun) -> Verdict:
    """The run's verdict, read where it was written from the same evidence by the same code, else computed. Nothing is
    written."""
    written, key = run.folder.verdict, _key_file(run.folder)
    if not (written.is_file() and key.is_file()):
        return run.verdict
    text = written.read_bytes()
    if key.read_bytes() != _key(run.folder, text) or broken_seal(run.folder):  # the seal itself may be damaged
        return run.verdict
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
