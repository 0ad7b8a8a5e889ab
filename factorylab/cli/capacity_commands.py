"""The command `capacity`: the highest rate that is kept, found by a search."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import msgspec
import typer
from rich.console import Console
from rich.table import Table

from factorylab.cli.runs_commands import AsJson, Given, OnBackend, parse_parameters, say
from factorylab.cluster import folders, manage
from factorylab.cluster.settings import load_settings
from factorylab.core.errors import UsageError
from factorylab.core.exit_codes import INVALID

if TYPE_CHECKING:
    from collections.abc import Mapping

    from factorylab.analysis.capacity import Capacity
    from factorylab.execution.notebook_run import Parameter

Varied = Annotated[
    str | None,
    typer.Option("--vary", help="name=[value, …]: a search for each of the values, for example processors=[1,2,3]"),
]


def register(app: typer.Typer) -> None:
    """Add the command to the command line."""
    app.command()(capacity)


def capacity(parameter: Given = None, vary: Varied = None, backend: OnBackend = None, as_json: AsJson = False) -> None:
    """Find the highest rate that is kept: doubling, bisection, repeats, and what gave way at the next one."""
    from factorylab.execution.capacity import search
    from factorylab.scenarios.capacity import capacity_plan

    del backend  # the settings have it
    settings, given, choices = load_settings(), parse_parameters(parameter or []), variants(vary)
    plans = {words: capacity_plan(given | one) for words, one in choices.items()}  # refused before anything starts
    folders.of_results(settings).check()
    manage.check_free(settings.home)
    found = {}
    for words, plan in plans.items():
        if words:
            say(words)
        found[words] = search(plan, settings, say)
    if as_json:
        typer.echo(msgspec.json.encode(list(found.values())).decode())
    else:
        show(found)
    if any(one.answer.open for one in found.values()):
        raise typer.Exit(INVALID)


def variants(vary: str | None) -> dict[str, dict[str, Parameter]]:
    """The parameters of each search by the words that tell it from the others.

    Raises:
        UsageError: it names no list of values.
    """
    if vary is None:
        return {"": {}}
    ((name, values),) = parse_parameters([vary]).items()
    if not isinstance(values, list) or not values:
        raise UsageError(f'--vary {vary!r}: give a list of values, as processors=[1,2,3] or profile=["factory","safe"]')
    return {f"{name}={value}": {name: value} for value in values}


def show(found: Mapping[str, Capacity]) -> None:
    """A row a trial, then the answer of each search and what gave way."""
    for words, one in found.items():
        table = Table(
            "readings/s", "fleets", "outcome", "stored/s", "p50 s", "p99 s", "lag grew by/s", "run", title=words
        )
        for t in one.trials:
            numbers = (f"{t.stored_per_s:,.0f}", f"{t.p50_s:.3f}", f"{t.p99_s:.3f}", f"{t.lag_slope_per_s:,.0f}")
            table.add_row(f"{t.rate_per_s:,g}", str(t.fleets), t.outcome, *numbers, t.run_id)
        Console(width=110).print(table)
    for words, one in found.items():
        typer.echo(f"{words + ': ' if words else ''}{one.answer}")
        for line in one.gave_way:
            typer.echo(f"  {line}")
