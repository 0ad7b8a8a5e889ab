"""How soon clients go on once the cluster is whole again: librdkafka's timers, and what was measured of them.

*One request after the other*: a broker answers the requests of a connection in their order, so a metadata request that
is sent behind a produce request with acks=all waits as long as that one does. It is answered at the moment the
partition's high watermark moves again, and then names the new leader. So a producer that is stuck on the brokers that
live knows the new leader at once, and only one with a free connection asks too early, and again at its next scan.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
import numpy.typing as npt

from factorylab.scenarios.prediction.draws import Floats
from factorylab.scenarios.prediction.situation import Situation
from factorylab.scenarios.stall_phases import (
    CONSUMER_REFRESH,
    CONSUMER_SOCKET,
    PRODUCER_REFRESH,
    PRODUCER_SOCKET,
    Setting,
)

FETCH_WAIT = Setting("consumer", "fetch.wait.max.ms")
SCAN_S = 1.0
"""librdkafka's main thread looks for leaders that are down, and for requests that timed out, once a second
(rd_kafka_topic_scan_all, rd_kafka_broker_timeout_scan)."""
ASKED_EARLY = (0.3, 0.5)
"""How often a producer asked just before the election: where its requests still waited for the session's end, and where
they had timed out before it. Measured, 4 of 11 and 4 of 8 deaths."""
EARLY_S = (1.2, 2.0)
"""What it costs then at most: its next look, and after a time-out the one after that, since it connects anew. Measured,
0.3–1.2 s and 0.4–1.7 s."""
FOLLOW_ON_S = (0.01, 0.2)
"""From the election, or the shrunk ISR, to the next acknowledgement of a client that knows: linger, a request, a host
that is busy then. Measured, 0.01–0.15 s (n = 12)."""
VERSIONS_S = 10.0
"""librdkafka's api.version.request.timeout.ms."""
RETRY_S = (0.05, 0.35)
"""After a request that timed out: connect again (reconnect.backoff.ms, 100 ms −25 … +50 %) and send anew."""
FETCH_AGAIN_S = (0.35, 1.3)
"""A consumer that knows the new leader validates its offset there (OffsetForLeaderEpoch, tried every 500 ms), or waits
out fetch.error.backoff.ms (500 ms), or both. Measured with the scan before it: 0.5–2.1 s, and once 3.3 s (n = 10)."""
ONCE_MORE, ONCE_MORE_S = 0.04, (0.5, 1.5)
"""How often it must do so twice, and what that costs: measured, 1 of 22."""
FROM_ANEW_S = (0.05, 1.3)
"""The same after a fetch that timed out: it asks at once. Measured, 0.2–1.2 s (n = 3)."""
AT_ONCE = 0.25
"""How often a consumer asked at the moment of the election: measured, 3 of 14, which read 0.4–0.5 s after it."""
STARTS_EARLIER_S = {"producer": (0.0, 1.5), "consumer": (0.5, 3.5)}
"""How much longer than warm-up and steady state a client has run when the fault window opens. Measured by the regular
requests that ended a stall: 0.1–0.2 s, producer; 1.5–2.5 s, consumer."""
OF_OTHERS = 2 / 3
"""Of three brokers that a metadata request may be sent to, two are not the victim."""
STORES_ON_S = (0.0, 0.2)
"""What was acknowledged before a fault is stored a batch later, so that a gap of stores begins so much later."""
COMMIT_S = (0.02, 0.25)
"""From the first records to the end of their transaction, batch.wait included: measured, 0.1–0.2 s."""
SOURCE = "librdkafka 2.16: leaders and time-outs are looked at once a second; the rest is measured"


def follows_on(s: Situation) -> Floats:
    """From the shrunk ISR to the first acknowledgement, where the leader lives."""
    return s.draws.between(*FOLLOW_ON_S)


def timed_out(s: Situation, fenced: Floats) -> npt.NDArray[np.bool_]:
    """Whether the requests that waited for the end of the session were given up before it."""
    return fenced > s.s(PRODUCER_SOCKET)


