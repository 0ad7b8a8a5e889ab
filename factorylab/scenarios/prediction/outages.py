"""A broker that dies, stops, freezes or is cut off: when the cluster goes on without it, and when its clients do."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from factorylab.scenarios.prediction import clients, controllers
from factorylab.scenarios.prediction.draws import Floats
from factorylab.scenarios.prediction.situation import Situation
from factorylab.scenarios.stall_phases import CONSUMER_SOCKET, HOLD, PRODUCER_REFRESH, PRODUCER_SOCKET, Setting

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
MOVES = (
    "end of the session where a regular metadata request waits at another broker, behind a produce request; else the "
    "next regular one after it, or the time-out of the request (socket.timeout.ms + U(0, 1 s))"
)


@dataclass(frozen=True)
class Outage:
    """When the parts of the system go on, in seconds from the broker's silence.

    `elected`: another controller is active (0: the victim was none). `fenced`: the broker is fenced and out of the
    ISR. `new_leader`: its partitions have another leader. `led`, `followed`: the first acknowledgement of a partition
    that it led, that it followed. `read`: the first records of one that it led, to a consumer.
    """

    elected: Floats
    fenced: Floats
    new_leader: Floats
    led: Floats
    followed: Floats
    read: Floats
    led_formula: str
    followed_formula: str
    led_inputs: tuple[Setting, ...] = ()


def killed(s: Situation) -> Outage:
    """SIGKILL: connections break at once. A start inside the session does not shorten it: the registration is refused
    until it ends, and only what the broker followed goes on as soon as it copies again."""
    elected, fenced, new_leader = _cluster(s)
    returns = s.back_s + s.draws.between(*COPIES_AGAIN_S)
    return Outage(
        elected,
        fenced,
        new_leader,
        led=new_leader + clients.finds_leader(s, fenced),
        followed=np.minimum(fenced, returns) + clients.follows_on(s),
        read=new_leader + clients.reads_again(s),
        led_formula=f"{END_OF_SESSION}, a new leader, and the producer's next look",
        followed_formula=f"{END_OF_SESSION}, or the broker copies again (hold_s + U(2.8, 9 s)), whichever is first",
    )


def frozen(s: Situation) -> Outage:
    """SIGSTOP: connections stay, so that a client must hear of the new leader, or give its request up."""
    elected, fenced, new_leader = _cluster(s)
    back = s.fault.hold_s + s.draws.between(*RESUMED_S)
    return Outage(
        elected,
        fenced,
        new_leader,
        led=np.minimum(_producer_moves(s, fenced, new_leader), back),
        followed=np.minimum(fenced, back) + clients.follows_on(s),
        read=np.minimum(_consumer_moves(s, new_leader), back),
        led_formula=f"{MOVES}, or the broker is resumed (hold_s), whichever is first",
        followed_formula=f"{END_OF_SESSION}, or the broker is resumed (hold_s), whichever is first",
        led_inputs=(PRODUCER_REFRESH, PRODUCER_SOCKET, HOLD),
    )


def cut_off(s: Situation) -> Outage:
    """Packets are dropped: it lives, and goes on as the leader of what it leads, alone."""
    sided = s.fault.declared.has_sides
    elected, fenced, new_leader = _cluster(s, still_heard=sided and s.fault.direction == "in")
    healed = s.fault.hold_s + s.draws.between(*HEALED_S)
    return Outage(
        elected,
        fenced,
        new_leader,
        led=np.minimum(_producer_moves(s, fenced, new_leader), healed),
        followed=np.minimum(fenced, healed) + clients.follows_on(s),
        read=np.minimum(_consumer_moves(s, new_leader), healed),
        led_formula=f"{MOVES}, or the cut is healed (hold_s), whichever is first",
        followed_formula=f"{END_OF_SESSION}, or the cut is healed (hold_s), whichever is first",
        led_inputs=(PRODUCER_REFRESH, PRODUCER_SOCKET, HOLD),
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


def _cluster(s: Situation, *, still_heard: bool = False) -> tuple[Floats, Floats, Floats]:
    elected = controllers.election(s) if s.controller else np.zeros(1)
    fenced = elected + controllers.session_end(s, still_heard=still_heard)
    return elected, fenced, fenced + s.draws.between(*controllers.ELECTED_S)
