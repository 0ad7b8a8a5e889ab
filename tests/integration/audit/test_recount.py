"""What a verdict says in numbers is what another program counts in the raw tables of the same run."""

from __future__ import annotations

import numpy as np
import pytest

from factorylab.audit.judged import JudgedRun, load
from factorylab.audit.model.verdict import Verdict
from tests.support.recorded_runs import NAMES, unpack
from tests.support.recount import NEAR_S, SILENCE_S, Recount


@pytest.fixture(params=NAMES, scope="module")
def recorded(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Verdict, Recount]:
    """A recorded run's verdict, made now, and the second count."""
    run: JudgedRun = load(unpack(request.param, tmp_path_factory.mktemp("recount")).path)
    return run.verdict, Recount(run.folder.path)


def test_losses_and_doubles_are_those_of_the_tables(recorded: tuple[Verdict, Recount]) -> None:
    """Due, offered, acknowledged, gone from the log, stored, not stored, twice there: the same numbers."""
    verdict, recount = recorded
    counts, found = verdict.counts, recount.counts()
    assert counts is not None
    assert counts.lost_in_log + counts.expired == found.pop("gone")
    assert {name: getattr(counts, name) for name in found} == found


def test_latencies_are_those_of_the_tables(recorded: tuple[Verdict, Recount]) -> None:
    """The same number of latencies, and the same median, 99th percentile and longest; the same rate. Where no
    transaction is in the tables, there are none to tell."""
    verdict, recount = recorded
    told, found = verdict.latency, recount.latencies_s()
    assert (told.n if told else 0) == len(found)
    if told is None:
        assert verdict.stored_per_s is None
        return
    assert (told.p50_s, told.p99_s, told.max_s) == pytest.approx(np.quantile(found, [0.5, 0.99, 1]), abs=1e-3)
    assert verdict.stored_per_s == pytest.approx(recount.stored_per_s(), abs=0.1)


def test_gaps_and_stalls_are_those_of_the_tables(recorded: tuple[Verdict, Recount]) -> None:
    """The longest gap of each partition after each fault is the same; each long silence with a reading that waits is
    told as a stall with its times, and no other is."""
    verdict, recount = recorded
    for fault in verdict.recovery:
        for gap in fault.ack_gaps:
            assert gap.gap.seconds == pytest.approx(recount.ack_gap_s(fault.fault, gap.partition), abs=2e-3)
    assert verdict.service is not None
    for kind in ("acks", "stores"):
        for partition in range(verdict.service.partitions):
            mine = [s for s in verdict.service.stalls if s.service == kind and s.partition == partition]
            told = [(s.start_s, s.end_s) for s in mine if s.end_s - s.start_s > SILENCE_S]
            found = list(recount.silences_s(kind, partition))
            assert [end for _, end in told] == pytest.approx([end for _, end in found], abs=2e-3)
            assert [start for start, _ in told] == pytest.approx([start for start, _ in found], abs=NEAR_S)
