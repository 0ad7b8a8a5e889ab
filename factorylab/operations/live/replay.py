"""A finished run as the moments of the live page, from its history alone: no cluster, no server.

Zero of its time is the steady state. What the probe could not see stays unknown here as well.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from factorylab.core.clock import NS
from factorylab.history.run_folders import RunFolder
from factorylab.history.saved_run import Run
from factorylab.operations.answer_age import STALE_S, fresh
from factorylab.operations.live.course import Counted, Course, rate_of
from factorylab.operations.live.marks import Marks
from factorylab.operations.live.moments import (
    QUESTIONS,
    FaultShown,
    Flow,
    Moment,
    NodeShown,
    PartitionShown,
    ProcessorShown,
)
from factorylab.operations.live.one_file import one_file
from factorylab.operations.live.past import Past, alerts_of, by_key, faults_at, owners_of, phases_of, sums_of
from factorylab.scenarios.fault_catalog import ON_NETWORK

STEP_S = 0.5
MOMENTS_MAX = 3000  # of a page that is still quick to open
ACKS_S = 10.0
QUANTILE = 0.99
SHOWN_ALERTS = 8


def write_page(folder: RunFolder, out: Path) -> Path:
    """Write the run as one HTML file that asks nobody for anything.

    Raises:
        LabError: a table of the run is damaged.
    """
    out.write_text(page_of(list(moments(Run(folder)))), encoding="utf-8")
    return out


def page_of(found: list[Moment]) -> str:
    """The page that shows the moments of a run."""
    setup = {"zero_s": 0, "questions": QUESTIONS, "stale_s": STALE_S, "read_only": True}
    return one_file(setup, found)


def moments(run: Run) -> Iterator[Moment]:
    """Two a second, fewer of a long run, from the first look of the probe to the last."""
    replayed, marks = Replay(run), Marks()
    looks = run.seconds(run.frame("processes", "t_ns")["t_ns"])
    first_s, last_s = (float(looks.min()), float(looks.max())) if len(looks) else (0.0, 0.0)
    before_s = first_s
    for at_s in np.arange(first_s, last_s, max(STEP_S, (last_s - first_s) / MOMENTS_MAX)).tolist():
        moment = marks.of(replayed.at(at_s))
        begun = [mark for mark in replayed.phases if before_s < mark.at_s <= at_s]
        yield msgspec.structs.replace(moment, marks=begun + moment.marks)
        before_s = at_s


class Replay:
    """One run; `at` is to be asked for moments in their order."""

    def __init__(self, run: Run) -> None:
        self._run, self._course = run, Course()
        nodes = run.frame("processes", "t_ns", "name", "status")
        self._nodes = by_key(nodes, "name", self._s)
        views = run.frame("partitions", "t_ns", "partition", "leader", "epoch", "isr", "end", "valid")
        self._views = by_key(views, "partition", self._s)
        commits = run.frame("commits", "t_ns", "partition", "to_offset", "refused", "alerts", "dead_letters")
        commits = commits[~commits["refused"].astype(bool)]
        self._commits = by_key(commits, "partition", self._s)
        self._raised = Past(sums_of(commits, self._s))
        self._owners = Past(owners_of(run, self._s))
        self.phases = phases_of(run, self._s)
        self._alerts = Past(alerts_of(run, self._s))
        self._counts = {"offered": Counted(), "acked": Counted()}
        self._sends = np.sort(self._column("t_ns"))
        self._acks, self._took = self._answers()

    def _s(self, t_ns: float) -> float:
        return (t_ns - self._run.t0_ns) / NS

    def _column(self, name: str) -> np.ndarray[Any, np.dtype[np.float64]]:
        return (self._run.offered(name)[name].to_numpy(np.float64, na_value=np.nan) - self._run.t0_ns) / NS

    def _answers(self) -> tuple[Any, Any]:
        sends = self._run.offered("t_ns", "t_ack_ns", "outcome")
        good = sends[sends["outcome"] == "ok"]
        acked = good["t_ack_ns"].to_numpy(np.int64)
        order = np.argsort(acked, kind="stable")
        return (acked[order] - self._run.t0_ns) / NS, ((acked - good["t_ns"].to_numpy(np.int64)) / NS)[order]

    def at(self, at_s: float) -> Moment:
        """The moment so many seconds after the beginning of the steady state."""
        self._tell(at_s)
        faults = list(faults_at(self._run, at_s, self._s))
        owners = self._owners.at(at_s)
        raised = self._raised.at(at_s)
        known_owners = owners[0] if owners and fresh(owners[1]) else None
        partitions = [self._partition(number, at_s, known_owners) for number in self._views]
        return Moment(
            at_s=at_s,
            lab="replayed",
            subject=f"{self._run.scenario.name} {self._run.folder.path.name}",
            flow=self._flow(at_s),
            lag=self._course.lag(at_s, partitions),
            nodes=list(self._nodes_at(at_s, faults)),
            partitions=partitions,
            processors=self._processors(at_s, owners[0] if owners else {}),
            faults=faults,
            alerts=raised[0][0] if raised else 0,
            dead_letters=raised[0][1] if raised else 0,
            latest_alerts=self._alerts.until(at_s, SHOWN_ALERTS),
            ages_s=self._ages(at_s, partitions, owners),
        )

    def _tell(self, at_s: float) -> None:
        for number, past in self._views.items():
            if (known := past.at(at_s)) and known[0].valid:
                self._course.ends.setdefault(number, Counted()).tell(at_s - known[1], known[0].end)
        for number, past in self._commits.items():
            if known := past.at(at_s):
                self._course.stored.setdefault(number, Counted()).tell(at_s, known[0].to_offset)
        self._counts["offered"].tell(at_s, int(np.searchsorted(self._sends, at_s, "right")))
        self._counts["acked"].tell(at_s, int(np.searchsorted(self._acks, at_s, "right")))

    def _flow(self, at_s: float) -> Flow:
        low, high = np.searchsorted(self._acks, (at_s - ACKS_S, at_s), "right")
        took_s = self._took[low:high]
        return Flow(
            offered_per_s=rate_of([self._counts["offered"]], at_s),
            acked_per_s=rate_of([self._counts["acked"]], at_s),
            written_per_s=rate_of(list(self._course.ends.values()), at_s),
            stored_per_s=rate_of(list(self._course.stored.values()), at_s),
            ack_p99_s=float(np.quantile(took_s, QUANTILE)) if len(took_s) else None,
        )

    def _partition(self, number: int, at_s: float, owners: dict[int, str] | None) -> PartitionShown:
        known = self._views[number].at(at_s)
        row = known[0] if known and fresh(known[1]) and known[0].epoch >= 0 else None
        stored = self._course.stored.get(number)
        position = stored.counts[-1] if stored and stored.counts else 0
        lag_records = max(0, row.end - position) if row and row.valid else None
        behind = self._course.lag_s(number, at_s) if lag_records is not None else None
        return PartitionShown(
            partition=number,
            leader=row.leader if row else None,
            isr=list(row.isr) if row else [],
            owner=owners.get(number, "") if owners is not None else None,
            lag_records=lag_records,
            lag_s=behind[0] if behind else None,
            at_least=behind[1] if behind else False,
        )

    def _nodes_at(self, at_s: float, faults: list[FaultShown]) -> Iterator[NodeShown]:
        for name, past in self._nodes.items():
            if known := past.at(at_s):
                kinds = [fault.kind for fault in faults if fault.node == name]
                cut = known[0].status == "running" and set(kinds) & set(ON_NETWORK)
                yield NodeShown(name, name.partition("-")[0], "cut" if cut else known[0].status, kinds)

    def _processors(self, at_s: float, owners: dict[int, str]) -> list[ProcessorShown]:
        owned: dict[str, list[int]] = {}
        for number, owner in sorted(owners.items()):
            owned.setdefault(owner, []).append(number)
        return [self._processor(name, numbers, at_s) for name, numbers in owned.items()]

    def _processor(self, name: str, numbers: list[int], at_s: float) -> ProcessorShown:
        stored = [self._course.stored[number] for number in numbers if number in self._course.stored]
        ages = [known[1] for number in numbers if number in self._commits and (known := self._commits[number].at(at_s))]
        return ProcessorShown(name, numbers, rate_of(stored, at_s), min(ages, default=None))

    def _ages(self, at_s: float, partitions: list[PartitionShown], owners: Any) -> dict[str, float | None]:
        known = [past.at(at_s) for past in self._views.values()]
        ends = self._course.ends.values()
        told = [at_s - one.times_s[-1] for one in ends if one.times_s]
        return {
            "leaders": max((age for _, age in filter(None, known)), default=None),
            "ends": max(told, default=None) if len(told) == len(partitions) else None,
            "group": owners[1] if owners else None,
        }
