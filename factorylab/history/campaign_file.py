"""Results of many runs in one file that git holds: `results/campaigns/<name>.jsonl`.

One line for each experiment (what was declared), then one for each run, in the order of their names, which begin with
the time. The same runs give the same bytes. Two files are joined by the names of their runs, so that none counts twice.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

import msgspec

from factorylab.core.errors import UsageError
from factorylab.core.files import write_durably
from factorylab.scenarios.model import Scenario

FOLDER, ENDING = "campaigns", ".jsonl"
DIGITS = 12


class Experiment(msgspec.Struct, frozen=True, kw_only=True, tag_field="is", tag="experiment"):
    """What was declared: a whole scenario as plain data, defaults included; `experiment` is its digest."""

    experiment: str
    scenario: dict[str, object]

    @classmethod
    def of(cls, scenario: Scenario) -> Experiment:
        plain = scenario.model_dump(mode="json")
        return cls(experiment=digest(plain), scenario=plain)


class RunRow(msgspec.Struct, frozen=True, kw_only=True, tag_field="is", tag="run", omit_defaults=True):
    """One run: `run` is its folder's name, `experiment` what was declared, `met` the conditions that it found.

    `values` are the quantities in their units, those in `censored` lower bounds; `missing` says why others have none.
    An INVALID run has none, and `why` it is that.
    """

    run: str
    experiment: str
    began_wall_ns: int
    verdict: str
    met: dict[str, str] = {}
    values: dict[str, float] = {}
    censored: list[str] = []
    missing: dict[str, list[str]] = {}
    why: list[str] = []


@dataclass(frozen=True)
class CampaignFile:
    """Experiments by digest and runs by name."""

    experiments: Mapping[str, Experiment] = field(default_factory=dict)
    runs: Mapping[str, RunRow] = field(default_factory=dict)

    def joined(self, rows: Iterable[tuple[Experiment, RunRow]]) -> CampaignFile:
        """With these runs; one that is there already is replaced."""
        given = list(rows)
        runs = {**self.runs, **{run.run: run for _, run in given}}
        experiments = {**self.experiments, **{e.experiment: e for e, _ in given}}
        used = {run.experiment for run in runs.values()}
        return CampaignFile({key: e for key, e in experiments.items() if key in used}, runs)

    def text(self) -> bytes:
        """The file."""
        experiments = [self.experiments[key] for key in sorted(self.experiments)]
        rows: list[Experiment | RunRow] = [*experiments, *(self.runs[name] for name in sorted(self.runs))]
        return b"".join(msgspec.json.encode(row, order="sorted") + b"\n" for row in rows)


def digest(scenario: Mapping[str, object]) -> str:
    """What an experiment is known by: it changes with all that was declared."""
    return sha256(json.dumps(scenario, sort_keys=True).encode()).hexdigest()[:DIGITS]


def path_of(results: Path, name: str) -> Path:
    """Where the file of the campaign of this name lies."""
    return results / FOLDER / f"{name}{ENDING}"


def read(path: Path) -> CampaignFile:
    """The campaign in a file.

    Raises:
        UsageError: it cannot be read, a line is neither an experiment nor a run, or two lines contradict each other.
    """
    experiments: dict[str, Experiment] = {}
    runs: dict[str, RunRow] = {}
    for number, row in enumerate(_rows(path), 1):
        known, name = (experiments, row.experiment) if isinstance(row, Experiment) else (runs, row.run)
        if known.setdefault(name, row) != row:  # type: ignore[arg-type]
            raise UsageError(f"{path}, line {number}: {name} stands there before, with other results: keep one of them")
    if unknown := sorted({run.experiment for run in runs.values()} - experiments.keys()):
        raise UsageError(f"{path}: no line says what was declared in the experiment {', '.join(unknown)}")
    if wrong := sorted(key for key, e in experiments.items() if digest(e.scenario) != key):
        raise UsageError(f"{path}: what the experiment {', '.join(wrong)} declared was changed by hand")
    return CampaignFile(experiments, runs)


def _rows(path: Path) -> Iterable[Experiment | RunRow]:
    try:
        lines = path.read_bytes().splitlines()
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}") from None
    for number, line in enumerate(lines, 1):
        try:
            yield msgspec.json.decode(line, type=Experiment | RunRow)
        except msgspec.DecodeError as error:
            raise UsageError(f"{path}, line {number} is no row of a campaign: {error}") from None


def write(path: Path, campaign: CampaignFile) -> None:
    """Replace the file in one step."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_durably(path, campaign.text())
