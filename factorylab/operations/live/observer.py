"""The moments of a lab, one after the other; it waits for nobody, so a dead broker makes none of them late."""

from __future__ import annotations

import time
from functools import partial
from pathlib import Path
from threading import Event

import msgspec

from factorylab.cluster import boot
from factorylab.cluster.base import Endpoints
from factorylab.cluster.manage import MEASURED
from factorylab.core.clock import NS, now_ns
from factorylab.core.errors import LabError
from factorylab.core.names import Names
from factorylab.execution.probe_questions import RepeatedQuestion
from factorylab.history.run_folders import RunFolder
from factorylab.operations import by_hand_hold
from factorylab.operations.answer_age import fresh
from factorylab.operations.live.by_hand import ByHand
from factorylab.operations.live.exporters import Exporters
from factorylab.operations.live.fleets import JournalFleets, ScrapedFleets
from factorylab.operations.live.lab_seen import Held, LabSeen, lab_seen
from factorylab.operations.live.marks import Marks
from factorylab.operations.live.moments import FaultShown, LabStatus, Moment
from factorylab.operations.live.watched import EVERY_S, Watched, alerts_of

GONE = ("ended", "dead")
STANDING, NO_FACTORY = "the standing factory", "no factory is at work yet"


class Observer:
    """Watches the factory that works in the lab of `home`: the run that goes on, else the standing factory. `latest`
    is the latest moment."""

    def __init__(self, home: Path, by_hand: ByHand) -> None:
        self._home, self._by_hand, self._stop = home, by_hand, Event()
        self.exporters = Exporters(home)
        self.latest: Moment | None = None
        self._lab = RepeatedQuestion(self._stop, partial(lab_seen, home), EVERY_S)
        self._seen = LabSeen(False, [], [], None, None)
        self._marks = Marks()
        self._endpoints: Endpoints | None = None
        self._run: RunFolder | None = None
        self._holds: list[float] = []
        self._watched: Watched | None = None

    def close(self) -> None:
        self._stop.set()
        self.exporters.close()
        if self._watched:
            self._watched.close()

    def tick(self) -> Moment:
        """The present moment."""
        answer = self._lab.latest()
        age_s = None if answer is None else (now_ns() - answer.asked_ns) / NS
        status = self._status(answer.value if answer else None, age_s)
        if status == "up":
            self._watch()
        self.latest = self._marks.of(self._moment(time.time(), status, age_s))
        return self.latest

    def _status(self, seen: LabSeen | None, age_s: float | None) -> LabStatus:
        """What was last seen of the nodes stays, with its age, when the lab has ended."""
        if seen is not None and seen.up:
            self._seen = seen
            return "up" if fresh(age_s) else "silent"
        return "ended" if self._seen.up else "none"

    def _watch(self) -> None:
        """Watch what works in this lab now; what was watched before goes, and all of it with another lab."""
        try:
            endpoints = boot.known_endpoints(self._home)
            run = self._at_work(endpoints)
            if self._watched and (endpoints, run) == (self._endpoints, self._run):
                return
            holds = [fault.hold_s for fault in run.scenario().faults] if run else []
        except LabError:  # what is not written yet, or gone, is looked at again
            return
        if self._watched:
            self._watched.close()
        self._endpoints, self._run, self._holds = endpoints, run, holds
        fleets = JournalFleets(run.journals) if run else ScrapedFleets(self.exporters)
        self._watched = Watched(endpoints, Names.of(run.run_id if run else ""), fleets)

    def _at_work(self, endpoints: Endpoints) -> RunFolder | None:
        """The run whose workers live; None is the standing factory. A run that is over stays until something works."""
        if self._seen.run or self._stands or endpoints != self._endpoints:
            return self._seen.run
        return self._run

    @property
    def _stands(self) -> bool:
        return any(node.role in MEASURED and node.status not in GONE for node in self._seen.nodes)

    @property
    def _subject(self) -> str:
        if self._run:
            return f"{self._run.path.parent.name} {self._run.path.name}"
        return STANDING if self._stands else NO_FACTORY

    def _moment(self, at_s: float, status: LabStatus, age_s: float | None) -> Moment:
        base = Moment(
            at_s=at_s,
            lab=status,
            subject=self._subject if self._watched else "",
            nodes=self._seen.nodes,
            faults=[self._fault(held, at_s) for held in self._seen.held],
            driver=self._seen.driver if status == "up" else None,
            ages_s={"nodes": age_s},
            said=list(self._by_hand.said),
        )
        return self._with_factory(base, self._watched) if self._watched else base

    def _with_factory(self, base: Moment, watched: Watched) -> Moment:
        look = watched.look()
        partitions = watched.partitions(look)
        known = fresh(look.ages_s.store)
        return msgspec.structs.replace(
            base,
            partitions=partitions,
            processors=watched.processors(look),
            flow=watched.flow(look),
            lag=watched.lag(look, partitions),
            alerts=look.store.alerts if look.store and known else None,
            latest_alerts=alerts_of(look),
            dead_letters=watched.dead_letters,
            group_state=look.group_state if fresh(look.ages_s.group) else None,
            ages_s=base.ages_s | watched.ages_s(look),
        )

    def _fault(self, held: Held, at_s: float) -> FaultShown:
        held_s, undo = max(0.0, at_s - held.since_s), held.undo
        of_run = self._seen.run is not None and undo.fault < len(self._holds)
        hold_s = self._holds[undo.fault] if of_run else by_hand_hold.hold_s(self._home)
        return FaultShown(undo.node, undo.kind, held_s, max(0.0, hold_s - held_s) if hold_s else None)
