"""A broker that dies, stops, freezes or is cut off: when the cluster goes on without it, and when its clients do."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from factorylab.scenarios.prediction import clients, controllers
from factorylab.scenarios.prediction.draws import Floats, u
from factorylab.scenarios.prediction.situation import PRODUCER_ACKS, Situation
from factorylab.scenarios.stall_phases import (
    CONSUMER_REFRESH,
    CONSUMER_SOCKET,
    HOLD,
    PRODUCER_REFRESH,
    PRODUCER_SOCKET,
    Setting,
)

COPIES_AGAIN_S = (2.8, 9.0)
"""From the start of a killed broker to its copying again, inside its session: measured, 3.2–5.3 s (n = 4), on a busier
host 4–12 s (n = 3)."""
RESUMED_S = (0.02, 0.5)
"""From a frozen broker's resumption to its next answer."""
HEALED_S = (0.1, 8.0)
"""From the healing of a cut to the isolated leader's hearing that it leads no more: measured, up to 8 s."""
STEPS_DOWN_S = (0.05, 2.2)
"""A controlled shutdown moves each leadership before the broker stops: measured, 0.1–2.2 s (single runs)."""
END_OF_SESSION = "end of the session"
LOOKS = "the producer's next look"
HEARS = (
    "at once where a regular metadata request waits at another broker, behind a produce request; else the next regular "
    f"one, or the time-out of the request (socket.timeout.ms + {u((0, clients.SCAN_S))})"
)


@dataclass(frozen=True)
class Outage:
    """When the parts of the system go on, in seconds from the broker's silence.

    `elected`: another controller is active (0: the victim was none). `fenced`: the broker is fenced and out of the
    ISR. `new_leader`: its partitions have another leader. `led`, `followed`: the first acknowledgement of a partition
    that it led, that it followed. `read`: the first records of one that it led, to a consumer. `finds_leader`: how the
    producer comes from `new_leader` to `led`, in words. `led_inputs`, `read_inputs`: the clients' settings in both.
    """

    elected: Floats
    fenced: Floats
    new_leader: Floats
    led: Floats
    followed: Floats
    read: Floats
    finds_leader: str
    led_formula: str
    followed_formula: str
    led_inputs: tuple[Setting, ...]
    read_inputs: tuple[Setting, ...] = ()


def killed(s: Situation) -> Outage:
    """SIGKILL: connections break at once. A start inside the session does not shorten it: the registration is refused
    until it ends, and only what the broker followed goes on as soon as it copies again."""
    elected, fenced, new_leader = _cluster(s)
    returns, returns_after = s.back_s + s.draws.between(*COPIES_AGAIN_S), f"hold_s + {u(COPIES_AGAIN_S)}"
    return Outage(
        elected,
        fenced,
        new_leader,
        led=new_leader + clients.finds_leader(s, fenced),
        followed=np.minimum(fenced, returns) + clients.follows_on(s),
        read=new_leader + clients.reads_again(s),
        finds_leader=LOOKS,
        led_formula=f"{END_OF_SESSION}, a new leader, and {LOOKS}",
        followed_formula=f"{END_OF_SESSION}, or the broker copies again ({returns_after}), whichever is first",
        led_inputs=(PRODUCER_SOCKET,),
    )


def frozen(s: Situation) -> Outage:
    """SIGSTOP: it answers nobody until it is resumed."""
    return _silent(s, RESUMED_S, "the broker is resumed (hold_s)")


def cut_off(s: Situation) -> Outage:
    """Packets are dropped: it lives, and goes on as the leader of what it leads, alone."""
    return _silent(s, HEALED_S, "the cut is healed (hold_s)")


def _silent(s: Situation, answers_s: tuple[float, float], ends: str) -> Outage:
    """Connections stay, so that a client must hear of the new leader, or give its request up, unless the fault `ends`
    before: the broker answers again `answers_s` later."""
    elected, fenced, new_leader = _cluster(s)
    back, unless = s.fault.hold_s + s.draws.between(*answers_s), f"or {ends}, whichever is first"
    return Outage(
        elected,
        fenced,
        new_leader,
        led=np.minimum(_producer_moves(s, fenced, new_leader), back),
        followed=np.minimum(fenced, back) + clients.follows_on(s),
        read=np.minimum(_consumer_moves(s, new_leader), back),
        finds_leader=HEARS,
        led_formula=f"{END_OF_SESSION}, a new leader, and until the producer hears of it: {HEARS}; {unless}",
        followed_formula=f"{END_OF_SESSION}, {unless}",
        led_inputs=(PRODUCER_ACKS, PRODUCER_REFRESH, PRODUCER_SOCKET, HOLD),
        read_inputs=(CONSUMER_REFRESH, CONSUMER_SOCKET, clients.FETCH_WAIT),
    )


def _producer_moves(s: Situation, fenced: Floats, new_leader: Floats) -> Floats:
    """To the first acknowledgement by the new leader, where the connection to the old one is silent."""
    first = clients.first_refresh(s)
    waits = clients.asked_others(s, fenced, first)
    hears = clients.hears_of_leader(s, new_leader, first, "producer") + clients.follows_on(s)
    gives_up = clients.after(new_leader, clients.gives_request_up(s), clients.tries_again_s(s, PRODUCER_SOCKET))
    return np.where(waits, new_leader + clients.finds_leader(s, fenced), np.minimum(hears, gives_up))


def _consumer_moves(s: Situation, new_leader: Floats) -> Floats:
    """To the first records from the new leader, where the connection to the old one is silent."""
    hears = clients.hears_of_leader(s, new_leader, clients.first_refresh(s, "consumer"), "consumer")
    hears = hears + s.draws.between(*clients.FETCH_AGAIN_S)
    if s.answers_alone:
        return hears
    gives_up = clients.after(new_leader, clients.gives_fetch_up(s), clients.tries_again_s(s, CONSUMER_SOCKET))
    return np.minimum(hears, gives_up)


def _cluster(s: Situation) -> tuple[Floats, Floats, Floats]:
    elected = controllers.election(s) if s.controller else np.zeros(1)
    fenced = elected + controllers.session_end(s)
    return elected, fenced, fenced + s.draws.between(*controllers.ELECTED_S)
