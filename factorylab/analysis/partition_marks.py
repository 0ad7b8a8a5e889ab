"""Marks of one partition: leaders elected, victims taken out of the ISR, the ISR full again.

The logs say it to the millisecond; what they do not hold is taken from the probe's looks.
"""

from __future__ import annotations

from typing import NamedTuple

import pandas as pd

from factorylab.analysis.control_log import ControlEvent, control_events
from factorylab.analysis.intervals import seen
from factorylab.analysis.marks import Mark, Victims, first_look, logged
from factorylab.history.saved_run import Run, each


class Held(NamedTuple):
    """Who led a partition, in which epoch, and who was in sync; −1 and empty where nobody told."""

    leader: int
    epoch: int
    isr: frozenset[int]


class PartitionHistory:
    """What logs and probe tell of one partition."""

    def __init__(self, run: Run, partition: int) -> None:
        self._run, self._replication = run, run.scenario.topology.replication
        self._events = [e for e in control_events(run) if e.partition == partition]
        samples = run.once(seen)
        self._looks = samples[samples["partition"] == partition].sort_values("t_ns", kind="stable")

    def before(self, t_ns: int) -> Held:
        """What was known just before a moment: by the probe's last look, else by the last leader's own line."""
        looks = self._looks[(self._looks["t_ns"] < t_ns) & (self._looks["leader"] >= 0)].tail(1)
        for look in each(looks):
            return Held(int(look.leader), int(look.epoch), frozenset(look.isr))
        for event in reversed([e for e in self._events if e.kind == "leader" and e.t_ns < t_ns]):
            return Held(int(event.node.rpartition("-")[2]), event.epoch, frozenset(event.isr))
        return Held(-1, -1, frozenset())

    def looked(self, from_ns: int, until_ns: int) -> bool:
        """Did the probe see the partition's state in between?"""
        return bool(self._looks["t_ns"].between(from_ns, until_ns).any())

    def leaderless(self, from_ns: int, until_ns: int) -> bool:
        """Was the probe told in between that there is no leader?"""
        looks = self._looks[self._looks["t_ns"].between(from_ns, until_ns)]
        return bool(((looks["leader"] < 0) & (looks["epoch"] >= 0)).any())

    def elections(self, after_ns: int) -> list[Mark]:
        """Each new leader epoch after a moment: by its leader's line, else by the first look that shows it."""
        epoch = self.before(after_ns).epoch
        told = {e.epoch: e for e in reversed(self._events) if e.kind == "leader" and e.epoch > epoch}
        told = {e: line for e, line in told.items() if line.t_ns > after_ns}
        found = [logged(self._run, "leader_elected", line) for line in told.values()]
        looks = self._looks
        newer = (looks["t_ns"] > after_ns) & (looks["epoch"] > epoch) & (looks["leader"] >= 0)
        for new in sorted(set(looks.loc[newer, "epoch"]) - set(told)):
            mark = first_look(looks, newer & (looks["epoch"] == new), "leader_elected", "probe")
            found += [mark] if mark else []
        return found

    def shrinks(self, hit: Victims) -> list[Mark]:
        """Each time when the last victim of a fault left the ISR."""
        lines = [e for e in self._isr_lines(hit.intended_ns) if e.isr]
        if left := self._left(lines, hit):
            return [logged(self._run, "isr_shrunk", line) for line in left]
        looks = self._looks.reset_index(drop=True)
        without = looks["isr"].map(lambda ids: bool(ids) and not hit.brokers & set(ids))
        gone = without & (looks["t_ns"] > hit.intended_ns) & ~without.shift(fill_value=True).astype(bool)
        marks = [first_look(looks, looks.index == row, "isr_shrunk", "probe") for row in looks.index[gone.to_numpy()]]
        return [mark for mark in marks if mark]

    def _left(self, lines: list[ControlEvent], hit: Victims) -> list[ControlEvent]:
        found, inside = [], bool(hit.brokers & self.before(hit.intended_ns).isr)
        for line in lines:
            if inside and not hit.brokers & set(line.isr):
                found.append(line)
            inside = bool(hit.brokers & set(line.isr))
        return found

    def _isr_lines(self, after_ns: int) -> list[ControlEvent]:
        """What leaders said of the ISR; not what a restarted broker says of the epoch that it led before."""
        epoch = self.before(after_ns).epoch
        later = [e for e in self._events if e.t_ns > after_ns]
        return [e for e in later if e.kind == "isr" or (e.kind == "leader" and e.epoch > epoch)]

    def shrunk_by_leader(self, hit: Victims) -> bool:
        """Did the leader itself say, before the victims were out, that a follower lags too far behind?"""
        out_ns = min((mark.t_ns for mark in self.shrinks(hit)), default=0)
        return any(e.kind == "shrinking" and hit.intended_ns < e.t_ns <= out_ns for e in self._events)

    def refilled(self, since_ns: int, healed_ns: int) -> tuple[bool, Mark | None]:
        """Was a replica missing from the ISR since a fault began, and when were all in sync again after its healing?"""
        lines, looks = self._isr_lines(since_ns), self._looks
        short = [e.t_ns for e in lines if len(e.isr) < self._replication]
        if not short:
            missing = looks["isr"].map(len).lt(self._replication) & (looks["leader"] >= 0) & (looks["t_ns"] > since_ns)
            short = looks.loc[missing, "t_ns"].tolist()[:1]
        return bool(short), self.full(max(healed_ns, *short)) if short else None

    def full(self, after_ns: int) -> Mark | None:
        """The first moment after this one at which all replicas were in sync."""
        whole = [e for e in self._isr_lines(after_ns) if len(e.isr) == self._replication]
        if whole:
            return logged(self._run, "isr_full", whole[0])
        complete = self._looks["isr"].map(len).eq(self._replication) & (self._looks["t_ns"] > after_ns)
        return first_look(self._looks, complete, "isr_full", "probe")

    def first_seen(self) -> list[tuple[int, int]]:
        """(epoch, when the probe saw it first) of each epoch."""
        looks: pd.DataFrame = self._looks[self._looks["leader"] >= 0]
        return [(int(str(e)), int(t)) for e, t in looks.groupby("epoch")["t_ns"].min().items()]

    def first_logged(self) -> dict[int, int]:
        """Epoch → when its leader's log says that it began."""
        return {e.epoch: e.t_ns for e in reversed(self._events) if e.kind == "leader"}
