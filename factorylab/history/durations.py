"""How long a run will take: what its scenario declares, and what earlier runs of the scenario took besides."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

from factorylab.core.clock import NS
from factorylab.core.errors import ScenarioError
from factorylab.history.run_folders import STAMP, RunFolder, list_runs
from factorylab.scenarios.model import Scenario

LOOKED_AT = 10  # the latest runs: those of an older lab or a busier machine say less


def declared_s(scenario: Scenario) -> float:
    """Seconds from the first reading to the end of the phase after the faults. Recovery and drain come on top: they end
    when the system is well again."""
    plan = scenario.schedule
    return plan.backlog_s + plan.warm_up_s + plan.steady_s + scenario.fault_window_s + plan.after_s


def besides_s(results: Path, name: str) -> list[float]:
    """What the latest finished runs of the scenario `name` took beyond that, from the command to the sealed evidence:
    to start, recover, drain and read back. Runs that do not tell are left out."""
    finished = [run for run in list_runs(results) if run.path.parent.name == name and run.sealed]
    found = []
    for run in finished[-LOOKED_AT:]:
        with suppress(ScenarioError, OSError, ValueError):
            found.append(_took_s(run) - declared_s(run.scenario()))
    return found


def _took_s(run: RunFolder) -> float:
    """From the making of its folder, which its name tells to the second, to its last phase.

    Raises:
        ValueError, OSError: the run does not tell.
    """
    import pyarrow.parquet as pq

    walls = pq.read_table(run.table("phases"), columns=["wall_ns"]).column("wall_ns").to_pylist()
    began = datetime.strptime(run.path.name.rpartition("-")[0], STAMP).replace(tzinfo=UTC)
    return float(max(wall for wall in walls if wall) / NS - began.timestamp())


def expected(wanted: Scenario, besides: Sequence[float]) -> str:
    """In a sentence how long a run will take until its evidence is sealed."""
    plain_s = declared_s(wanted)
    if not besides:
        return (
            f"it takes at least {plain_s:.0f} s by its scenario; what starting, recovery, drain and reading back take "
            f"here is not known: there is no earlier run of {wanted.name}"
        )
    middle_s, n = median(besides), len(besides)
    spread = f"{min(besides):.0f} to {max(besides):.0f} s, " if n > 1 else ""
    return (
        f"it takes about {plain_s + middle_s:.0f} s: {plain_s:.0f} s by its scenario, and {middle_s:.0f} s to start, "
        f"recover, drain and read back, as earlier runs of {wanted.name} did ({spread}n = {n})"
    )
