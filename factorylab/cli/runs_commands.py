"""Commands about scenarios and saved runs: scenarios, show, replay, report."""

from __future__ import annotations

import inspect
import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer

from factorylab.cluster.backend_registry import BACKENDS, BackendChoice
from factorylab.cluster.settings import choose_backend, choose_client, choose_prefix, load_settings
from factorylab.core import secret
from factorylab.core.errors import UsageError
from factorylab.history import run_folders

if TYPE_CHECKING:
    from factorylab.audit.judged import JudgedRun
    from factorylab.audit.model.verdict import Verdict
    from factorylab.execution.notebook_run import Job, Parameter

AsJson = Annotated[bool, typer.Option("--json", help="print JSON for machines")]
_BACKENDS = ", ".join(f"{backend.nodes} ({name})" for name, backend in BACKENDS.items())
OnBackend = Annotated[
    BackendChoice | None,
    typer.Option(
        "--backend",
        help=f"what the nodes of the lab are: {_BACKENDS}; auto: containers where an engine answers and has the images",
        callback=choose_backend,
    ),
]
ByClient = Annotated[
    Path | None,
    typer.Option("--client", help="a client's .properties file, for --backend external", callback=choose_client),
]
UnderPrefix = Annotated[
    str | None,
    typer.Option("--prefix", help="how its topics and groups begin, for --backend external", callback=choose_prefix),
]
Named = Annotated[
    str, typer.Argument(help="a run: its path, its id (6 hex digits), a scenario's name (its latest run), or 'latest'")
]
Given = Annotated[list[str] | None, typer.Option("-p", "--parameter", help="name=value, may be repeated")]


def register(app: typer.Typer) -> None:
    """Add the commands of this module to the command line."""
    for command in (scenarios, show, replay, report):
        app.command()(command)


def scenarios(as_json: AsJson = False) -> None:
    """List the scenarios with their typed parameters and defaults."""
    from factorylab.scenarios.catalog import SCENARIOS
    from factorylab.scenarios.parameters import parameters

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


def show(run: Named) -> None:
    """Say in sentences what a run answers, then show its verdict on one screen."""
    from factorylab.analysis.predicted_words import compared
    from factorylab.audit.judged import load
    from factorylab.audit.model.verdict import panel
    from factorylab.audit.model.wording import block
    from factorylab.report import answer

    folder = run_folders.find(load_settings().results, run)
    loaded = load(folder.path)
    typer.echo("\n".join([*block(str(answer(loaded)), 0), ""]))
    typer.echo(panel(loaded.verdict))
    if shown := compared(loaded):
        typer.echo("\npredicted before the run, measured afterwards:")
    for row in shown:
        measured = f", measured {row['measured']}" if row["measured"] else ""
        of = f"fault {row['fault']}: " if len(loaded.scenario.faults) > 1 else ""
        typer.echo(f"  {row['outcome']:<14} {of}{row['quantity']} ({row['of']}): {row['predicted']}{measured}")
    typer.echo(f"\nfolder: {folder.path}")


def replay(run: Named, as_json: AsJson = False) -> None:
    """Judge a saved run again from its raw history; this needs no cluster."""
    from factorylab.scenarios.references import AGAIN, missing

    folder = run_folders.find(load_settings().results, run)
    before = folder.verdict
    was = before.read_bytes() if before.exists() else b""
    verdict = judge(folder).verdict
    say_verdict(verdict, folder, as_json=as_json)
    if was:
        say(
            "the same verdict as before, byte for byte"
            if was == before.read_bytes()
            else "the verdict is NOT the same as before"
        )
    if lacking := missing(folder.scenario()):
        say(f"{', '.join(lacking)}: {AGAIN}")
    raise typer.Exit(verdict.exit_code)


def report(
    run: Annotated[list[str] | None, typer.Argument(help="runs to show; default: the latest of each scenario")] = None,
) -> None:
    """Write results/report.html from saved runs."""
    from factorylab.api import saved_runs, write_report

    shown = saved_runs(run or [])
    say(f"report of {len(shown)} run(s): {write_report(shown, say)}")


def parse_parameters(given: list[str]) -> dict[str, Parameter]:
    """name=value pairs; a value is JSON where it reads as such, else text.

    Raises:
        UsageError: a pair has no "=", or a name is there twice.
    """
    found: dict[str, Parameter] = {}
    for pair in given:
        name, equals, text = pair.partition("=")
        if not equals or not name:
            raise UsageError(f"-p {pair!r}: write name=value")
        if name in found:
            raise UsageError(f"-p {pair!r}: {name} is given twice")
        try:
            found[name] = json.loads(text)
        except (ValueError, RecursionError):  # not JSON, or no number that Python reads: too many digits
            found[name] = text
    return found


def describe(job: Job) -> str:
    """The job as somebody would type it."""
    return " ".join([job.name, *(f"-p {name}={value}" for name, value in job.parameters.items())])


def judge(folder: run_folders.RunFolder) -> JudgedRun:
    """Judge a run; write its derived/verdict.json and derived/figures/, as far as its evidence can be drawn, its
    course, and the page of all runs, if it is one of them."""
    from factorylab.analysis.course import course
    from factorylab.audit.judged import load
    from factorylab.audit.kept_verdict import write_verdict
    from factorylab.history import sparkline
    from factorylab.report import answer, index_page
    from factorylab.report.plots import save

    loaded = load(folder.path)
    verdict = write_verdict(loaded)
    folder.answer.write_text("".join(f"{sentence}\n" for sentence in answer(loaded).sentences), encoding="utf-8")
    try:
        save(loaded, folder.figures)
        if found := course(loaded):
            sparkline.write(folder, found)
    except Exception as error:
        if all(check.verdict != "INVALID" for check in verdict.checks):
            raise
        say(f"figures are missing: {error}")
    loaded.release()
    results = load_settings().results
    if folder.path.is_relative_to(results):
        index_page.write(results)
    return loaded


def say_verdict(verdict: Verdict, folder: run_folders.RunFolder, *, as_json: bool) -> None:
    """One line for a person, or the whole verdict for a machine."""
    from factorylab.audit.model.verdict import one_line

    typer.echo(msgspec.json.encode(verdict).decode() if as_json else one_line(verdict))
    say(f"  {folder.path}")


def say(text: str) -> None:
    """News for a person; standard output is for results."""
    typer.secho(secret.clean(text), err=True, dim=True)
