"""What is seen from outside, by a process of its own, five times a second.

    python -m factorylab.execution.probe        configured by the environment, see ProbeConfig

Each broker is asked alone for leaders and for ends, each by a thread and a client of its own, so a frozen one delays
its own answers only; so are the group and its committed offsets. Where brokers contradict each other about a partition,
`newest` decides. The main thread writes what is known five times a second. What is older than FRESH_S is written as
not valid: no number is better than an old one.

While the network is part of the experiment, what each broker said is written as well, and about once a second who
reaches whom. While the database is, it is asked for a connection and a write twice a second.
"""

from __future__ import annotations

import signal
import time
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from threading import Event

import msgspec
import psutil
from pydantic import SecretStr
from pydantic_settings import SettingsConfigDict

from factorylab.cluster import cgroups, control
from factorylab.cluster.admin import Admin
from factorylab.cluster.base import Link
from factorylab.cluster.coordinator import Coordinator
from factorylab.cluster.database_probe import answer_of
from factorylab.cluster.external.place import take_up
from factorylab.cluster.look import cpu_s
from factorylab.cluster.one_broker import OneBroker
from factorylab.cluster.secured import numbers_of
from factorylab.cluster.share_coordinator import ShareCoordinator
from factorylab.cluster.views import PartitionView
from factorylab.core import secret
from factorylab.core.clock import now_ns
from factorylab.core.sources import PREFIX, Sourced, variables
from factorylab.core.vocabulary import ProcessStatus
from factorylab.execution.cpu_time import CpuTime
from factorylab.execution.probe_questions import Answer, RepeatedQuestion, Views, ends_of, newest, views_of
from factorylab.history.journal import Journal
from factorylab.history.tables import (
    DatabaseSample,
    LagSample,
    MemberSample,
    PartitionSample,
    ProcessSample,
    ReachSample,
    StableSample,
    ViewSample,
)

PERIOD_S = 0.2
ANSWER_S = 1.0  # a broker's time to answer; healthy ones take 2 ms
DATABASE_S = 0.5
REACH_S = 1.0  # each time, every node tries to connect to every broker


class ProbeConfig(Sourced):
    """What to look at and where to write it: FACTORYLAB_PROBE_BOOTSTRAP and so on."""

    model_config = SettingsConfigDict(env_prefix=PREFIX + "PROBE_")

    bootstrap: str
    topic: str
    group: str
    partitions: int
    home: Path
    journal_dir: Path
    alert_topic: str | None = None  # given where its records are in transactions
    share_group: bool = False  # is the group one of those, which own no partitions?
    network: bool = False  # is the network part of the experiment?
    database_url: SecretStr | None = None  # given where the database is


