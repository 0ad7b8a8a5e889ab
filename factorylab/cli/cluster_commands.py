"""Commands about the lab itself: up, down, status, logs, heal, doctor."""

from __future__ import annotations

import dataclasses
import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from factorylab.cli.live_commands import WithPage, is_wanted
from factorylab.cli.runs_commands import OnBackend, say
from factorylab.cluster.settings import left_out, load_settings
from factorylab.core.errors import EnvironmentUnfit, UsageError
from factorylab.core.kafka_versions import DEFAULT_KAFKA, KafkaVersion
from factorylab.history import run_folders

if TYPE_CHECKING:
    from factorylab.cluster.base import Progress

AsJson = Annotated[bool, typer.Option("--json", help="print JSON for machines")]


def register(app: typer.Typer) -> None:
    """Add the commands of this module to the application."""
    for command in (up, down, status, logs, heal, doctor):
        app.command()(command)


@contextmanager
def progress_bar() -> Iterator[Progress]:
    """A progress to hand to whatever takes long: a bar on a terminal, plain lines elsewhere."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal) as bars:
        tasks: dict[str, object] = {}

        def report(what: str, done: int, total: int) -> None:
            if total == 0:
                console.print(what, highlight=False)
                return
            if what not in tasks:
                tasks[what] = bars.add_task(what, total=total)
                if not console.is_terminal:
                    console.print(f"{what} …", highlight=False)
            bars.update(tasks[what], completed=done, total=total)  # type: ignore[arg-type]

        yield report


def up(  # noqa: PLR0917 (typer's options)
    backend: OnBackend = None,
    isolated: Annotated[
        bool, typer.Option("--isolated", help="give each node its own network, so that it can be cut")
    ] = False,
    small_disk: Annotated[
        bool, typer.Option("--small-disk", help="put the tables on a small disk, so that it can be filled")
    ] = False,
    kafka: Annotated[
        KafkaVersion | None, typer.Option("--kafka", help=f"version of the brokers; a new lab's is {DEFAULT_KAFKA}")
    ] = None,
    factory: Annotated[
        bool, typer.Option("--factory", help="also start a fleet for each kind of sensor and two processors")
    ] = False,
    live: WithPage = None,
) -> None:
    """Start three brokers and PostgreSQL with the factory's topics and tables, and leave them up."""
    from factorylab.cluster.backends import bring_up
    from factorylab.cluster.kafka_version import kafka_version
    from factorylab.execution.setup import create_topics_and_tables
    from factorylab.operations import standing_factory
    from factorylab.scenarios.model import Topology

    del backend  # the settings have it
    settings = load_settings()
    with progress_bar() as progress:
        cluster = bring_up(
            settings, isolated=isolated, small_disk=small_disk, kafka=kafka, keep=True, progress=progress
        )
        if factory:
            if unheeded := left_out():
                progress(unheeded, 0, 0)
            progress("the factory", 0, 1)
            standing_factory.start(cluster, settings.home)
            progress("the factory", 1, 1)
        else:
            create_topics_and_tables(cluster.endpoints, Topology(), settings.reader_password)
    word = "is up already" if cluster.was_up else "is up"
    version = kafka_version(cluster.log_files())
    where = cluster.endpoints.bootstrap
    typer.echo(f"The lab in {settings.home} {word} (backend {cluster.backend}): Kafka {version} at {where}")
    if is_wanted(live):
        from factorylab.operations.live.beside import stay

        typer.echo(f"Live page: {stay(settings.home)}")
    typer.echo(
        "Next: 'factorylab run broker_loss --keep' uses it, 'factorylab status' shows it, 'factorylab down' ends it."
    )
    cluster.close(keep=True)


def down(
    force: Annotated[bool, typer.Option("--force", help="stop the lab even while another process uses it")] = False,
) -> None:
    """Stop the lab and clean up after earlier ones. Runs and results stay."""
    from factorylab.cluster import manage

    home = load_settings().home
    ended = manage.down(home, force=force)
    typer.echo(f"Ended {', '.join(ended)}." if ended else f"No lab was up in {home}; there was nothing to stop.")
    typer.echo("Next: 'factorylab up' starts a fresh one; 'factorylab runs' lists what was measured.")


def status(as_json: AsJson = False) -> None:
    """Show the state of each node as the operating system sees it."""
    from factorylab.cluster import boot, manage
    from factorylab.cluster.base import INFRASTRUCTURE, LogFile
    from factorylab.cluster.kafka_version import kafka_version
    from factorylab.operations.live.beside import still_served

    home = load_settings().home
    seen = manage.look(home)
    kafka = kafka_version(LogFile(node.name, Path(node.log), 0) for node in seen)
    if as_json:
        bootstrap = boot.known_endpoints(home).bootstrap if seen else None
        nodes = [dataclasses.asdict(node) for node in seen]
        found = {"home": str(home), "up": bool(seen), "kafka": kafka if seen else None, "bootstrap": bootstrap}
        found |= {"nodes": nodes}
        typer.echo(json.dumps(found, indent=2))
        return
    if not seen:
        typer.echo(
            f"No lab is up in {home}. Next: 'factorylab up', or 'factorylab run …', which starts one for itself."
        )
        return
    typer.echo(f"{'node':<19}{'status':<10}{'exit code':>9}{'pid':>9}{'memory':>10}")
    for node in seen:
        code, pid = ("" if value is None else value for value in (node.exit_code, node.pid))
        typer.echo(f"{node.name:<19}{node.status:<10}{code:>9}{pid:>9}{node.rss_mb:>7} MB")
    for node in filter(lambda node: node.metrics, seen):
        typer.echo(f"metrics of {node.name}: {node.metrics}")
    if page := still_served(home):
        typer.echo(f"live page: {page}")
    typer.echo(f"Kafka {kafka}: {boot.known_endpoints(home).bootstrap}")
    typer.echo(f"PostgreSQL: address and password are in {home / boot.ENDPOINTS}")
    # A worker that is dead belongs to a run, which judges it: nothing to heal.
    if any(node.status == "paused" or (node.status == "dead" and node.role in INFRASTRUCTURE) for node in seen):
        typer.echo("Next: 'factorylab heal' resumes paused nodes and starts dead ones.")


