"""Two of three nodes away: nobody can be fenced, and nobody elected, until one of them is back."""

from __future__ import annotations

from factorylab.scenarios.prediction.brokers import ACKS, RECOVERY, STORES, nothing
from factorylab.scenarios.prediction.situation import Situation, drawn
from factorylab.scenarios.prediction.structures import Quantity, Role
from factorylab.scenarios.stall_phases import HOLD, PRODUCER_SOCKET, Setting

PRODUCER_REQUEST = Setting("producer", "request.timeout.ms")
RESUMED_S = (0.02, 1.5)
"""From the resumption of frozen brokers to the next acknowledgement. Measured, 0.02–0.7 s (n = 4)."""
SOURCE = "KRaft: two of three voters are needed to fence a broker and to elect anybody"
UNREADABLE = (
    "confirmed, and not readable: the high watermark waits for two replicas in the ISR, and the lag looks like 0"
)
REFUSAL = (
    "the broker answers with a time-out, never with NOT_ENOUGH_REPLICAS, since the ISR does not shrink; requests queue "
    "behind each other on a connection, so that the next one takes twice as long"
)


def away(s: Situation) -> list[Quantity]:
    """`led`: partitions that the two led; `followed`: those of the one that is left."""
    words = "until the nodes are back (hold_s): no majority, no end of session, no election"
    if s.acks == "all":
        acks = [_until_back(s, ACKS, "led", words), _until_back(s, ACKS, "followed", words), _times_out(s)]
    else:
        alone = f"acks={s.acks}: the leader that is left answers alone; {UNREADABLE}"
        acks = [_until_back(s, ACKS, "led", words), nothing("followed", alone)]
    rows: tuple[tuple[str, Role], ...] = (
        (STORES, "led"),
        (STORES, "followed"),
        (RECOVERY, "led"),
        (RECOVERY, "followed"),
    )
    return [*acks, *(_until_back(s, *row, words) for row in rows)]


def _until_back(s: Situation, name: str, role: Role, words: str) -> Quantity:
    """A frozen broker goes on where it was. A killed one starts, and then waits for a controller and a session: of that
    there is no model but its lower bound."""
    if s.fault.declared.ends_process or name != ACKS:
        low_s, rest = s.fault.hold_s, "and then for their start, a controller, sessions and clients: of that no model"
        return Quantity(
            name=name, role=role, low_s=low_s, formula=f"{words}, {rest}", inputs=["lab hold_s"], source=SOURCE
        )
    return drawn(name, role, s.fault.hold_s + s.draws.between(*RESUMED_S), words, (HOLD,), SOURCE)


def _times_out(s: Situation) -> Quantity:
    """The first answer that a producer gets."""
    ends = min(s.s(PRODUCER_REQUEST), s.s(PRODUCER_SOCKET)) + s.draws.between(0, 1)
    words = f"min(request.timeout.ms, socket.timeout.ms) + U(0, 1 s): {REFUSAL}"
    return drawn("request_timeout", "followed", ends, words, (PRODUCER_REQUEST, PRODUCER_SOCKET), "measured, 30 s")