class Probe:
    """The samples of one run. `sample` is one tick; rows go to `journal`."""

    def __init__(self, config: ProbeConfig, journal: Journal, stop: Event) -> None:
        self.config, self.journal = config, journal
        self._views = {number: self._watch_views(number, stop) for number in self._numbers}
        self._ends = {number: self._watch_ends(number, stop) for number in self._numbers}
        kind = ShareCoordinator if config.share_group else Coordinator
        members, offsets = (kind(config.bootstrap, config.group, 0, ANSWER_S) for _ in range(2))
        progress = offsets.lags if isinstance(offsets, ShareCoordinator) else offsets.committed
        self._group = RepeatedQuestion(stop, members.view, PERIOD_S)
        self._committed = RepeatedQuestion(stop, lambda: progress(config.topic), PERIOD_S)
        self._reach = RepeatedQuestion(stop, lambda: links(config.home), REACH_S) if config.network else None
        url = config.database_url.get_secret_value() if config.database_url else None
        self._database = RepeatedQuestion(stop, lambda: answer_of(url), DATABASE_S) if url else None
        self._stable = self._watch_stable(config.alert_topic, stop) if config.alert_topic else None
        self._processes: dict[int, psutil.Process] = {}
        self._known: dict[str, int] = {}
        self._used: dict[str, CpuTime] = defaultdict(CpuTime)

    @property
    def _numbers(self) -> tuple[int, ...]:
        return numbers_of(self.config.bootstrap)

    def _watch_views(self, number: int, stop: Event) -> RepeatedQuestion[Views]:
        broker = OneBroker(self.config.bootstrap, number, 0, ANSWER_S)
        return RepeatedQuestion(stop, lambda: views_of(broker, self.config.topic), PERIOD_S)

    def _watch_ends(self, number: int, stop: Event) -> RepeatedQuestion[dict[int, int]]:
        broker = OneBroker(self.config.bootstrap, number, 0, ANSWER_S)
        return RepeatedQuestion(stop, lambda: ends_of(broker, self.config.topic, self._views[number].fresh()), PERIOD_S)

    def _watch_stable(self, topic: str, stop: Event) -> RepeatedQuestion[dict[int, tuple[int, int]]]:
        admin = Admin(self.config.bootstrap, ANSWER_S)
        partitions = range(self.config.partitions)

        def ask() -> dict[int, tuple[int, int]]:
            stable = admin.ends(topic, partitions, committed=True)
            ends = admin.ends(topic, partitions)
            return {partition: (stable[partition], ends[partition]) for partition in partitions}

        return RepeatedQuestion(stop, ask, PERIOD_S, admin.close)

    def sample(self) -> None:
        """Write what is known now."""
        t_ns = now_ns()
        views = {broker: answer for broker, watch in self._views.items() if (answer := watch.answer())}
        ends = {broker: said_ends for broker, watch in self._ends.items() if (said_ends := watch.answer())}
        told = {broker: answer.value for broker, answer in views.items()}
        found = {p: newest(told, p) for p in range(self.config.partitions)}
        of_leader = {p: ends.get(view.leader) if view else None for p, view in found.items()}
        known = {p: answer.value.get(p) if answer else None for p, answer in of_leader.items()}
        viewed_ns = min((answer.asked_ns for answer in views.values()), default=t_ns)
        asked = {p: min(answer.asked_ns, viewed_ns) if answer else None for p, answer in of_leader.items()}
        self._write_partitions(t_ns, found, known, asked)
        self._write_lag(t_ns, known)
        self._write_members(t_ns)
        if self._reach is not None:
            self._write_views(t_ns, told)
            if news := self._reach.news():
                self._write_reach(news)
        if self._database is not None and (heard := self._database.news()):
            self.journal.write(DatabaseSample(worker="probe", t_ns=heard.asked_ns, answer=heard.value))
        if self._stable is not None and (stable := self._stable.news()):
            self._write_stable(stable)
        for name, pid in self._pids().items():
            self.journal.write(self._process(t_ns, name, pid))

    def _pids(self) -> dict[str, int]:
        """Every node that lived under this probe, with its latest pid: what is gone from the lab's record is seen dead.
        What an earlier run left dead on this lab is none of this run."""
        state = control.living_state(self.config.home)
        for child in state.children if state else ():
            if child.name in self._known or control.find_process(child):
                self._known[child.name] = child.pid
        return self._known

    def _write_partitions(
        self,
        t_ns: int,
        found: Mapping[int, PartitionView | None],
        ends: Mapping[int, int | None],
        asked: Mapping[int, int | None],
    ) -> None:
        for partition, view in found.items():
            offset = ends[partition]
            row = PartitionSample(
                worker="probe",
                t_ns=t_ns,
                partition=partition,
                leader=-1 if view is None else view.leader,
                epoch=-1 if view is None else view.epoch,
                isr=[] if view is None else list(view.isr),
                end=-1 if offset is None else offset,
                valid=view is not None and offset is not None,
                asked_ns=asked[partition],
            )
            self.journal.write(row)

    def _write_lag(self, t_ns: int, ends: Mapping[int, int | None]) -> None:
        """Of a share group the broker tells the lag itself: what is done with lies in no one piece."""
        told = self._committed.fresh()
        shared = self.config.share_group
        for partition, offset in ends.items():
            known = (told or {}).get(partition)
            row = LagSample(
                worker="probe",
                t_ns=t_ns,
                partition=partition,
                committed=_done_with(known, offset, shared=shared),
                end=-1 if offset is None else offset,
                valid=told is not None and offset is not None,
            )
            self.journal.write(row)

    def _write_members(self, t_ns: int) -> None:
        group = self._group.fresh()
        for member in () if group is None else group.members:
            row = MemberSample(
                worker="probe",
                t_ns=t_ns,
                state=group.state if group else "",
                member=member.name,
                partitions=list(member.partitions),
            )
            self.journal.write(row)

    def _write_views(self, t_ns: int, told: Mapping[int, Views]) -> None:
        for broker, views in told.items():
            for view in views.values():
                row = ViewSample(
                    worker="probe",
                    t_ns=t_ns,
                    broker=broker,
                    partition=view.partition,
                    leader=view.leader,
                    epoch=view.epoch,
                    isr=list(view.isr),
                )
                self.journal.write(row)

    def _write_stable(self, news: Answer[dict[int, tuple[int, int]]]) -> None:
        """The time of these rows is when the first of the two was asked for."""
        for partition, (stable, end) in news.value.items():
            row = StableSample(worker="probe", t_ns=news.asked_ns, partition=partition, stable=stable, end=end)
            self.journal.write(row)

    def _write_reach(self, news: Answer[list[Link]]) -> None:
        """The time of these rows is when the first connection was tried: broken ones take until they are given up."""
        for link in news.value:
            row = ReachSample(worker="probe", t_ns=news.asked_ns, source=link.source, target=link.target, ok=link.ok)
            self.journal.write(row)

    def _process(self, t_ns: int, name: str, pid: int) -> ProcessSample:
        status, used_s, rss_bytes, cpu_limit = self._look(pid)
        return ProcessSample(
            worker="probe",
            t_ns=t_ns,
            name=name,
            pid=pid,
            status=status,
            cpu_s=self._used[name].of(pid, None if status == "dead" else used_s),
            rss_bytes=rss_bytes,
            cpu_limit=cpu_limit,
        )

    def _look(self, pid: int) -> tuple[ProcessStatus, float, int, float | None]:
        dead: tuple[ProcessStatus, float, int, None] = "dead", 0.0, 0, None
        try:
            process = self._processes[pid] if pid in self._processes else psutil.Process(pid)
            self._processes[pid] = process
            with process.oneshot():
                status, used_s, rss = control.process_status(process), cpu_s(process), process.memory_info().rss
        except psutil.NoSuchProcess:
            return dead
        return dead if status == "dead" else (status, used_s, rss, cgroups.cpu_limit(pid))


def _done_with(told: int | None, end: int | None, *, shared: bool) -> int:
    """The committed offset of a partition, or of a share group what is done with, counted from the front. Where the
    group has nothing on record all of the partition lies ahead."""
    if told is None or not shared:
        return told or 0
    return max((end or 0) - told, 0)


def links(home: Path) -> list[Link]:
    """Who reaches whom, as the lab's supervisor tries it. Raises LabError when it cannot be asked."""
    return msgspec.json.decode(control.ask(home, control.Reach()), type=list[Link])


def main() -> None:
    """Sample until SIGTERM."""
    secret.guard_tracebacks()
    config = ProbeConfig(**variables(ProbeConfig))
    take_up(config.home)
    stop = Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    with Journal(config.journal_dir, "probe", "probe") as journal:
        probe = Probe(config, journal, stop)
        due_s = time.monotonic()
        while not stop.is_set():
            probe.sample()
            due_s = max(due_s + PERIOD_S, time.monotonic())
            stop.wait(due_s - time.monotonic())


if __name__ == "__main__":
    main()
