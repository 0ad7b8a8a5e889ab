"""Recordings as people have them, each beside the right one."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from factorylab.cli.main import app
from tests.support.places import SHARED

CASES = SHARED / "cases"


@pytest.mark.parametrize(
    ("right", "relatives"),
    [
        ("labels/good_01.csv", ["labels/wadi_1_-1.csv --faulty -1", "labels/words_swat.csv --faulty Attack"]),
        ("labels/good_01.csv", ["times/epoch_ms.csv", "times/german_seconds.csv", "columns/excel_de.csv"]),
        (
            "windows/press.csv --windows windows/w_utc.json",
            [f"windows/press.csv --windows windows/{w}" for w in ("w_offset.json", "w_epoch_s.csv", "w_id_first.csv")],
        ),
        ("times/iso.csv", ["times/us.csv", "times/date_time.csv"]),
        ("leaks/leak_no_label.csv --windows leaks/leak_w.json", ["leaks/leak.csv --windows leaks/leak_w.json"]),
        ("columns/pump_01_clean.csv", ["columns/pump_01.csv"]),
        ("machines/only_machine_2.csv", ["machines/interleaved.csv --by machineID=2"]),
        ("encodings/utf8.csv", ["encodings/cp1252.csv"]),
    ],
    ids=lambda words: words if isinstance(words, str) else "",
)
@pytest.mark.recorded
def test_relatives_score_as_the_right_file(right: str, relatives: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Inputs as people have them get the scores of the file that is right."""
    if not CASES.exists():
        pytest.skip("no folder of recorded machine data")
    monkeypatch.chdir(CASES)
    wanted, *found = (
        json.loads(CliRunner().invoke(app, ["score", *words.split(), "--json"]).stdout)["scores"]
        for words in (right, *relatives)
    )
    assert all(scores == wanted for scores in found)
