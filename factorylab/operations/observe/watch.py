"""Looks at the cluster again and again, and tells what changed between two looks.

Any broker is asked for brokers, leaders and ISR. Beside that each broker is asked alone, without a login, whether it
answers at all: a frozen one is named by the others until its session ends.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from threading import Event as Flag

from factorylab.cluster.connection.connection import Connection
from factorylab.cluster.views import PartitionView
from factorylab.core.clock import NS
from factorylab.execution.probe_questions import Answer, RepeatedQuestion
from factorylab.operations.observe.cluster_view import LOOK_S, ClusterLook, ClusterView
from factorylab.operations.observe.door import Door, DoorAnswer
from factorylab.operations.observe.foreign import Event, EventKind
from factorylab.operations.observe.own_time import OwnTime

EVERY_S = 0.5
GROUP_S = 1.0
GroupAnswer = tuple[str, tuple[str, ...]]
SAID: Mapping[DoorAnswer, tuple[EventKind, str]] = {
    "answers": ("broker back", "answers again"),
    "refused": ("broker gone", "refuses connections: nobody listens at {address}"),
    "silent": ("broker silent", "takes connections at {address} and does not answer"),
}

RESTARTED: tuple[EventKind, str] = ("broker back", "answers again: its process was started anew")


def came_ns(answer: Answer[ClusterLook] | Answer[DoorAnswer] | Answer[GroupAnswer]) -> int:
    """When an answer came, on the history's clock, which is the monotonic one."""
    return round(answer.came_s * NS)


class Watch:
    """Threads that ask, and the events of what they were told. `stop` ends them."""

    def __init__(self, connection: Connection, topic: str, group: str, stop: Flag) -> None:
        self._stop, self._connection = stop, connection
        view = ClusterView(connection, LOOK_S)
        self._looks = RepeatedQuestion(stop, lambda: view.look(topic), EVERY_S, view.close)
        self._groups: RepeatedQuestion[GroupAnswer] | None = None
        if group:
            groups = ClusterView(connection, LOOK_S)
            self._groups = RepeatedQuestion(stop, lambda: groups.group(group), GROUP_S, groups.close)
        self._group = group
        self._seen: Answer[ClusterLook] | None = None
        self._seen_group: Answer[GroupAnswer] | None = None
        self._doors: dict[int, tuple[str, RepeatedQuestion[DoorAnswer]]] = {}
        self._states: dict[int, Answer[DoorAnswer]] = {}

    def events(self, own: OwnTime) -> Iterator[Event]:
        """What changed since the last call. A look during which the observer was paused is passed over."""
        yield from self._of_looks()
        yield from self._of_doors(own)
        if self._groups and (news := self._groups.news()):
            before, self._seen_group = self._seen_group, news
            if before and before.value != news.value:
                detail = f"{_group_words(before.value)} → {_group_words(news.value)}"
                yield Event("group", f"group {self._group}", detail, before.asked_ns, came_ns(news), ())

    def group(self) -> str:
        """What is known of the group: its latest state, or why there is none; empty where none was asked for."""
        if self._groups is None:
            return ""
        if self._seen_group is None:
            return "not observed: its coordinator tells nothing, as of groups of the new protocol (KIP-848)"
        return _group_words(self._seen_group.value)

    def look(self) -> Answer[ClusterLook] | None:
        """What any broker said last of brokers, leaders and ISR."""
        return self._looks.latest()

    def doors(self) -> dict[int, Answer[DoorAnswer] | None]:
        """What became of the latest first request to each broker."""
        return {number: door.latest() for number, (_, door) in self._doors.items()}

    def group_asked_ns(self) -> int | None:
        """When the latest answer about the group was asked for; None without one."""
        answer = self._groups.latest() if self._groups else None
        return answer.asked_ns if answer else None

    def _of_looks(self) -> Iterator[Event]:
        if not (news := self._looks.news()):
            return
        before, self._seen = self._seen, news
        for number, address in news.value.brokers.items():
            if self._doors.get(number, ("", None))[0] != address:
                self._doors[number] = (address, self._watched(address))
        if before:
            yield from changes(before, news)

    def _watched(self, address: str) -> RepeatedQuestion[DoorAnswer]:
        door = Door(address, self._connection)
        return RepeatedQuestion(self._stop, door.answer, EVERY_S, door.close)

    def _of_doors(self, own: OwnTime) -> Iterator[Event]:
        for number, (address, door) in self._doors.items():
            news = door.news()
            if news is None or not own.whole(news.asked_ns, came_ns(news)):
                continue
            before = self._states.get(number)
            self._states[number] = news
            if before and before.value != news.value:
                event_kind, said = SAID[news.value] if before.value != "refused" else RESTARTED
                led, concerned = _of_broker(number, self._seen.value.partitions if self._seen else ())
                yield Event(
                    event_kind, f"broker {number}", said.format(address=address), before.asked_ns, came_ns(news),
                    concerned, led if event_kind != "broker back" else (),
                )  # fmt: skip


def changes(before: Answer[ClusterLook], now: Answer[ClusterLook]) -> Iterator[Event]:
    """What is different between two looks."""
    after_ns, seen_ns = before.asked_ns, came_ns(now)
    former = {view.partition: view for view in before.value.partitions}
    for number in sorted(before.value.brokers.keys() ^ now.value.brokers.keys()):
        gone = number in before.value.brokers
        led, concerned = _of_broker(number, before.value.partitions)
        kind: EventKind = "broker gone" if gone else "broker back"
        said = f"{'no longer' if gone else 'again'} named by the cluster"
        yield Event(kind, f"broker {number}", said, after_ns, seen_ns, concerned, led if gone else ())
    for view in now.value.partitions:
        old = former.get(view.partition)
        if old is None:
            continue
        if (old.leader, old.epoch) != (view.leader, view.epoch):
            detail = f"leader {_leader(old)} → {_leader(view)}, epoch {old.epoch} → {view.epoch}"
            led = (view.partition,) if view.leader < 0 else ()
            yield Event("leader", f"partition {view.partition}", detail, after_ns, seen_ns, (view.partition,), led)
        if set(old.isr) != set(view.isr):
            detail = f"in sync {_brokers(old.isr)} → {_brokers(view.isr)}"
            shrunk = bool(set(old.isr) - set(view.isr))
            changed: EventKind = "ISR shrunk" if shrunk else "ISR expanded"
            yield Event(changed, f"partition {view.partition}", detail, after_ns, seen_ns, (view.partition,))


def _of_broker(number: int, views: tuple[PartitionView, ...]) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The partitions that a broker leads, and that it has a replica of."""
    led = tuple(view.partition for view in views if view.leader == number)
    return led, tuple(view.partition for view in views if number in view.replicas)


def _leader(view: PartitionView) -> str:
    return "none" if view.leader < 0 else str(view.leader)


def _brokers(numbers: tuple[int, ...]) -> str:
    return " ".join(map(str, sorted(numbers))) or "none"


def _group_words(answer: GroupAnswer) -> str:
    state, members = answer
    return f"{state} with {len(members)} members ({', '.join(members) or 'none'})"
