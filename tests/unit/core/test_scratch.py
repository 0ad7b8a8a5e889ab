"""Arrays that are worked through in chunks and kept in files."""

from __future__ import annotations

import gc
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from factorylab.analysis.quantiles import at_ranks, quantiles
from factorylab.audit.judge import judge
from factorylab.core import scratch
from factorylab.core.errors import EnvironmentUnfit
from factorylab.core.scratch import Numbers, array, chunks
from tests.support.histories import healthy


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Chunks of a few entries, and everything in files."""
    monkeypatch.setattr(scratch, "CHUNK", 64)
    monkeypatch.setattr(scratch, "IN_MEMORY", 0)


def numbers(values: np.ndarray) -> Numbers:
    found = Numbers(values.dtype)
    for part in np.array_split(values, 7):
        found.add(part)
    return found


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("kind", ["normal", "few", "equal", "infinite", "in turns"])
def test_quantiles_from_a_file_are_those_of_numpy(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the numbers are like and however badly a sample tells of them, their quantiles are exact."""
    monkeypatch.setattr("factorylab.analysis.quantiles.SAMPLE", 8)
    dice = np.random.default_rng(1)
    values = {
        "normal": dice.normal(size=1001),
        "few": dice.integers(0, 3, 1001).astype(float),
        "equal": np.full(1001, 2.5),
        "infinite": np.where(dice.random(1001) < 0.5, np.inf, -dice.random(1001)),
        "in turns": np.tile([0.0, 1e9, -5.0, 3.0, 4.0, 5.0, 7.0], 143),
    }[kind]
    spooled = numbers(values)
    assert not spooled.in_memory and len(spooled) == 1001
    shares = (0.0, 0.031, 0.5, 0.99, 1.0) if np.isfinite(values).all() else ()
    np.testing.assert_array_equal(quantiles(spooled, shares), np.quantile(values, shares))
    ranks = [0, 1, 499, 500, 990, 1000]
    assert at_ranks(spooled, ranks) == np.sort(values)[ranks].tolist()


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("far", [3, 1000])
def test_numbers_come_back_in_their_order_and_sorted(far: int) -> None:
    """What was put down is read again as it was, and `ascending` sorts it, nearly in order or not at all."""
    values = np.arange(1001) + np.random.default_rng(2).integers(0, far, 1001)
    assert numbers(values).whole().tolist() == values.tolist()
    assert numbers(values).ascending().tolist() == sorted(values.tolist())


@pytest.mark.usefixtures("small")
def test_a_large_array_leaves_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It has no name in the temporary folder, and its pages are not held once the next chunk begins."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    made = array(1 << 16, "int64", 7)
    for part in chunks(len(made)):
        made[part] += 1
    assert not any(tmp_path.iterdir()) and (made == 8).all()
    scratch.let_go()
    assert held_kb() < 64 and (made == 8).all() and held_kb() > 256
    del made
    gc.collect()
    assert held_kb() == 0


def held_kb() -> int:
    """What this process holds of files that have no name."""
    kept, inside = 0, False
    for line in Path("/proc/self/smaps").read_text().splitlines():
        words = line.split()
        inside = "(deleted)" in line if not words[0].endswith(":") else inside
        kept += int(words[1]) if inside and words[0] == "Rss:" else 0
    return kept


@pytest.mark.usefixtures("small")
def test_a_full_disk_is_no_verdict(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the temporary folder takes no more, judging ends with an error that says what to do."""

    monkeypatch.setattr("tempfile.TemporaryFile", lambda: Path("/dev/full").open("r+b", buffering=0))  # noqa: SIM115
    with pytest.raises(EnvironmentUnfit, match="TMPDIR"):
        judge(healthy(tmp_path).run())


def test_a_disk_too_small_is_told_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """How much room the audit needs is compared with what is free before it begins."""
    monkeypatch.setattr("shutil.disk_usage", lambda _: SimpleNamespace(free=1000))
    with pytest.raises(EnvironmentUnfit, match=r"needs 0\.0 GB there"):
        judge(healthy(tmp_path).run())
