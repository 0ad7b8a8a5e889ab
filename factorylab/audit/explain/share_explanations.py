"""What became of records of a share group that are stored nowhere: accepted too early, or given up by the broker."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from factorylab.analysis.deliveries import ARCHIVED, STATES, deliveries
from factorylab.analysis.readings import Ints, place
from factorylab.audit.checks.share_groups import final_states
from factorylab.audit.explain.case import NOTHING_SEEN, UNKNOWN_CURE, Case
from factorylab.audit.model.findings import Explanation
from factorylab.history.saved_run import each
from factorylab.history.tables import SENT

STORE_FIRST = "acknowledging a record only once the transaction that stores it has committed"
SET_ASIDE = "watching the delivery count, and writing a record aside before its last delivery is used up"
DELIVERIES_TOLD = 6


def lost_by_share_group(case: Case, lost: pd.DataFrame) -> Iterator[Explanation]:
    """In the log, done with for the group, and neither stored nor a dead letter. `lost` as of `Case.sent`."""
    e = case.evidence
    state = e.once(final_states)[e.log_row[lost["key"].to_numpy()]]
    for (partition, code), mine in lost.assign(state=state).groupby(["partition", "state"]):
        first = mine.sort_values("offset").iloc[0]
        where = place(np.array([first["partition"]]), np.array([first["offset"]]))
        event, cure = _event(int(str(code)))
        yield case.tell(
            "lost_in_pipeline",
            mine,
            event=event,
            evidence=[*_life(case, where), *case.faults_near(int(mine["due_ns"].min()), case.run.last_ns)],
            cure=cure,
            epoch=case.epochs.of_place(int(str(partition)), int(first["offset"])),
        )


def _event(state: int) -> tuple[str, str]:
    if state == ARCHIVED:
        return "archived: delivered as often as it may be, and never accepted; nobody is told", SET_ASIDE
    if STATES[state] in {"accepted", "unanswered"}:
        return "accepted before it was stored", STORE_FIRST
    if STATES[state] == "rejected":
        return "rejected, and written aside by nobody", SET_ASIDE
    return NOTHING_SEEN, UNKNOWN_CURE


def _life(case: Case, where: Ints) -> list[str]:
    """The deliveries of one record, and what was said of it."""
    known, said = case.run.once(deliveries), case.run.acknowledgements
    given = np.flatnonzero(known.place == where[0])
    steps = [(int(known.t_ns[g]), f"{known.workers[known.worker[g]]}: delivery {known.attempt[g]}") for g in given]
    mine = said[place(said["partition"].to_numpy(), said["offset"].to_numpy()) == where[0]]
    steps += [(int(s.t_ns), f"{s.worker} says {s.kind}" if s.result == SENT else f"answer: {s.result}")
              for s in each(mine)]  # fmt: skip
    told = [f"{text} at {case.seconds(t_ns):.3f} s" for t_ns, text in sorted(steps)[-DELIVERIES_TOLD:]]
    return ["; ".join(told)] if told else ["no worker was given it"]
