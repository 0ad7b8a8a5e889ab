"""The commands `record`, results of runs in a file that git holds, and `behaviour`, the page that is made of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from factorylab.cli.runs_commands import say
from factorylab.cluster.settings import load_settings
from factorylab.core.errors import ScenarioError, UsageError
from factorylab.history import batch_record, campaign_file

if TYPE_CHECKING:
    from factorylab.audit.judged import JudgedRun
    from factorylab.audit.sets.recorded import RecordedRun
    from factorylab.history.campaign_file import Experiment, RunRow


def register(app: typer.Typer) -> None:
    """Add the commands of this module to the command line."""
    for command in (record, behaviour):
        app.command()(command)


def record(
    name: Annotated[str, typer.Argument(help="of the campaign, for example failover")],
    runs: Annotated[
        list[str] | None, typer.Argument(help="runs, as 'factorylab summary' takes them; default: batch-NAME")
    ] = None,
    to: Annotated[Path | None, typer.Option("--to", help="the file; default: results/campaigns/NAME.jsonl")] = None,
) -> None:
    """Keep verdict, conditions and quantities of finished runs, one line each, in a file that git holds.

    Runs that are in the file stay there; one that is recorded again replaces its line.
    """
    from factorylab.api import load_all

    results = load_settings().results
    path = to or campaign_file.path_of(results, name)
    if path.suffix != campaign_file.ENDING:
        raise UsageError(f"--to {path}: the file of a campaign ends in {campaign_file.ENDING}")
    before = campaign_file.read(path) if path.exists() else campaign_file.CampaignFile()
    words = runs or [batch_record.path_of(results, name).stem]
    found = {run.folder.path.name: run for word in words for run in load_all(word)}
    rows = list(_rows(found.values()))
    after = before.joined(rows)
    campaign_file.write(path, after)
    new = len(after.runs) - len(before.runs)
    say(f"{path}: {len(after.runs)} runs, {new} of them new, {len(rows) - new} recorded anew")


def behaviour(
    to: Annotated[Path | None, typer.Option("--to", help="write the page into this file; default: show it")] = None,
) -> None:
    """Hold what people expect of Kafka against the recorded campaigns: the page docs/behaviour.md."""
    from factorylab.report.behaviour import page

    text = page(recorded)
    if to is None:
        typer.echo(text, nl=False)
    else:
        to.write_text(text, encoding="utf-8")
        say(f"{to}: written")


def recorded(campaign: str) -> list[RecordedRun]:
    """The runs of a campaign under results/; none where it was not recorded."""
    from factorylab.audit.sets.recorded import recorded_runs

    path = campaign_file.path_of(load_settings().results, campaign)
    return recorded_runs(campaign_file.read(path)) if path.exists() else []


def _rows(runs: Iterable[JudgedRun]) -> Iterator[tuple[Experiment, RunRow]]:
    from factorylab.audit.sets.recorded import row_of

    for run in runs:
        say(f"judging {run.folder.path.name}")
        try:
            yield row_of(run)
        except ScenarioError as error:
            say(f"left out: {error}")
        run.release()
