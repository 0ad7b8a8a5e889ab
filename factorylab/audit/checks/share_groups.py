"""What a share group promises, held against the journals of its workers. Only runs of one have these checks.

Kafka promises each record at least once: it comes until a worker accepts or rejects it, or until it was delivered as
often as it may be. Then it is archived, and nobody is told. A lock keeps a record with one worker while that lives.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from factorylab.analysis.deliveries import (
    ACCEPTED,
    ARCHIVED,
    IN_FLIGHT,
    KINDS,
    STATES,
    UNANSWERED,
    Deliveries,
    deliveries,
    lock_s,
    longest_wait_s,
    redeliveries,
    states,
)
from factorylab.analysis.places import offset_of, partition_of
from factorylab.analysis.readings import Ints, Mask
from factorylab.audit.checks.share_excuses import death_between, disturbed_holder, led_anew, since_last_death_s
from factorylab.audit.model.findings import Witness
from factorylab.audit.model.registry import WITNESSES, Evidence, Found, check
from factorylab.core.clock import FOREVER_NS, NS
from factorylab.history.saved_run import each

JOURNALED = ("acquisitions", "acknowledgements")
MARGIN_S = (
    1.0  # the broker's clock of a lock starts before its worker notes the poll; and acquisitions wait for a fetch
)
ACCEPT = KINDS.index("accept")


def final_states(e: Evidence) -> Ints:
    """By record of the log: its state at the end."""
    return states(e.run, e)


def _counted(e: Evidence) -> str:
    found = np.bincount(e.once(final_states), minlength=len(STATES))
    return ", ".join(f"{n:,} {name.replace('_', ' ')}" for name, n in zip(STATES, found, strict=True) if n)


def _unkept(e: Evidence) -> Mask:
    """Records of the log that are neither in the store nor a dead letter."""
    key = e.log.key[:]
    kept = np.zeros(len(key), bool)
    known = key >= 0
    kept[known] = e.which(key[known], lambda k: k.stored | k.dead_lettered)
    return ~kept & known


@check(
    "Every record that a worker accepted is stored or a dead letter.", "accepted records are in neither",
    of_share_groups=True,
)  # fmt: skip
def accepted_unstored(e: Evidence) -> Found:
    state = e.once(final_states)
    accepted = np.isin(state, (ACCEPTED, UNANSWERED))
    lost = np.flatnonzero(accepted & _unkept(e))
    return Found(len(lost), int(accepted.sum()), _counted(e), e.log_witnesses(lost, "accepted before it was stored"))


@check(
    "No record was archived, its deliveries being used up, that is neither stored nor a dead letter.",
    "records were given up in silence", of_share_groups=True,
)  # fmt: skip
def archived_unstored(e: Evidence) -> Found:
    """Nobody is told of it: the lag is 0, and no worker hears an error. A record that was stored before, and whose
    acknowledgements did not come through, is archived and not lost."""
    archived = e.once(final_states) == ARCHIVED
    lost = np.flatnonzero(archived & _unkept(e))
    stored = int(archived.sum()) - len(lost)
    detail = f"{stored:,} more were archived and are stored or dead letters" if stored else ""
    return Found(len(lost), len(e.log), detail, e.log_witnesses(lost, "archived, stored nowhere"))


@check(
    "No record comes again whose acceptance the broker took.", "deliveries came after the acceptance",
    by_times_of=JOURNALED, of_share_groups=True,
)  # fmt: skip
def redelivered_after_accept(e: Evidence) -> Found:
    known = e.run.once(deliveries)
    again = (known.kind == ACCEPT) & (known.next_ns < FOREVER_NS) & (known.ended_ns < known.next_ns)
    taken = int((known.kind == ACCEPT).sum())
    return Found(int(again.sum()), taken, "", _witnesses(known, again, "came again, though its acceptance was taken"))


@check(
    "The count of a record rises by one with each delivery, while its partition has one leader.", "counts do not",
    by_times_of=JOURNALED, of_share_groups=True,
)  # fmt: skip
def delivery_counts(e: Evidence) -> Found:
    """A worker that was killed between its poll and its note leaves a hole. A new leader knows nothing of what was in
    hands: it counts from 1, which is told beside the sentence."""
    known = e.run.once(deliveries)
    before, since = _shifted(known.attempt, known.first, 0), _shifted(known.t_ns, known.first, 0)
    odd = known.attempt != before + 1
    new_leader = odd & (known.attempt <= before) & led_anew(e, known, since, known.t_ns)
    killed = odd & (known.attempt > before) & death_between(e, since, known.t_ns)
    wrong = odd & ~new_leader & ~killed
    more = int((known.attempt > 1).sum())
    told = [f"{more:,} deliveries were not the first", f"{int(new_leader.sum()):,} counted anew by a new leader"]
    return Found(int(wrong.sum()), len(known.attempt), "; ".join(told), _witnesses(known, wrong, "another count"))


@check(
    "A record is in the hands of one worker at a time, while that lives and its lock lasts.",
    "records were given to a second one", by_times_of=JOURNALED, of_share_groups=True,
)  # fmt: skip
def two_holders(e: Evidence) -> Found:
    known = e.run.once(deliveries)
    again, lock_ns = known.next_ns < FOREVER_NS, round((lock_s(e.run) - MARGIN_S) * NS)
    until = np.where(again, known.next_ns, known.t_ns)
    early = again & (until < known.t_ns + lock_ns) & (known.ended_ns > until)
    early &= ~disturbed_holder(e, known, until) & ~led_anew(e, known, known.t_ns, until)
    return Found(int(early.sum()), len(known.t_ns), "", _witnesses(known, early, "given to another in its lock"))


@check(
    "What a worker that was ended had in hand comes to another within its lock, or the session of a member.",
    "records came later, or to nobody",
    by_times_of=(*JOURNALED, "faults"), of_share_groups=True,
)  # fmt: skip
def redelivered_late(e: Evidence) -> Found:
    """By the journals: of what the worker was given and had not noted, only what came again is known. The coordinator
    goes on counting on the dead members of a partition until their sessions end, so the last death counts."""
    back = e.run.once(redeliveries)
    late = back[since_last_death_s(e, back) > longest_wait_s(e.run) + MARGIN_S]
    never = back[(back["to"] == "") & (_state_of(e, back["place"].to_numpy(np.int64)) == IN_FLIGHT)]
    late = pd.concat([late, never])
    seen = back.dropna(subset=["wait_s"])
    counts = ", ".join(map(str, sorted(set(seen["count"]))))
    wait = seen["wait_s"]
    words = f"after {wait.min():.3f} to {wait.max():.3f} s, median {wait.median():.3f} s, with count {counts}"
    notes = [
        Witness(partition=r.partition, offset=r.offset, note=f"in the hands of {r.worker} when that was ended")
        for r in each(late.head(WITNESSES))
    ]
    why = "" if len(back) else "no worker was ended with records in hand"
    return Found(len(late), len(back), words if len(seen) else "", notes, why)


def _state_of(e: Evidence, places: Ints) -> Ints:
    """The states of the records at some places of the log."""
    record = e.log.at(places)
    return np.where(record >= 0, np.append(e.once(final_states), -1)[record], -1)


def _shifted(values: Ints, first: Mask, start: int) -> Ints:
    """By delivery: the value of the record's delivery before, `start` at its first."""
    return np.where(first, start, np.append(start, values[:-1])[: len(values)])


def _witnesses(known: Deliveries, which: Mask, note: str) -> list[Witness]:
    rows = np.flatnonzero(which)[:WITNESSES]
    where = known.place[rows]
    return [
        Witness(partition=int(p), offset=int(o), note=f"{known.workers[w]}, delivery {c}: {note}")
        for p, o, w, c in zip(
            partition_of(where), offset_of(where), known.worker[rows], known.attempt[rows], strict=True
        )
    ]
