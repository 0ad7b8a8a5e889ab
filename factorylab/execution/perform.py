"""One scenario from its description to a saved run: checked, carried out on a lab, loaded."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from factorylab.cluster import folders
from factorylab.cluster.settings import Settings, left_out, load_settings
from factorylab.core.errors import EnvironmentUnfit, UsageError
from factorylab.core.names import Names
from factorylab.history import run_folders
from factorylab.history.run_folders import RunFolder
from factorylab.history.unfinished import broken_off, not_judged
from factorylab.scenarios.model import Scenario

if TYPE_CHECKING:
    from factorylab.audit.judged import JudgedRun
    from factorylab.scenarios.prediction.structures import Prediction

Say = Callable[[str], None]


def run(wanted: Scenario, run_dir: str | Path = "", *, keep: bool = False, say: Say = print) -> JudgedRun:
    """Carry out a scenario and load what it left, or load what `run_dir` holds already.

    `run_dir` empty: a new folder under `results/`. A folder made for this run: it is filled. A sealed run's
    folder: it is loaded, nothing runs. `keep` leaves the cluster up with the run's topics and tables.

    Raises:
        UsageError: `wanted` is no scenario, or `run_dir` is no folder of a run of it.
        LabError: the run could not be carried out; nothing of it is left running.
    """
    from factorylab.audit.judged import load

    if not isinstance(wanted, Scenario):
        raise UsageError(f"lab.run takes a scenario, not a {type(wanted).__name__}: lab.run(lab.scenario('baseline'))")
    settings = load_settings()
    given = _made_for(wanted, Path(run_dir)) if run_dir else None
    if given and given.sealed:
        return load(given.path)
    check_source(wanted, say)
    check_clients(wanted)
    settings = where_it_runs(wanted, settings)
    folders.of_results(settings).check()
    if given:
        return _carry_out(wanted, given, settings, keep, say)
    with run_folders.made(settings.results, wanted) as folder:
        return _carry_out(wanted, folder, settings, keep, say)


def _made_for(wanted: Scenario, path: Path) -> RunFolder:
    """The run's folder at `path`, which is of this very scenario: a notebook may have been changed since."""
    folder = RunFolder(path.absolute())
    way_out = "leave run_dir out, and the run gets a folder of its own"
    if not (folder.raw / "scenario.json").is_file():
        raise UsageError(f"run_dir={str(path)!r} is not the folder of a run: {way_out}")
    if folder.masked(wanted.model_dump(mode="json")) != folder.scenario().model_dump(mode="json"):
        raise UsageError(f"run_dir={str(path)!r} belongs to another scenario: {way_out}")
    if broken_off(folder):
        raise UsageError(f"run_dir={str(path)!r} is {not_judged(folder)}. Load it with lab.load, or {way_out}")
    return folder


def _carry_out(wanted: Scenario, folder: RunFolder, settings: Settings, keep: bool, say: Say) -> JudgedRun:
    from factorylab.audit.judged import load
    from factorylab.cluster.backends import bring_up
    from factorylab.execution.runner import perform

    if unheeded := left_out():
        say(unheeded)
    foretell(wanted, folder, settings)
    cluster = bring_up(
        settings, faults=wanted.faults, kafka=wanted.topology.kafka, of_run=True, progress=milestones(say)
    )
    try:
        perform(wanted, folder, cluster, settings.home, say)
    except BaseException:
        cluster.close()
        raise
    cluster.close(keep=keep)
    return load(folder.path)


def predict(wanted: Scenario, settings: Settings) -> Prediction:
    """What the faults of a scenario will cost on the lab of `settings`, by the settings in force. Nothing is started.

    Raises:
        EnvironmentUnfit: the lab that is up runs on another backend.
    """
    from factorylab.cluster.backends import choose
    from factorylab.execution.effective_settings import effective
    from factorylab.scenarios.prediction.predict import predict as computed

    backend = choose(settings, lambda line: None, wanted.topology.kafka)
    shared = wanted.share_group if wanted.shared else None
    limits = wanted.transactions if wanted.transactional else None
    return computed(wanted, effective(wanted.clients, backend, settings.home, shared, limits), backend)


def foretell(wanted: Scenario, folder: RunFolder, settings: Settings) -> None:
    """Write the prediction into the folder of a run that has not begun. It is sealed with the rest."""
    if wanted.faults:
        folder.prediction.write_bytes(predict(wanted, settings).encoded())


def milestones(say: Say) -> Callable[[str, int, int], None]:
    """Progress as news: the beginning, each quarter and the end of what takes time."""

    def progress(what: str, done: int, total: int) -> None:
        if total == 0:
            say(what)
        elif done == total:
            say(f"{what}: done")
        elif done == 0 or done * 4 // total > (done - 1) * 4 // total:
            say(f"{what}: {done} of {total}" if total > 1 else f"{what}: starting")

    return progress


def check_source(wanted: Scenario, say: Say = lambda line: None) -> None:
    """Say what is read of a recorded source, or refuse one that cannot be replayed, before anything starts.

    Raises:
        UsageError: naming the file and what is wrong with it.
    """
    if wanted.workload.source is not None:
        from factorylab.factory.sensors.recorded_machine import source_of

        source = source_of(wanted.workload)
        for line in source.account.lines() if source else []:
            say(line)


def where_it_runs(wanted: Scenario, settings: Settings) -> Settings:
    """The settings for this run: a program under test is a process of this host, so its lab is, too; its brokers
    may be yours.

    Raises:
        UsageError: its command names no program, or its output is there already.
        EnvironmentUnfit: another backend is asked for.
    """
    if settings.backend == "external":
        check_rate(wanted, settings)
    if wanted.subject is None:
        return settings
    from factorylab.execution.subject import check_command, check_files, files_of

    check_command(wanted.subject)
    workers = [f"processor-{i}" for i in range(wanted.clients.processors)]
    check_files(files_of(wanted.subject, Names.of(), workers).values())  # where the run is no part of the path
    if settings.backend == "external":
        return settings
    if settings.backend not in {"auto", "local"}:
        raise EnvironmentUnfit("a program under test is a process of this host: take --backend local")
    return settings.model_copy(update={"backend": "local"})


def check_rate(wanted: Scenario, settings: Settings) -> None:
    """Spare a cluster that others use, before anything starts.

    Raises:
        UsageError: the scenario offers more than the settings allow.
    """
    most = max((rate for rate, _ in wanted.rate_stages), default=0)
    if most > settings.external_rate_per_s:
        raise UsageError(
            f"{wanted.name} offers {most:,.0f} readings/s, and to a cluster that is not the lab's own at most "
            f"{settings.external_rate_per_s:,.0f} go: give another rate, as -p rate_per_s=200, or set "
            "FACTORYLAB_EXTERNAL_RATE_PER_S"
        )


def check_clients(wanted: Scenario) -> None:
    """Refuse client settings that no client takes, or whose secrets are not given, before anything starts.

    Raises:
        UsageError: naming each of them; see `factorylab.execution.client_check`.
    """
    if wanted.clients.producer or wanted.clients.consumer:  # the import is not light
        from factorylab.execution.client_check import check_clients as check

        check(wanted.clients)
