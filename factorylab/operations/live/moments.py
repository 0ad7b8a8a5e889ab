"""What the page shows of one moment. A live lab and a replayed run give the same, so there is one page for both.

None is what is not known: nobody answered yet, or nothing there tells it. It is never drawn as 0.
"""

from __future__ import annotations

from typing import Literal

import msgspec

NodeStatus = Literal["running", "paused", "dead", "ended", "cut"]
LabStatus = Literal["none", "up", "ended", "silent", "replayed"]
"""`none`: no lab is up yet; `ended`: its supervisor is gone; `silent`: it lives and does not answer."""
MarkKind = Literal["fault", "heal", "leader", "rebalance", "node", "run"]


class NodeShown(msgspec.Struct, frozen=True, omit_defaults=True):
    """`faults` are the kinds of fault that are held on it."""

    name: str
    role: str
    status: NodeStatus
    faults: list[str] = []


class PartitionShown(msgspec.Struct, frozen=True, omit_defaults=True):
    """`leader` is −1 where there is none; `owner` is empty where the group gave it to nobody. `lag_s` is how long ago
    the log had as many records as are stored now; with `at_least` it is longer than was watched."""

    partition: int
    leader: int | None = None
    isr: list[int] = []
    owner: str | None = None
    lag_records: int | None = None
    lag_s: float | None = None
    at_least: bool = False


class ProcessorShown(msgspec.Struct, frozen=True, omit_defaults=True):
    """`commit_age_s` is how long ago the position of one of its partitions was last seen to move."""

    name: str
    partitions: list[int] = []
    stored_per_s: float | None = None
    commit_age_s: float | None = None


class FaultShown(msgspec.Struct, frozen=True, omit_defaults=True):
    """A fault that is held. `left_s` is None where whoever injected it did not say for how long."""

    node: str
    kind: str
    held_s: float
    left_s: float | None = None


class AlertShown(msgspec.Struct, frozen=True, omit_defaults=True):
    """`machine` is the sensor that watches it, `at_s` the wall clock's time (seconds since 1970)."""

    at_s: float
    machine: str
    rule: str
    severity: str
    value: float | None = None
    location: str = ""


class Mark(msgspec.Struct, frozen=True, omit_defaults=True):
    """Something that happened, in words; drawn over every chart."""

    at_s: float
    kind: MarkKind
    text: str


class Flow(msgspec.Struct, frozen=True, omit_defaults=True):
    """Readings per second, and how long Kafka takes to acknowledge them (seconds). With `ack_p99_bound` the number is
    the upper bound of the histogram's bucket."""

    offered_per_s: float | None = None
    acked_per_s: float | None = None
    written_per_s: float | None = None
    stored_per_s: float | None = None
    ack_p99_s: float | None = None
    ack_p99_bound: bool = False


class Lag(msgspec.Struct, frozen=True, omit_defaults=True):
    """Of all partitions: `records` together, `seconds` of the worst. `trend_per_s` is the change of `records`, and
    `drain_s` what is left at that pace while it falls."""

    records: int | None = None
    seconds: float | None = None
    at_least: bool = False
    trend_per_s: float | None = None
    drain_s: float | None = None


class Moment(msgspec.Struct, frozen=True, omit_defaults=True):
    """`at_s` is the wall clock's time (seconds since 1970); of a replayed run, as all times of its page,
    seconds since its steady state. `ages_s` says how old the latest answer to each question is
    (None: no answer yet). `marks` are what happened since the moment before."""

    at_s: float
    lab: LabStatus
    subject: str
    flow: Flow = Flow()
    lag: Lag = Lag()
    nodes: list[NodeShown] = []
    partitions: list[PartitionShown] = []
    processors: list[ProcessorShown] = []
    faults: list[FaultShown] = []
    alerts: int | None = None
    latest_alerts: list[AlertShown] = []
    dead_letters: int | None = None
    group_state: str | None = None
    driver: str | None = None
    ages_s: dict[str, float | None] = {}
    said: list[str] = []
    marks: list[Mark] = []


QUESTIONS = {
    "nodes": "the nodes (the lab's supervisor does not answer)",
    "leaders": "leaders and replicas (no broker answers)",
    "ends": "the ends of the log (a partition has no leader that answers)",
    "group": "the group and its owners (its coordinator does not answer)",
    "store": "positions, alerts and events (PostgreSQL does not answer)",
    "fleets": "what is offered and acknowledged (a fleet does not answer)",
    "dead_letters": "the number of dead letters (no leader of their topic answers)",
}
"""What is not known while a question is not answered, and who does not answer it."""
