"""When the controllers act: a new active one, and the end of a silent broker's session (Kafka 4.3, KRaft)."""

from __future__ import annotations

import numpy as np

from factorylab.scenarios.prediction.draws import Floats, u
from factorylab.scenarios.prediction.situation import Situation
from factorylab.scenarios.stall_phases import BROKER_SESSION, HEARTBEAT, QUORUM_ELECTION, QUORUM_FETCH

CHECKS = 8
"""The active controller looks for sessions that are over eight times a session (QuorumController, periodic task
maybeFenceStaleBroker), and fences one broker each time."""
FETCH_WAIT_S = 0.5
"""A voter's fetch is answered after this long at the latest (KafkaRaftClient.MAX_FETCH_WAIT_MS), so its last answer
was up to so old when the leader died."""
VOTE_S = (0.03, 0.25)
"""Votes, and the new controller's activation. Measured, 0.05–0.2 s."""
SPLIT_VOTE = 0.5
"""Both voters fetch from the same leader and are answered together, so that they may time out within milliseconds of
each other, and each votes for itself. Measured, 4 of 11 elections, and 3 of the 4 whose logs were kept: the half lies
between the two. With 4 of 11 the ends of an interval move by up to 0.22 s."""
VOTE_AGAIN = (1.1, 1.4)
"""After a split vote, in election time-outs: the shorter of two random ones. Measured, 1.16–1.19 (n = 3)."""
LATE_CHECK_S = (0.0, 0.3)
"""The eighth check after the activation falls on the session's end and is a little late, so that it fences. Measured,
9.0–9.3 s after the election with a session of 9 s (n = 6)."""
CHECK_TAKES_S = (0.0, 0.15)
"""Each check begins a period after the last one ended, and waits for its turn in the controller's queue: 2 of 12
measured fencings came later than the sum of the timers alone would have it in 95 of 100."""
ELECTED_S = (0.02, 0.25)
"""From the fencing to the new leader's taking over, or to the smaller ISR: one metadata record on a busy host.
Measured, 0.03–0.18 s (n = 8)."""
CONTROLLER_SOURCE = "KafkaRaftClient: fetch time-out, pre-vote, random election time-out; share of split votes measured"
SESSION_SOURCE = "BrokerHeartbeatManager, QuorumController: heartbeat period, session, a check each eighth of it"
GRANTED_SOURCE = "BrokerHeartbeatManager: a controller that becomes active grants every broker a full new session"


def election(s: Situation) -> Floats:
    """From the silence of the active controller to the activation of another."""
    times_out = s.s(QUORUM_FETCH) - s.draws.between(0, min(FETCH_WAIT_S, s.s(QUORUM_FETCH)))
    again = np.where(s.draws.chance(SPLIT_VOTE), s.draws.between(*VOTE_AGAIN) * s.s(QUORUM_ELECTION), 0)
    return times_out + again + s.draws.between(*VOTE_S)


def session_end(s: Situation) -> Floats:
    """From the silence (of a controller: from the activation of the next) to the fencing of the broker."""
    session_s, period_s = s.s(BROKER_SESSION), s.s(HEARTBEAT)
    if s.controller:
        return session_s + s.draws.between(*LATE_CHECK_S)
    last_heard = s.draws.between(0, period_s) if s.still_heard else -s.draws.between(0, period_s)
    return session_s + last_heard + s.draws.between(0, session_s / CHECKS) + s.draws.between(*CHECK_TAKES_S)


def formula(s: Situation) -> str:
    """The sum that `session_end` draws, in words."""
    if s.controller:
        return f"session + {u(LATE_CHECK_S)}, from the activation of the next controller"
    sign = "+" if s.still_heard else "−"
    return f"session {sign} U(0, heartbeat) + U(0, session/{CHECKS}) + {u(CHECK_TAKES_S)}"
