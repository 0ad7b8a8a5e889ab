"""The command `score`: detectors against recordings of real machines."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from factorylab.cli.raw_vibration_commands import (
    HealthyFiles,
    LoadColumn,
    RateHz,
    WindowSize,
    refuse,
    score_raw_vibration,
    wanted_of,
)
from factorylab.cli.runs_commands import AsJson, Given, parse_parameters, say
from factorylab.core.errors import UsageError

if TYPE_CHECKING:
    import pandas as pd

    from factorylab.detectors.evaluation.score_table import Judged
    from factorylab.detectors.recordings.layout import Columns, Layout
    from factorylab.detectors.recordings.recording import Recording

LabelColumn = Annotated[
    str | None, typer.Option(help="0 or 1 for each row; default: anomaly or label; of a rig: cooler, valve …")
]
FaultyValues = Annotated[
    list[str] | None,
    typer.Option(help="a value of the label that means a fault; default: 1. With --rate-hz: the faulty files"),
]
Machines = Annotated[
    str | None,
    typer.Option(help="the column that names the machine where a file holds several; COLUMN=MACHINE picks one"),
]


def register(app: typer.Typer) -> None:
    """Add the command of this module to the command line."""
    app.command()(score)


def score(  # noqa: PLR0917 (typer's options)
    files: Annotated[
        list[Path] | None, typer.Argument(help="recordings: .csv files, folders of them, or a hydraulic rig's folder")
    ] = None,
    detector: Annotated[
        str | None,
        typer.Option(help="a detector, or several as a+b; default: chart for several columns, else level+spike"),
    ] = None,
    parameter: Given = None,
    time_column: Annotated[
        str | None, typer.Option(help="the times, or date and clock as Date+Time; default: found by name")
    ] = None,
    value_column: Annotated[list[str] | None, typer.Option(help="a measurement, may be repeated; default: all")] = None,
    label_column: LabelColumn = None,
    faulty: FaultyValues = None,
    windows: Annotated[Path | None, typer.Option(help="faulty times: JSON by file, or a table: start,end")] = None,
    by: Machines = None,
    missing: Annotated[list[str] | None, typer.Option(help="a value that means “no reading”, may be repeated")] = None,
    time_zone: Annotated[str | None, typer.Option(help="zone of times without an offset; default: UTC")] = None,
    date_order: Annotated[str | None, typer.Option(help="dmy, mdy or ymd, where dates are ambiguous")] = None,
    decimal: Annotated[str | None, typer.Option(help="'.' or ',', where numbers are ambiguous")] = None,
    encoding: Annotated[str | None, typer.Option(help="if it is neither UTF-8 nor cp1252")] = None,
    no_header: Annotated[bool, typer.Option("--no-header", help="columns are called 1, 2, …")] = False,
    interval: Annotated[str | None, typer.Option(help="time between rows that have no times: 15min, 1s …")] = None,
    start: Annotated[str | None, typer.Option(help="time of the first row, with --interval")] = None,
    rate_hz: RateHz = None,
    window: WindowSize = None,
    healthy: HealthyFiles = None,
    load_column: LoadColumn = None,
    plant: Annotated[int, typer.Option(min=0, help="known faults to plant in recordings without labels")] = 0,
    seed: Annotated[int, typer.Option(help="seed of the planted faults")] = 1,
    part: Annotated[str, typer.Option(help="rows that count: all, first-half, second-half")] = "all",
    data: Annotated[Path | None, typer.Option(help="the folder of known recordings: score them all")] = None,
    parameters: Annotated[bool, typer.Option("--parameters", help="list the detectors' parameters")] = False,
    as_json: AsJson = False,
) -> None:
    """Score detectors on recordings of real machines, against simple baselines in the same table."""
    if parameters:
        _show_parameters(as_json)
    elif data is not None:
        _show_suite(data, as_json)
    elif files:
        from factorylab.detectors.recordings.layout import Columns, layout_from

        columns = Columns(time_column, tuple(value_column or ()), label_column, tuple(faulty or ()))
        layout = layout_from(
            header=not no_header, interval=interval, start=start, time_zone=time_zone, date_order=date_order,
            decimal=decimal, missing=missing or (), encoding=encoding, by=by,
        )  # fmt: skip
        given = dict(parse_parameters(parameter or []))
        raw = wanted_of(rate_hz, window, healthy or (), load_column, columns, layout)
        if raw is not None:
            refuse(windows=windows, plant=plant, part=part != "all")
            score_raw_vibration(files, raw, detector, given, as_json=as_json)
        else:
            recordings = [recording.part(part) for recording in _read(files, columns, layout, windows)]
            _show_scores(recordings, (plant, seed), detector, given, as_json=as_json)
    else:
        raise UsageError("there is nothing to score: name a recording, or give --data FOLDER or --parameters")


def _read(files: list[Path], columns: Columns, layout: Layout, windows: Path | None) -> list[Recording]:
    from factorylab.detectors.evaluation.hydraulic import is_rig, read_rig
    from factorylab.detectors.recordings.collect import files_of, read_recordings

    rigs = [read_rig(path, columns.label) for path in files if is_rig(path)]
    tables = files_of([path for path in files if not is_rig(path)])
    found = rigs + read_recordings(tables, columns, layout, windows, say)
    for recording in found:
        for line in recording.account.lines() if recording.account else [recording.name]:
            say(line)
    return found


def _show_scores(
    recordings: list[Recording],
    plant: tuple[int, int],
    detector: str | None,
    given: Mapping[str, object],
    *,
    as_json: bool,
) -> None:
    from factorylab.detectors.evaluation.plant import plant as planted
    from factorylab.detectors.evaluation.score_table import judge

    if plant[0]:
        recordings = [planted(recording, *plant) for recording in recordings]
    _show(judge(recordings, detector, given), as_json)


def _show(judged: Judged, as_json: bool) -> None:
    from factorylab.detectors.evaluation.score_table import frame
    from factorylab.detectors.evaluation.suite import threshold_counts

    names = [recording.name for recording in judged.recordings]
    if as_json:
        accounts = [r.account.as_dict() for r in judged.recordings if r.account]
        rows = [vars(row) for row in judged.scores]
        typer.echo(json.dumps({"recordings": names, "accounts": accounts, "scores": rows}, indent=2))
        return
    _print(frame(judged.scores))
    if judged.scores[0].method == "threshold":
        for recording in judged.recordings:
            _print(threshold_counts(recording.values[:, 0], (80, 100), 2, 3))


def _show_suite(data: Path, as_json: bool) -> None:
    from factorylab.detectors.evaluation import suite

    found = []
    for case in suite.cases(data):
        say(f"{case.recording}, {case.part}")
        found.append(case)
    if as_json:
        rows = [{"recording": c.recording, "part": c.part, **vars(row)} for c in found for row in c.judged.scores]
        typer.echo(json.dumps(rows, indent=2))
        return
    _print(suite.frame(found))
    if (data / suite.MACHINE).exists():
        _print(suite.machine_counts(data))


def _show_parameters(as_json: bool) -> None:
    from factorylab.detectors.detector_catalog import table

    if as_json:
        typer.echo(json.dumps([entry._asdict() for entry in table()], indent=2))
        return
    for entry in table():
        typer.echo(f"{entry.detector:<10} {entry.parameter:<14} {entry.default:>7}  {entry.meaning}")


def _print(table: pd.DataFrame) -> None:
    typer.echo(table.round(3).to_string(na_rep="-") + "\n")
