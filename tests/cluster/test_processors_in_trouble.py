"""Processors in trouble on a real cluster: killed, frozen, stopped and joined at random, and the alerts are exact."""

from __future__ import annotations

import random
import signal

import pytest

from factorylab.core.waiting import wait_until
from tests.support.factory_runs import LONG_S, FactoryRun, assert_stored_once

STEPS = 4


def owners(run: FactoryRun) -> list[str]:
    return sorted({str(owner) for (owner,) in run.query("SELECT owner FROM {s}.positions")})


@pytest.mark.parametrize(("seed", "protocol"), [(1, "range"), (2, "cooperative-sticky")])
def test_alerts_are_exact_whatever_happens_to_their_processors(run: FactoryRun, seed: int, protocol: str) -> None:
    """Over a random mix of kills, pauses past the session, stops and joins, alerts and rows are those of one pass.
    Over 10 s: a pause lasts longer than a session, several times."""
    dice, given = random.Random(seed), {"protocol": protocol, "session_timeout_s": 6}
    for name in ("p0", "p1"):
        run.processor(name, **given)
    run.fleet("f0", rate="1000", sensors=60, anomaly_rate=0.05)
    run.wait_stored(1_000)
    for step in range(STEPS):
        victim = dice.choice(owners(run))
        match dice.choice(["kill", "pause", "stop", "join"]):
            case "kill":
                run.end(victim, signal.SIGKILL)
                run.processor(victim, **given)
            case "stop":
                assert run.end(victim) == 0
                run.processor(victim, **given)
            case "pause":
                run.send(victim, signal.SIGSTOP)
                wait_until(lambda v=victim: v not in owners(run), what="others to take over", timeout_s=LONG_S)
                run.send(victim, signal.SIGCONT)
            case "join":
                run.processor(f"p{2 + step}", **given)
        run.wait_stored(run.stored() + 500)
    assert run.end("f0") == 0
    run.wait_drained()
    assert_stored_once(run)
