"""The command `trace`: the way of one reading from the sensor to its alerts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import msgspec
import typer

from factorylab.cli.runs_commands import AsJson, Named
from factorylab.cluster.settings import load_settings
from factorylab.core.errors import EnvironmentUnfit

if TYPE_CHECKING:
    from factorylab.analysis.trace_steps import Trace


def register(app: typer.Typer) -> None:
    """Add the command to the command line."""
    app.command()(trace)


def trace(
    sensor: Annotated[str, typer.Argument(help="a sensor's id, for example temperature-00003")],
    seq: Annotated[int, typer.Argument(help="the sequence number of the reading, from 0", min=0, max=2**63 - 1)],
    run: Annotated[str | None, typer.Option("--run", help="a saved run; default: the lab that is up")] = None,
    as_json: AsJson = False,
) -> None:
    """Follow one reading: sent, acked, partition and offset, read by, stored, alerts, with times and gaps."""
    found = _of_lab(sensor, seq) if run is None else _of_run(run, sensor, seq)
    if as_json:
        typer.echo(msgspec.json.encode(found).decode())
    else:
        typer.echo("\n".join(found.lines()))


def _of_run(run: Named, sensor: str, seq: int) -> Trace:
    from factorylab.analysis.trace import trace as way
    from factorylab.audit.judged import load
    from factorylab.history import run_folders

    return way(load(run_folders.find(load_settings().results, run).path), sensor, seq)


def _of_lab(sensor: str, seq: int) -> Trace:
    from factorylab.cli.cluster_commands import logs_of_lab
    from factorylab.cluster import boot
    from factorylab.core.names import Names
    from factorylab.operations import live_trace

    home = load_settings().home
    files = logs_of_lab()
    if not files:
        raise EnvironmentUnfit(f"no lab is up in {home}: 'make start', or name a saved run with --run (--run latest)")
    return live_trace.trace(boot.known_endpoints(home), Names.of(), files, sensor, seq)
