"""What a share group promised of each record and what became of it, from the journals of its workers.

A *delivery* is a record in the hands of one worker: from its acquisition until the broker took what the worker said of
it, gave the record to another, or the worker died. States of a record at the end:

    accepted     the broker took an acceptance; one that comes after the lock, when another worker has accepted the
                 record, is answered in the same way
    rejected     it took a rejection
    unanswered   a worker said one of the two, heard nothing or a refusal, and the record is done with
    archived     it is done with, and no worker said so: the broker gave it up after the last delivery that it may have
    in_flight    it was given to a worker, and is not done with
    waiting      nobody was ever given it, and it is not done with

*Done with* is what lies below the start offset of the group in its partition (`positions`).
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from factorylab.analysis.places import offset_of, partition_of
from factorylab.analysis.readings import Ints, Mask, Readings, place
from factorylab.analysis.service import fault_windows
from factorylab.core.clock import FOREVER_NS, NS
from factorylab.history.saved_run import Run, each
from factorylab.history.tables import ANSWERED_OK, SENT
from factorylab.scenarios.fault_catalog import ENDING

STATES = ("accepted", "rejected", "unanswered", "archived", "in_flight", "waiting")
ACCEPTED, REJECTED, UNANSWERED, ARCHIVED, IN_FLIGHT, WAITING = range(len(STATES))
DEFAULT_LOCK_S = 30.0  # `share.record.lock.duration.ms` of Kafka 4.3
HEARTBEAT_S = 5.0  # `share.heartbeat.interval.ms`: a member hears of a new assignment so late
SESSION_S = 45.0  # `share.session.timeout.ms`, by default also the shortest that a broker allows: the lab leaves it so


class Deliveries(NamedTuple):
    """Acquisitions in the order of (place, time), as arrays of equal length.

    `ended_ns` is when the broker answered OK to what this worker said of the record after it, FOREVER_NS where it never
    did. `first` marks the first delivery of a record.
    """

    place: Ints
    t_ns: Ints
    attempt: Ints  # the delivery count that the broker told with it
    worker: Ints
    workers: tuple[str, ...]
    ended_ns: Ints
    kind: Ints  # index in KINDS of what ended it, −1 where nothing did
    first: Mask

    @property
    def next_ns(self) -> Ints:
        """When the same record was given to somebody again; FOREVER_NS where it was not."""
        after = np.append(self.t_ns[1:], FOREVER_NS)
        return np.where(np.append(self.first[1:], True), FOREVER_NS, after)


KINDS = ("accept", "release", "reject")


def deliveries(run: Run) -> Deliveries:
    """All deliveries of a run."""
    given = run.acquisitions
    where = place(given["partition"].to_numpy(), given["offset"].to_numpy())
    order = np.lexsort((given["t_ns"].to_numpy(), where))
    where, t_ns = where[order], given["t_ns"].to_numpy()[order]
    names = given["worker"].astype(str).to_numpy()[order]
    workers, worker = np.unique(names, return_inverse=True)
    first = np.append(True, where[1:] != where[:-1])[: len(where)]
    made = Deliveries(
        where, t_ns, given["delivery_count"].to_numpy()[order], worker, tuple(map(str, workers)),
        np.full(len(where), FOREVER_NS), np.full(len(where), -1), first,
    )  # fmt: skip
    ended_ns, kind = _ends(run, made)
    return made._replace(ended_ns=ended_ns, kind=kind)


def _ends(run: Run, made: Deliveries) -> tuple[Ints, Ints]:
    """The first OK that the worker of a delivery heard between it and the record's next delivery to that worker."""
    said = run.acknowledgements
    taken = said[said["result"] == ANSWERED_OK]
    number = {name: at for at, name in enumerate(made.workers)}
    who = np.array([number.get(str(name), -1) for name in taken["worker"]], np.int64)
    where = place(taken["partition"].to_numpy(), taken["offset"].to_numpy())
    kind = np.array([KINDS.index(str(word)) for word in taken["kind"]], np.int64)
    keys = np.concatenate([made.place, where])
    workers, times = np.concatenate([made.worker, who]), np.concatenate([made.t_ns, taken["t_ns"].to_numpy()])
    is_answer = np.arange(len(keys)) >= len(made.place)
    order = np.lexsort((is_answer, times, workers, keys))
    ended, kinds = made.ended_ns.copy(), made.kind.copy()
    for at, after in pairwise(order):
        same = keys[at] == keys[after] and workers[at] == workers[after]
        if same and is_answer[after] and not is_answer[at]:
            ended[at], kinds[at] = times[after], kind[after - len(made.place)]
    return ended, kinds


