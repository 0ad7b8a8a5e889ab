"""The command `factorylab`. Thin: it parses words, calls the library and turns the outcome into an exit code.

Exit codes: 0 the declared expectation was met; not met by 1 FAIL, 3 NOT_DRAINED, 4 INVALID; 2 wrong usage;
5 this machine cannot run it; 130 interrupted.
"""

from __future__ import annotations

import sys
from typing import Annotated, Any

import typer
import typer.core

from factorylab import (
    cli_batch,
    cli_cluster,
    cli_database,
    cli_fault,
    cli_letters,
    cli_runs,
    cli_score,
    cli_trace,
    cli_watch,
    cli_witness,
    environment,
    secret,
)
from factorylab.errors import LabError, refused
from factorylab.exit_codes import INTERRUPTED
from factorylab.interrupt import settle
from factorylab.settings import load_settings

DRIVERS = {"up", "run", "batch", "fault"}


class Interruptible(typer.core.TyperGroup):
    """A command that was interrupted says how it leaves the lab. Typer itself ends without a word."""

    def invoke(self, ctx: Any) -> Any:  # typer's own type of it is private
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            pass  # what its frames hold, a lease among it, is let go before we look
        left = settled() if ctx.invoked_subcommand in DRIVERS else ""
        typer.secho("; ".join(filter(None, ("interrupted", left))), err=True, fg=typer.colors.YELLOW)
        raise typer.Exit(INTERRUPTED)


def settled() -> str:
    """How the lab is left; whoever is in a hurry is told who goes on."""
    try:
        return settle(load_settings().home)
    except KeyboardInterrupt:
        return "the lab's supervisor goes on to heal and stop it: 'factorylab status' shows how far it is"


app = typer.Typer(
    name="factorylab",
    cls=Interruptible,
    help="Break a real Kafka cluster on purpose and learn, with evidence, what was lost, for how long, and why.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
cli_cluster.register(app)
cli_runs.register(app)
cli_score.register(app)
cli_batch.register(app)
cli_fault.register(app)
cli_database.register(app)
cli_letters.register(app)
cli_trace.register(app)
cli_witness.register(app)
cli_watch.register(app)


@app.callback()
def options(debug: Annotated[bool, typer.Option("--debug", help="show the traceback of an error")] = False) -> None:
    """Options of every command."""
    _debug.append(debug)


_debug: list[bool] = []


def main() -> None:
    """Entry point: errors become one message and an exit code; secrets are shown in neither form."""
    secret.guard_tracebacks()
    environment.forget_foreign()
    try:
        app()
    except (LabError, OSError) as problem:
        if any(_debug):
            raise
        error = refused(problem) if isinstance(problem, OSError) else problem
        typer.secho(f"error: {error}", err=True, fg=typer.colors.RED)
        sys.exit(error.exit_code)
