"""The words that notebooks and scripts use.

import factorylab as lab

run = lab.run(lab.scenario("broker_loss", target="controller"))
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from factorylab.cluster.settings import load_settings
from factorylab.core.errors import UsageError
from factorylab.execution.interrupt import in_one_sentence
from factorylab.execution.perform import predict as foretold
from factorylab.execution.perform import run as performed
from factorylab.execution.status_line import narrator
from factorylab.history import run_folders
from factorylab.history.durations import besides_s, expected
from factorylab.scenarios.loading import scenario
from factorylab.scenarios.model import Scenario

if TYPE_CHECKING:
    import pandas as pd
    from pandas.io.formats.style import Styler

    from factorylab.analysis.capacity import Capacity
    from factorylab.audit.judged import JudgedRun
    from factorylab.audit.sets.recorded import AnyRun, RecordedRun
    from factorylab.history.run_folders import RunFolder

    Runs = str | Iterable[AnyRun]

__all__ = [
    "capacity", "compare", "conditions", "example_recording", "load", "load_all", "planned", "predict",
    "quantities", "recorded", "run", "saved_runs", "scenario", "summarize", "write_report",
]  # fmt: skip


def run(
    wanted: Scenario, run_dir: str | Path = "", *, keep: bool = False, say: Callable[[str], None] | None = None
) -> JudgedRun:
    """Carry out a scenario and load what it left, or load what `run_dir` holds already.

    `run_dir` empty: a new folder under `results/`. A folder made for this run: it is filled. A sealed run's
    folder: it is loaded, nothing runs. `keep` leaves the cluster up with the run's topics and tables. Progress goes to
    `say`; without it to a line of status in a notebook, elsewhere it is printed.

    Raises:
        UsageError: `wanted` is no scenario, or `run_dir` is no folder of a run of it.
        LabError: the run could not be carried out; nothing of it is left running.
        Interrupted: somebody stopped it; the lab is healed.
    """
    settings, say = load_settings(), say or narrator(driven=bool(run_dir))
    if not run_dir and isinstance(wanted, Scenario):
        say(expected(wanted, besides_s(settings.results, wanted.name)))
    with in_one_sentence(settings.home):
        return performed(wanted, run_dir, keep=keep, say=say)


def load(run: str | Path) -> JudgedRun:
    """The saved run that a path, an id, a scenario's name or `latest` names, as on the command line.

    Raises:
        UsageError: there is none.
    """
    from factorylab.audit.judged import load as opened

    return opened(run_folders.find(load_settings().results, str(run)).path)


def runs_of(words: str) -> tuple[list[AnyRun], dict[str, str]]:
    """The runs that `words` name, separated by commas, and the conditions that stand behind "@": "broker_loss",
    "batch-quick@target=controller", "1f2e3d,4c5b6a", "campaign-failover@target=controller".

    Raises:
        UsageError: a word fits no run, or a condition has no "=".
    """
    from factorylab.audit.judged import load as opened

    sets, *given = words.split("@")
    pairs = [condition.partition("=") for condition in given]
    if wrong := [name for name, equals, word in pairs if not (name and equals and word)]:
        raise UsageError(f"{words!r}: write @name=value, not @{wrong[0]}")
    named = [sets] if Path(sets).exists() else sets.split(",")
    folders, found = _named(named)
    paths = sorted({folder.path for folder in folders}, key=lambda path: path.name)
    return [*map(opened, paths), *found], {name: word for name, _, word in pairs}


def _named(words: Iterable[str]) -> tuple[list[RunFolder], list[RecordedRun]]:
    """The folders that the words name, and the runs in campaigns' files."""
    from factorylab.history.run_sets import campaign_of, find_all

    results = load_settings().results
    folders: list[RunFolder] = []
    found: list[RecordedRun] = []
    for word in words:
        if campaign_of(results, word):
            found += recorded(word)
        else:
            folders += find_all(results, word)
    return folders, found


def load_all(runs: str) -> list[JudgedRun]:
    """All finished runs that `runs` names, as `factorylab summary` takes it ("broker_loss@target=controller"), oldest
    first. Nothing is read of them but their conditions, where these are asked for; each is judged when asked for its
    verdict.

    Raises:
        UsageError: none fits, or a campaign's file is named: it holds numbers, and no runs.
    """
    from factorylab.audit.judged import JudgedRun

    found = _finished(runs)
    judged = [run for run in found if isinstance(run, JudgedRun)]
    if len(judged) < len(found):
        raise UsageError(f"{runs!r} holds numbers of runs, not the runs: take lab.quantities, summarize or compare")
    return judged


