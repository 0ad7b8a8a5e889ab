"""Controls on a real cluster, a fast subset: what must be reported is, and what must pass does."""

from __future__ import annotations

import pytest

from factorylab.audit.judged import load
from factorylab.cluster.local.backend import LocalCluster
from factorylab.cluster.settings import Settings
from factorylab.execution.controls import campaign
from factorylab.execution.controls.control_results import Result
from factorylab.execution.runner import perform
from factorylab.execution.shared_lab import forget
from factorylab.history import run_folders
from factorylab.history.saved_run import Run
from factorylab.scenarios.controls import CONTROLS, FAST
from factorylab.scenarios.model import Scenario


@pytest.mark.parametrize("wanted", [s for n in FAST for s in CONTROLS[n].scenarios], ids=lambda s: s.variant)
def test_a_control_is_reported_as_declared(wanted: Scenario, cluster: LocalCluster, session_settings: Settings) -> None:
    """On a real cluster exactly the declared checks fire, and the run shows what the control is about. Over 10 s: a
    whole run."""
    folder = run_folders.create(session_settings.results, wanted)
    perform(wanted, folder, cluster, session_settings.home, print)
    run = load(folder.path)
    forget(cluster.endpoints, folder.run_id)
    came = campaign.result_of(run)
    assert came.sort == "as declared", explain(run, came)


def explain(run: Run, came: Result) -> str:
    return "\n".join([came.reported, came.evidence, *(f"{c.name}: {c.measured}" for c in run.verdict.fired)])
