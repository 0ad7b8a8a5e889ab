"""The words that notebooks and scripts use.

import factorylab as lab

run = lab.run(lab.scenario("broker_loss", target="controller"))
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from factorylab import folders, runs
from factorylab.errors import UsageError
from factorylab.runs import RunFolder
from factorylab.scenario import Scenario, scenario_from
from factorylab.scenarios import build
from factorylab.settings import Settings, left_out, load_settings
from factorylab.yaml_file import read_mapping

if TYPE_CHECKING:
    from factorylab.saved import Run


def scenario(name: str | Path, /, **parameters: object) -> Scenario:
    """The named scenario, or the one in the YAML file `name`, with these parameters.

    Raises:
        UsageError, ScenarioError: there is no such scenario, or a parameter is unknown or wrong.
    """
    if not str(name).endswith((".yaml", ".yml")):
        return build(str(name), parameters)
    if parameters:
        raise UsageError(f"{name} is a scenario file and takes no parameters: change the file")
    return scenario_file(Path(name))


def scenario_file(path: str | Path) -> Scenario:
    """A scenario written out in YAML. A relative `source` in it starts at the file's folder.

    Raises:
        UsageError: the file cannot be read.
        ScenarioError: it is no scenario.
    """
    path = Path(path)
    found = scenario_from(read_mapping(path), str(path))
    source = found.workload.source
    if source is None or source.is_absolute():
        return found
    workload = found.workload.model_copy(update={"source": (path.parent / source).resolve()})
    return found.model_copy(update={"workload": workload})


def run(wanted: Scenario, run_dir: str | Path = "", *, keep: bool = False, say: Callable[[str], None] = print) -> Run:
    """Carry out a scenario and load what it left, or load what `run_dir` holds already.

    `run_dir` empty: a new folder under `results/`. A folder made for this run: it is filled. A sealed run's
    folder: it is loaded, nothing runs. `keep` leaves the cluster up with the run's topics and tables.

    Raises:
        UsageError: `wanted` is no scenario, or `run_dir` is no folder of a run of it.
        LabError: the run could not be carried out; nothing of it is left running.
    """
    from factorylab.saved import load

    if not isinstance(wanted, Scenario):
        raise UsageError(f"lab.run takes a scenario, not a {type(wanted).__name__}: lab.run(lab.scenario('baseline'))")
    settings = load_settings()
    given = _made_for(wanted, Path(run_dir)) if run_dir else None
    if given and given.sealed:
        return load(given.path)
    check_source(wanted, say)
    check_clients(wanted)
    folders.of_results(settings).check()
    if given:
        return _carry_out(wanted, given, settings, keep, say)
    with runs.made(settings.results, wanted) as folder:
        return _carry_out(wanted, folder, settings, keep, say)


def _made_for(wanted: Scenario, path: Path) -> RunFolder:
    """The run's folder at `path`, which is of this very scenario: a notebook may have been changed since."""
    folder = RunFolder(path.absolute())
    way_out = "leave run_dir out, and the run gets a folder of its own"
    if not (folder.raw / "scenario.json").is_file():
        raise UsageError(f"run_dir={str(path)!r} is no folder of a run: {way_out}")
    if folder.masked(wanted.model_dump(mode="json")) != folder.scenario().model_dump(mode="json"):
        raise UsageError(f"run_dir={str(path)!r} is of another scenario than the one that is asked for: {way_out}")
    return folder


def _carry_out(wanted: Scenario, folder: RunFolder, settings: Settings, keep: bool, say: Callable[[str], None]) -> Run:
    from factorylab.cluster.backends import bring_up
    from factorylab.runner import perform
    from factorylab.saved import load

    if unheeded := left_out():
        say(unheeded)
    cluster = bring_up(settings, faults=wanted.faults, progress=milestones(say))
    try:
        perform(wanted, folder, cluster, settings.home, say)
    except BaseException:
        cluster.close()
        raise
    cluster.close(keep=keep)
    return load(folder.path)


def milestones(say: Callable[[str], None]) -> Callable[[str, int, int], None]:
    """Progress as news: the beginning, each quarter and the end of what takes time."""

    def progress(what: str, done: int, total: int) -> None:
        if total == 0:
            say(what)
        elif done == total:
            say(f"{what}: done")
        elif done == 0 or done * 4 // total > (done - 1) * 4 // total:
            say(f"{what}: {done} of {total}" if total > 1 else f"{what}: starting")

    return progress


def check_source(wanted: Scenario, say: Callable[[str], None] = lambda line: None) -> None:
    """Say what is read of a recorded source, or refuse one that cannot be replayed, before anything starts.

    Raises:
        UsageError: naming the file and what is wrong with it.
    """
    if wanted.workload.source is not None:
        from factorylab.factory.sensors.recorded import source_of

        source = source_of(wanted.workload)
        for line in source.account.lines() if source else []:
            say(line)


def check_clients(wanted: Scenario) -> None:
    """Refuse client settings that no client takes, or whose secrets are not given, before anything starts.

    Raises:
        UsageError: naming each of them; see `factorylab.client_check`.
    """
    if wanted.clients.producer or wanted.clients.consumer:  # the import is not light
        from factorylab.client_check import check_clients as check

        check(wanted.clients)


def load(run: str | Path) -> Run:
    """The saved run that a path, an id, a scenario's name or `latest` names, as on the command line.

    Raises:
        UsageError: there is none.
    """
    from factorylab.saved import load as opened

    return opened(runs.find(load_settings().results, str(run)).path)


def saved_runs(words: str | Path | Sequence[str | Path] = (), run_dir: str | Path = "") -> list[Run]:
    """The runs that `words` (one word, or several) and `run_dir` name, or the latest finished one of each scenario.

    Raises:
        UsageError: a word fits no run, or there is none at all.
    """
    from factorylab.saved import load

    words = [words] if isinstance(words, str | Path) else words
    results = load_settings().results
    chosen = [runs.find(results, str(word)) for word in [*words, *([run_dir] if run_dir else [])]]
    latest = {folder.path.parent.name: folder for folder in runs.list_runs(results) if folder.sealed}
    folders = chosen or list(latest.values())
    if not folders:
        raise UsageError("there is no finished run yet: 'make lab' makes four")
    return [load(folder.path) for folder in folders]


def write_report(shown: Sequence[Run]) -> Path:
    """Write the runs to `results/report.html`, one file that opens offline."""
    from factorylab.report import build

    return build(list(shown), load_settings().results / "report.html")


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