def recorded(campaign: str) -> list[RecordedRun]:
    """The runs in a campaign's file: its path, or "campaign-NAME" under results/. They have numbers and conditions, and
    no history.

    Raises:
        UsageError: there is no such file, or it is none.
    """
    from factorylab.audit.sets.recorded import recorded_runs
    from factorylab.history import campaign_file
    from factorylab.history.run_sets import campaign_of

    path = campaign_of(load_settings().results, campaign)
    if path is None:
        raise UsageError(f"{campaign!r} is no campaign: write campaign-NAME, or the path of a .jsonl file")
    return recorded_runs(campaign_file.read(path))


def _finished(runs: str) -> list[AnyRun]:
    """Raises UsageError where none fits."""
    from factorylab.audit.judged import JudgedRun
    from factorylab.audit.sets.conditions import fits
    from factorylab.audit.sets.recorded import conditions_of

    named, wanted = runs_of(runs)
    found = [run for run in named if not isinstance(run, JudgedRun) or run.folder.sealed]
    found = [run for run in found if fits(conditions_of(run), wanted)] if wanted else found
    if not found:
        raise UsageError(f"no finished run is {runs!r}; see 'factorylab runs'")
    return found


def planned(batch: str | Path) -> list[Scenario]:
    """The scenarios in the file of a batch or a campaign, in its order.

    Raises:
        UsageError, ScenarioError: it is none, or a scenario in it is wrong.
    """
    from factorylab.execution.batch import job_of, load_batch

    return [job_of(entry, Path(batch)).scenario() for entry in load_batch(Path(batch)).runs]


def quantities(runs: Runs) -> pd.DataFrame:
    """The quantities of several runs (words as for `load_all`, or runs) as numbers, one row for each run and quantity:
    see `audit.sets.frames.quantities_of`."""
    from factorylab.audit.sets.frames import quantities_of

    return quantities_of(_opened(runs))


def conditions(runs: Runs) -> pd.DataFrame:
    """Under which conditions several runs were made, one row a run: see `audit.sets.frames.conditions_of`."""
    from factorylab.audit.sets.frames import conditions_of

    return conditions_of(_opened(runs))


def summarize(runs: Runs, *names: str) -> pd.DataFrame:
    """Median, interval, range and censoring of each quantity (or those of `names`) by scenario and parameters: see
    `audit.sets.frames.summary_frame`."""
    from factorylab.audit.sets.frames import summary_frame
    from factorylab.audit.sets.run_set import by_cell
    from factorylab.audit.sets.summary import default_names, summary

    return summary_frame(summary(one, names or default_names([one])) for one in by_cell(_opened(runs)))


def compare(a: Runs, b: Runs, *names: str, margin: str | Sequence[str] = ()) -> pd.DataFrame:
    """Runs B against runs A, each of one experiment, quantity by quantity: see `audit.sets.frames.comparison_frame`.
    `margin` is as on the command line ("10%", "recovery 1 s").

    Raises:
        UsageError: runs of several experiments, a run in both, or an unknown quantity.
    """
    from factorylab.audit.sets import margins
    from factorylab.audit.sets.compare import compare as compared
    from factorylab.audit.sets.compare import label
    from factorylab.audit.sets.frames import comparison_frame
    from factorylab.audit.sets.run_set import by_cell
    from factorylab.audit.sets.summary import default_names

    sets = [by_cell(_opened(runs)) for runs in (a, b)]
    if wrong := next((found for found in sets if len(found) > 1), None):
        raise UsageError(f"runs of several experiments: {'; '.join(map(label, wrong))}")
    (one,), (other,) = sets
    allowed = margins.parsed([margin] if isinstance(margin, str) else margin)
    return comparison_frame(compared(one, other, names or default_names([one, other]), allowed))


def _opened(runs: Runs) -> list[AnyRun]:
    return _finished(runs) if isinstance(runs, str) else list(runs)


