"""One factory of a lab, watched: its questions, each asked by a thread of its own, and its course so far."""

from __future__ import annotations

from contextlib import suppress
from threading import Event
from typing import Any

from factorylab.cluster.base import Endpoints
from factorylab.cluster.one_broker import OneBroker
from factorylab.core.clock import NS, now_ns
from factorylab.core.errors import WaitTimeout
from factorylab.core.names import Names
from factorylab.execution.probe_questions import Answer, RepeatedQuestion, ends_of, views_of
from factorylab.operations.answer_age import fresh
from factorylab.operations.live.course import Counted, Course, rate_of
from factorylab.operations.live.fleets import FleetCounts, Fleets
from factorylab.operations.live.moments import AlertShown, Flow, Lag, PartitionShown, ProcessorShown
from factorylab.operations.live_view import Look, Looker, PartitionNow

EVERY_S = 0.4
FLEETS_EVERY_S = 1.0
LETTERS_EVERY_S = 2.0
ANSWER_S = 1.0
WHAT = ("offered", "acked")


class Watched:
    """Asks until it is closed; `look` waits for nobody."""

    def __init__(self, endpoints: Endpoints, names: Names, fleets: Fleets) -> None:
        self._stop, self._course = Event(), Course()
        self._looker = Looker(endpoints, names, EVERY_S)
        self._fleets = RepeatedQuestion(self._stop, fleets.look, FLEETS_EVERY_S, fleets.close)
        letters = Records(endpoints.bootstrap, names.dead_letters)
        self._letters = RepeatedQuestion(self._stop, letters.count, LETTERS_EVERY_S, letters.close)
        self._counts: dict[tuple[str, str], Counted] = {}

    def close(self) -> None:
        self._stop.set()
        self._looker.close()

    def look(self) -> Look:
        """What is known now; it goes into the course."""
        look = self._looker.look()
        for one in look.partitions or ():
            if one.end is not None and one.end_age_s is not None:
                self._course.ends.setdefault(one.partition, Counted()).tell(_s(look) - one.end_age_s, one.end)
        if look.store and look.ages_s.store is not None:
            for partition, position in look.store.positions.items():
                told_s = _s(look) - look.ages_s.store
                self._course.stored.setdefault(partition, Counted()).tell(told_s, position)
        self._note_fleets(self._fleets.latest())
        return look

    def _note_fleets(self, answer: Answer[FleetCounts] | None) -> None:
        if answer is None:
            return
        for what in WHAT:
            for fleet, count in getattr(answer.value, what).items():
                self._counts.setdefault((what, fleet), Counted()).tell(answer.asked_ns / NS, count)

    def partitions(self, look: Look) -> list[PartitionShown]:
        """Each partition, with what was told too long ago left out."""
        return [self._partition(one, look) for one in look.partitions or ()]

    def _partition(self, one: PartitionNow, look: Look) -> PartitionShown:
        known, owned = fresh(look.ages_s.leaders), fresh(look.ages_s.group)
        lag_records = one.lag_records if fresh(look.ages_s.store) else None
        behind = self._course.lag_s(one.partition, _s(look)) if lag_records is not None else None
        return PartitionShown(
            partition=one.partition,
            leader=one.leader if known else None,
            isr=one.isr if known else [],
            owner=one.owner if owned else None,
            lag_records=lag_records,
            lag_s=behind[0] if behind else None,
            at_least=behind[1] if behind else False,
        )

    def flow(self, look: Look) -> Flow:
        """Of the fleets that live, of the whole log, and of the whole store."""
        at_s, fleets = _s(look), self._fleets.latest()
        living = fleets.value.offered if fleets else {}
        counts = {what: [self._counts.get((what, fleet), Counted()) for fleet in living] for what in WHAT}
        return Flow(
            offered_per_s=rate_of(counts["offered"], at_s),
            acked_per_s=rate_of(counts["acked"], at_s),
            written_per_s=rate_of(list(self._course.ends.values()), at_s),
            stored_per_s=rate_of(list(self._course.stored.values()), at_s),
            ack_p99_s=fleets.value.ack_p99_s if fleets and fresh(self._age_s(fleets)) else None,
            ack_p99_bound=bool(fleets and fleets.value.bound),
        )

    def processors(self, look: Look) -> list[ProcessorShown]:
        """Who owned something when the group last answered, how fast the positions of its partitions move, and when
        one last did."""
        owned: dict[str, list[int]] = {}
        for one in look.partitions or ():
            if one.owner:
                owned.setdefault(one.owner, []).append(one.partition)
        return [self._processor(name, its, _s(look)) for name, its in sorted(owned.items())]

    def _processor(self, name: str, partitions: list[int], at_s: float) -> ProcessorShown:
        stored = [self._course.stored[p] for p in partitions if p in self._course.stored]
        moved = [moved_s for one in stored if (moved_s := one.moved_s()) is not None]
        age_s = max(0.0, at_s - max(moved)) if moved else None
        return ProcessorShown(name, partitions, rate_of(stored, at_s), age_s)

    def lag(self, look: Look, partitions: list[PartitionShown]) -> Lag:
        return self._course.lag(_s(look), partitions)

    @property
    def dead_letters(self) -> int | None:
        answer = self._letters.latest()
        return answer.value if answer and self._age_s(answer) <= LETTERS_EVERY_S + ANSWER_S * 3 else None

    def ages_s(self, look: Look) -> dict[str, float | None]:
        """Of each question, how old its latest answer is beyond the time that it is not asked anyway."""
        told = {name: getattr(look.ages_s, name) for name in ("leaders", "ends", "group", "store")}
        for name, question, every_s in (
            ("fleets", self._fleets, FLEETS_EVERY_S),
            ("dead_letters", self._letters, LETTERS_EVERY_S),
        ):
            answer: Answer[Any] | None = question.latest()
            told[name] = None if answer is None else max(0.0, self._age_s(answer) - every_s)
        return told

    @staticmethod
    def _age_s(answer: Answer[Any]) -> float:
        return (now_ns() - answer.asked_ns) / NS


def _s(look: Look) -> float:
    """When it was, on the history's clock."""
    return look.t_ns / NS


class Records:
    """How many records a topic ever got."""

    def __init__(self, bootstrap: str, topic: str) -> None:
        numbers = range(1, bootstrap.count(",") + 2)
        self._brokers = [OneBroker(bootstrap, number, 0, ANSWER_S) for number in numbers]
        self._topic = topic

    def count(self) -> int:
        """The sum of the ends, each told by its leader.

        Raises:
            WaitTimeout: a partition has no leader that answers.
        """
        ends: dict[int, int] = {}
        partitions: set[int] = set()
        for broker in self._brokers:
            with suppress(WaitTimeout):
                views = views_of(broker, self._topic)
                partitions |= views.keys()
                ends |= ends_of(broker, self._topic, views)
        if not partitions or partitions - ends.keys():
            raise WaitTimeout(f"no leader told the ends of {self._topic}")
        return sum(ends.values())

    def close(self) -> None:
        for broker in self._brokers:
            broker.close()


def alerts_of(look: Look) -> list[AlertShown]:
    """The latest alerts, newest first."""
    return [
        AlertShown(one.raised_at.timestamp(), one.machine, one.rule, one.severity, one.value, one.location)
        for one in (look.store.latest_alerts if look.store else ())
    ]
