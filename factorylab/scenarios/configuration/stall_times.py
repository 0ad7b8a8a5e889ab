"""How long a stall lasts by these settings: the model of predictions, asked for a client that has run for any time.

The model knows librdkafka's clients. Of Java's it says what the brokers alone decide, and what the client adds is not
predicted.
"""

from __future__ import annotations

from functools import cache
from typing import Literal

import msgspec

from factorylab.scenarios.configuration.effective import Side, Together, Value
from factorylab.scenarios.model import Clients, Fault, Scenario, Schedule, Topology
from factorylab.scenarios.prediction.clients import STARTS_EARLIER_S
from factorylab.scenarios.prediction.predict import MODEL, predict
from factorylab.scenarios.prediction.settings import DEFAULTS, EffectiveSettings, Given
from factorylab.scenarios.prediction.settings import Side as Owner
from factorylab.scenarios.prediction.structures import Case, Quantity
from factorylab.scenarios.prediction.structures import Role as Part
from factorylab.scenarios.stall_phases import FENCING, MEMBER_REMOVAL

Kind = Literal["kill", "pause"]
LEADER, OWNER = "leader:0", "owner:0"
ACKS, READS = "longest_ack_gap", "longest_store_gap"
HOLD_S = 600.0
"""The fault lasts longer than any time-out here, so that nothing ends by its healing."""
JUST_AFTER_S = 3.0
"""A new leader is elected within that time after the session."""
ANY_AGE_S = 60.0
WHENEVER = "by when the client next asks for metadata, which is not known"
ALIKE = "with a producer that has the same time-outs"
NEVER_ASKED = "the model has no client that never asks for metadata by itself (topic.metadata.refresh.interval.ms)"
JAVA_ADDS = "until the cluster has replaced it; what a Java client adds is not predicted"


class Stall(msgspec.Struct, frozen=True):
    """Seconds that a stall is predicted to last. Without a model both ends are None and `words` say why; without
    `high_s` it lasts longer than `low_s`, and `words` say until when."""

    low_s: float | None = None
    high_s: float | None = None
    words: str = ""
    model: int | None = None


def not_predicted(why: str) -> Stall:
    return Stall(words=f"not predicted: {why}")


def producer_stall(side: Side, around: Together, kind: Kind, part: Part = "led") -> Stall:
    """Without an acknowledgement, of a partition that a broker led or followed, after the broker's kill or freeze."""
    return _broker_stall(side, around, kind, ACKS, part)


def readers_stall(side: Side, around: Together) -> Stall:
    """Without a record of a partition that a killed broker followed, where the producer's acks are those of `side`."""
    return _broker_stall(side, around, "kill", READS, "followed")


def consumer_stall(side: Side, around: Together) -> Stall:
    """Without a record that is read and stored, of a partition that a frozen broker led."""
    found = _broker_stall(side, around, "pause", READS, "led")
    return found if side.java else msgspec.structs.replace(found, words="; ".join(filter(None, (found.words, ALIKE))))


def removal(side: Side, around: Together) -> Stall:
    """Until a dead member is put out of its group: the coordinator alone decides that, whatever the client is."""
    rows = _asked(side, around, ("kill", OWNER), (MEMBER_REMOVAL.name, "owned"))
    return _of(rows, "until the dead member is put out of its group; then the others hear of it at a heartbeat")


def _broker_stall(side: Side, around: Together, kind: Kind, whole: str, part: Part) -> Stall:
    if around.brokers and around.brokers.get("default.replication.factor").number == 1:
        return not_predicted("with one replica nobody else can lead: as long as the broker is away")
    if side.java:
        fenced = _of(_asked(side, around, (kind, LEADER), (FENCING.name, "any")), JAVA_ADDS)
        return msgspec.structs.replace(fenced, high_s=None)
    if side.get("topic.metadata.refresh.interval.ms").number <= 0:
        return not_predicted(NEVER_ASKED)
    return _of(_asked(side, around, (kind, LEADER), (whole, part)), WHENEVER if kind == "pause" else "")


def _of(rows: list[Quantity], words: str) -> Stall:
    """All that may be: of a victim that is the active controller or not, of a client of any age."""
    known = [row for row in rows if row.low_s is not None]
    if not known:
        return not_predicted(rows[0].why_not if rows else "the model has no such case")
    high = [row.high_s for row in known]
    longest = None if None in high else max(one for one in high if one is not None)
    return Stall(min(row.low_s or 0 for row in known), longest, words, MODEL)


def _asked(side: Side, around: Together, fault: tuple[Kind, str], row: tuple[str, Part]) -> list[Quantity]:
    """The rows of this name and role that the model has for a fault: its kind and target."""
    settings = msgspec.json.encode(_in_force(side, around))
    cases = [one for age_s in _ages(side, around) for one in _predicted(settings, *fault, age_s)]
    may_be = [one for one in cases if not one.controller or _are_controllers(around)]
    return [one for case in may_be for one in case.quantities if (one.name, one.role) == row]


def _are_controllers(around: Together) -> bool:
    """Whether a broker may be the active controller: unless its file says that it is none."""
    roles = around.brokers.get("process.roles").text if around.brokers else ""
    return not roles or "controller" in roles


def _ages(side: Side, around: Together) -> list[float]:
    """Seconds since the client's start, so that its next regular metadata request is due before the session of the
    silent broker is over, just after it, and late: nobody knows which."""
    if side.java:
        return [ANY_AGE_S]
    period_s = side.get("topic.metadata.refresh.interval.ms").number / 1000
    session_s = around.usual("broker.session.timeout.ms").number / 1000
    until = (session_s / 2, session_s + JUST_AFTER_S, period_s / 2, period_s)
    latest_s = max(max(its) for its in STARTS_EARLIER_S.values())  # what the model adds to an age, at most
    return [period_s + (-one_s - latest_s) % period_s for one_s in until]


@cache
def _predicted(settings: bytes, kind: Kind, target: str, age_s: float) -> list[Case]:
    scenario = Scenario(
        name="check",
        topology=Topology(profile="safe"),
        clients=Clients(processor="naive"),
        faults=(Fault(kind=kind, target=target, hold_s=HOLD_S),),
        schedule=Schedule(warm_up_s=age_s / 2, steady_s=age_s / 2),
    )
    told = predict(scenario, msgspec.json.decode(settings, type=EffectiveSettings), "local")
    return [case for fault in told.faults for case in fault.cases]


def _in_force(side: Side, around: Together) -> EffectiveSettings:
    """What the model asks for. Nobody reads what nobody writes: a consumer's records are those of a producer with the
    same time-outs."""
    brokers = _those(around.brokers, "broker") if around.brokers else {}
    if side.file.role == "producer":
        return EffectiveSettings(broker=brokers, producer=_those(side, "producer"), consumer={})
    own = _those(side, "consumer")
    same = {name: value for name, value in own.items() if name in DEFAULTS["producer"]}
    return EffectiveSettings(broker=brokers, producer=same, consumer=own)


def _those(side: Side, role: str) -> dict[str, Given]:
    asked: dict[Owner, dict[str, str]] = DEFAULTS
    names = [name for owner, its in asked.items() if owner == role for name in its]
    values = {name: side.get(name) for name in names if name in side.file.definitions.keys(side.file.role)}
    return {name: Given(_text(name, value), "") for name, value in values.items()}  # the source decides nothing


def _text(name: str, value: Value) -> str:
    text = value.text.replace("-1", "all") if name == "acks" else value.text
    return text.lower() if name == "group.protocol" else text
