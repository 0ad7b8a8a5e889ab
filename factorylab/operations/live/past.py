"""What a run's history says of a moment: the latest row up to it, and how old that was then."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Generic, TypeVar

from factorylab.history.saved_run import Run, each
from factorylab.operations.live.moments import AlertShown, FaultShown, Mark

T = TypeVar("T")
Seconds = Callable[[float], float]
"""From the history's clock (ns) to seconds since the steady state."""


class Past(Generic[T]):
    """What was known when: `at` is the latest up to a moment, and how old it was then."""

    def __init__(self, entries: Iterable[tuple[float, T]]) -> None:
        self._entries = sorted(entries, key=lambda entry: entry[0])
        self._times = [at_s for at_s, _ in self._entries]

    def at(self, at_s: float) -> tuple[T, float] | None:
        number = bisect_right(self._times, at_s)
        return (self._entries[number - 1][1], at_s - self._times[number - 1]) if number else None

    def until(self, at_s: float, count: int) -> list[T]:
        """The last `count` up to a moment, newest first."""
        number = bisect_right(self._times, at_s)
        return [entry for _, entry in reversed(self._entries[max(0, number - count) : number])]


def by_key(frame: Any, key: str, seconds: Seconds) -> dict[Any, Past[Any]]:
    """The rows of a frame by one of its columns."""
    found: dict[Any, list[tuple[float, Any]]] = {}
    for row in each(frame):
        found.setdefault(getattr(row, key), []).append((seconds(row.t_ns), row))
    return {name: Past(rows) for name, rows in sorted(found.items())}


def owners_of(run: Run, seconds: Seconds) -> list[tuple[float, dict[int, str]]]:
    looks: dict[int, dict[int, str]] = {}
    for row in each(run.frame("members", "t_ns", "member", "partitions")):
        looks.setdefault(row.t_ns, {}).update(dict.fromkeys(map(int, row.partitions), row.member))
    return [(seconds(t_ns), owners) for t_ns, owners in looks.items()]


def alerts_of(run: Run, seconds: Seconds) -> Iterator[tuple[float, AlertShown]]:
    """Those in the table, at the moment when their reading was sent: that is when the history knows of it first."""
    alerts = run.frame("alerts", "sink", "sensor", "seq", "rule", "severity")
    alerts = alerts[alerts["sink"] == "table"].merge(run.offered("sensor", "seq", "t_ns"), on=["sensor", "seq"])
    alerts = alerts.merge(run.frame("sensors", "sensor", "name", "location").drop_duplicates("sensor"), on="sensor")
    for row in each(alerts):
        at_s = seconds(row.t_ns)
        yield at_s, AlertShown(at_s, row.name, row.rule, row.severity, None, row.location)


def sums_of(commits: Any, seconds: Seconds) -> list[tuple[float, tuple[int, int]]]:
    """How many alerts and dead letters were committed until when."""
    ordered = commits.sort_values("t_ns")
    sums = zip(ordered["alerts"].cumsum().tolist(), ordered["dead_letters"].cumsum().tolist(), strict=True)
    return list(zip(map(seconds, ordered["t_ns"].tolist()), sums, strict=True))


def phases_of(run: Run, seconds: Seconds) -> list[Mark]:
    """The beginning of each phase of the run."""
    return [Mark(seconds(t_ns), "run", f"phase: {phase.replace('_', ' ')}") for phase, t_ns in run.phases.items()]


def faults_at(run: Run, at_s: float, seconds: Seconds) -> Iterator[FaultShown]:
    """Those that are held: from the injection to the healing, by the runner's journal."""
    held: dict[tuple[int, str], tuple[float, str]] = {}
    for row in each(run.faults):
        if seconds(row.t_ns) > at_s:
            break
        if row.step == "injected":
            held[row.fault, row.node] = seconds(row.t_ns), row.kind
        elif row.step == "healed":
            held.pop((row.fault, row.node), None)
    for (number, node), (since_s, kind) in held.items():
        hold_s, held_s = run.scenario.faults[number].hold_s, at_s - since_s
        yield FaultShown(node, kind, held_s, max(0.0, hold_s - held_s) if hold_s else None)
