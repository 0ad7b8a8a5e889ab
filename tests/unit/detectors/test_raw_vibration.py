"""Raw vibration of a rig: what names say, how windows are cut, what is learnt from, and what the command reaches."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from typer.testing import CliRunner, Result

from factorylab.cli.main import app
from factorylab.core.errors import UsageError
from factorylab.detectors.evaluation.raw_vibration.features import Sampling, cut, features, names_of
from factorylab.detectors.evaluation.raw_vibration.file_names import HEALTHY, loads_of, role_of, said
from factorylab.detectors.evaluation.raw_vibration.read_samples import RigFile, Wanted, read_stretches, samples_of
from factorylab.detectors.evaluation.raw_vibration.trial import RigStretch, share_out

Floats = NDArray[np.float64]
RATE_HZ, WINDOW, WINDOWS = 5_000, 128, 60


def gearbox(dice: np.random.Generator, load: float, mesh: float, rows: int) -> Floats:
    """Two channels: a gear mesh tone that shaft and load modulate, and noise that grows with the load."""
    turn = 2 * np.pi * 30 / RATE_HZ * np.arange(rows) + dice.uniform(0, 6)
    tone = mesh * (1 + load / 100) * (1 + 0.2 * np.cos(turn)) * np.sin(18 * turn)
    noise = (0.5 + load / 200) * dice.standard_t(6, (rows, 2))
    return np.stack([tone, 0.6 * np.roll(tone, 3)], axis=1) + noise


def write(file: Path, samples: Floats, header: str = "a1,a2") -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    np.savetxt(file, samples, fmt="%.4f", delimiter=",", header=header, comments="")
    return file


def rig(folder: Path, loads: tuple[int, ...] = (0, 50), *, broken: float = 0.3) -> Path:
    """A file a load in `healthy` and in `faulty`; the broken gear meshes more softly. The load is in the name only."""
    dice = np.random.default_rng(1)
    for load in loads:
        for name, mesh in (("healthy", 1.0), ("faulty", broken)):
            write(folder / name / f"r30hz{load}.csv", gearbox(dice, load, mesh, WINDOW * WINDOWS + 50))
    return folder


def run(*words: object) -> Result:
    given = ["score", *map(str, words), "--rate-hz", str(RATE_HZ), "--window", str(WINDOW)]
    return CliRunner().invoke(app, given, catch_exceptions=False)


def scored(*words: object) -> dict[str, Any]:
    done = run(*words, "--json")
    assert done.exit_code == 0, done.output
    return dict(json.loads(done.stdout))


# ---- names


@pytest.mark.parametrize(
    ("name", "faulty"),
    [
        ("healthy", {False}), ("Good_01", {False}), ("normal 2", {False}), ("noFault", {False}),
        ("fault-free", {False}), ("undamaged", {False}), ("b30hz0", set()), ("outer_race", set()), ("goodyear", set()),
        ("BrokenTooth", {True}), ("not_ok", {True}), ("unhealthy", {True}), ("un-healthy", {True}),
        ("damage_3mm", {True}), ("Getriebe_defekt", {True}), ("good_and_bad", {True, False}),
    ],
)  # fmt: skip
def test_names_say_what_they_say(name: str, faulty: set[bool]) -> None:
    """Whole words count, with their negation; parts of words and single letters do not."""
    assert said(name) == faulty


def test_files_are_healthy_or_faulty_by_their_own_or_a_folders_name() -> None:
    """The kind of fault is its folder's name; the given folder's own name counts only where nothing below says it."""
    root = Path("/x/bad_rig")
    assert role_of(root / "healthy" / "1.csv", root, (), ()) == HEALTHY
    assert role_of(root / "broken_tooth" / "1.csv", root, (), ()) == "broken_tooth"
    assert role_of(root / "1.csv", root, (), ()) == "bad_rig"
    assert role_of(Path("/x/rig/broken_1.csv"), Path("/x/rig"), (), ()) == "faulty"
    assert role_of(Path("/x/rig/outer/1.csv"), Path("/x/rig"), (), ()) is None
    assert role_of(Path("/x/rig/outer/1.csv"), Path("/x/rig"), (), ("outer",)) == "outer"
    assert role_of(Path("/x/rig/b30hz1.csv"), Path("/x/rig"), ("h*",), ("b*",)) == "faulty"
    with pytest.raises(UsageError, match="--healthy PATTERN"):
        role_of(root / "healthy" / "broken.csv", root, (), ())


@pytest.mark.parametrize(
    ("names", "loads"),
    [
        (["h30hz0", "h30hz10", "b30hz0", "b30hz90"], [0, 10, 0, 90]),
        (["good_load_25", "bad_load_75"], [25, 75]),
        (["50% ok", "0% nok"], [50, 0]),
        (["healthy_1", "healthy_2", "healthy_3"], None),
        (["a_10_20", "a_20_30"], None),
        (["rig", "rig_10"], None),
    ],
)
def test_loads_are_read_from_names_only_where_they_are_loads(names: list[str], loads: list[float] | None) -> None:
    """A number beside the word, or the one that varies in tens up to 100; a mere count of files is none."""
    assert loads_of(names) == loads


# ---- windows and features


@pytest.mark.parametrize(("text", "samples"), [("2048", 2048), ("0.5s", 2500), ("80ms", 400)])
def test_a_window_is_samples_or_a_time(text: str, samples: int) -> None:
    """Plain numbers are samples; a time is turned into samples by the rate."""
    assert samples_of(text, RATE_HZ) == samples


@pytest.mark.parametrize("text", ["20", "1ms", "0.5", "-5", "ten", "nan", ""])
def test_a_window_that_cannot_be_is_refused(text: str) -> None:
    """Too short, a part of a sample or no number: the error names it."""
    with pytest.raises(UsageError, match="--window"):
        samples_of(text, RATE_HZ)


@pytest.mark.parametrize("rate_hz", [15, 30, 5_000, 50_000])
@pytest.mark.parametrize("samples", [64, 100, 2048])
def test_features_have_names_and_are_finite_and_positive(rate_hz: float, samples: int) -> None:
    """At every rate and size, a channel that stands still included: as many names as columns, nothing below 0."""
    sampling = Sampling(rate_hz, samples, ("a1", "a2", "a3"))
    windows = np.random.default_rng(2).normal(0, 1, (4, samples, 3))
    windows[:, :, 2] = 7
    found = features(windows, sampling)
    assert found.shape == (4, len(names_of(sampling))) and np.isfinite(found).all() and (found >= 0).all()
    assert ("velocity a1" in names_of(sampling)) == (rate_hz > 20)


def test_an_octave_holds_its_tone() -> None:
    """The power of a tone between an eighth and a quarter of the rate is in the second octave."""
    sampling = Sampling(1_000, 256, ("a",))
    tone = np.sin(2 * np.pi * 180 / 1_000 * np.arange(256))[None, :, None]
    found = dict(zip(names_of(sampling), features(tone, sampling)[0], strict=True))
    assert found["octave 2 a"] > 0.999


def test_no_window_mixes_loads_files_or_labels(tmp_path: Path) -> None:
    """Of a file whose load and label change, windows are cut anew at each change; what fills none is counted."""
    rows = np.arange(1_000)
    load, wrong = (rows >= 300) * 50, (rows >= 700) * 1
    samples = np.random.default_rng(3).normal(0, 1, 1_000)
    table = np.stack([samples, samples[::-1], load, wrong], axis=1)
    file = write(tmp_path / "all.csv", table, "a1,a2,load,label")
    stretches, sampling, left = read_stretches([RigFile(file, None, np.nan)], Wanted(RATE_HZ, 128))
    assert sampling.channels == ("a1", "a2")
    assert [(s.role, s.load, len(s.features)) for s in stretches] == [
        (HEALTHY, 0, 2), (HEALTHY, 50, 3), ("faulty", 50, 2)
    ]  # fmt: skip
    assert left.ends == 1_000 - 7 * 128
    assert np.allclose(stretches[1].features, features(cut(table[300:700, :2].round(4), 128), sampling))


# ---- what is learnt from


def stretch(file: str, role: str, load: float, windows: int) -> RigStretch:
    return RigStretch(file, role, load, np.full((windows, 1), hash(file) % 97, float))


def test_what_is_learnt_from_is_not_judged() -> None:
    """Of several healthy files of a load the first half is learnt from, whole; of one file its first half; a load that
    no healthy file has is not judged."""
    files = [stretch(f"h{n}", HEALTHY, 0, 12) for n in range(4)]
    shares = share_out(
        [*files, stretch("one", HEALTHY, 10, 11), stretch("b", "faulty", 0, 5), stretch("c", "x", 90, 5)]
    )
    assert {load: len(windows) for load, windows in shares.learnt.items()} == {"0": 24, "10": 5}
    assert [(s.file, len(s.features)) for s in shares.judged] == [("h2", 12), ("h3", 12), ("one", 6), ("b", 5)]
    assert [s.file for s in shares.unknown] == ["c"]


@pytest.mark.parametrize(
    ("stretches", "told"),
    [
        ([stretch("h", HEALTHY, 0, 20), stretch("b", "faulty", 0, 20)], "10 healthy windows"),
        ([stretch("h", HEALTHY, 0, 80), stretch("b", "faulty", 5, 20)], "no faulty window can be judged"),
        ([stretch("b", "faulty", 0, 200)], "is healthy"),
        ([stretch("h", HEALTHY, 0, 200)], "is faulty"),
    ],
)
def test_what_cannot_be_judged_is_refused(stretches: list[RigStretch], told: str) -> None:
    """Too little to learn from, or no faulty window at a load that was learnt: said with the numbers."""
    with pytest.raises(UsageError, match=told):
        share_out(stretches)


# ---- the command


def test_a_rig_of_two_folders_is_scored_by_default(tmp_path: Path) -> None:
    """Folders healthy and faulty, no option but rate and window: recall ≥ 0.95 at a false positive rate ≤ 0.05, with
    simple limits beside it; every window is learnt from, judged or said to be left out."""
    found = scored(rig(tmp_path / "rig"))
    detector, *others = found["scores"]
    assert detector["method"] == "vibration" and detector["recall"] >= 0.95 and detector["false_positive_rate"] <= 0.05
    assert [other["j"] for other in others if other["method"] == "everything anomalous"] == [0]
    assert (detector["healthy_windows"], detector["faulty_windows"]) == (WINDOWS, 2 * WINDOWS)
    account = "\n".join(found["account"])
    assert (
        "30 at 0, 30 at 50" in account and "loads are what the files' names say" in account and "200 samples" in account
    )
    assert [row[""] for row in found["by_load"]] == ["load 0", "load 50"]


def test_no_fault_no_alarm(tmp_path: Path) -> None:
    """Where nothing is broken, what is called faulty is told from healthy in few windows."""
    assert scored(rig(tmp_path, broken=1.0))["scores"][0]["recall"] <= 0.1


def test_both_ways_to_name_the_files_are_one(tmp_path: Path) -> None:
    """A folder of both, the two folders, and patterns for names that say nothing give the same scores."""
    folder = rig(tmp_path / "rig")
    plain = tmp_path / "plain"
    plain.mkdir()
    for file in folder.rglob("*.csv"):
        (plain / f"{file.parent.name[0]}{file.name}").hardlink_to(file)
    wanted = scored(folder)["scores"]
    assert scored(folder / "healthy", folder / "faulty")["scores"] == wanted
    assert scored(plain, "--healthy", "h*", "--faulty", "f*")["scores"] == wanted
    with pytest.raises(UsageError, match="--healthy PATTERN"):
        run(plain)


def test_a_load_that_was_never_seen_healthy_is_told(tmp_path: Path) -> None:
    """Its faulty windows are not judged, and the account names load and windows."""
    folder = rig(tmp_path / "rig", (0, 50))
    (folder / "healthy" / "r30hz50.csv").unlink()
    found = scored(folder)
    assert found["scores"][0]["faulty_windows"] == WINDOWS
    assert any(line.startswith(f"not judged: {WINDOWS} windows") and line.endswith(": 50") for line in found["account"])


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--detector", "chart"), "--detector chart"), (("--windows", "w.json"), "--windows"), (("--by", "u"), "--by"),
        (("--plant", 3), "--plant"), (("-p", "baseline=50"), "-p baseline"), (("-p", "nonsense=1"), "nonsense"),
        (("--value-column", "a9"), "'a9'"), (("--load-column", "torque"), "'torque'"),
    ],
)  # fmt: skip
def test_what_means_nothing_for_raw_vibration_is_refused(tmp_path: Path, words: tuple[object, ...], told: str) -> None:
    """Options of other recordings, columns and parameters that are not there: an error that names what is wrong."""
    with pytest.raises(UsageError, match=told):
        run(rig(tmp_path), *words)


def test_a_window_without_a_rate_is_refused(tmp_path: Path) -> None:
    """`--window` alone says too little."""
    with pytest.raises(UsageError, match="--rate-hz"):
        CliRunner().invoke(app, ["score", str(rig(tmp_path)), "--window", "128"], catch_exceptions=False)
