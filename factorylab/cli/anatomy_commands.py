"""The command `anatomy`: the stalls of a run, cut into phases."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from factorylab.cli.runs_commands import AsJson, Named
from factorylab.cluster.settings import load_settings


def register(app: typer.Typer) -> None:
    """Add the command to the command line."""
    app.command()(anatomy)


def anatomy(
    run: Named,
    partition: Annotated[int | None, typer.Option("--partition", help="only this one; default: all of them")] = None,
    as_json: AsJson = False,
) -> None:
    """Show why each stall took so long: its phases, what each was taken from, and the setting of the slowest."""
    from factorylab.audit.judged import load
    from factorylab.history import run_folders
    from factorylab.report.anatomy_words import lines, records

    loaded = load(run_folders.find(load_settings().results, run).path)
    typer.echo(json.dumps(records(loaded, partition), indent=2) if as_json else "\n".join(lines(loaded, partition)))
