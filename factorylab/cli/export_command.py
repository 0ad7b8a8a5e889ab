"""The command `export`: what a course or a review asks for, from saved runs."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from factorylab.cli.runs_commands import say


def register(app: typer.Typer) -> None:
    """Add the command to the command line."""
    app.command()(export)


def export(
    out: Annotated[Path, typer.Argument(metavar="FOLDER|ZIP", help="a folder that is not there yet, or a file *.zip")],
    run: Annotated[
        list[str] | None, typer.Argument(help="runs to hand in; default: the latest of each scenario")
    ] = None,
    junit: Annotated[
        Path | None, typer.Option("--junit", help="also tell the outcome of the software's own tests by this file")
    ] = None,
    no_pdf: Annotated[bool, typer.Option("--no-pdf", help="leave out the PDF, which is the largest part")] = False,
    no_pictures: Annotated[
        bool, typer.Option("--no-pictures", help="leave out screenshots and screen recordings, which take longest")
    ] = False,
) -> None:
    """Make what a course or a review asks for: report, figures, annotated logs, live page, checksums."""
    from factorylab.api import saved_runs
    from factorylab.operations.live.handed_in import live_page
    from factorylab.report.hand_in import package
    from factorylab.report.hand_in.contents import contents
    from factorylab.report.hand_in.junit import outcome

    package.check_free(out)
    tested = outcome(junit) if junit else []
    show = partial(live_page, with_pictures=not no_pictures)
    files = contents(saved_runs(run or []), tested, show, say, with_pdf=not no_pdf)
    package.write(files, out)
    say(f"{len(files)} files, {sum(map(len, files.values())) / 1e6:.1f} MB; check them with 'sha256sum -c SHA256SUMS'")
    typer.echo(out)
