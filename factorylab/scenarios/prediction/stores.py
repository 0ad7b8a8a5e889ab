"""PostgreSQL that dies, freezes, refuses or is full: nothing is stored until it is back."""

from __future__ import annotations

from factorylab.scenarios.prediction.brokers import RECOVERY, STORES
from factorylab.scenarios.prediction.draws import Floats
from factorylab.scenarios.prediction.situation import Situation, drawn
from factorylab.scenarios.prediction.structures import Quantity
from factorylab.scenarios.stall_phases import HOLD

ANSWERS_S = {"pause": (0.0, 0.2), "kill": (0.3, 1.5), "terminate": (0.3, 1.5), "refuse": (0.0, 0.2), "fill": (0.0, 0.3)}
"""From the healing to its first answer: a process that starts reads its log first."""
BACKOFF_CAP_S = 2.0
"""A processor tries again after a pause that doubles up to this (core.backoff), each pause between half and all of it;
a frozen server keeps it waiting in its call instead."""
FIRST_COMMIT_S = (0.05, 0.4)
SOURCE = "core.backoff: the pause between two tries doubles from 0.1 s to 2 s, half of it random"


def away(s: Situation) -> list[Quantity]:
    """All partitions wait for the database; acknowledgements go on."""
    seconds = s.fault.hold_s + s.draws.between(*ANSWERS_S[s.fault.kind]) + _tries(s) + s.draws.between(*FIRST_COMMIT_S)
    words = "hold_s + its start + the processor's next try"
    return [
        drawn(STORES, "any", seconds, words, (HOLD,), SOURCE),
        drawn(RECOVERY, "any", seconds, words, (HOLD,), SOURCE),
        Quantity(name="longest_ack_gap", role="any", low_s=0, high_s=0.5, formula="brokers and producers do not notice",
            source="a shorter stall counts as none"),
    ]  # fmt: skip


def _tries(s: Situation) -> Floats:
    return s.draws.between(0, 0.1 if s.fault.kind == "pause" else BACKOFF_CAP_S)
