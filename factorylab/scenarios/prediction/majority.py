"""Two of three nodes away: nobody can be fenced, and nobody elected, until one of them is back."""

from __future__ import annotations

import msgspec

from factorylab.scenarios.prediction.brokers import ACKS, RECOVERY, ROLES, STORES, nothing, unconfirmed
from factorylab.scenarios.prediction.clients import SCAN_S
from factorylab.scenarios.prediction.draws import u
from factorylab.scenarios.prediction.situation import PRODUCER_ACKS, Situation, drawn, names
from factorylab.scenarios.prediction.structures import Quantity, Role
from factorylab.scenarios.stall_phases import HOLD, PRODUCER_SOCKET, Setting

PRODUCER_REQUEST = Setting("producer", "request.timeout.ms")
RESUMED_S = (0.02, 1.5)
"""From the resumption of frozen brokers to the next acknowledgement. Measured, 0.02–0.7 s (n = 4)."""
SOURCE = "KRaft: two of three voters are needed to fence a broker and to elect anybody"
UNTIL_BACK = "until the nodes are back (hold_s): no majority, no end of session, no election"
UNREADABLE = (
    "confirmed, and not readable: the high watermark waits for two replicas in the ISR, and the lag looks like 0"
)
REFUSAL = (
    "the broker answers with a time-out, never with NOT_ENOUGH_REPLICAS, since the ISR does not shrink; requests queue "
    "behind each other on a connection, so that the next one takes twice as long"
)


def away(s: Situation) -> list[Quantity]:
    """`led`: partitions that the two led; `followed`: those of the one that is left."""
    acks = unconfirmed(*ROLES) if s.acks == "0" else [_until_back(s, ACKS, "led"), _acks_of_last(s)]
    return [*acks, *(_until_back(s, name, role) for name in (STORES, RECOVERY) for role in ROLES)]


def _acks_of_last(s: Situation) -> Quantity:
    """Acknowledgements of the node that is left."""
    if s.acks != "all":
        return nothing("followed", f"acks={s.acks}: the leader that is left answers alone; {UNREADABLE}")
    waits = _until_back(s, ACKS, "followed")
    inputs = [*waits.inputs, *names((PRODUCER_ACKS,))]
    return msgspec.structs.replace(waits, formula=f"{waits.formula}; {_times_out(s)}", inputs=inputs)


def _until_back(s: Situation, name: str, role: Role) -> Quantity:
    """A frozen broker goes on where it was. A killed one starts, and then waits for a controller and a session: of that
    there is no model but its lower bound."""
    if s.fault.declared.ends_process or name != ACKS:
        low_s, rest = s.fault.hold_s, "and then for their start, a controller, sessions and clients: of that no model"
        return Quantity(
            name=name, role=role, low_s=low_s, formula=f"{UNTIL_BACK}, {rest}", inputs=names((HOLD,)), source=SOURCE
        )
    return drawn(name, role, s.fault.hold_s + s.draws.between(*RESUMED_S), UNTIL_BACK, (HOLD,), SOURCE)


def _times_out(s: Situation) -> str:
    """The first answer that a producer of the leader that is left gets, in words."""
    ends_s = min(s.s(PRODUCER_REQUEST), s.s(PRODUCER_SOCKET))
    return (
        "where they stay away for longer, a producer has its first answer after min(request.timeout.ms, "
        f"socket.timeout.ms), {ends_s:g} s, + {u((0, SCAN_S))}: {REFUSAL}"
    )
