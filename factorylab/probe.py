"""What is seen from outside, by a process of its own, five times a second.

    python -m factorylab.probe        configured by the environment, see ProbeConfig

Each question has a thread and a client of its own: metadata, group, committed offsets, and the end of each
partition, so a frozen broker delays its own answers only. The main thread writes what is known five times a second.
What is older than FRESH_S is written as not valid: no number is better than an old one.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from threading import Event, Thread
from typing import Generic, TypeVar

import psutil
from pydantic_settings import BaseSettings, SettingsConfigDict

from factorylab.clock import now_ns
from factorylab.cluster import control
from factorylab.cluster.admin import Admin
from factorylab.errors import WaitTimeout
from factorylab.history import LagSample, MemberSample, PartitionSample, ProcessSample, ProcessStatus
from factorylab.journal import Journal

T = TypeVar("T")
PERIOD_S = 0.2
ANSWER_S = 1.0  # a broker's time to answer; healthy ones take 2 ms
FRESH_S = 0.5


class ProbeConfig(BaseSettings):
    """What to look at and where to write it: FACTORYLAB_PROBE_BOOTSTRAP and so on."""

    model_config = SettingsConfigDict(env_prefix="FACTORYLAB_PROBE_")

    bootstrap: str
    topic: str
    group: str
    partitions: int
    home: Path
    journal_dir: Path

    def environ(self) -> dict[str, str]:
        """The same as environment variables of a child process."""
        return {f"FACTORYLAB_PROBE_{key.upper()}": str(value) for key, value in self.model_dump().items()}


class Watch(Thread, Generic[T]):
    """Asks one question again and again, and keeps the latest answer with its time."""

    def __init__(self, bootstrap: str, stop: Event, question: Callable[[Admin], T]) -> None:
        super().__init__(daemon=True)
        self._admin = Admin(bootstrap, deadline_s=0, answer_s=ANSWER_S)
        self._ended, self._question = stop, question  # _stop would hide a method of Thread
        self._latest: tuple[T, float] | None = None
        self.start()

    def run(self) -> None:
        while not self._ended.is_set():
            asked_s = time.monotonic()
            with suppress(WaitTimeout):  # the next broker is asked next time; until then the answer grows old
                self._latest = self._question(self._admin), time.monotonic()
            self._ended.wait(max(0.0, asked_s + PERIOD_S - time.monotonic()))

    def fresh(self) -> T | None:
        """The answer, unless it is older than FRESH_S."""
        latest = self._latest
        return latest[0] if latest is not None and time.monotonic() - latest[1] <= FRESH_S else None


class Probe:
    """The samples of one run. `sample` is one tick; rows go to `journal`."""

    def __init__(self, config: ProbeConfig, journal: Journal, stop: Event) -> None:
        self.config, self.journal = config, journal
        topic, group = config.topic, config.group
        self._topic = Watch(config.bootstrap, stop, lambda admin: admin.partitions(topic))
        self._group = Watch(config.bootstrap, stop, lambda admin: admin.group(group))
        self._committed = Watch(config.bootstrap, stop, lambda admin: admin.committed(group, topic))
        self._ends = {p: Watch(config.bootstrap, stop, end_of(topic, p)) for p in range(config.partitions)}
        self._processes: dict[int, psutil.Process] = {}
        self._known: dict[str, int] = {}

    def sample(self) -> None:
        """Write what is known now."""
        t_ns = now_ns()
        self._write_partitions(t_ns)
        self._write_lag(t_ns)
        self._write_members(t_ns)
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

    def _write_partitions(self, t_ns: int) -> None:
        described = {view.partition: view for view in self._topic.fresh() or ()}
        for partition, end in self._ends.items():
            view, offset = described.get(partition), end.fresh()
            row = PartitionSample(
                worker="probe",
                t_ns=t_ns,
                partition=partition,
                leader=-1 if view is None else view.leader,
                epoch=-1 if view is None else view.epoch,
                isr=[] if view is None else list(view.isr),
                end=-1 if offset is None else offset,
                valid=view is not None and offset is not None,
            )
            self.journal.write(row)

    def _write_lag(self, t_ns: int) -> None:
        committed = self._committed.fresh()
        for partition, end in self._ends.items():
            offset = end.fresh()
            row = LagSample(
                worker="probe",
                t_ns=t_ns,
                partition=partition,
                committed=(committed or {}).get(partition, 0),  # nothing committed: all of the partition lies ahead
                end=-1 if offset is None else offset,
                valid=committed is not None and offset is not None,
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

    def _process(self, t_ns: int, name: str, pid: int) -> ProcessSample:
        status, cpu_s, rss_bytes = self._look(pid)
        return ProcessSample(
            worker="probe",
            t_ns=t_ns,
            name=name,
            pid=pid,
            status=status,
            cpu_s=cpu_s,
            rss_bytes=rss_bytes,
        )

    def _look(self, pid: int) -> tuple[ProcessStatus, float, int]:
        try:
            process = self._processes.setdefault(pid, psutil.Process(pid))
            with process.oneshot():
                status, cpu, rss = process.status(), process.cpu_times(), process.memory_info().rss
        except psutil.NoSuchProcess:
            return "dead", 0.0, 0
        if status == psutil.STATUS_ZOMBIE:
            return "dead", 0.0, 0
        return "paused" if status == psutil.STATUS_STOPPED else "running", cpu.user + cpu.system, rss


def end_of(topic: str, partition: int) -> Callable[[Admin], int]:
    """The question for one partition's high watermark."""
    return lambda admin: admin.ends(topic, [partition])[partition]


def main() -> None:
    """Sample until SIGTERM."""
    config = ProbeConfig()
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
