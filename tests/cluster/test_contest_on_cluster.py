"""Two groups contest partitions for real: one gives up, and nothing is stored twice."""

from __future__ import annotations

from factorylab.core.waiting import wait_until
from tests.support.factory_runs import LONG_S, FactoryRun


def test_two_groups_on_one_schema_end_one_of_their_processors(run: FactoryRun) -> None:
    """Each is confirmed by a group of its own: they take partitions from each other more and more slowly, until one of
    them ends with the reason; everything is stored, and once. Over 10 s: the pauses between their takes grow."""
    run.processor("p0")
    run.launch_processor("p1", group=f"{run.names.group}-other")
    run.wait_logged("p1", '"event": "ready"')
    run.fleet("f0", rate="100", sensors=3)

    def ended() -> list[str]:
        return [name for name in ("p0", "p1") if run.processes[name].poll() is not None]

    wait_until(ended, what="a processor to end", timeout_s=LONG_S)
    (lost,) = ended()
    assert run.processes[lost].returncode == 1 and "give each group a schema of its own" in run.said(lost).lower()
    assert run.query("SELECT worker FROM {s}.system_events WHERE kind = 'ownership_lost'") == [(lost,)]
    run.end("f0")
    run.wait_drained()
    assert run.query("SELECT count(*) FROM {s}.readings") == [(sum(run.ends().values()),)]
