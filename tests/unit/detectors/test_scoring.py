"""Scoring: layouts that are read, and measures by hand."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from factorylab.cli.main import app
from factorylab.core.errors import UsageError
from factorylab.detectors.detector_catalog import table
from factorylab.detectors.evaluation import suite
from factorylab.detectors.evaluation.detect import Detection
from factorylab.detectors.evaluation.measures import count, score
from factorylab.detectors.evaluation.plant import plant
from factorylab.detectors.evaluation.score_table import judge
from factorylab.detectors.recordings.account import Notes
from factorylab.detectors.recordings.layout import Columns, Layout
from factorylab.detectors.recordings.recording import Recording
from factorylab.detectors.recordings.windows import read_windows
from tests.support.places import ROOT
from tests.support.recorded import read

QUIET = [0.0, 0.3, -0.2, 0.1, -0.3, 0.2]


def written(path: Path, lines: list[str]) -> Path:
    path.write_text("\n".join(lines) + "\n")
    return path


def recording(truth: list[int], start: str = "2024-01-01") -> Recording:
    """One row a minute, all scored, with a label a row."""
    times = np.datetime64(start, "us") + np.arange(len(truth)) * np.timedelta64(60, "s")
    wrong = np.array(truth, bool)
    return Recording("r", times, np.zeros((len(truth), 1)), ("value",), wrong, None, np.ones(len(truth), bool))


def detection(on: list[int], starts: list[int]) -> Detection:
    return Detection("m", np.array(on, bool), np.array(starts, bool), np.ones(len(on), bool))


def test_measures_by_hand() -> None:
    """Two faults of which one is found, one false alarm in six healthy rows: every measure is the one on paper."""
    truth = recording([0, 0, 1, 1, 0, 0, 0, 0, 1, 1])
    counts = count(
        truth,
        detection([1, 0, 0, 1, 1, 0, 0, 0, 0, 0], [1, 0, 0, 1, 0, 0, 0, 0, 0, 0]),
    )
    assert (counts.tp, counts.fp, counts.fn, counts.tn) == (1, 2, 3, 4)
    found = score("m", counts, by_windows=False, known=True)
    assert (found.windows, found.windows_found, found.alarms, found.false_alarms) == (2, 1, 2, 1)
    assert (found.far, found.mar, found.f1) == (2 / 6, 3 / 4, 2 / 7)
    assert found.j == pytest.approx(1 - 2 / 6 - 3 / 4)
    assert found.false_alarms_per_week == pytest.approx(1 / (6 * 60 / (7 * 86_400)))


def test_everything_anomalous_has_no_j() -> None:
    """Guessing that all is wrong misses nothing, finds every fault, and is worth J = 0."""
    rows = 2000
    truth = recording([0] * 1000 + [1] * 1000)
    noisy = Recording(
        **(vars(truth) | {"values": np.random.default_rng(1).normal(0, 1, (rows, 2)), "channels": ("a", "b")})
    )
    baseline = judge([noisy]).scores[-1]
    assert baseline.baseline and baseline.mar == 0 and baseline.far == 1 and baseline.j == 0


@pytest.mark.parametrize(
    ("name", "header", "rows"),
    [
        ("a.csv", "timestamp,value,anomaly", ["2024-01-01 00:00:00,1.5,0", "2024-01-01 00:05:00,2,1"]),
        (
            "b.csv",
            "datetime;value;anomaly;changepoint",
            ["2024-01-01 00:00;1.5;0.0;0", "2024-01-01 00:05;2;1.0;1"],
        ),
        ("c.csv", "\ufefftime\tvalue\tlabel", ["2024-01-01T00:00:00Z\t1.5\tFalse", "2024-01-01T00:05:00Z\t2\tTrue"]),
        ("d.csv", "date,value,label", ["1704067200,1.5,no", "1704067500,2,Yes"]),
        ("e.csv", "date,value,label", ["1/1/2024 0:00,1.5,0", "1/1/2024 0:05,2,1"]),
    ],
)
def test_layouts_are_found_out(tmp_path: Path, name: str, header: str, rows: list[str]) -> None:
    """Separators, a mark at the start, ways to write times and labels: the same recording comes out."""
    found = read(written(tmp_path / name, [header, *rows]))
    assert found.channels == ("value",) and found.values[:, 0].tolist() == [1.5, 2.0]
    assert found.times.tolist() == np.array(["2024-01-01T00:00", "2024-01-01T00:05"], "datetime64[us]").tolist()
    assert found.truth is not None and found.truth.tolist() == [False, True] and found.interval_s == 300


def test_midnight_belongs_to_the_next_day(tmp_path: Path) -> None:
    """A recorder that writes 0:00 under the date of the day that ends is put right, days before months."""
    minutes = range(15, 1441, 15)
    quarters = [f"{day}/1/2018 {at // 60 % 24}:{at % 60:02d}" for day in (1, 2, 13) for at in minutes]
    found = read(written(tmp_path / "s.csv", ["date,value", *(f"{stamp},1" for stamp in quarters)]))
    steps = np.diff(found.times).astype("timedelta64[m]").astype(int)
    assert (steps == 15).sum() == 286 and steps.max() == 15 + 10 * 1440


@pytest.mark.parametrize(
    ("header", "row", "columns", "said"),
    [
        ("when,value", "2024-01-01,1", Columns(), "--time-column"),
        ("date,value", "yesterday,1", Columns(), "'yesterday' in column 'date' is no time"),
        ("date,value", "2024-01-01,1", Columns(values=("heat",)), "no column 'heat'"),
        ("date,value,label", "2024-01-01,1,odd", Columns(), "'odd'"),
        ("date,value", "2024-01-01,cold", Columns(values=("value",)), "holds no number"),
        ("date,name", "2024-01-01,x", Columns(), "--value-column"),
    ],
)
def test_what_cannot_be_read_is_said(tmp_path: Path, header: str, row: str, columns: Columns, said: str) -> None:
    """A wrong column, time, label or value is an error that names it and the way out."""
    with pytest.raises(UsageError, match=said):
        read(written(tmp_path / "r.csv", [header, row]), columns)


def test_windows_are_found_by_the_files_name(tmp_path: Path) -> None:
    """Windows come from a JSON object by file, from a list, or from a CSV file; a recording without any is an error."""
    pair = ["2024-01-01 00:00:00", "2024-01-02 00:00:00"]
    by_file = read_windows(written(tmp_path / "w.json", [json.dumps({"x/a.csv": [pair]})]), Layout(), Notes())
    assert len(by_file.of(Path("a.csv"), "")) == 1
    with pytest.raises(UsageError, match=r"no windows for b\.csv"):
        by_file.of(Path("b.csv"), "")
    for text in (json.dumps([pair]), f"start,end\n{','.join(pair)}"):
        file = written(tmp_path / ("w.json" if text[0] == "[" else "w.csv"), [text])
        assert len(read_windows(file, Layout(), Notes()).of(Path("any.csv"), "")) == 1


def test_planted_faults_are_as_many_as_asked_for_and_apart() -> None:
    """Planting is deterministic by seed, changes only rows inside its windows, and refuses what has no room."""
    rows = 672 * 6
    times = np.datetime64("2024-01-01", "us") + np.arange(rows) * np.timedelta64(900, "s")
    day = np.where((np.arange(rows) // 4) % 24 < 12, 3.0, 60.0)[:, None]
    plain = Recording("p", times, day, ("kwh",), None, None, np.ones(rows, bool))
    one, two = plant(plain, 6, 3), plant(plain, 6, 3)
    assert one.windows is not None and len(one.windows) == 6 and np.array_equal(one.values, two.values)
    assert one.truth is not None and np.array_equal((one.values != day)[:, 0], one.truth)
    with pytest.raises(UsageError, match="plant fewer"):
        plant(plain, 60, 3)


def test_the_command_scores_a_file(tmp_path: Path) -> None:
    """`factorylab score` reads a file by flags, finds a step in its level, and prints JSON on request."""
    rng = np.random.default_rng(2)
    level = np.where(np.arange(3000) > 2000, 60.0, 50.0) + rng.normal(0, 1, 3000)
    stamps = np.datetime64("2024-01-01T00:00:00") + np.arange(3000) * np.timedelta64(300, "s")
    rows = [
        f"{stamp};{value:.3f};{int(at > 2000)}" for at, (stamp, value) in enumerate(zip(stamps, level, strict=True))
    ]
    file = written(tmp_path / "m.csv", ["when;heat;wrong", *rows])
    words = ["score", str(file), "--time-column", "when", "--value-column", "heat", "--label-column", "wrong", "--json"]
    done = CliRunner().invoke(app, words)
    detector = json.loads(done.stdout)["scores"][0]
    assert done.exit_code == 0 and (detector["windows"], detector["windows_found"]) == (1, 1)
    assert detector["false_alarms"] == 0


def test_the_table_of_parameters_is_documented() -> None:
    """docs/detectors.md lists every parameter of every detector with its default."""
    page = (ROOT / "docs" / "detectors.md").read_text()
    assert [e for e in table() if f"| {e.detector} | {e.parameter} | {e.default} | " not in page] == []
    assert all(entry.meaning for entry in table())


def test_a_folder_without_recordings_is_refused(tmp_path: Path) -> None:
    """Without the data the suite says what it looked for and what to do, and scores nothing."""
    with pytest.raises(UsageError, match="holds no recordings that are known here"):
        next(suite.cases(tmp_path))
