"""The command `live`: the page of a lab that is up, or of a finished run."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from factorylab.cli.runs_commands import say
from factorylab.cluster.settings import load_settings
from factorylab.history import run_folders

WithPage = Annotated[
    bool | None,
    typer.Option("--live/--no-live", help="serve the live page meanwhile; default: where a person looks at a terminal"),
]


@contextmanager
def page_beside(wanted: bool | None, home: Path) -> Iterator[None]:
    """The live page as long as the context lasts, where it is wanted."""
    if not is_wanted(wanted):
        yield
        return
    from factorylab.operations.live.beside import beside

    with beside(home, say):
        yield


def is_wanted(wanted: bool | None) -> bool:
    """Tests, CI and scripts have no terminal, and pay for no page."""
    return sys.stderr.isatty() if wanted is None else wanted


def register(app: typer.Typer) -> None:
    """Add the command to the command line."""
    app.command()(live)


def live(
    port: Annotated[int, typer.Option("--port", min=0, max=65_535, help="of loopback; 0: any free one")] = 0,
    read_only: Annotated[bool, typer.Option("--read-only", help="without the buttons that break and heal")] = False,
    replay: Annotated[
        str | None, typer.Option("--replay", help="a finished run (path, run id, 'latest'): one HTML file, no server")
    ] = None,
    out: Annotated[Path | None, typer.Option("--out", help="with --replay: the file; default: in its derived/")] = None,
) -> None:
    """Show the lab in a browser, also one that is yet to come, until Ctrl-C; or write the page of a finished run."""
    settings = load_settings()
    if replay is not None:
        from factorylab.operations.live.replay import write_page

        folder = run_folders.find(settings.results, replay)
        typer.echo(write_page(folder, out or folder.derived / "live.html"))
        return
    from factorylab.operations.live import serve
    from factorylab.operations.live.beside import address
    from factorylab.operations.live.server import LivePage

    listening = serve.bound(port)
    typer.echo(address(listening))
    say(f"the lab in {settings.home}, until Ctrl-C; Prometheus may ask /metrics")
    serve.serve(LivePage(settings.home, read_only=read_only), listening)
