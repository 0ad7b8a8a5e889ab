"""The command `witness`: the life of one reading that shows what a run's verdict found."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import msgspec
import typer

from factorylab.cli.runs_commands import AsJson, Named, say
from factorylab.cluster.settings import load_settings
from factorylab.core.errors import UsageError


def register(app: typer.Typer) -> None:
    """Add the command to the command line."""
    app.command()(witness)


def witness(
    run: Named,
    check: Annotated[str, typer.Option("--check", help="the finding to show; default: the worst")] = "",
    export: Annotated[
        Path | None, typer.Option("--export", help="write it to this folder: a history of a few rows with a test")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show the life of one reading that was lost, duplicated or otherwise wrong, step by step with its evidence."""
    from factorylab.audit.explain.life import life_of_witness
    from factorylab.audit.extract import extract
    from factorylab.audit.judged import load
    from factorylab.audit.model.registry import Evidence
    from factorylab.audit.model.wording import life_lines
    from factorylab.history import run_folders

    loaded = load(run_folders.find(load_settings().results, run).path)
    life = life_of_witness(Evidence(loaded), loaded.verdict.checks, check)
    if life is None:
        found = ", ".join(c.name for c in loaded.verdict.fired) or "nothing"
        raise UsageError(f"no reading shows {check or 'what was found'}: the checks that fired are: {found}")
    typer.echo(msgspec.json.encode(life).decode() if as_json else "\n".join(life_lines(life)))
    if export is not None:
        extract(loaded, life, export)
        say(f"{export}: a history of these rows with a test, which finds {life.check} in it: pytest {export}")