def predict(wanted: Scenario, run_dir: str | Path = "") -> Styler:
    """What the faults of a scenario will cost, by the settings in force; of a finished run, what was written down
    before it began, if anything was. A row for each quantity and case, as text: fault, victim, quantity, of,
    predicted, because.

    Raises:
        UsageError: `run_dir` names no run.
    """
    from factorylab.analysis.predicted import kept_prediction
    from factorylab.analysis.predicted_words import expectations
    from factorylab.history.saved_run import Run
    from factorylab.report.summary_tables import wrapped

    settings = load_settings()
    folder = run_folders.find(settings.results, str(run_dir)) if run_dir else None
    if folder and folder.sealed:
        return wrapped(expectations(kept_prediction(Run(folder))))
    return wrapped(expectations(foretold(wanted, settings)))


def saved_runs(words: str | Path | Sequence[str | Path] = (), run_dir: str | Path = "") -> list[JudgedRun]:
    """The runs that `words` (one word, or several) and `run_dir` name, or the latest finished one of each scenario.

    Raises:
        UsageError: a word fits no run, or there is none at all.
    """
    from factorylab.audit.judged import load

    words = [words] if isinstance(words, str | Path) else words
    results = load_settings().results
    chosen = [run_folders.find(results, str(word)) for word in [*words, *([run_dir] if run_dir else [])]]
    latest = {folder.path.parent.name: folder for folder in run_folders.list_runs(results) if folder.sealed}
    folders = chosen or list(latest.values())
    if not folders:
        raise UsageError("there is no finished run yet: 'make lab' makes four")
    return [load(folder.path) for folder in folders]


def write_report(shown: Sequence[JudgedRun], say: Callable[[str], None] | None = None) -> Path:
    """Write the runs to `results/report.html`, one file that opens offline, with what all runs of the same scenarios
    and parameters say together. Progress goes to `say`."""
    from factorylab.audit.judged import load as opened
    from factorylab.audit.sets.conditions import cell
    from factorylab.audit.sets.run_set import by_cell
    from factorylab.report import build, index_page

    results, names = load_settings().results, {run.folder.path.parent.name for run in shown}
    alike = {folder.path for folder in run_folders.list_runs(results) if folder.path.parent.name in names}
    others = [opened(path) for path in sorted(alike - {run.folder.path for run in shown})]
    cells = [cell(run) for run in shown]
    sets = [one for one in by_cell([*shown, *others], say=say) if one.cell in cells]
    out = build(list(shown), results / "report.html", sets)
    index_page.write(results)
    return out


def capacity(result: str = "", **parameters: object) -> Capacity:
    """The search for the highest rate that is kept whose file is `result`; for "" the latest one, or a new one where
    there is none; for "new" a new one, with these parameters of `CapacityPlan`.

    Raises:
        UsageError, ScenarioError: `result` is no search, or a parameter is unknown or wrong.
        LabError: a trial could not be carried out.
    """
    from factorylab.analysis.capacity import latest, read
    from factorylab.execution.capacity import search
    from factorylab.scenarios.capacity import capacity_plan

    plan, settings = capacity_plan(parameters), load_settings()
    known = latest(settings.results) if result in {"", "new"} else Path(result)
    if known and result != "new":
        return read(known)
    with in_one_sentence(settings.home):
        return search(plan, settings, narrator(driven=False))


EXAMPLE_DAYS = 15  # long enough to be replayed through two failures


def example_recording() -> str:
    """A small CSV file for `recorded_machine`: a simulated fortnight of a machine that overheats twice a day.

    It lies under `results/` and stands in for the file of a real machine.
    """
    rows = [
        f"2026-01-{1 + i // 1440:02d} {i // 60 % 24:02d}:{i % 60:02d}:00,{_example_c(i % 1440):.3f}"
        for i in range(EXAMPLE_DAYS * 1440)
    ]
    path = load_settings().results / "example_recording.csv"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(["timestamp,value", *rows]) + "\n")
    return str(path)


def _example_c(minute: int) -> float:
    """70 °C with a swing of 4, and two hot hours of up to 85 and 105 °C."""
    hot = {6: 15.0, 18: 35.0}.get(minute // 60, 0.0)
    return 70 + 4 * math.sin(minute / 1440 * math.tau) + hot * math.sin(minute % 60 / 60 * math.pi)
