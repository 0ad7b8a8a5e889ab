"""A processor that dies, stops, freezes or is cut off: when its partitions have another owner that stores."""

from __future__ import annotations

import numpy as np

from factorylab.scenarios.prediction.brokers import RECOVERY, STORES
from factorylab.scenarios.prediction.draws import Floats
from factorylab.scenarios.prediction.situation import Situation, drawn, no_model
from factorylab.scenarios.prediction.structures import Quantity
from factorylab.scenarios.stall_phases import ASSIGNMENT, HOLD, MEMBER_REMOVAL, Setting

TAKES_OVER_S = (0.1, 0.45)
"""From the assignment to the first commit of the new owner: it takes the partition in the store, reads the detectors'
state, polls and commits. Measured, 0.1–0.4 s."""
JOINS_S = (0.8, 2.6)
"""From the start of a processor to its first commit as a member again. Measured, 1.2–2.4 s."""
RESUMED_S = (0.02, 0.6)
COMMIT_EVERY_S = 0.2
"""How often the factory's own processor commits its offsets. With a classic protocol a commit is a sign of life as well
(OffsetMetadataManager.validateOffsetCommit), so that the last one is never as old as a heartbeat interval."""
SOURCE = "GroupCoordinator: the session is counted from the last heartbeat; librdkafka: a heartbeat each interval"


def removal(s: Situation) -> Floats:
    """From the member's silence to its removal: its last sign of life was up to an interval old."""
    return s.s(s.session) - s.draws.between(0, sign_of_life_s(s))


def sign_of_life_s(s: Situation) -> float:
    """How often the member tells that it lives."""
    commits = s.scenario.clients.processor == "fenced" and not s.kip_848
    return min(COMMIT_EVERY_S, s.s(s.heartbeat)) if commits else s.s(s.heartbeat)


def hears(s: Situation) -> Floats:
    """From a rebalance's beginning until the last of the other members has heard of it, at its next heartbeat."""
    others = max(s.scenario.clients.processors - 1, 1)
    last = s.draws.between(0, s.s(s.heartbeat))
    for _ in range(others - 1):
        last = np.maximum(last, s.draws.between(0, s.s(s.heartbeat)))
    return last


def gone(s: Situation) -> list[Quantity]:
    """SIGKILL, SIGSTOP or a cut: nobody is told."""
    removed, heard, takes = removal(s), hears(s), s.draws.between(*TAKES_OVER_S)
    others = removed + (0 if _joins_anew(s) else heard) + takes
    back = s.back_s + s.draws.between(*(JOINS_S if s.fault.declared.ends_process else RESUMED_S))
    inputs: tuple[Setting, ...] = (s.session, s.heartbeat)
    since = "heartbeat" if sign_of_life_s(s) == s.s(s.heartbeat) else f"{COMMIT_EVERY_S:g} s between commits"
    ends = f"session − U(0, {since})"
    told = "" if _joins_anew(s) else "the others' next heartbeat + "
    words = f"{ends} + {told}take over"
    if s.scenario.clients.processors == 1:
        return _alone(s, removed, back)
    if s.fault.declared.ends_process and s.static and not s.kip_848:
        others, words, inputs = np.minimum(others, back), f"{words}; or it is back under its id", (*inputs, HOLD)
    elif not s.fault.declared.ends_process:
        others, words, inputs = np.minimum(others, back), f"{words}; or it goes on (hold_s)", (*inputs, HOLD)
    rows = [
        drawn(STORES, "owned", others, words, inputs, SOURCE),
        drawn(RECOVERY, "any", others, words, inputs, SOURCE),
    ]
    if not _joins_anew(s) and s.fault.hold_s > float(others.max()):
        rows.insert(0, drawn(MEMBER_REMOVAL.name, "owned", removed, ends, inputs, SOURCE))
        rows.insert(1, drawn(ASSIGNMENT.name, "owned", heard, "the others' next heartbeat", (s.heartbeat,), SOURCE))
    return rows


def _joins_anew(s: Situation) -> bool:
    """Does the victim's next process join while the session of the last one goes on? The others of a classic group have
    then heard of the rebalance, and wait in it."""
    dynamic = s.fault.declared.ends_process and not s.static and not s.kip_848
    return dynamic and s.back_s + max(JOINS_S) < s.s(s.session)


def _alone(s: Situation, removed: Floats, back: Floats) -> list[Quantity]:
    """There is no other member: its partitions wait for it."""
    killed = s.fault.declared.ends_process and s.fault.kind != "terminate"
    if s.static and s.kip_848 and killed and s.back_s < s.s(s.session):
        why = "it is refused for good (its id is still in use): a message with the code _FATAL, whose fatal() is False"
        return [Quantity(name=STORES, role="owned", low_s=s.back_s, formula=why, source="measured, KIP-848")]
    until = back if s.static or not s.fault.declared.ends_process else np.maximum(removed, back)
    words, inputs = "it is back (hold_s), and its former membership is over", (s.session, s.heartbeat, HOLD)
    return [drawn(STORES, "owned", until, words, inputs, SOURCE), drawn(RECOVERY, "any", until, words, inputs, SOURCE)]


def left(s: Situation) -> list[Quantity]:
    """SIGTERM: it leaves the group with a word, unless it is a static member, which stays until its session ends."""
    if s.static:
        return gone(s)
    if s.scenario.clients.processors == 1:
        return _alone(s, np.zeros(1), s.fault.hold_s + s.draws.between(*JOINS_S))
    seconds = hears(s) + s.draws.between(*TAKES_OVER_S)
    words = "it leaves; the others' next heartbeat + take over"
    return [
        drawn(STORES, "owned", seconds, words, (s.heartbeat,), SOURCE),
        no_model(RECOVERY, "any", "a stall of about half a second may count as none"),
    ]
