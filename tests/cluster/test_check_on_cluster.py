"""A finding of a check of settings, shown on a real cluster with the settings of the file."""

from __future__ import annotations

from pathlib import Path

from factorylab.audit.judged import load
from factorylab.cluster.local.backend import LocalCluster
from factorylab.cluster.settings import Settings
from factorylab.execution.controls.proving import outcome_of
from factorylab.execution.runner import perform
from factorylab.execution.shared_lab import forget
from factorylab.history import run_folders
from factorylab.scenarios.configuration.checking import Named, asked, read_all
from factorylab.scenarios.configuration.effective import Side
from factorylab.scenarios.configuration.proof import plan
from tests.support.property_files import known


def test_a_finding_is_shown_with_the_settings_of_the_file(
    cluster: LocalCluster, session_settings: Settings, tmp_path: Path
) -> None:
    """A consumer whose file leaves auto.offset.reset at its default passes over what was written before it joined. Over
    10 s: a whole run, the shortest that has such a finding."""
    path = tmp_path / "mine.properties"
    path.write_text("group.id=g\nenable.auto.commit=false\nsession.timeout.ms=6000\nsocket.timeout.ms=10000\n")
    read = read_all([Named(path, "consumer")], None, known())
    (found,) = (one for one in asked(read).allowed if one.rule == "begins_at_the_end")
    planned = plan(found, Side(read[0]))
    assert planned.scenario
    folder = run_folders.create(session_settings.results, planned.scenario)
    perform(planned.scenario, folder, cluster, session_settings.home, print)
    run = load(folder.path)
    forget(cluster.endpoints, folder.run_id)
    outcome, because = outcome_of(run.verdict)
    assert (outcome, "by lost_in_pipeline" in because) == ("shown", True), because
