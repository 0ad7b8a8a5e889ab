"""A processor that dies, stops, freezes or is cut off: when its partitions have another owner that stores."""

from __future__ import annotations

import numpy as np

from factorylab.scenarios.prediction.brokers import RECOVERY, STORES
from factorylab.scenarios.prediction.draws import Floats, u
from factorylab.scenarios.prediction.situation import GROUP_PROTOCOL, Situation, drawn, no_model
from factorylab.scenarios.prediction.structures import Quantity
from factorylab.scenarios.stall_phases import ASSIGNMENT, HOLD, MEMBER_REMOVAL, Setting

TAKES_OVER_S = (0.08, 0.4)
"""From the assignment to the first commit of the new owner: it takes the partition in the store, reads the detectors'
state, polls and commits. Measured, 0.13–0.24 s (n = 3)."""
TAKES_OVER = f"{u(TAKES_OVER_S)} to take over"
JOINS_S = (0.8, 2.6)
"""From the start of a processor to its first commit as a member again. Measured, 1.2–2.4 s."""
GOES_BACK_S = (2.5, 5.0)
"""From the start of a processor to the first commit of a partition that KIP-848 gives back to it, which nobody had for
a second: its start, and each member's next heartbeat. Measured, 3.7 and 4.0 s."""
RESUMED_S = (0.02, 0.6)
COMMIT_EVERY_S, ON_ITS_WAY_S = 0.2, 0.1
"""How often the factory's own processor commits its offsets, and how long one may take. With a classic protocol a
commit is a sign of life as well (OffsetMetadataManager.validateOffsetCommit), so that the last one is never as old as a
heartbeat interval. Measured: 0.02–0.25 s old (n = 4)."""
JUST_HEARD = 0.5
"""A run kills its victim a fixed time after the group has formed, give or take what start-up takes, so that the phase
of the heartbeat is nearly the same in every run of a machine. Nobody knows it beforehand: for half of the draws it is
the first tenth of the interval, where the others hear at once, for the rest any."""
APART_S = (0.002, 0.03)
"""Members of a classic group heartbeat together: each counts from the same assignment. Measured, 2–7 ms (n = 3)."""
SOURCE = (
    "GroupCoordinator: the session is counted from the last heartbeat (classic: or commit); librdkafka: a heartbeat "
    "each interval, counted from the assignment"
)


def gone(s: Situation) -> list[Quantity]:
    """SIGKILL, SIGSTOP or a cut: nobody is told."""
    if s.static and not s.kip_848 and s.fault.declared.ends_process:
        why = (
            "no model of a static member of a classic group whose process ends: one that was back after 12 s left its "
            "partition without an owner for 21.5 s, with a session of 20 s"
        )
        return [no_model(STORES, "owned", why), no_model(RECOVERY, "any", why)]
    removed, told = _noticed(s)
    back = s.back_s + s.draws.between(*(JOINS_S if s.fault.declared.ends_process else RESUMED_S))
    if s.scenario.clients.processors == 1:
        return _alone(s, removed, back)
    seconds = (removed if _joins_anew(s) else told) + s.draws.between(*TAKES_OVER_S)
    inputs = (*_timers(s), HOLD)
    words = _words(s) + ("" if _joins_anew(s) else " + the others' next heartbeat") + f" + {TAKES_OVER}"
    if not s.fault.declared.ends_process:
        seconds, words = np.minimum(seconds, back), f"{words}; or it goes on (hold_s)"
    return [
        *_phases(s, removed, told, float(seconds.max())),
        drawn(STORES, "owned", seconds, words, inputs, SOURCE),
        _recovery(s, seconds, words, inputs),
    ]


def _recovery(s: Situation, seconds: Floats, words: str, inputs: tuple[Setting, ...]) -> Quantity:
    """With KIP-848 a partition that goes back to a member that returns stands still once more, long enough to count."""
    if not (s.kip_848 and s.fault.declared.ends_process):
        return drawn(RECOVERY, "any", seconds, words, inputs, SOURCE)
    again = s.back_s + s.draws.between(*GOES_BACK_S)
    words = f"{words}; and again when it returns: hold_s + {u(GOES_BACK_S)}"
    return drawn(RECOVERY, "any", np.maximum(seconds, again), words, inputs, SOURCE)


