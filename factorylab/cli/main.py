"""The command `factorylab`. Thin: it parses words, calls the library and turns the outcome into an exit code.

Exit codes: 0 the declared expectation was met; not met by 1 FAIL, 3 NOT_DRAINED, 4 INVALID; 2 wrong usage;
5 this machine cannot run it; 130 interrupted.
"""

from __future__ import annotations

import sys
from typing import Annotated, Any

import typer
import typer.core

from factorylab import __version__
from factorylab.cli import (
    anatomy_commands,
    batch_commands,
    campaign_commands,
    capacity_commands,
    check_commands,
    cluster_commands,
    connect_commands,
    database_commands,
    dead_letters_commands,
    export_command,
    fault_commands,
    judge_commands,
    live_commands,
    observe_commands,
    predict_commands,
    run_list_command,
    runs_commands,
    score_commands,
    sets_commands,
    trace_commands,
    watch_commands,
    witness_commands,
)
from factorylab.cluster.settings import load_settings
from factorylab.core import environment, secret
from factorylab.core.errors import LabError, NoRoom, refused
from factorylab.core.exit_codes import INTERRUPTED
from factorylab.execution.interrupt import settled

DRIVERS = {"up", "run", "judge", "batch", "capacity", "check", "fault"}


class Interruptible(typer.core.TyperGroup):
    """A command that was interrupted says how it leaves the lab. Typer itself ends without a word."""

    def invoke(self, ctx: Any) -> Any:  # typer's own type of it is private
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            pass  # what its frames hold, a lease among it, is let go before we look
        left = settled(load_settings().home) if ctx.invoked_subcommand in DRIVERS else ""
        typer.secho("; ".join(filter(None, ("interrupted", left))), err=True, fg=typer.colors.YELLOW)
        raise typer.Exit(INTERRUPTED)


app = typer.Typer(
    name="factorylab",
    cls=Interruptible,
    help="Break a real Kafka cluster on purpose and learn, with evidence, what was lost, for how long, and why.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
cluster_commands.register(app)
runs_commands.register(app)
run_list_command.register(app)
export_command.register(app)
sets_commands.register(app)
score_commands.register(app)
batch_commands.register(app)
campaign_commands.register(app)
capacity_commands.register(app)
fault_commands.register(app)
predict_commands.register(app)
check_commands.register(app)
connect_commands.register(app)
judge_commands.register(app)
observe_commands.register(app)
database_commands.register(app)
dead_letters_commands.register(app)
trace_commands.register(app)
witness_commands.register(app)
anatomy_commands.register(app)
watch_commands.register(app)
live_commands.register(app)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"factorylab {__version__}")
        raise typer.Exit


@app.callback()
def options(
    debug: Annotated[bool, typer.Option("--debug", help="show the traceback when a command fails")] = False,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="say it and end")
    ] = False,
) -> None:
    """Options of every command."""
    del version  # it was said
    _debug.append(debug)


_debug: list[bool] = []


def main() -> None:
    """Entry point: errors become one message and an exit code; secrets are shown in neither form."""
    secret.guard_tracebacks()
    environment.forget_foreign()
    try:
        app()
    except (LabError, OSError, NoRoom) as problem:
        if any(_debug):
            raise
        error = as_error(problem)
        typer.secho(f"error: {error}", err=True, fg=typer.colors.RED)
        sys.exit(error.exit_code)


def as_error(problem: LabError | OSError | NoRoom) -> LabError:
    """What a command ended with, as an error of the lab."""
    if isinstance(problem, OSError):
        return refused(problem)
    return problem.as_error() if isinstance(problem, NoRoom) else problem
