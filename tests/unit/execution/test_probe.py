"""The probe: what it writes when answers come, grow old or never come."""

from __future__ import annotations

import time
from pathlib import Path
from threading import Event

import pytest

from factorylab.cluster.base import Link
from factorylab.cluster.views import PartitionView
from factorylab.core.errors import WaitTimeout
from factorylab.core.sources import variables
from factorylab.core.waiting import wait_until
from factorylab.execution import probe as probing
from factorylab.execution.probe import Probe, ProbeConfig
from factorylab.execution.probe_questions import FRESH_S, RepeatedQuestion, newest
from factorylab.history.tables import LagSample, MemberSample, PartitionSample, ReachSample, ViewSample
from tests.support.probed import PARTITIONS, answers, sampled, views

__all__ = ["answers"]  # fixtures


def complete(probe: Probe) -> bool:
    return all(watch.fresh() for watch in [*probe._views.values(), probe._group, probe._committed]) and ended(probe)


def ended(probe: Probe, wanted: int = PARTITIONS) -> bool:
    """As many ends are known."""
    return sum(len(watch.fresh() or {}) for watch in probe._ends.values()) >= wanted


def test_a_question_that_cannot_be_asked_ends_the_probe() -> None:
    """Where nobody answers the watch asks again; anything else is raised where its answers are looked at."""
    stop, failures = Event(), [WaitTimeout("no answer"), ValueError("wrong question")]

    def ask() -> None:
        raise failures.pop(0)

    watch = RepeatedQuestion(stop, ask, 0.0)
    watch.join(20)
    stop.set()
    with pytest.raises(ValueError, match="wrong question"):
        watch.fresh()


def test_a_sample_holds_all_answers(answers: dict[str, object], tmp_path: Path) -> None:
    """One tick writes leaders, ISR, ends, committed offsets (none: 0) and members."""
    rows = sampled(tmp_path, complete)
    seen = [(r.partition, r.leader, r.epoch, r.isr, r.end, r.valid) for r in rows if isinstance(r, PartitionSample)]
    assert seen == [(0, 1, 0, [1], 10, True), (1, 2, 1, [2], 3, True)]
    lags = [(r.partition, r.committed, r.end, r.valid) for r in rows if isinstance(r, LagSample)]
    assert lags == [(0, 7, 10, True), (1, 0, 3, True)]
    members = [(r.state, r.member, r.partitions) for r in rows if isinstance(r, MemberSample)]
    assert members == [("Stable", "processor-0", [0, 1])]


def test_a_frozen_broker_spoils_its_own_partition_only(answers: dict[str, object], tmp_path: Path) -> None:
    """Of a partition whose leader does not answer the end is not known, of the other it is."""
    answers["broker-2"] = None
    rows = sampled(tmp_path, lambda probe: ended(probe, 1) and probe._committed.fresh())
    assert [r.valid for r in rows if isinstance(r, PartitionSample)] == [True, False]
    assert [(r.end, r.valid) for r in rows if isinstance(r, LagSample)] == [(10, True), (-1, False)]


def test_the_leader_of_the_next_epoch_is_believed(answers: dict[str, object], tmp_path: Path) -> None:
    """An isolated leader that still names itself is outvoted by who knows a later epoch; both views are written."""
    answers["broker-2"] = views(epochs=(5, 1), leaders=(2, 2))
    rows = sampled(tmp_path, complete, network=True)
    seen = [(r.leader, r.epoch, r.isr, r.valid) for r in rows if isinstance(r, PartitionSample)]
    assert seen == [(2, 5, [2], True), (2, 1, [2], True)]
    told = [(r.broker, r.partition, r.leader, r.epoch) for r in rows if isinstance(r, ViewSample)]
    assert told == [(1, 0, 1, 0), (1, 1, 2, 1), (2, 0, 2, 5), (2, 1, 2, 1)]


def test_of_one_epoch_the_leader_knows_best() -> None:
    """When an isolated follower still counts itself in sync, the leader's own word counts."""
    full, shrunk = (PartitionView(0, leader=2, epoch=3, replicas=(1, 2), isr=isr) for isr in ((1, 2), (2,)))
    told = {1: {0: full}, 2: {0: shrunk}, 3: {0: full}}
    assert newest(told, 0) == shrunk and newest({1: {0: full}}, 0) == full and newest({}, 0) is None


def test_a_leader_that_tells_no_end_yet_is_still_seen(answers: dict[str, object], tmp_path: Path) -> None:
    """Where a new leader keeps its end to itself the leader and its view are known, the end is not."""
    answers["end-1"] = None
    rows = sampled(tmp_path, lambda probe: ended(probe, 1) and probe._views[2].fresh(), network=True)
    assert [(r.leader, r.valid) for r in rows if isinstance(r, PartitionSample)] == [(1, True), (2, False)]
    assert {(r.broker, r.partition) for r in rows if isinstance(r, ViewSample)} >= {(2, 0), (2, 1)}


def test_reach_is_written_once_an_answer(
    answers: dict[str, object], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the supervisor says about links is written with the time of the question, each answer once."""
    link = Link("broker-1", "broker-2", ok=False)
    monkeypatch.setattr(probing, "links", lambda home: [link])
    monkeypatch.setattr(probing, "REACH_S", 600)

    def ticked(probe: Probe) -> bool:
        probe.sample()
        return probe._reach is not None and probe._reach._told is not None

    rows = [row for row in sampled(tmp_path, ticked, network=True) if isinstance(row, ReachSample)]
    assert [(r.source, r.target, r.ok) for r in rows] == [("broker-1", "broker-2", False)]


def test_without_network_faults_nothing_is_tried(answers: dict[str, object], tmp_path: Path) -> None:
    """Neither links nor single views are asked for or written where the network is no part of the experiment."""
    rows = sampled(tmp_path, complete)
    assert not [row for row in rows if isinstance(row, ReachSample | ViewSample)]


@pytest.mark.parametrize(("silent", "kind"), [("broker", PartitionSample), ("committed", LagSample)])
def test_no_answer_is_not_valid(
    answers: dict[str, object], tmp_path: Path, silent: str, kind: type[PartitionSample | LagSample]
) -> None:
    """Without metadata no leader is valid, without committed offsets no lag is."""
    answers.update({name: None for name in answers if name.startswith(silent)})
    rows = sampled(tmp_path, lambda probe: probe._group.fresh())
    assert [r.valid for r in rows if isinstance(r, kind)] == [False, False]


def test_an_old_answer_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is older than the limit counts as not known, until a new answer comes."""
    asked, go_on = Event(), Event()

    def question() -> int:
        if asked.is_set():
            go_on.wait(20)
        asked.set()
        return 5

    stop = Event()
    watch: RepeatedQuestion[int] = RepeatedQuestion(stop, question, 0.01)
    wait_until(lambda: watch.fresh() == 5, what="the first answer", timeout_s=20)
    later = time.monotonic() + FRESH_S + 0.01
    with monkeypatch.context() as clock:
        clock.setattr(time, "monotonic", lambda: later)
        assert watch.fresh() is None
    stop.set()
    go_on.set()
    watch.join(20)


def test_a_configuration_survives_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """What the runner hands to the probe as environment variables is what the probe reads."""
    config = ProbeConfig(bootstrap="a:1,b:2", topic="t", group="g", partitions=3, home=tmp_path, journal_dir=tmp_path,
                         network=True)  # fmt: skip
    for name, value in config.environ().items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("FACTORYLAB_PROBE_DATABASE_URL", "")  # as compose writes one that is not given
    assert ProbeConfig(**variables(ProbeConfig)) == config
