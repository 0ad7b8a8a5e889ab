"""A capacity search on a lab of its own."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from factorylab.analysis.capacity import Capacity
from factorylab.audit.judged import load
from factorylab.cluster.settings import load_settings
from factorylab.execution.capacity import search
from factorylab.history import run_folders
from factorylab.scenarios.capacity import CapacityPlan


@pytest.mark.quiet
def test_a_search_keeps_its_trials_and_its_answer(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two trials of a rate that any machine keeps: both are kept and judged, the answer on disk is the one returned and
    says why it is not the planned one. Quiet: fleets that take steps wait for no steady state. Over 10 s: a lab of its
    own starts, and two runs take their time."""
    monkeypatch.setenv("FACTORYLAB_HOME", str(home))
    monkeypatch.setenv("FACTORYLAB_RESULTS", str(home / "results"))
    plan, said = CapacityPlan(start_per_s=300, trial_s=3, trials_max=2, latency_s=5), list[str]()
    found = search(plan, load_settings(), said.append)
    (path,) = (home / "results").glob("capacity-*.json")
    assert msgspec.json.decode(path.read_bytes(), type=Capacity) == found
    assert [(one.rate_per_s, one.outcome, one.evidence) for one in found.trials] == [
        (300, "kept", []),
        (600, "kept", []),
    ], said
    assert found.answer.kept_per_s == 600 and "after 2 trials" in found.answer.open and found.gave_way == []
    for one in found.trials:
        run = load(run_folders.find(home / "results", one.run_id).path)
        assert run.verdict.verdict == "PASS" and one.stored_per_s == pytest.approx(one.rate_per_s, rel=0.05)
