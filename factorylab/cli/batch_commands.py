"""The command `batch`: many runs on one lab, their verdicts, and the report."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer

from factorylab.cli.runs_commands import AsJson, OnBackend, describe, judge, say, say_verdict
from factorylab.cluster import folders
from factorylab.cluster.settings import Settings, load_settings
from factorylab.core.limits import ROUNDS_MAX
from factorylab.history.batch_record import Planned

if TYPE_CHECKING:
    from factorylab.audit.judged import JudgedRun
    from factorylab.execution.notebook_run import Job

WORST_FIRST = (1, 4, 3, 0)  # exit codes


def register(app: typer.Typer) -> None:
    """Add the command to the command line."""
    app.command()(batch)


def batch(  # noqa: PLR0917 (typer's options)
    file: Annotated[Path, typer.Argument(help="a YAML file of runs, for example experiments/quick.yaml")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="validate and list the runs, run nothing")] = False,
    resume: Annotated[bool, typer.Option("--resume", help="skip the runs that an earlier attempt finished")] = False,
    repeat: Annotated[
        int | None, typer.Option("--repeat", min=1, max=ROUNDS_MAX, help="number of rounds; each is shuffled")
    ] = None,
    backend: OnBackend = None,
    as_json: AsJson = False,
) -> None:
    """Run all scenarios of a file, judge them and write the report."""
    from factorylab.audit.judged import load
    from factorylab.execution import batch as batches

    del backend  # the settings have it
    settings = load_settings()
    wanted = batches.load_batch(file)
    planned = batches.plan(wanted, repeat)
    jobs = [batches.job_of(wanted.runs[item.entry], file) for item in planned]
    if dry_run:
        for job in jobs:
            say(describe(job))
        return
    folders.of_results(settings).check()
    record = batches.Record(settings.results, wanted)
    done, others = record.sort(planned, jobs) if resume else ([], [])
    for path in others:
        say(f"left out {path}: it matches no run in {file} any more; its folder stays")
    record.write(done)
    judged = [load(settings.results / item.path) for item in done]
    finished = {(item.entry, item.round_no) for item in done}
    left = [n for n, item in enumerate(planned) if (item.entry, item.round_no) not in finished]
    for number, run in _carried_out(jobs, left, settings):
        judged.append(run)
        path = str(run.folder.path.relative_to(settings.results))
        done.append(Planned(planned[number].entry, planned[number].round_no, path))
        record.write(done)
    raise typer.Exit(_close_batch(settings, judged, as_json=as_json))


def _carried_out(jobs: list[Job], left: list[int], settings: Settings) -> Iterator[tuple[int, JudgedRun]]:
    """Run the jobs that are left, one after the other on one lab; each with its number as soon as it is judged."""
    from factorylab.execution.notebook_run import execute
    from factorylab.execution.perform import milestones
    from factorylab.execution.shared_lab import SharedLab, forget

    if not left:
        return
    faults = [fault for number in left for fault in jobs[number].scenario().faults]
    with SharedLab(settings, milestones(say), faults) as lab:
        for number in left:
            say(f"[{number + 1}/{len(jobs)}] {describe(jobs[number])}")
            folder = execute(jobs[number], settings, say)
            run = judge(folder)
            say_verdict(run.verdict, folder, as_json=False)
            yield number, run
            forget(lab.endpoints, folder.run_id)


def _close_batch(settings: Settings, judged: list[JudgedRun], *, as_json: bool) -> int:
    """Write the report, print the summary; the exit code of the worst run."""
    from factorylab.audit.model.verdict import one_line
    from factorylab.report import build

    verdicts = [run.verdict for run in judged]
    out = settings.results / "report.html"
    say("writing the report")
    build(judged, out)
    if as_json:
        typer.echo(msgspec.json.encode(verdicts).decode())
    else:
        for verdict in verdicts:
            typer.echo(one_line(verdict))
    say(f"report: {out}")
    codes = {verdict.exit_code for verdict in verdicts}
    return next(code for code in WORST_FIRST if code in codes)
