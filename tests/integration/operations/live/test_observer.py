"""The observer of a lab that ends, and of none."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import msgspec

from factorylab.cluster import control
from factorylab.core.waiting import wait_until
from factorylab.history import run_folders
from factorylab.operations import by_hand_hold
from factorylab.operations.live.by_hand import ByHand
from factorylab.operations.live.moments import Moment
from factorylab.operations.live.observer import NO_FACTORY, Observer
from factorylab.scenarios.catalog import build
from tests.support.labs import silent_lab, tiny


def test_a_lab_that_is_killed_leaves_its_last_picture(home: Path) -> None:
    """Before there is a lab the page says so; of one whose supervisor was killed the nodes stay, as last seen, with an
    age that grows."""
    with closing(Observer(home, ByHand(home))) as observer:
        assert (observer.tick().lab, observer.tick().nodes) == ("none", [])
        supervisor = silent_lab(home)
        control.ask(home, control.Start([tiny("broker-1", home)]))
        seen = moment(observer, lambda now: bool(now.nodes))
        assert (seen.lab, seen.subject, seen.nodes[0].status) == ("up", NO_FACTORY, "running")
        assert seen.ages_s["leaders"] is None and seen.alerts is None
        os.kill(supervisor.pid, signal.SIGKILL)
        last = moment(observer, lambda now: now.lab == "ended")
        assert [node.name for node in last.nodes] == ["broker-1"]


def test_the_run_that_goes_on_is_watched(home: Path, tmp_path: Path) -> None:
    """Its workers log into its folder; the seconds that a fault of it remains are those of its scenario. When its
    workers are gone it stays, and a fault by hand has the time that its command noted."""
    run = run_folders.create(tmp_path, build("broker_loss", {"hold_s": 40}))
    silent_lab(home)
    with closing(Observer(home, ByHand(home))) as observer, control.Line(home, lease=True) as lease:
        lease.receive()
        fleet = msgspec.structs.replace(tiny("fleet-0", home), log=str(run.logs / "fleet-0.jsonl"))
        control.ask(home, control.Start([fleet, tiny("broker-1", home)]))
        assert run.path.name in moment(observer, lambda now: len(now.nodes) == 2).subject
        control.ask(home, control.Inject(0, "broker-1", "pause"))
        (fault,) = moment(observer, lambda now: bool(now.faults)).faults
        assert fault.node == "broker-1" and fault.left_s is not None and 30 < fault.left_s <= 40
        control.ask(home, control.Stop(["fleet-0"]))
        (fault,) = moment(observer, lambda now: now.nodes[0].status == "ended" or now.nodes[0].status == "dead").faults
        assert fault.left_s is None
        with by_hand_hold.noted(home, 600):
            (fault,) = observer.tick().faults
            assert fault.left_s is not None and 500 < fault.left_s <= 600
        assert run.path.name in observer.tick().subject


def moment(observer: Observer, fits: Callable[[Moment], bool]) -> Moment:
    """The first moment that fits."""
    return wait_until(
        lambda: next((now for now in [observer.tick()] if fits(now)), None), what="such a moment", timeout_s=20
    )
