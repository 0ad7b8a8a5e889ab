"""A member that its group has put out ends with the reason."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.factory_runs import LONG_S, FactoryRun
from tests.support.wire import wire


@pytest.mark.parametrize(("protocol", "dead", "lives"), [("range", "p0", "p1"), ("consumer", "p1", "p0")])
def test_a_static_member_used_twice_ends_one_of_both(
    run: FactoryRun, tmp_path: Path, protocol: str, dead: str, lives: str
) -> None:
    """The classic protocol fences the earlier member, KIP-848 refuses the later: that process ends with the reason and
    takes nothing in the store; the other stores all. The ends of partitions, which it hears of too, disturb nobody."""
    settings = tmp_path / "consumer.properties"
    settings.write_text("group.instance.id=one\nenable.partition.eof=true\n")
    run.processor("p0", consumer_config=settings, protocol=protocol)
    run.produce([wire(seq=n, sensor_id="one") for n in range(100)])
    run.wait_stored(100)
    run.launch_processor("p1", consumer_config=settings, protocol=protocol)
    if lives == "p1":
        run.wait_logged("p1", '"event": "ready"')
        run.produce([wire(seq=n, sensor_id="two") for n in range(100)])
    assert run.processes[dead].wait(LONG_S) == 1
    run.produce([wire(seq=n, sensor_id="three") for n in range(100)])
    run.wait_drained()
    assert '"event": "failed"' in run.said(dead) and "only a new process can" in run.said(dead)
    assert "Traceback" not in run.said(dead)
    ((told,),) = run.query("SELECT worker FROM {s}.system_events WHERE kind = 'client_dead'")
    assert told == dead
    assert run.query("SELECT DISTINCT owner FROM {s}.positions") == [(lives,)]
    assert run.query("SELECT max(owner_epoch) FROM {s}.positions") == [(2 if lives == "p1" else 1,)]
    assert run.logged(lives, "client_error") == 0
    assert run.end(lives) == 0