def states(run: Run, readings: Readings) -> Ints:
    """By record of the final log: the index in STATES."""
    known = run.once(deliveries)
    log = readings.log
    found = np.full(len(log), WAITING)
    given = np.isin(log.place[:], known.place)
    found[given] = IN_FLIGHT
    partition, start = run.positions["partition"].to_numpy(), run.positions["next_offset"].to_numpy()
    done = np.zeros(len(log), bool)
    for p, next_offset in zip(partition, start, strict=True):
        low, high = log.partitions.get(int(p), (0, 0))
        edge = int(np.searchsorted(log.place[low:high], place(np.array([p]), np.array([next_offset]))[0]))
        done[low : low + edge] = True
    said = run.acknowledgements
    final = said[said["kind"] != "release"]
    claimed = final[final["result"] == SENT]
    found[done] = ARCHIVED
    found[done & np.isin(log.place[:], _places(claimed))] = UNANSWERED
    ok = final[final["result"] == ANSWERED_OK]
    for state, kind in ((REJECTED, "reject"), (ACCEPTED, "accept")):
        found[np.isin(log.place[:], _places(ok[ok["kind"] == kind]))] = state
    return found


def _places(frame: pd.DataFrame) -> Ints:
    return place(frame["partition"].to_numpy(), frame["offset"].to_numpy())


def lock_s(run: Run) -> float:
    """How long a worker that lives may hold a record."""
    return run.scenario.share_group.lock_s or DEFAULT_LOCK_S


def longest_wait_s(run: Run) -> float:
    """How long a record of a dead worker may wait for the next one: for its lock, or where all other members with its
    partition are dead too, until the coordinator takes the partition from them and a living member hears of it."""
    return max(lock_s(run), SESSION_S + HEARTBEAT_S)


def lives_ended(run: Run) -> pd.DataFrame:
    """The deaths of workers by faults: fault, worker, since_ns and t_ns, between which the process was gone. Others may
    be given what it had before the runner has noted that."""
    windows = fault_windows(run)
    dead = windows[windows["kind"].isin(ENDING) & windows["node"].str.startswith("processor")]
    return pd.DataFrame(
        {"fault": dead["fault"], "worker": dead["node"], "since_ns": dead["intended_ns"], "t_ns": dead["injected_ns"]}
    )


def _unnoted(run: Run) -> list[dict[str, object]]:
    """Records that come for the first time by the journals, and not by their count: a worker that died before it could
    note its poll had them. The last death before is taken for theirs."""
    known, dead, rows = run.once(deliveries), lives_ended(run).sort_values("t_ns"), list[dict[str, object]]()
    for at in np.flatnonzero(known.first & (known.attempt > 1)):
        for death in each(dead[dead["since_ns"] < known.t_ns[at]].tail(1)):
            rows.append(_redelivery(known, death, int(at), int(at)))
    return rows


def _redelivery(known: Deliveries, death: Any, held: int, given: int) -> dict[str, object]:
    """Delivery `held`, whose worker died, and delivery `given` after it; −1 where there was none."""
    return {
        "fault": death.fault,
        "worker": death.worker,
        "place": known.place[held],
        "partition": int(partition_of(known.place[held])),
        "offset": int(offset_of(known.place[held])),
        "to": known.workers[known.worker[given]] if given >= 0 else "",
        "wait_s": max(known.t_ns[given] - death.t_ns, 0) / NS if given >= 0 else float("nan"),
        "count": int(known.attempt[given]) if given >= 0 else -1,
    }


def redeliveries(run: Run) -> pd.DataFrame:
    """What workers held when they died, and when it was given to somebody again: fault, worker, place, partition,
    offset, to (the next worker; "" for nobody), wait_s (since the death was noted, 0 before that; NaN for nobody) and
    count (of that delivery)."""
    known, rows = run.once(deliveries), _unnoted(run)
    next_ns = known.next_ns
    for death in each(lives_ended(run)):
        of_worker = np.array([name == death.worker for name in known.workers], bool)
        mine = of_worker[known.worker] if len(known.workers) else np.zeros(0, bool)
        held = mine & (known.t_ns <= death.t_ns) & (known.ended_ns > death.t_ns) & (next_ns > death.since_ns)
        for at in np.flatnonzero(held):
            rows.append(_redelivery(known, death, int(at), int(at) + 1 if next_ns[at] < FOREVER_NS else -1))
    return pd.DataFrame(rows, columns=["fault", "worker", "place", "partition", "offset", "to", "wait_s", "count"])