def _phases(s: Situation, removed: Floats, told: Floats, longest_s: float) -> list[Quantity]:
    """Nothing where the victim may be back before it is removed."""
    if _joins_anew(s) or s.back_s <= longest_s:
        return []
    words = "the others' next heartbeat"
    return [
        drawn(MEMBER_REMOVAL.name, "owned", removed, _words(s), _timers(s), SOURCE),
        drawn(ASSIGNMENT.name, "owned", told - removed, words, _timers(s), SOURCE),
    ]


def _timers(s: Situation) -> tuple[Setting, ...]:
    return s.session, s.heartbeat, GROUP_PROTOCOL


def _noticed(s: Situation) -> tuple[Floats, Floats]:
    """From the member's silence to its removal, and to the last other member's hearing of it."""
    period_s = s.s(s.heartbeat)
    soon, any_time = s.draws.between(0, period_s / 10), s.draws.between(0, period_s)
    since = np.where(s.draws.chance(JUST_HEARD), soon, any_time)
    if s.kip_848:
        removed = s.s(s.session) - since
        return removed, removed + _hears(s)
    removed = s.s(s.session) - np.minimum(since, s.draws.between(0, sign_of_life_s(s)))
    apart = s.draws.between(*APART_S)
    return removed, np.ceil((removed + since - apart) / period_s) * period_s - since + apart


def sign_of_life_s(s: Situation) -> float:
    """How often the member tells that it lives."""
    commits = s.scenario.clients.processor == "fenced" and not s.kip_848
    return min(COMMIT_EVERY_S + ON_ITS_WAY_S, s.s(s.heartbeat)) if commits else s.s(s.heartbeat)


def _words(s: Situation) -> str:
    often = sign_of_life_s(s)
    return "session − U(0, heartbeat)" if often == s.s(s.heartbeat) else f"session − U(0, {often:g} s between commits)"


def _hears(s: Situation) -> Floats:
    """Until the last of the other members has heard of a rebalance that began at any time."""
    last = s.draws.between(0, s.s(s.heartbeat))
    for _ in range(s.scenario.clients.processors - 2 if s.kip_848 else 0):
        last = np.maximum(last, s.draws.between(0, s.s(s.heartbeat)))
    return last


def _joins_anew(s: Situation) -> bool:
    """Does the victim's next process join while the session of the last one goes on? The others of a classic group have
    then heard of the rebalance, and wait in it."""
    classic = s.fault.declared.ends_process and not s.kip_848
    return classic and s.back_s + max(JOINS_S) < s.s(s.session)


def _alone(s: Situation, removed: Floats, back: Floats) -> list[Quantity]:
    """There is no other member: its partitions wait for it."""
    killed = s.fault.declared.ends_process and s.fault.kind != "terminate"
    if s.static and s.kip_848 and killed and s.back_s < s.s(s.session):
        why = "it is refused for good (its id is still in use): a message with the code _FATAL, whose fatal() is False"
        return [Quantity(name=STORES, role="owned", low_s=s.back_s, formula=why, source="measured, KIP-848")]
    until = back if s.static or not s.fault.declared.ends_process else np.maximum(removed, back)
    words, inputs = "it is back (hold_s), and its former membership is over", (*_timers(s), HOLD)
    return [drawn(STORES, "owned", until, words, inputs, SOURCE), drawn(RECOVERY, "any", until, words, inputs, SOURCE)]


def left(s: Situation) -> list[Quantity]:
    """SIGTERM: it leaves the group with a word, unless it is a static member, which stays until its session ends."""
    if s.static:
        return gone(s)
    if s.scenario.clients.processors == 1:
        return _alone(s, np.zeros(1), s.back_s + s.draws.between(*JOINS_S))
    seconds = _hears(s) + s.draws.between(*TAKES_OVER_S)
    words = f"it leaves; the others' next heartbeat + {TAKES_OVER}"
    return [
        drawn(STORES, "owned", seconds, words, _timers(s), SOURCE),
        no_model(RECOVERY, "any", "a stall of about half a second may count as none"),
    ]
