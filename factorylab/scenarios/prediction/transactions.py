"""A processor that dies with a Kafka transaction open: how long readers of committed alerts stand still."""

from __future__ import annotations

import numpy as np

from factorylab.scenarios.model import Fault, Scenario
from factorylab.scenarios.prediction.brokers import RECOVERY, STORES
from factorylab.scenarios.prediction.draws import u
from factorylab.scenarios.prediction.situation import Situation, drawn, no_model
from factorylab.scenarios.prediction.structures import Quantity
from factorylab.scenarios.stall_phases import HOLD, Setting

COMMITTED_STALL = "committed_stall"
TIMEOUT = Setting("producer", "transaction.timeout.ms")
LOOKS = Setting("broker", "transaction.abort.timed.out.transaction.cleanup.interval.ms")
COMES_BACK_S = (0.8, 2.6)
"""From the start of a processor to the end of its init_transactions; what `groups.JOINS_S` has to the first commit."""
SEEN_S = (0.0, 0.6)
"""Until the markers are written, and the probe has looked once more; it begins to count up to a look late, too."""
SOURCE = (
    "TransactionCoordinator: InitProducerId under the same id aborts what is open; transactions that are too old are "
    "looked for at a fixed interval (abortTimedOutTransactions)"
)


def dies_in_one(fault: Fault, scenario: Scenario) -> bool:
    """Is a processor killed with its transaction open?"""
    return scenario.transactional and fault.kind == "kill" and fault.step == "in_transaction"


def left_open(s: Situation) -> list[Quantity]:
    """Whichever is first: the processor is back under its id, or the coordinator finds that the time is over."""
    back = s.back_s + s.draws.between(*COMES_BACK_S)
    over = s.s(TIMEOUT) + s.draws.between(0, s.s(LOOKS))
    words = f"the earlier of hold_s + {u(COMES_BACK_S)} and the transaction's time-out + U(0, time between looks)"
    seconds = np.minimum(back, over) + s.draws.between(*SEEN_S)
    why = "no model of an owner that waits for offsets of an open transaction"
    return [
        drawn(COMMITTED_STALL, "any", seconds, f"{words}, + {u(SEEN_S)}", (TIMEOUT, LOOKS, HOLD), SOURCE),
        no_model(STORES, "owned", why),
        no_model(RECOVERY, "any", why),
    ]
