"""The observer of a lab that ends, and of none."""

from __future__ import annotations

import os
import signal
from contextlib import closing
from pathlib import Path

from factorylab.cluster import control
from factorylab.core.waiting import wait_until
from factorylab.operations.live.by_hand import ByHand
from factorylab.operations.live.observer import NO_FACTORY, Observer
from tests.support.labs import silent_lab, tiny


def test_a_lab_that_is_killed_leaves_its_last_picture(home: Path) -> None:
    """Before there is a lab the page says so; of one whose supervisor was killed the nodes stay, as last seen, with an
    age that grows."""
    with closing(Observer(home, ByHand(home))) as observer:
        assert (observer.tick().lab, observer.tick().nodes) == ("none", [])
        supervisor = silent_lab(home)
        control.ask(home, control.Start([tiny("broker-1", home)]))
        seen = wait_until(lambda: next((m for m in [observer.tick()] if m.nodes), None), what="a node", timeout_s=20)
        assert (seen.lab, seen.subject, seen.nodes[0].status) == ("up", NO_FACTORY, "running")
        assert seen.ages_s["leaders"] is None and seen.alerts is None
        os.kill(supervisor.pid, signal.SIGKILL)
        last = wait_until(
            lambda: next((m for m in [observer.tick()] if m.lab == "ended"), None), what="the end", timeout_s=20
        )
        assert [node.name for node in last.nodes] == ["broker-1"]
