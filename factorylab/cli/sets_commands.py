"""The commands `summary` and `compare`: what several runs say together."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import msgspec
import typer

from factorylab.cli.runs_commands import AsJson, say
from factorylab.cluster.settings import load_settings

if TYPE_CHECKING:
    from factorylab.audit.sets.run_set import RunSet

SET = (
    "runs: a run (its path, its id of 6 hex digits, or 'latest'), a scenario's name (all of its runs), a batch "
    "('batch-quick'), a folder of runs, or several of these with commas; @name=value keeps those with this condition"
)
Quantities = Annotated[
    list[str] | None,
    typer.Option("--quantity", "-q", help="only this quantity, such as recovery or ack_gap.1; may be repeated"),
]
Every = Annotated[bool, typer.Option("--all", help="all quantities, not the usual ones alone")]


def register(app: typer.Typer) -> None:
    """Add the commands of this module to the command line."""
    for command in (summary,):
        app.command()(command)


def summary(
    runs: Annotated[list[str] | None, typer.Argument(help=f"{SET}; default: all runs under results/")] = None,
    quantity: Quantities = None,
    every: Every = False,
    as_json: AsJson = False,
) -> None:
    """Show median, interval, range and censoring of each quantity, by scenario and parameters."""
    from factorylab.audit.sets.summary import summary as summed
    from factorylab.audit.sets.summary import table

    sets = [one for word in runs or [str(load_settings().results)] for one in named(word)]
    told = [summed(one, names([one], quantity, every)) for one in sets]
    if as_json:
        typer.echo(msgspec.json.format(msgspec.json.encode(told)).decode())
    else:
        typer.echo("\n\n".join(map(table, told)))


def names(sets: list[RunSet], asked: list[str] | None, every: bool) -> list[str]:
    """The quantities to show.

    Raises:
        UsageError: one that was asked for does not exist.
    """
    from factorylab.audit.sets.quantities import known
    from factorylab.audit.sets.summary import default_names

    for name in asked or []:
        known(name)
    return list(dict.fromkeys(asked)) if asked else default_names(sets, every)


def named(words: str) -> list[RunSet]:
    """The runs that were typed, by cell.

    Raises:
        UsageError: there is none, or a condition is unknown.
    """
    from factorylab.api import runs_of
    from factorylab.audit.sets.run_set import by_cell

    runs, conditions = runs_of(words)
    return by_cell(runs, conditions, say)
