"""The command `predict`: what a fault will cost, before it happens; and how often that was true so far."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

from factorylab.cli.runs_commands import AsJson, Given, OnBackend, parse_parameters, say
from factorylab.cluster.settings import load_settings
from factorylab.core.errors import UsageError

if TYPE_CHECKING:
    import pandas as pd

    from factorylab.scenarios.prediction.structures import Prediction

WIDTH = 150


def register(app: typer.Typer) -> None:
    """Add the command to the command line."""
    app.command()(predict)


def predict(
    scenario: Annotated[str | None, typer.Argument(help="a scenario's name, or its YAML file")] = None,
    parameter: Given = None,
    backend: OnBackend = None,
    calibration: Annotated[
        bool, typer.Option("--calibration", help="how often the saved runs' predictions held")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Say what a scenario's faults will cost: an interval for each phase and the whole. Nothing is started."""
    del backend  # the settings have it
    if calibration == bool(scenario):
        raise UsageError("name a scenario, as in 'factorylab predict broker_loss', or take --calibration alone")
    if calibration:
        _calibrate(as_json=as_json)
        return
    from factorylab.execution.notebook_run import Job
    from factorylab.execution.perform import predict as foretold

    told = foretold(Job(str(scenario), parse_parameters(parameter or [])).scenario(), load_settings())
    if as_json:
        typer.echo(told.encoded().decode(), nl=False)
    else:
        show(told)


def show(told: Prediction) -> None:
    """A table of what is expected, and what it rests on."""
    from factorylab.analysis.predicted_words import expectations

    if not told.faults:
        typer.echo(f"{told.scenario} has no fault: there is nothing to predict")
        return
    tell(expectations(told), f"{told.scenario} on {told.backend}: {told.coverage:.0%} of runs should lie within")
    if told.inputs:
        rows = [(one.owner, one.name, one.value, one.source) for one in told.inputs]
        table = Table("of", "setting", "value", "set by", title="computed from")
        for row in rows:
            table.add_row(*row)
        Console(width=WIDTH).print(table)


def tell(frame: pd.DataFrame, title: str) -> None:
    """A frame of text as a table."""
    table = Table(*frame.columns, title=title)
    for row in frame.itertuples(index=False):
        table.add_row(*map(str, row))
    Console(width=WIDTH).print(table)


def _calibrate(*, as_json: bool) -> None:
    from factorylab.analysis.calibration import calibration, observations, with_prediction
    from factorylab.analysis.predicted_words import calibration_words, inside_by_model
    from factorylab.audit.kept_verdict import verdict_in
    from factorylab.history import run_folders

    results = load_settings().results
    folders = with_prediction(run_folders.list_runs(results))
    with typer.progressbar(folders, file=sys.stderr, label="runs", hidden=not folders) as each:
        found = calibration(observations(each, lambda folder: verdict_in(folder).verdict, say))
    if as_json:
        typer.echo(found.to_json(orient="records", indent=2))
    elif found.empty:
        say(f"no run under {results} has a prediction yet: 'factorylab run broker_loss' writes one")
    else:
        tell(calibration_words(found), f"how often the truth was inside: {inside_by_model(found)}")
