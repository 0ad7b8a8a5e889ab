"""When the probe did not see what it is there to see.

A sample is a look only where it says something: a partition's leader or ISR, its end, what the group has committed,
its members, a node's process. A node that is dead, frozen or cut off gives no answer, and is no reason to call the
probe blind: the others' answers count. What nobody could have answered is left out, up to these limits.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cached_property, reduce
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from factorylab.analysis.looks import BLIND_S, Spans, gaps, leader_looks, times
from factorylab.analysis.readings import Ints
from factorylab.analysis.service import fault_windows
from factorylab.analysis.spans import common, joined
from factorylab.core.clock import FOREVER_NS, NS
from factorylab.history.saved_run import Run, each
from factorylab.scenarios.fault_catalog import BY_REQUEST

SLOW_LOOK_S = 5.0  # of links and of the database: a look takes as long as what it tries hangs
GROUP_S = 3.0  # two questions to the coordinator in a row may stay without an answer where the host is busy: seen 2.3 s
END_S = 5.0  # a new leader tells no end before its followers have caught up: 2.2 s seen
FROZEN_S = 5.0  # a broker at rest, and the probe itself, use CPU time within 1.1 s
COORDINATOR_S = 20.0  # a group whose coordinator died has another once its session ended: 8.9 s seen, 14 s for leaders
RETURNS_S = 20.0  # from the start of a broker or processor to its first answer: 4 s seen, on two busy cores
MAX_POLL, MAX_POLL_MS = "max.poll.interval.ms", 300_000  # the client's default
BROKERS = ("broker-1", "broker-2", "broker-3")


class Quantity(NamedTuple):
    """What the probe promises to see, of `partition` (−1: of none), and between which moments (ns) it saw nothing."""

    what: str
    partition: int
    unseen: Spans


class Sight:
    """What the probe of a run could not see from its warm-up to its drain, in ns.

    Raises:
        ValueError: the run never went so far.
    """

    def __init__(self, run: Run) -> None:
        if not {"warm_up", "drain"} <= run.phases.keys():
            raise ValueError("the run never went from warm_up to drain")
        self._run, self._window = run, (run.phases["warm_up"], run.phases["drain"])
        told = each(fault_windows(run))  # a broker that is only asked goes on answering
        self._faults = [w for w in told if not (w.kind in BY_REQUEST and w.node in BROKERS)]
        self._partitions = range(run.scenario.topology.partitions)
        self._processors = [f"processor-{i}" for i in range(run.scenario.clients.processors)]
        self._fleets = [f"fleet-{i}" for i in range(run.scenario.workload.fleets)]

    def quantities(self) -> list[Quantity]:
        """Everything that the probe promises to see."""
        found = [*self._nodes(), *self._group(), *self._links(), *self._database()]
        for partition in self._partitions:
            found += [self._leaders(partition), self._ends(partition), self._committed(partition)]
        return found

    def _gaps(self, looks: Ints, limit_s: float = BLIND_S, excused: Spans = ()) -> Spans:
        return gaps(looks, self._window, limit_s, excused)

    def _hit(self, *nodes: str) -> list[tuple[int, int]]:
        """When a fault was on one of these nodes, or it was about to return from it."""
        return joined((w.intended_ns, _returned_ns(w)) for w in self._faults if w.node in nodes)

    def _at_once(self, of_each: Iterable[list[tuple[int, int]]]) -> list[tuple[int, int]]:
        return reduce(common, of_each, [self._window])

    @cached_property
    def _all_brokers_hit(self) -> list[tuple[int, int]]:
        return self._at_once(self._hit(name) for name in BROKERS)

    @property
    def _no_member(self) -> list[tuple[int, int]]:
        """When the group may be empty: each processor is hit, or was put out since it did not poll for so long."""
        return self._at_once(joined([*self._hit(name), *self._put_out(name)]) for name in self._processors)

    def _put_out(self, processor: str) -> list[tuple[int, int]]:
        limit_ns = int(self._run.manifest.consumer.get(MAX_POLL, MAX_POLL_MS)) * NS // 1000
        polled = np.sort(times(self._run.reads[self._run.reads["worker"] == processor]))
        return [(int(a) + limit_ns, int(b)) for a, b in pairwise(polled) if b - a > limit_ns]

    @property
    def _no_group(self) -> list[tuple[int, int]]:
        """When nobody could tell of the group: while it forms, before the steady state, and without a coordinator."""
        warm_up_ns = self._window[0]
        return [(warm_up_ns, self._run.phases.get("steady", warm_up_ns)), *self._no_coordinator]

    @cached_property
    def _no_coordinator(self) -> list[tuple[int, int]]:
        """When the group may be without its coordinator: two of three brokers are hit, or one was just lost or came
        back."""
        moves = [t for w in self._faults if w.node in BROKERS for t in (w.intended_ns, w.healed_ns) if t > 0]
        pairs = [common(self._hit(a), self._hit(b)) for a, b in (BROKERS[:2], BROKERS[1:], BROKERS[::2])]
        return joined(
            [*((t, t + round(COORDINATOR_S * NS)) for t in moves), *(span for pair in pairs for span in pair)]
        )

    def _samples(self, partition: int) -> pd.DataFrame:
        frame = self._run.partitions
        return frame[frame["partition"] == partition]

    def _leaders(self, partition: int) -> Quantity:
        """No broker was heard of a partition's leader and ISR, though one could have been."""
        looks = leader_looks(self._run, partition)
        return Quantity("the leader", partition, self._gaps(looks, excused=self._all_brokers_hit))

    def _ends(self, partition: int) -> Quantity:
        """A leader that no fault was on did not tell the partition's end."""
        mine = self._samples(partition)
        t_ns, leader = times(mine), mine["leader"].to_numpy()
        looked = mine["valid"].to_numpy() | (leader < 0)
        for number, name in enumerate(BROKERS, 1):
            looked |= (leader == number) & _within(t_ns, self._hit(name))
        return Quantity("the end", partition, self._gaps(t_ns[looked], END_S, self._all_brokers_hit))

    def _committed(self, partition: int) -> Quantity:
        """An end was known and what the group has committed was not."""
        lags, ends = self._run.lag[self._run.lag["partition"] == partition], self._samples(partition)
        unknown = ends.loc[~ends["valid"], "t_ns"]
        looks = times(lags[lags["valid"] | lags["t_ns"].isin(unknown)])
        return Quantity("the lag", partition, self._gaps(looks, GROUP_S, self._no_group))

    def _group(self) -> Iterator[Quantity]:
        """Whether a program under test has members is its own affair; who tells its offsets would tell of them, too."""
        if self._run.scenario.subject:
            return
        excused = [*self._no_group, *self._no_member]
        yield Quantity("the group's members", -1, self._gaps(times(self._run.members), GROUP_S, excused))

    def _nodes(self) -> Iterator[Quantity]:
        """Nodes have samples; those of brokers and of the probe itself do not repeat the one before for long."""
        samples = self._run.frame("processes", "t_ns", "name", "status", "cpu_s").sort_values("t_ns", kind="stable")
        t_ns, cpu_s, named = samples["t_ns"].to_numpy(), samples["cpu_s"].to_numpy(), samples["name"].astype(str)
        names, running = named.to_numpy(dtype=object), (samples["status"] == "running").to_numpy()
        brokers = self._run.manifest.own_brokers
        for name in (*brokers, "database", *self._processors, *self._fleets, "probe"):
            mine = names == name
            yield Quantity(name, -1, self._gaps(t_ns[mine]))
            if name in (*brokers, "probe"):
                news = np.diff(cpu_s[mine], prepend=np.nan) != 0  # the first, with none before it, is new
                yield Quantity(f"{name}'s CPU time", -1, self._gaps(t_ns[mine][news | ~running[mine]], FROZEN_S))

    def _links(self) -> Iterator[Quantity]:
        """Where the network is part of the experiment: who reaches whom, and what each broker says."""
        if not any(fault.on_network for fault in self._run.scenario.faults):
            return
        yield Quantity("links", -1, self._gaps(times(self._run.reach), SLOW_LOOK_S))
        views = self._run.views
        for number, name in enumerate(BROKERS, 1):
            said = times(views[views["broker"] == number])
            yield Quantity(f"what {name} says", -1, self._gaps(said, excused=self._hit(name)))

    def _database(self) -> Iterator[Quantity]:
        if any(fault.target == "database" for fault in self._run.scenario.faults):
            yield Quantity("the database", -1, self._gaps(times(self._run.database), SLOW_LOOK_S))


def _returned_ns(window: Any) -> int:
    return int(window.healed_ns) + round(RETURNS_S * NS) if window.healed_ns > 0 else FOREVER_NS


def _within(t_ns: Ints, spans: Spans) -> np.ndarray[Any, np.dtype[np.bool_]]:
    inside = np.zeros(len(t_ns), dtype=bool)
    for start, end in spans:
        inside |= (t_ns >= start) & (t_ns <= end)
    return inside
