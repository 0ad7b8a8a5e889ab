"""The account of an observation: what became of each canary, when which service was out, and what explains it.

It looks at no clock and asks nobody: moments are given, on the monotonic clock, so that a day can be accounted for in
seconds. Its memory is bounded: of what is older only counts and sums are known.
"""

from __future__ import annotations

from collections import Counter, defaultdict, deque
from collections.abc import Callable, Iterable, Iterator

from factorylab.analysis.causes import UNKNOWN
from factorylab.analysis.silence import told
from factorylab.core.clock import NS, ClockStamp
from factorylab.operations.observe.availability import SERVICES, Outage, Service, ServiceName
from factorylab.operations.observe.canary import Schedule
from factorylab.operations.observe.foreign import Event, cause_of, explains
from factorylab.operations.observe.latency import LatencySketch, RecentLatency
from factorylab.operations.observe.ledger import Counts, Harm, Ledger
from factorylab.operations.observe.own_time import OwnTime, Unobserved

EVENTS_MAX, OUTAGES_MAX, HARM_MAX = 2_000, 2_000, 200
EXPLANATIONS_MAX = 20  # of an outage, the first ones
EVENTS_S = 3.0  # so long after its end an outage waits for events that explain it: looks take up to two seconds
Told = Outage | Harm | Event | Unobserved
Key = tuple[ServiceName, int]


class Account:
    """All partitions of an observation. `tell` is given each outage, event, pause and harmed canary once."""

    def __init__(self, schedule: Schedule, partitions: int, start: ClockStamp, tell: Callable[[Told], None]) -> None:
        self.start, self.own, self._schedule, self._tell = start, OwnTime(start), schedule, tell
        self.ledgers = {p: Ledger(p) for p in range(partitions)}
        self._services = {(name, p): Service(p, name, self.own) for name in SERVICES for p in range(partitions)}
        self.latency = {name: LatencySketch() for name in SERVICES}
        self.recent = {name: RecentLatency() for name in SERVICES}
        self.events: deque[Event] = deque(maxlen=EVENTS_MAX)
        self.harm: deque[Harm] = deque(maxlen=HARM_MAX)
        self._fresh: list[Outage] = []
        self._closed: deque[Outage] = deque(maxlen=OUTAGES_MAX)
        self._out_s: defaultdict[Key, float] = defaultdict(float)
        self._out_count = Counter[Key]()

    def offered(self, partition: int, seq: int, sent_ns: int) -> None:
        """A canary was handed to the producer."""
        self.ledgers[partition].offered(seq)
        for name in SERVICES:
            self._services[name, partition].offered(seq, sent_ns)

    def acked(self, partition: int, seq: int, offset: int, t_ns: int) -> None:
        """A canary was acknowledged."""
        self._note(self.ledgers[partition].acked(seq, offset, t_ns))
        self._served("produce", partition, seq, t_ns)

    def unknown(self, partition: int, seq: int) -> None:
        """A canary got an error: a request without an answer may have been carried out."""
        self.ledgers[partition].unknown(seq)

    def read(self, partition: int, seq: int, offset: int, t_ns: int) -> None:
        """A canary was read."""
        first, harm = self.ledgers[partition].read(seq, offset, t_ns)
        self._note(harm)
        if first:
            self._served("consume", partition, seq, t_ns)

    def passed(self, partition: int, offset: int, t_ns: int) -> None:
        """A record of somebody else was read."""
        self._note(self.ledgers[partition].passed(offset, t_ns))

    def happened(self, event: Event) -> None:
        """Something was seen of the cluster, perhaps only long after an outage that it explains."""
        self.events.append(event)
        for outage in self._closed:
            if explains(event, outage, event.seen_ns):
                outage.events = [*outage.events, event.words()][:EXPLANATIONS_MAX]
                outage.cause = cause_of(outage, [event]) if outage.cause == UNKNOWN else outage.cause
        self._tell(event)

    def tick(self, now_ns: int) -> None:
        """The observer is at work; to be told before all that it found out since the last tick."""
        self.pause(self.own.tick(now_ns))
        for outage in [o for o in self._fresh if o.end_ns is not None and now_ns - o.end_ns > EVENTS_S * NS]:
            self._fresh.remove(outage)
            if self._explained(outage, now_ns):
                self._close(outage)

    def pause(self, found: Unobserved | None) -> None:
        """A time that was not observed, if there was one."""
        if found:
            self._tell(found)

    def outages(self, now_ns: int) -> list[Outage]:
        """Those that are told so far, in the order of time; the latest and open ones by the events that are known."""
        going_on = (service.open(now_ns) for service in self._services.values())
        latest = [o for o in (*self._fresh, *going_on) if o and self._explained(o, now_ns)]
        return sorted([*self._closed, *latest], key=lambda o: (o.start_ns, o.partition, o.service))

    def served_until_ns(self, name: ServiceName, partition: int, now_ns: int) -> int:
        """Up to here a service is known to have been there, or out: what waits since then is not judged yet."""
        return self._services[name, partition].waiting_since_ns(now_ns)

    def out_s(self, name: ServiceName, partition: int, now_ns: int) -> float:
        """How long a service of a partition was out so far, in the time that was observed."""
        return self._out_s[name, partition] + sum(o.lasted_s(now_ns) for o in self._latest(name, partition, now_ns))

    def out_count(self, name: ServiceName, partition: int, now_ns: int) -> int:
        """How often."""
        return self._out_count[name, partition] + sum(1 for _ in self._latest(name, partition, now_ns))

    def counts(self) -> Counts:
        """What became of the canaries of all partitions."""
        return sum((ledger.counts for ledger in self.ledgers.values()), Counts())

    def _latest(self, name: ServiceName, partition: int, now_ns: int) -> Iterator[Outage]:
        mine = [o for o in self._fresh if (o.service, o.partition) == (name, partition)]
        for outage in (*mine, self._services[name, partition].open(now_ns)):
            if outage and self._explained(outage, now_ns):
                yield outage

    def _served(self, name: ServiceName, partition: int, seq: int, t_ns: int) -> None:
        if outage := self._services[name, partition].served(seq, t_ns):
            self._fresh.append(outage)
        intended_ns = self._schedule.intended_ns(partition, seq)
        if self.own.whole(intended_ns, t_ns):
            self.latency[name].add((t_ns - intended_ns) / NS)
            self.recent[name].add(t_ns / NS, (t_ns - intended_ns) / NS)

    def _explained(self, outage: Outage, now_ns: int) -> bool:
        """Is it told, given what is known now? Its cause and its events are written down."""
        found = [event for event in self.events if explains(event, outage, now_ns)]
        outage.cause, outage.events = cause_of(outage, found), [event.words() for event in found][:EXPLANATIONS_MAX]
        return told(outage.lasted_s(now_ns), caused=outage.cause != UNKNOWN)

    def _close(self, outage: Outage) -> None:
        key = (outage.service, outage.partition)
        self._out_s[key] += outage.lasted_s(outage.end_ns or 0)
        self._out_count[key] += 1
        self._closed.append(outage)
        self._tell(outage)

    def _note(self, harm: Iterable[Harm]) -> None:
        for one in harm:
            self.harm.append(one)
            self._tell(one)
