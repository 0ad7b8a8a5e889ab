"""Commands about runs: scenarios, run, batch, runs, show, replay, compare, report."""

from __future__ import annotations

import inspect
import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer

from factorylab import runs as run_folders
from factorylab.errors import UsageError
from factorylab.settings import Settings, load_settings

if TYPE_CHECKING:
    from factorylab.audit.verdict import Verdict
    from factorylab.execute import Job, Parameter

AsJson = Annotated[bool, typer.Option("--json", help="print JSON for machines")]
Named = Annotated[
    str, typer.Argument(help="a run: its path, its 6 hex digits, a scenario's name (its latest run), or 'latest'")
]
Given = Annotated[list[str] | None, typer.Option("-p", "--parameter", help="name=value, may be repeated")]
WORST_FIRST = (1, 4, 3, 0)


def register(app: typer.Typer) -> None:
    """Add the commands of this module to the command line."""
    for command in (scenarios, run, batch, runs, show, replay, compare, report):
        app.command()(command)


def scenarios(as_json: AsJson = False) -> None:
    """List the scenarios with their typed parameters and defaults."""
    from factorylab.parameters import parameters
    from factorylab.scenarios import SCENARIOS

    found = {name: parameters(function) for name, function in SCENARIOS.items()}
    if as_json:
        by_name = {name: {p.name: p for p in its} for name, its in found.items()}
        typer.echo(msgspec.json.format(msgspec.json.encode(by_name)).decode())
        return
    for name, its in found.items():
        typer.secho(name, bold=True, nl=False)
        typer.echo(f"  {inspect.getdoc(SCENARIOS[name])}")
        for parameter in its:
            typer.echo(f"    {parameter.show()}")


def run(
    scenario: Annotated[str, typer.Argument(help="a name from 'factorylab scenarios', or a scenario's YAML file")],
    parameter: Given = None,
    keep: Annotated[bool, typer.Option("--keep", help="leave the cluster, topics and tables up")] = False,
    as_json: AsJson = False,
) -> None:
    """Run one scenario through its notebook and judge it."""
    from factorylab.execute import Job, execute

    settings = load_settings()
    job = Job(scenario, parse_parameters(parameter or []))
    job.scenario()  # refused before anything starts
    if keep:
        _bring_up(settings)
    folder = execute(job, settings, say)
    verdict = judge(folder)
    say_verdict(verdict, folder, as_json=as_json)
    if keep:
        say("the lab is still up: 'factorylab status' shows where it listens, 'factorylab down' ends it")
    raise typer.Exit(verdict.exit_code)


def _bring_up(settings: Settings) -> None:
    from factorylab.api import milestones
    from factorylab.cluster.local import LocalCluster

    LocalCluster.up(settings, keep=True, progress=milestones(say)).close(keep=True)


def batch(
    file: Annotated[Path, typer.Argument(help="for example experiments/quick.yaml")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="validate and list, run nothing")] = False,
    resume: Annotated[bool, typer.Option("--resume", help="skip what an earlier attempt finished")] = False,
    repeat: Annotated[int | None, typer.Option("--repeat", min=1, help="rounds, interleaved at random")] = None,
    as_json: AsJson = False,
) -> None:
    """Run all scenarios of a file, judge them and write the report."""
    from factorylab import batch as batches
    from factorylab.execute import execute

    settings = load_settings()
    wanted = batches.load_batch(file)
    planned = batches.plan(wanted, repeat)
    if dry_run:
        for item in planned:
            say(describe(batches.job_of(wanted.runs[item.entry], file)))
        return
    record = batches.Record(settings.results, wanted)
    done = record.done() if resume else []
    record.write(done)
    finished = {(item.entry, item.round_no) for item in done}
    for number, item in enumerate(planned, 1):
        if (item.entry, item.round_no) in finished:
            continue
        job = batches.job_of(wanted.runs[item.entry], file)
        say(f"[{number}/{len(planned)}] {describe(job)}")
        folder = execute(job, settings, say)
        say_verdict(judge(folder), folder, as_json=False)
        done.append(batches.Planned(item.entry, item.round_no, str(folder.path.relative_to(settings.results))))
        record.write(done)
    raise typer.Exit(_close_batch(settings, [settings.results / item.path for item in done], as_json=as_json))


