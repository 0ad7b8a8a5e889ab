"""One observation from beginning to end: offer what is due, take up what was noted, keep the evidence."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from queue import SimpleQueue
from threading import Event as Flag

import msgspec

from factorylab.cluster.connection.connection import Connection
from factorylab.cluster.python_client import FAILURES
from factorylab.core.clock import FOREVER_NS, NS, now_ns, stamp
from factorylab.core.errors import EnvironmentUnfit
from factorylab.operations.observe.account import Account, Told
from factorylab.operations.observe.canary import Canary, Schedule
from factorylab.operations.observe.clients import CanaryProducer, CanaryReader
from factorylab.operations.observe.evidence import Evidence
from factorylab.operations.observe.foreign import Event
from factorylab.operations.observe.kubernetes import KubernetesEvents
from factorylab.operations.observe.moments import Moments
from factorylab.operations.observe.notes import Acked, Begins, Noted, Offered, Read, Refused, taken
from factorylab.operations.observe.own_time import PAUSED_S, TICK_S
from factorylab.operations.observe.shown import ObservedMoment, Status
from factorylab.operations.observe.summarize import summarize
from factorylab.operations.observe.summary import Plan, Summary
from factorylab.operations.observe.warm_up import warm_up
from factorylab.operations.observe.watch import Watch
from factorylab.operations.observe.words import markdown

SECOND_NS, SUMMARY_NS, REPORT_NS, MOMENT_NS = NS, 5 * NS, 60 * NS, NS // 2
MOMENT_SHARE = 20  # of its time the observer gives at most one part in so many to what is shown
DRAIN_S = 5.0  # for the answers that are missing at the end


class Observer:
    """Call `run` once. `latest` is the summary of some seconds ago, for other threads."""

    def __init__(
        self, connection: Connection, plan: Plan, folder: Path, kubernetes: KubernetesEvents | None = None,
        show: Callable[[ObservedMoment], bool] | None = None,
    ) -> None:  # fmt: skip
        """Connect, and see that each partition takes a first record and gives it back. `show` is given a moment for the
        live page twice a second, must not wait, and says whether it took it.

        Raises:
            EnvironmentUnfit: one does not, or the folder cannot be made.
        """
        self._plan, self._kubernetes, self._observation = plan, kubernetes, secrets.token_hex(4)
        self._noted: SimpleQueue[Noted] = SimpleQueue()
        self._asked, self._ended = False, Flag()
        self._next = dict.fromkeys(range(plan.partitions), 0)
        self.latest: Summary | None = None
        with ExitStack() as at_end:
            self._reader = self._reader_of(connection)
            at_end.callback(self._reader.stop)
            self._producer = CanaryProducer(connection, plan.topic, self._noted)
            at_end.callback(self._producer.close, 0)
            self._reader.start()
            warm_up(self._producer, self._noted, plan, self._observation)
            self.evidence = Evidence(folder)
            at_end.callback(self._ended.set)
            self._watch = Watch(connection, plan.topic, plan.group, self._ended)
            self._at_end = at_end.pop_all()
        start = stamp()
        self._schedule = Schedule(start.mono_ns, plan.rate_hz, plan.partitions)
        self.account = Account(self._schedule, plan.partitions, start, self._tell)
        self._show, self._moments = show, Moments(self.account, plan, self._watch)
        self._second_ns = self._summary_ns = self._report_ns = self._moment_ns = start.mono_ns

    def ask_report(self) -> None:
        """Write the report within a second; for a signal's handler."""
        self._asked = True

    def run(self, stop: Flag) -> Summary:
        """Observe until `stop` is set or the time is over, then wait for the answers that are missing."""
        with self._at_end:
            until_ns = FOREVER_NS
            if self._plan.for_s is not None:
                until_ns = self.account.start.mono_ns + round(self._plan.for_s * NS)
            while not stop.is_set() and now_ns() < until_ns:
                self._turn(offer=True)
            deadline_ns = now_ns() + round(DRAIN_S * NS)
            while now_ns() < deadline_ns and any(ledger.pending for ledger in self.account.ledgers.values()):
                self._turn(offer=False)
            self._show_moment(now_ns(), "ended")
            return self._report(now_ns())

    def _reader_of(self, connection: Connection) -> CanaryReader:
        try:
            return CanaryReader(connection, self._plan.topic, self._plan.partitions, self._observation, self._noted)
        except FAILURES as error:
            raise EnvironmentUnfit(f"{self._plan.topic} cannot be read: {error!r}") from None

    def _turn(self, *, offer: bool) -> None:
        now = now_ns()
        self.account.tick(now)
        if now - self._second_ns >= SECOND_NS:
            self._each_second(now)
        for event in self._watch.events(self.account.own):
            self.account.happened(event)
        if offer:
            self._offer_due(now)
        self._take_up()
        if now >= self._moment_ns:
            self._show_moment(now, "observing")
        self._producer.poll(self._until_due_s() if offer else TICK_S)

    def _each_second(self, now: int) -> None:
        self._second_ns = now
        self.account.pause(self.account.own.stamped(stamp()))
        try:
            self.evidence.flush()
            self.account.pause(self.account.own.written(now))
        except OSError as error:
            self.account.own.unwritten(now, str(error))
        if now - self._summary_ns >= SUMMARY_NS:
            self._summary_ns, self.latest = now, self._summary(now)
        if self._asked or now - self._report_ns >= REPORT_NS:
            self._report(now)

    def _offer_due(self, now: int) -> None:
        for partition, first in self._next.items():
            due = self._schedule.due(partition, now)
            self._next[partition] = max(due, first)
            for seq in range(first, due):
                late_ns = now - self._schedule.intended_ns(partition, seq)
                counts = self.account.ledgers[partition].counts
                if late_ns > PAUSED_S * NS:
                    counts.not_offered += 1
                elif self._producer.offer(Canary(self._observation, partition, seq)):
                    self.account.offered(partition, seq, now)
                    self.evidence.put("canaries", Offered(partition, seq, now, late_ns))
                else:
                    counts.shed += 1

    def _until_due_s(self) -> float:
        """Until the next canary is due, at most a tick."""
        due_ns = min(self._schedule.intended_ns(partition, seq) for partition, seq in self._next.items())
        return min(max((due_ns - now_ns()) / NS, 0.0), TICK_S)

    def _take_up(self) -> None:
        for note in taken(self._noted):
            self._note(note)

    def _note(self, note: Noted) -> None:
        match note:
            case Acked(canary, offset, t_ns):
                self.account.acked(canary.partition, canary.seq, offset, t_ns)
            case Refused(canary, _, _):
                self.account.unknown(canary.partition, canary.seq)
            case Read(partition, offset, canary, t_ns) if canary:
                self.account.read(partition, canary.seq, offset, t_ns)
            case Read(partition, offset, _, t_ns):
                self.account.passed(partition, offset, t_ns)
            case Begins(partition, offset):
                self.account.ledgers[partition].begins(offset)
        self.evidence.put("canaries", note)

    def _tell(self, told: Told) -> None:
        self.evidence.put("told", told)
        if self._show and isinstance(told, Event):
            self._moments.told(told)

    def _show_moment(self, now: int, status: Status) -> None:
        if self._show and self._show(self._moments.of(now, status)):
            self._moments.taken()
        self._moment_ns = now + max(MOMENT_NS, MOMENT_SHARE * (now_ns() - now))

    def _summary(self, now: int) -> Summary:
        return summarize(self.account, self._plan, now, self._watch.group())

    def _report(self, now: int) -> Summary:
        if self._kubernetes:
            for event in self._kubernetes.news(self.account.own, self.account.start.mono_ns):
                self.account.happened(event)
        seen = self.latest = self._summary(now)
        self._asked, self._report_ns = False, now
        try:
            self.evidence.flush()
            self.evidence.write("report.json", msgspec.json.format(msgspec.json.encode(seen)))
            self.evidence.write("report.md", markdown(seen).encode())
        except OSError as error:
            self.account.own.unwritten(now, str(error))
        return seen
