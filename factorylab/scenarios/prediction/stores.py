"""PostgreSQL that dies, freezes, refuses or is full: nothing is stored until it is back."""

from __future__ import annotations

import numpy as np

from factorylab.scenarios.prediction.brokers import RECOVERY, STORES, nothing, unconfirmed
from factorylab.scenarios.prediction.draws import Floats
from factorylab.scenarios.prediction.situation import Situation, drawn
from factorylab.scenarios.prediction.structures import Quantity
from factorylab.scenarios.stall_phases import HOLD, RECONNECT, STORE_AWAY

ANSWERS_S = {"pause": (0.0, 0.3), "kill": (0.3, 2.0), "terminate": (0.3, 2.0), "refuse": (0.0, 0.2), "fill": (0.0, 0.3)}
"""From the healing to its first answer: a process that starts reads its log first. Measured, 1.6 s after a kill."""
BACKOFF_CAP_S = 2.0
"""A processor tries again after a pause that doubles up to this, half of it random (core.backoff)."""
CALL_S, CONNECT_S = 10.0, 5.0
"""A frozen server answers nobody: a processor's call is given up after the first of these (store_deadline_s), and then
each try to connect after the second; whoever waits in one when the server goes on is answered at once."""
FIRST_COMMIT_S = (0.05, 0.4)
SOURCE = "core.backoff: the pause between two tries doubles from 0.1 s to 2 s, half of it random"


def away(s: Situation) -> list[Quantity]:
    """All partitions wait for the database; acknowledgements go on."""
    back = s.fault.hold_s + s.draws.between(*ANSWERS_S[s.fault.kind])
    again = _tries(s) + s.draws.between(*FIRST_COMMIT_S)
    seconds = back + again
    words = "hold_s + its start + the rest of the processor's pause between two tries"
    acks = unconfirmed("any") if s.acks == "0" else [nothing("any", "brokers and producers do not notice")]
    return [
        drawn(STORE_AWAY.name, "any", back, "hold_s + its start", (HOLD,), "measured"),
        drawn(RECONNECT.name, "any", again, "the rest of the processor's pause between two tries", (), SOURCE),
        drawn(STORES, "any", seconds, words, (HOLD,), SOURCE),
        drawn(RECOVERY, "any", seconds, words, (HOLD,), SOURCE),
        *acks,
    ]


def _tries(s: Situation) -> Floats:
    """What is left of the pause in which the processor is when the database answers again."""
    pause = s.draws.between(0, BACKOFF_CAP_S)
    if s.fault.kind != "pause":
        return pause
    usual_s = BACKOFF_CAP_S * 3 / 4
    share = usual_s / (usual_s + CONNECT_S) if s.fault.hold_s > CALL_S else 0
    return np.where(s.draws.chance(share), pause, 0)
