"""What is seen from outside, by a process of its own, five times a second.

    python -m factorylab.probe        configured by the environment, see ProbeConfig

Each question has at most one call on its way, so a frozen broker delays its own answers only and never piles up
work. Offsets are asked of each partition's leader separately; metadata and group questions go to one client a
broker, the next one whenever an answer is late. What is older than `FRESH_S` is written as not valid: no number is
better than an old one.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from threading import Event
from typing import Any, Generic, TypeVar

import psutil
from confluent_kafka import (
    ConsumerGroupTopicPartitions,
    IsolationLevel,
    KafkaException,
    TopicCollection,
    TopicPartition,
)
from confluent_kafka.admin import AdminClient, ConsumerGroupDescription, ListOffsetsResultInfo, OffsetSpec
from confluent_kafka.admin import TopicDescription as Topic
from pydantic_settings import BaseSettings, SettingsConfigDict

from factorylab.clock import now_ns
from factorylab.cluster import control
from factorylab.cluster.admin import client_config
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


class Question(Generic[T]):
    """A question asked again and again, one call at a time. `late` is called when an answer does not come."""

    def __init__(self, send: Callable[[], Future[T]], late: Callable[[], None] = lambda: None) -> None:
        self._send, self._late = send, late
        self._future: Future[T] | None = None
        self._sent_s = 0.0
        self._answer: T | None = None
        self._answered_s = float("-inf")

    def tick(self) -> None:
        """Take the answer if it has come, and ask again."""
        now = time.monotonic()
        if self._future is not None and self._future.done():
            try:
                self._answer, self._answered_s = self._future.result(), now
            except KafkaException:
                self._late()
        elif self._future is not None and now - self._sent_s < 2 * ANSWER_S:
            return
        elif self._future is not None:
            self._late()
        self._future, self._sent_s = self._send(), now

    def fresh(self) -> T | None:
        """The answer, unless it is older than FRESH_S."""
        return self._answer if time.monotonic() - self._answered_s <= FRESH_S else None


class Probe:
    """The samples of one run. `sample` is one tick; rows go to `journal`."""

    def __init__(self, config: ProbeConfig, journal: Journal) -> None:
        self.config, self.journal = config, journal
        brokers = config.bootstrap.split(",")
        self._clients = [AdminClient(client_config(broker, "factorylab-probe")) for broker in brokers]
        self._turn = 0
        self._topic = Question(self._ask_topic, self._next_client)
        self._members = Question(self._ask_members, self._next_client)
        self._committed = Question(self._ask_committed, self._next_client)
        self._ends = [Question(self._ask_end(p)) for p in range(config.partitions)]
        self._processes: dict[int, psutil.Process] = {}
        self._known: dict[str, int] = {}

    def sample(self) -> None:
        """Ask, and write what is known now."""
        questions: list[Question[Any]] = [self._topic, self._members, self._committed, *self._ends]
        for question in questions:
            question.tick()
        t_ns = now_ns()
        self._write_partitions(t_ns)
        self._write_lag(t_ns)
        self._write_members(t_ns)
        for name, pid in self._pids().items():
            self.journal.write(self._process(t_ns, name, pid))

    def _pids(self) -> dict[str, int]:
        """Every node that ever was, with its latest pid: what is gone from the lab's record is seen dead."""
        state = control.living_state(self.config.home)
        self._known.update({child.name: child.pid for child in state.children} if state else {})
        return self._known

    def _next_client(self) -> None:
        self._turn = (self._turn + 1) % len(self._clients)

    @property
    def _client(self) -> AdminClient:
        return self._clients[self._turn]

    def _ask_topic(self) -> Future[Topic]:
        topic = self.config.topic
        return self._client.describe_topics(TopicCollection([topic]), request_timeout=ANSWER_S)[topic]

    def _ask_members(self) -> Future[ConsumerGroupDescription]:
        group = self.config.group
        return self._client.describe_consumer_groups([group], request_timeout=ANSWER_S)[group]

    def _ask_committed(self) -> Future[ConsumerGroupTopicPartitions]:
        group = self.config.group
        wanted = [ConsumerGroupTopicPartitions(group)]
        return self._client.list_consumer_group_offsets(wanted, request_timeout=ANSWER_S)[group]

    def _ask_end(self, partition: int) -> Callable[[], Future[ListOffsetsResultInfo]]:
        at = TopicPartition(self.config.topic, partition)

        def send() -> Future[ListOffsetsResultInfo]:
            return self._client.list_offsets(
                {at: OffsetSpec.latest()}, isolation_level=IsolationLevel.READ_UNCOMMITTED, request_timeout=ANSWER_S
            )[at]

        return send

    def _end(self, partition: int) -> ListOffsetsResultInfo | None:
        """None where stale; against a frozen broker the call succeeds with offset −1001."""
        answer = self._ends[partition].fresh()
        return answer if answer is not None and answer.offset >= 0 else None

    def _write_partitions(self, t_ns: int) -> None:
        topic = self._topic.fresh()
        described = {} if topic is None else {p.id: p for p in topic.partitions}
        for partition in range(self.config.partitions):
            end, seen = self._end(partition), described.get(partition)
            leader = seen.leader.id if seen is not None and seen.leader is not None else -1
            row = PartitionSample(
                worker="probe",
                t_ns=t_ns,
                partition=partition,
                leader=leader,
                epoch=-1 if end is None or end.leader_epoch is None else end.leader_epoch,
                isr=[] if seen is None else [node.id for node in seen.isr],
                end=-1 if end is None else end.offset,
                valid=end is not None and seen is not None,
            )
            self.journal.write(row)

    def _write_lag(self, t_ns: int) -> None:
        answer = self._committed.fresh()
        offsets = [] if answer is None else answer.topic_partitions or []
        committed = {tp.partition: tp.offset for tp in offsets if tp.topic == self.config.topic and tp.offset >= 0}
        for partition in range(self.config.partitions):
            end = self._end(partition)
            row = LagSample(
                worker="probe",
                t_ns=t_ns,
                partition=partition,
                committed=committed.get(partition, 0),  # nothing committed yet: all of the partition lies ahead
                end=-1 if end is None else end.offset,
                valid=answer is not None and end is not None,
            )
            self.journal.write(row)

    def _write_members(self, t_ns: int) -> None:
        group = self._members.fresh()
        if group is None:
            return
        for member in group.members:
            owned = member.assignment.topic_partitions if member.assignment is not None else []
            row = MemberSample(
                worker="probe",
                t_ns=t_ns,
                state=group.state.name,
                member=member.client_id,
                partitions=sorted(tp.partition for tp in owned),
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


def main() -> None:
    """Sample until SIGTERM."""
    config = ProbeConfig()
    stop = Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    with Journal(config.journal_dir, "probe", "probe") as journal:
        probe = Probe(config, journal)
        due_s = time.monotonic()
        while not stop.is_set():
            probe.sample()
            due_s = max(due_s + PERIOD_S, time.monotonic())
            stop.wait(due_s - time.monotonic())


if __name__ == "__main__":
    main()
