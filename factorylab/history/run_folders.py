"""A run's folder: create, seal, load, list. The truth is inside, never in the name.

results/<scenario>/<utc>-<6 hex>/
    raw/      scenario.json prediction.json manifest.json history/*.parquet logs/   sealed by seal.json, SHA-256s
    derived/  verdict.json verdict.key answer.txt sparkline.json figures/ notebook.ipynb   may be made anew any time
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

from factorylab.core import secret
from factorylab.core.errors import ScenarioError, UsageError
from factorylab.core.files import write_durably
from factorylab.scenarios.model import Scenario, scenario_from

SCHEMA_VERSION = 8
FAILED = "failed.txt"
STAMP = "%Y%m%dT%H%M%SZ"  # UTC, in the name of a run's folder
SECRET_KEY = ".secret-key"  # beside the runs, never in one
SECRET_KEY_BYTES = 32

T = TypeVar("T")


@dataclass(frozen=True)
class RunFolder:
    """Paths of one run. `run_id` is its 6 hex digits, the suffix of its topics, group and schema."""

    path: Path

    @property
    def run_id(self) -> str:
        return self.path.name.rpartition("-")[2]

    @property
    def raw(self) -> Path:
        return self.path / "raw"

    @property
    def history(self) -> Path:
        return self.raw / "history"

    def table(self, name: str) -> Path:
        """The file of a table."""
        return self.history / f"{name}.parquet"

    @property
    def logs(self) -> Path:
        return self.raw / "logs"

    @property
    def prediction(self) -> Path:
        """What the faults were expected to cost, written before anything began; a run without faults has none."""
        return self.raw / "prediction.json"

    @property
    def journals(self) -> Path:
        """Where workers append while the run goes on; gone once they are Parquet."""
        return self.path / "journals"

    @property
    def derived(self) -> Path:
        return self.path / "derived"

    @property
    def verdict(self) -> Path:
        return self.derived / "verdict.json"

    @property
    def answer(self) -> Path:
        """What the run answers, a sentence a line."""
        return self.derived / "answer.txt"

    @property
    def figures(self) -> Path:
        return self.derived / "figures"

    @property
    def sealed(self) -> bool:
        return (self.raw / "seal.json").exists()

    def masked(self, data: T) -> T:
        """Plain data as it may stand in a file of this run: each secret is masked, with its digest."""
        return data if secret.masked(data) == data else secret.masked(data, secret_key(self.path.parent.parent))

    @property
    def begun(self) -> bool:
        """Is there anything to keep: readings that were sent, or logs of a system that did not start?"""
        return any(self.journals.glob("*.sends.bin")) or any(self.history.iterdir()) or any(self.logs.iterdir())

    def scenario(self) -> Scenario:
        """What was to be done.

        Raises:
            ScenarioError: the file is none, or its scenario breaks a rule.
        """
        try:
            data = json.loads((self.raw / "scenario.json").read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise ScenarioError(f"{self.path.name}/raw/scenario.json cannot be read: {error}") from None
        return scenario_from(data, str(self.path))


def create(results: Path, scenario: Scenario) -> RunFolder:
    """A new folder with the resolved scenario in it; its secrets are masked."""
    stamp = datetime.now(UTC).strftime(STAMP)
    run = RunFolder(results / scenario.name / f"{stamp}-{secrets.token_hex(3)}")
    for folder in (run.history, run.logs, run.journals, run.figures):
        folder.mkdir(parents=True)
    shown = run.masked(scenario.model_dump(mode="json"))
    (run.raw / "scenario.json").write_text(json.dumps(shown, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    return run


def secret_key(results: Path) -> bytes:
    """The key of the digests of secrets in the runs under `results`; made at the first need, for its owner alone.

    Raises:
        UsageError: it cannot be made or read.
    """
    path = results / SECRET_KEY
    try:
        with suppress(FileExistsError):
            handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(handle, "wb") as stream:
                stream.write(secrets.token_bytes(SECRET_KEY_BYTES))
        key = path.read_bytes()
    except OSError as error:
        raise UsageError(f"{path}, the key of the digests of secrets: {error.strerror}") from None
    if len(key) != SECRET_KEY_BYTES:
        raise UsageError(f"{path} is not a key of {SECRET_KEY_BYTES} bytes: remove it, and a new one is made")
    return key


@contextmanager
def made(results: Path, scenario: Scenario) -> Iterator[RunFolder]:
    """A new folder for a run that is made in this context. Where that fails the folder says why, and it goes where the
    run never began."""
    run = create(results, scenario)
    try:
        yield run
    except BaseException as error:
        if not run.sealed:
            with suppress(OSError):  # the disk may be full, which is what is told then
                _give_up(run, "interrupted" if isinstance(error, KeyboardInterrupt) else secret.clean(str(error)))
        raise


def _give_up(run: RunFolder, why: str) -> None:
    if not run.begun:
        shutil.rmtree(run.path)
        run.path.parent.rmdir()  # that of the scenario, unless it has other runs
    else:
        (run.raw / FAILED).write_text(f"{why}\n", encoding="utf-8")


def digests(run: RunFolder) -> dict[str, str]:
    """SHA-256 of each file under raw/, by its path relative to raw/."""
    found = {}
    for file in sorted(run.raw.rglob("*")):
        if file.is_file() and file != run.raw / "seal.json":
            with file.open("rb") as stream:
                found[file.relative_to(run.raw).as_posix()] = hashlib.file_digest(stream, "sha256").hexdigest()
    return found


def seal(run: RunFolder) -> None:
    """Write down what raw/ holds, so that a later change shows."""
    content = {"schema_version": SCHEMA_VERSION, "sha256": digests(run)}
    write_durably(run.raw / "seal.json", json.dumps(content, indent=2).encode() + b"\n")  # others wait for it


def broken_seal(run: RunFolder) -> list[str]:
    """Files that were changed, added or removed since the run was sealed; ["seal.json"] when never sealed."""
    if not run.sealed:
        return ["seal.json"]
    then: dict[str, str] = json.loads((run.raw / "seal.json").read_text(encoding="utf-8"))["sha256"]
    now = digests(run)
    return sorted(name for name in then.keys() | now.keys() if then.get(name) != now.get(name))


def list_runs(results: Path) -> list[RunFolder]:
    """All runs under `results`, oldest first."""
    found = [RunFolder(file.parent.parent) for file in results.glob("*/*/raw/scenario.json")]
    return sorted(found, key=lambda run: run.path.name)


def find(results: Path, word: str) -> RunFolder:
    """The run that `word` names: a path, a run id, a scenario (its latest finished run), or `latest` (that of all).

    A run that is going on or did not finish is found by its path and its id alone.

    Raises:
        UsageError: nothing, or more than one run, fits.
    """
    if os.path.exists(os.path.join(word, "raw", "scenario.json")):  # noqa: PTH110, PTH118 (Path raises for a name too long)
        return RunFolder(Path(word).resolve())
    known = list_runs(results)
    fits = [run for run in known if word in {run.run_id, run.path.name}]
    named = [run for run in known if word in {"latest", run.path.parent.name}]
    finished = [run for run in named if run.sealed]
    if len(fits) == 1:
        return fits[0]
    if finished:
        return finished[-1]
    hint = "give a run's path, its id (6 hex digits), a scenario's name or 'latest'; see 'factorylab runs'"
    if named:
        hint = f"none of these {len(named)} has finished; {named[-1].run_id} is the latest: name it so"
    elif len(fits) > 1:
        hint = f"{len(fits)} runs have these digits: give the path of one; see 'factorylab runs'"
    raise UsageError(f"no run fits {word!r}: {hint}")