def logs(  # noqa: PLR0917 (typer's options)
    run: Annotated[
        str | None, typer.Argument(help="a run (its path, run id or 'latest'); default: the lab that is up")
    ] = None,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="keep printing new lines until the lab stops")] = False,
    level: Annotated[
        str, typer.Option(help="the lowest level to show: debug, info, warning, error, critical")
    ] = "info",
    worker: Annotated[
        str | None, typer.Option(help="only nodes whose name starts with this: broker, processor-0")
    ] = None,
    grep: Annotated[str | None, typer.Option(help="only lines that match this regular expression")] = None,
    correlation: Annotated[str | None, typer.Option(help="only lines with this correlation id: SENSOR:SEQ")] = None,
) -> None:
    """Show the logs of all processes or containers, merged by time."""
    import re

    from factorylab.cluster import merged_logs as reading

    if level not in reading.LEVELS:
        raise UsageError(f"there is no level {level!r}: choose one of {', '.join(reading.LEVELS)}")
    if grep and correlation:
        raise UsageError("--grep and --correlation exclude each other: give one of them")
    try:
        choose = reading.chooser(level, worker, reading.whole_word(correlation) if correlation else grep)
    except re.error as error:
        raise UsageError(f"--grep {grep!r} is not a regular expression: {error}") from None
    if follow and run is not None:
        raise UsageError("a saved run gets no new lines: --follow is for the lab that is up")
    if follow:
        if not logs_of_lab():
            raise EnvironmentUnfit(f"no lab is up in {load_settings().home}: 'make start' starts one")
        for line in reading.followed(logs_of_lab, choose):
            sys.stdout.write(line.show() + "\n")
            sys.stdout.flush()
        say("the lab has stopped")
        return
    paths = _log_paths(run)
    found = False
    for line in reading.merged(paths, choose):
        sys.stdout.write(line.show() + "\n")
        found = True
    if not found:
        say(f"nothing found: {reading.why_nothing(paths, level, worker)}")


def _log_paths(run: str | None) -> list[Path]:
    """Those of a run, of the lab that is up, or of the last one, which is said.

    Raises:
        UsageError: there are none.
    """
    settings = load_settings()
    if run is not None:
        if kept := sorted(p for p in run_folders.find(settings.results, run).logs.glob("*") if p.is_file()):
            return kept
        raise UsageError(f"the run {run} has no logs: its folder raw/logs is empty or gone")
    if paths := logs_of_lab():
        return paths
    if last := sorted((settings.home / "logs").glob("*.*")):
        say(f"no lab is up in {settings.home}: these are the logs of the last one")
        return last
    raise UsageError(f"no logs: no lab was ever up in {settings.home}: 'make start', or name a run ('factorylab runs')")


def logs_of_lab() -> list[Path]:
    """The logs of every node of the lab that is up, and of those that it does not have any more; none where none is."""
    from factorylab.cluster import manage

    home = load_settings().home
    of_nodes = {Path(node.log) for node in manage.look(home)}
    return sorted(of_nodes | {*(home / "logs").glob("*.*")}) if of_nodes else []


def heal() -> None:
    """Undo every fault: resume paused nodes, start dead ones, end open transactions of processors that are dead."""
    from factorylab.cluster import manage, open_transactions

    home = load_settings().home
    done = manage.heal(home)
    typer.echo("\n".join(done) if done else "Nothing was paused and nothing was dead.")
    if ended := open_transactions.end(home):
        typer.echo("\n".join(ended))
    typer.echo("Next: 'factorylab status' shows the nodes; a restarted broker needs some seconds to be in sync again.")


def doctor(as_json: AsJson = False) -> None:
    """Check what this machine can run, what is missing, and how to get it."""
    from factorylab.operations import doctor as checks

    findings = checks.examine(load_settings())
    if as_json:
        typer.echo(json.dumps([dataclasses.asdict(finding) for finding in findings], indent=2))
    else:
        for finding in findings:
            mark = {True: "ok", False: "MISSING", None: "-"}[finding.ok]
            hint = "" if finding.ok else f": {finding.way_out}"
            typer.echo(f"{mark:<9}{finding.what:<17}{finding.found}{hint}")
    if code := checks.worst(findings):
        raise typer.Exit(code)
