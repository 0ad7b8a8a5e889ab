"""The command `witness`: the life of one reading that shows what a run's verdict found."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import msgspec
import typer

from factorylab.cli_runs import AsJson, Named, say
from factorylab.errors import UsageError
from factorylab.settings import load_settings


def register(app: typer.Typer) -> None:
    """Add the command to the command line."""
    app.command()(witness)


def witness(
    run: Named,
    check: Annotated[str, typer.Option("--check", help="the finding to show; default: the worst")] = "",
    export: Annotated[
        Path | None, typer.Option("--export", help="write it as a history of a few rows with a test, to this folder")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """The life of one reading that was lost, doubled or else: step by step, with the table that says so."""
    from factorylab import runs
    from factorylab.audit.extract import extract
    from factorylab.audit.judged import load
    from factorylab.audit.life import life_of_witness
    from factorylab.audit.registry import Evidence
    from factorylab.audit.wording import life_lines

    loaded = load(runs.find(load_settings().results, run).path)
    life = life_of_witness(Evidence(loaded), loaded.verdict.checks, check)
    if life is None:
        found = ", ".join(c.name for c in loaded.verdict.fired) or "nothing"
        raise UsageError(f"no reading shows {check or 'what was found'}: the checks that fired are: {found}")
    typer.echo(msgspec.json.encode(life).decode() if as_json else "\n".join(life_lines(life)))
    if export is not None:
        extract(loaded, life, export)
        say(f"{export}: a history of these rows with a test, which finds {life.check} in it: pytest {export}")
