"""Several runs in a row from one YAML file, with a record that allows to go on after an interruption.

    name: quick
    runs:
      - scenario: broker_loss
        parameters: {target: "leader:0"}

Repetitions are interleaved in random order (by `seed`), so that a slow hour of the machine hits all alike.
"""

from __future__ import annotations

import json
import random
from hashlib import sha256
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from factorylab.core import secret
from factorylab.core.errors import LabError, ScenarioError, UsageError
from factorylab.core.limits import ROUNDS_MAX, RUNS_MAX, Count, Whole
from factorylab.core.spelling import NAME
from factorylab.core.yaml_file import read_mapping
from factorylab.execution.notebook_run import Job, Parameter
from factorylab.history import batch_record
from factorylab.history.batch_record import Planned
from factorylab.history.run_folders import RunFolder
from factorylab.scenarios.model import explain

NAME_MAX, DIGITS = 60, 6


class BatchRun(BaseModel):
    """One scenario of a batch."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    scenario: str
    parameters: dict[str, Parameter] = {}


class Batch(BaseModel):
    """A file of runs."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Annotated[str, NAME] = Field(max_length=NAME_MAX)
    repeat: Whole = Field(default=1, ge=1, le=ROUNDS_MAX)
    seed: Count = 1
    runs: tuple[BatchRun, ...] = Field(min_length=1, max_length=RUNS_MAX)


def load_batch(path: Path) -> Batch:
    """Read a batch and validate every scenario in it.

    Raises:
        UsageError: the file cannot be read or is no batch.
        ScenarioError: one of its runs is wrong; the message names all that are.
    """
    try:
        batch = Batch.model_validate(read_mapping(path))
    except ValidationError as error:
        raise UsageError(f"{path}:\n{explain(error)}") from None
    wrong = [f"runs.{number}: {problem}" for number, e in enumerate(batch.runs) if (problem := _problem(e, path))]
    if wrong:
        raise ScenarioError(f"{path}:\n" + "\n".join(wrong))
    return batch


def job_of(entry: BatchRun, batch_file: Path) -> Job:
    """The entry as a job; a scenario file and a source are looked up beside the batch file first."""
    beside = batch_file.parent / entry.scenario
    name = str(beside) if beside.suffix in {".yaml", ".yml"} and beside.exists() else entry.scenario
    return Job(name, entry.parameters)


def _problem(entry: BatchRun, batch_file: Path) -> str:
    try:
        job_of(entry, batch_file).scenario()
    except LabError as error:
        return str(error)
    return ""


def repeated(job: Job) -> Batch:
    """A batch of one scenario; its name tells repetitions of other parameters apart."""
    wanted = job.scenario()
    shown = secret.masked(wanted.model_dump(mode="json"))
    digest = sha256(json.dumps(shown, sort_keys=True).encode()).hexdigest()[:DIGITS]
    name = f"{wanted.name[: NAME_MAX - DIGITS - 1]}_{digest}"
    return Batch(name=name, runs=(BatchRun(scenario=job.name, parameters=dict(job.parameters)),))


def plan(batch: Batch, repeat: int | None = None) -> list[Planned]:
    """All runs in their order: rounds one after the other, shuffled within a round when there are several."""
    rounds = repeat or batch.repeat
    dice = random.Random(batch.seed)
    planned = []
    for round_no in range(rounds):
        entries = list(range(len(batch.runs)))
        if rounds > 1:
            dice.shuffle(entries)
        planned += [Planned(entry, round_no) for entry in entries]
    return planned


class Record:
    """What of a batch is done, on disk after every run. Which run of the file each of them is, is read in its folder:
    the file may have changed since."""

    def __init__(self, results: Path, batch: Batch) -> None:
        self.path = batch_record.path_of(results, batch.name)

    def done(self) -> list[Planned]:
        """Runs of an earlier attempt whose folders are still whole.

        Raises:
            UsageError: the record is none.
        """
        try:
            return batch_record.read(self.path) if self.path.exists() else []
        except UsageError as error:
            raise UsageError(f"{error}: leave out --resume") from None

    def sort(self, planned: list[Planned], jobs: list[Job]) -> tuple[list[Planned], list[str]]:
        """Of the runs that are done those that the file still asks for, as it asks now, and the folders of the others.

        A run belongs to a planned one when both have the same resolved scenario, secrets compared by digest; each
        repetition takes one of them.
        """
        done = self.done()
        folders = [RunFolder(self.path.parent / item.path) for item in done]
        wanted = [folders[0].masked(job.scenario().model_dump(mode="json")) for job in jobs] if done else []
        free = dict(enumerate(planned))
        belonging, others = [], []
        for item, was in zip(done, map(_scenario_of, folders), strict=True):
            number = next((n for n in free if wanted[n] == was), None)
            if number is None:
                others.append(item.path)
            else:
                place = free.pop(number)
                belonging.append(Planned(place.entry, place.round_no, item.path))
        return belonging, others

    def write(self, done: list[Planned]) -> None:
        batch_record.write(self.path, done)


def _scenario_of(folder: RunFolder) -> dict[str, Any] | None:
    """None where it is one that this factorylab does not take."""
    try:
        return folder.scenario().model_dump(mode="json")
    except ScenarioError:
        return None
