"""How long a run will take."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from factorylab.history import run_folders
from factorylab.history.durations import besides_s, declared_s, expected
from factorylab.history.export import write_rows
from factorylab.history.run_folders import STAMP, RunFolder
from factorylab.history.tables import PhaseStart
from factorylab.scenarios.catalog import build

NS = 1_000_000_000


def finished(results: Path, took_s: float, number: int) -> RunFolder:
    """A sealed run of baseline whose last phase began so long after its folder was made."""
    run = run_folders.create(results, build("baseline", {}))
    began = datetime(2026, 1, number, tzinfo=UTC)
    run = RunFolder(run.path.rename(run.path.with_name(f"{began.strftime(STAMP)}-00000{number}")))
    walls = {"start": began.timestamp() + 1, "end": began.timestamp() + took_s}
    rows = [PhaseStart(worker="runner", t_ns=0, phase=phase, wall_ns=int(s * NS)) for phase, s in walls.items()]  # type: ignore[arg-type]
    write_rows(run.table("phases"), "phases", rows)
    run_folders.seal(run)
    return run


def test_the_declared_seconds_are_those_of_the_phases() -> None:
    """Warm-up, steady state, fault and the time after it; recovery and drain have no length of their own."""
    wanted = build("broker_loss", {"hold_s": 14})
    plan = wanted.schedule
    assert declared_s(wanted) == plan.warm_up_s + plan.steady_s + 14 + plan.after_s


def test_earlier_runs_say_what_comes_on_top(tmp_path: Path) -> None:
    """The median of what earlier runs of the scenario took besides, with their spread and number."""
    wanted = build("baseline", {})
    for number, extra_s in enumerate((10, 30, 20), 1):
        finished(tmp_path, declared_s(wanted) + extra_s, number)
    found = besides_s(tmp_path, "baseline")
    assert found == [10, 30, 20]
    said = expected(wanted, found)
    assert f"about {declared_s(wanted) + 20:.0f} s" in said and "10 to 30 s, n = 3" in said


def test_without_an_earlier_run_the_least_is_said(tmp_path: Path) -> None:
    """Runs that do not tell, are not finished or are of another scenario are no ground for an estimate."""
    wanted = build("baseline", {})
    run_folders.create(tmp_path, wanted)
    finished(tmp_path, 99, 1).table("phases").unlink()
    assert besides_s(tmp_path, "baseline") == besides_s(tmp_path, "high_load") == []
    assert f"at least {declared_s(wanted):.0f} s" in expected(wanted, []) and "no earlier run" in expected(wanted, [])
