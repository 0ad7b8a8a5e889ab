"""The commands that run something: `run`, one scenario, once or repeated, and `batch`, many runs on one lab."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import msgspec
import typer

from factorylab.cli.live_commands import WithPage, page_beside
from factorylab.cli.runs_commands import (
    AsJson,
    ByClient,
    Given,
    OnBackend,
    UnderPrefix,
    describe,
    judge,
    parse_parameters,
    say,
    say_verdict,
)
from factorylab.cluster import folders
from factorylab.cluster.settings import Settings, load_settings
from factorylab.core.errors import UsageError
from factorylab.core.limits import ROUNDS_MAX
from factorylab.history import batch_record
from factorylab.history.batch_record import Planned

if TYPE_CHECKING:
    from factorylab.audit.judged import JudgedRun
    from factorylab.core.kafka_versions import KafkaVersion
    from factorylab.execution.batch import Batch
    from factorylab.execution.notebook_run import Job
    from factorylab.scenarios.model import Fault, Scenario

WORST_FIRST = (1, 4, 3, 0)  # exit codes


def register(app: typer.Typer) -> None:
    """Add the commands of this module to the command line."""
    for command in (run, batch):
        app.command()(command)


def run(  # noqa: PLR0917 (typer's options)
    scenario: Annotated[str, typer.Argument(help="a name from 'factorylab scenarios', or a scenario's YAML file")],
    parameter: Given = None,
    keep: Annotated[bool, typer.Option("--keep", help="leave the cluster, topics and tables up")] = False,
    repeat: Annotated[
        int | None, typer.Option("--repeat", min=1, max=ROUNDS_MAX, help="so many runs on one lab, and their summary")
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="with --repeat: keep the runs of an earlier attempt")
    ] = False,
    backend: OnBackend = None,
    live: WithPage = None,
    client: ByClient = None,
    prefix: UnderPrefix = None,
    as_json: AsJson = False,
) -> None:
    """Run one scenario through its notebook and judge it; with --repeat several times."""
    from factorylab.cluster import manage
    from factorylab.execution.notebook_run import Job, execute
    from factorylab.history.durations import besides_s, expected

    del backend, client, prefix  # the settings have them
    if keep and repeat:
        raise UsageError("--repeat drops what each run leaves in the lab: leave out --keep")
    if resume and not repeat:
        raise UsageError("--resume is for --repeat N")
    settings = load_settings()
    job = Job(scenario, parse_parameters(parameter or []))
    wanted = job.scenario()  # refused before anything starts
    folders.of_results(settings).check()
    manage.check_free(settings.home)
    say(expected(wanted, besides_s(settings.results, wanted.name)))
    with page_beside(live, settings.home):
        if repeat:
            _repeat(job, repeat, settings, resume=resume, as_json=as_json)
        if keep:
            _bring_up(settings, wanted)
        judged = execute(job, settings, say, judge)
    say_verdict(judged.verdict, judged.folder, as_json=as_json)
    if keep:
        say("the lab is still up: 'factorylab status' shows where it listens, 'factorylab down' ends it")
    raise typer.Exit(judged.verdict.exit_code)


def _bring_up(settings: Settings, wanted: Scenario) -> None:
    from factorylab.cluster.backends import bring_up
    from factorylab.execution.perform import milestones

    kafka = wanted.topology.kafka
    bring_up(settings, faults=wanted.faults, kafka=kafka, keep=True, progress=milestones(say)).close(keep=True)


def _repeat(job: Job, rounds: int, settings: Settings, *, resume: bool, as_json: bool) -> NoReturn:
    """Run a job so many times, as a batch of its own that can be resumed, and print what the runs say together."""
    from factorylab.audit.sets.run_set import by_cell
    from factorylab.audit.sets.summary import default_names, summary, table
    from factorylab.execution import batch as batches

    wanted = batches.repeated(job)
    say(f"{rounds} runs, kept as the batch {batch_record.path_of(settings.results, wanted.name).stem}")
    judged = _finished(wanted, batches.plan(wanted, rounds), [job] * rounds, settings, resume=resume)
    told = [summary(one, default_names([one])) for one in by_cell(judged)]
    text = msgspec.json.format(msgspec.json.encode(told)).decode() if as_json else "\n\n".join(map(table, told))
    typer.echo(text)
    raise typer.Exit(_worst(judged))


def batch(  # noqa: PLR0917 (typer's options)
    file: Annotated[Path, typer.Argument(help="a YAML file of runs, for example experiments/quick.yaml")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="validate and list the runs, run nothing")] = False,
    resume: Annotated[bool, typer.Option("--resume", help="skip the runs that an earlier attempt finished")] = False,
    repeat: Annotated[
        int | None, typer.Option("--repeat", min=1, max=ROUNDS_MAX, help="number of rounds; each is shuffled")
    ] = None,
    backend: OnBackend = None,
    live: WithPage = None,
    client: ByClient = None,
    prefix: UnderPrefix = None,
    as_json: AsJson = False,
) -> None:
    """Run all scenarios of a file, judge them and write the report."""
    from factorylab.execution import batch as batches

    del backend, client, prefix  # the settings have them
    settings = load_settings()
    wanted = batches.load_batch(file)
    planned = batches.plan(wanted, repeat)
    jobs = [batches.job_of(wanted.runs[item.entry], file) for item in planned]
    if dry_run:
        for job in jobs:
            say(describe(job))
        return
    folders.of_results(settings).check()
    with page_beside(live, settings.home):
        judged = _finished(wanted, planned, jobs, settings, resume=resume)
    raise typer.Exit(_close_batch(settings, judged, as_json=as_json))


def _finished(
    wanted: Batch, planned: list[Planned], jobs: list[Job], settings: Settings, *, resume: bool
) -> list[JudgedRun]:
    """All runs of a batch, those that are left carried out now; its record goes along with them."""
    from factorylab.audit.judged import load
    from factorylab.execution.batch import Record

    record = Record(settings.results, wanted)
    done, others = record.sort(planned, jobs) if resume else ([], [])
    for path in others:
        say(f"left out {path}: the batch {wanted.name} does not ask for it any more; its folder stays")
    record.write(done)
    judged = [load(settings.results / item.path) for item in done]
    finished = {(item.entry, item.round_no) for item in done}
    left = [n for n, item in enumerate(planned) if (item.entry, item.round_no) not in finished]
    for number, run in _carried_out(jobs, left, settings):
        judged.append(run)
        path = str(run.folder.path.relative_to(settings.results))
        done.append(Planned(planned[number].entry, planned[number].round_no, path))
        record.write(done)
    return judged


def _carried_out(jobs: list[Job], left: list[int], settings: Settings) -> Iterator[tuple[int, JudgedRun]]:
    """Run the jobs that are left, one after the other; each with its number as soon as it is judged. Those that follow
    each other on one version of Kafka share a lab; one that changes the version has its own."""
    from factorylab.execution.perform import check_rate

    scenarios = {number: jobs[number].scenario() for number in left}
    if settings.backend == "external":
        for scenario in scenarios.values():
            check_rate(scenario, settings)

    def lab_of(number: int) -> tuple[KafkaVersion | None, int | None]:
        changes = any(fault.declared.needs == "versions" for fault in scenarios[number].faults)
        return scenarios[number].topology.kafka, number if changes else None

    for (kafka, _), numbers in groupby(left, lab_of):
        together = list(numbers)
        faults = [fault for number in together for fault in scenarios[number].faults]
        yield from _on_one_lab(jobs, together, settings, faults, kafka)


def _on_one_lab(
    jobs: list[Job], numbers: list[int], settings: Settings, faults: list[Fault], kafka: KafkaVersion | None
) -> Iterator[tuple[int, JudgedRun]]:
    from factorylab.audit.model.verdict import one_line
    from factorylab.execution.notebook_run import execute
    from factorylab.execution.perform import milestones
    from factorylab.execution.shared_lab import SharedLab

    with SharedLab(settings, milestones(say), faults, kafka, of_runs=True) as lab:
        for number in numbers:
            say(f"[{number + 1}/{len(jobs)}] {describe(jobs[number])}")
            run = execute(jobs[number], settings, say, judge)
            say(one_line(run.verdict))
            say(f"  {run.folder.path}")
            yield number, run
            lab.forget(run.folder.run_id)


def _close_batch(settings: Settings, judged: list[JudgedRun], *, as_json: bool) -> int:
    """Write the report, print the summary; the exit code of the worst run."""
    from factorylab.audit.model.verdict import one_line
    from factorylab.audit.sets.run_set import by_cell
    from factorylab.report import build, index_page

    verdicts = [run.verdict for run in judged]
    out = settings.results / "report.html"
    say("writing the report")
    build(judged, out, by_cell(judged))
    index_page.write(settings.results)
    if as_json:
        typer.echo(msgspec.json.encode(verdicts).decode())
    else:
        for verdict in verdicts:
            typer.echo(one_line(verdict))
    say(f"report: {out}")
    return _worst(judged)


def _worst(judged: list[JudgedRun]) -> int:
    """The exit code of the worst run."""
    codes = {run.verdict.exit_code for run in judged}
    return next(code for code in WORST_FIRST if code in codes)
