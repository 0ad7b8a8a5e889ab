"""`factorylab score --rate-hz`: raw vibration of a rig, healthy and faulty."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from factorylab.cli.runs_commands import say
from factorylab.core.errors import UsageError

if TYPE_CHECKING:
    from factorylab.detectors.evaluation.raw_vibration.read_samples import Wanted
    from factorylab.detectors.evaluation.raw_vibration.trial import RigAlarms
    from factorylab.detectors.recordings.layout import Columns, Layout

USUAL = "2048"  # samples of a window
FASTEST_HZ = 10_000_000


RateHz = Annotated[float | None, typer.Option(help="the sampling rate of raw vibration, in files without times")]
WindowSize = Annotated[
    str | None, typer.Option("--window", help="a window of raw vibration: samples, or 0.5s, 80ms; default: 2048")
]
HealthyFiles = Annotated[
    list[str] | None, typer.Option("--healthy", help="healthy files of raw vibration: a path, or a name with *")
]
LoadColumn = Annotated[str | None, typer.Option(help="the load of raw vibration; default: load, else by file name")]


def wanted_of(  # noqa: PLR0917 (as many options)
    rate_hz: float | None,
    window: str | None,
    healthy: Sequence[str],
    load: str | None,
    columns: Columns,
    layout: Layout,
) -> Wanted | None:
    """What the options say of raw samples; None: these are none.

    Raises:
        UsageError: a rate or a window that cannot be, or options that do not go together.
    """
    from factorylab.detectors.evaluation.raw_vibration.read_samples import Wanted, samples_of

    if rate_hz is None:
        if window or healthy or load:
            raise UsageError("--window, --healthy and --load-column are for raw vibration: give its --rate-hz")
        return None
    if not 0 < rate_hz <= FASTEST_HZ:
        raise UsageError(f"--rate-hz {rate_hz:g}: must be above 0 and at most {FASTEST_HZ:,} samples a second")
    refuse(by=layout.by, time_zone=layout.time_zone, date_order=layout.date_order, interval=layout.interval)
    faulty = () if columns.label else columns.faulty
    return Wanted(rate_hz, samples_of(window or USUAL, rate_hz), tuple(healthy), faulty, load, columns, layout)


def score_raw_vibration(
    files: list[Path], wanted: Wanted, detector: str | None, given: Mapping[str, object], *, as_json: bool
) -> None:
    """Judge the detector `vibration` on raw samples and print what was done, and the scores.

    Raises:
        UsageError: naming the file or option and the rule that it breaks.
    """
    from factorylab.detectors.evaluation.raw_vibration.features import names_of
    from factorylab.detectors.evaluation.raw_vibration.read_samples import read_stretches, sources_of
    from factorylab.detectors.evaluation.raw_vibration.report import account
    from factorylab.detectors.evaluation.raw_vibration.trial import judge, share_out
    from factorylab.detectors.vibration import Vibration

    if detector not in {None, Vibration.NAME}:
        raise UsageError(f"--detector {detector}: raw vibration is for the detector {Vibration.NAME}: leave it out")
    if "baseline" in given:
        raise UsageError(
            "-p baseline: of raw vibration it is the number of healthy windows to learn from: leave it out"
        )
    sources = sources_of(files, wanted)
    stretches, sampling, left = read_stretches(sources, wanted)
    shares = share_out(stretches)
    lines = account(sources, stretches, sampling, left, shares)
    _show(judge(shares, names_of(sampling), given), lines, as_json)


def refuse(**options: object) -> None:
    """Options that mean nothing for raw samples.

    Raises:
        UsageError: one of them was given.
    """
    for name, value in options.items():
        if value:
            raise UsageError(f"--{name.replace('_', '-')} does not apply to raw vibration (--rate-hz): leave it out")


def _show(verdicts: list[RigAlarms], lines: list[str], as_json: bool) -> None:
    from factorylab.detectors.evaluation.raw_vibration.window_table import by, frame

    tables = {
        "scores": frame(verdicts),
        "by_kind": by(verdicts, lambda stretch: stretch.role),
        "by_load": by(verdicts, lambda stretch: f"load {stretch.at}"),
    }
    if as_json:
        rows = {name: json.loads(table.reset_index().to_json(orient="records")) for name, table in tables.items()}
        typer.echo(json.dumps({"account": lines, **rows}, indent=2))
        return
    for line in lines:
        say(line)
    for table in tables.values():
        typer.echo(table.round(3).to_string(na_rep="-") + "\n")