def finds_leader(s: Situation, fenced: Floats) -> Floats:
    """From the election to the first acknowledgement, where the old leader's connection is broken."""
    late = timed_out(s, fenced)
    asks = s.draws.chance(np.where(late, ASKED_EARLY[1], ASKED_EARLY[0]))
    longest = np.where(late, EARLY_S[1], EARLY_S[0])
    return follows_on(s) + np.where(asks, s.draws.between(0, 1) * longest, 0)


def gives_request_up(s: Situation) -> Floats:
    """From a leader's silence to the producer's going elsewhere because its request timed out."""
    return s.s(PRODUCER_SOCKET) + s.draws.between(0, SCAN_S) + s.draws.between(*RETRY_S)


def tries_again_s(s: Situation, socket: Setting) -> float:
    """How long the next try to go on with the old leader lasts: a new connection is silent as well, and its first
    request, for versions, has a time-out of its own. Meanwhile the connection counts as up, and nobody asks anew."""
    return s.s(socket) if s.answers_alone else VERSIONS_S


def after(new_leader: Floats, gives_up: Floats, again_s: float) -> Floats:
    """When a client that gave up asks who leads: at once, or, where nobody else led yet, after its next try."""
    tries = np.ceil(np.maximum(new_leader - gives_up, 0) / again_s)
    return gives_up + tries * again_s


def first_refresh(s: Situation, of: Literal["producer", "consumer"] = "producer") -> Floats:
    """From the silence to a client's next regular metadata request: counted from the client's start, and the runner
    injects a known time after that. A backlog is written before the group's consumers start: the producer is older by
    that, and by what they are (not measured)."""
    plan, period_s = s.scenario.schedule, s.s(PRODUCER_REFRESH if of == "producer" else CONSUMER_REFRESH)
    since_start = plan.warm_up_s + plan.steady_s + s.fault.at_s + s.draws.between(*STARTS_EARLIER_S[of])
    if plan.backlog_s and of == "producer":
        since_start += plan.backlog_s + s.draws.between(*STARTS_EARLIER_S["consumer"])
    return period_s - since_start % period_s


def hears_of_leader(s: Situation, elected: Floats, first: Floats, of: Literal["producer", "consumer"]) -> Floats:
    """From the silence to the first regular metadata request after the election."""
    period_s = s.s(PRODUCER_REFRESH if of == "producer" else CONSUMER_REFRESH)
    return first + np.ceil(np.maximum(elected - first, 0) / period_s) * period_s


def asked_others(s: Situation, until: Floats, first: Floats) -> npt.NDArray[np.bool_]:
    """Whether one of the regular metadata requests before `until` went to a broker that lives, where it waits behind a
    produce request with acks=all."""
    requests = np.where(first < until, 1 + np.floor((until - first) / s.s(PRODUCER_REFRESH)), 0)
    waits = s.draws.between(0, 1) > (1 - OF_OTHERS) ** requests
    return waits & (s.acks == "all")


def reads_again(s: Situation) -> Floats:
    """From the election to a consumer's first records, where the old leader's connection is broken."""
    again = np.where(s.draws.chance(ONCE_MORE), s.draws.between(*ONCE_MORE_S), 0)
    looks = np.where(s.draws.chance(AT_ONCE), 0, s.draws.between(0, SCAN_S))
    return looks + s.draws.between(*FETCH_AGAIN_S) + again


def gives_fetch_up(s: Situation) -> Floats:
    """From a leader's silence to a consumer's going elsewhere: its fetch must time out first."""
    return s.s(CONSUMER_SOCKET) + s.s(FETCH_WAIT) + s.draws.between(0, SCAN_S) + s.draws.between(*FROM_ANEW_S)


def commits(s: Situation) -> Floats:
    """From a consumer's first records to their commit."""
    return s.draws.between(*COMMIT_S)


def stores_on(s: Situation) -> Floats:
    """From a fault to the last commit before its gap."""
    return s.draws.between(*STORES_ON_S)