def _close_batch(settings: Settings, folders: list[Path], *, as_json: bool) -> int:
    """Write the report, print the summary; the exit code of the worst run."""
    from factorylab.audit.text import one_line
    from factorylab.report import build
    from factorylab.saved import load

    loaded = [load(folder) for folder in folders]
    verdicts = [item.verdict for item in loaded]
    out = settings.results / "report.html"
    say("writing the report")
    build(loaded, out)
    if as_json:
        typer.echo(msgspec.json.encode(verdicts).decode())
    else:
        for verdict in verdicts:
            typer.echo(one_line(verdict))
    say(f"report: {out}")
    codes = {verdict.exit_code for verdict in verdicts}
    return next(code for code in WORST_FIRST if code in codes)


def runs(as_json: AsJson = False) -> None:
    """List the runs under results/, oldest first."""
    from factorylab.audit.text import one_line
    from factorylab.saved import load

    found = run_folders.list_runs(load_settings().results)
    if as_json:
        typer.echo(json.dumps([_listed(r) for r in found], indent=2))
        return
    for folder in found:
        line = one_line(load(folder.path).verdict) if folder.sealed else f"{folder.path.parent.name:<18} did not finish"
        typer.echo(f"{folder.path.name}  {line}")
    if not found:
        say("no runs yet: 'factorylab run baseline' makes one")


def _listed(run: run_folders.RunFolder) -> dict[str, str | bool]:
    return {"run": run.run_id, "scenario": run.path.parent.name, "path": str(run.path), "sealed": run.sealed}


def show(run: Named) -> None:
    """The verdict of a run on one screen."""
    from factorylab.audit.text import panel
    from factorylab.saved import load

    folder = run_folders.find(load_settings().results, run)
    typer.echo(panel(load(folder.path).verdict))
    typer.echo(f"\nfolder: {folder.path}")


def replay(run: Named, as_json: AsJson = False) -> None:
    """Judge a saved run again from its raw history alone: no cluster is needed."""
    folder = run_folders.find(load_settings().results, run)
    before = folder.derived / "verdict.json"
    was = before.read_bytes() if before.exists() else b""
    verdict = judge(folder)
    say_verdict(verdict, folder, as_json=as_json)
    if was:
        say("the same verdict as before, byte for byte" if was == before.read_bytes() else "NOT the verdict of before")
    raise typer.Exit(verdict.exit_code)


def compare(run_a: Named, run_b: Named) -> None:
    """The numbers of two runs side by side."""
    from factorylab.audit.text import compare as side_by_side
    from factorylab.saved import load

    results = load_settings().results
    pair = [load(run_folders.find(results, word).path).verdict for word in (run_a, run_b)]
    typer.echo(side_by_side(*pair).to_string())


def report(
    run: Annotated[list[str] | None, typer.Argument(help="runs to show; default: the latest of each scenario")] = None,
) -> None:
    """Write results/report.html from saved runs."""
    from factorylab.api import saved_runs, write_report

    shown = saved_runs(run or [])
    say(f"report of {len(shown)} run(s): {write_report(shown)}")


def parse_parameters(given: list[str]) -> dict[str, Parameter]:
    """name=value pairs; a value is JSON where it reads as such, else text.

    Raises:
        UsageError: a pair has no "=".
    """
    found: dict[str, Parameter] = {}
    for pair in given:
        name, equals, text = pair.partition("=")
        if not equals or not name:
            raise UsageError(f"-p {pair!r}: write name=value")
        try:
            found[name] = json.loads(text)
        except json.JSONDecodeError:
            found[name] = text
    return found


def describe(job: Job) -> str:
    """The job as somebody would type it."""
    return " ".join([job.name, *(f"-p {name}={value}" for name, value in job.parameters.items())])


def judge(folder: run_folders.RunFolder) -> Verdict:
    """Judge a run; write its derived/verdict.json and derived/figures/."""
    from factorylab.audit import write_verdict
    from factorylab.plots import save
    from factorylab.saved import load

    loaded = load(folder.path)
    save(loaded, folder.figures)
    return write_verdict(loaded)


def say_verdict(verdict: Verdict, folder: run_folders.RunFolder, *, as_json: bool) -> None:
    """One line for a person, or the whole verdict for a machine."""
    from factorylab.audit.text import one_line

    typer.echo(msgspec.json.encode(verdict).decode() if as_json else one_line(verdict))
    say(f"  {folder.path}")


def say(text: str) -> None:
    """News for a person; standard output is for results."""
    typer.secho(text, err=True, dim=True)
