"""Whether the tables of the processors tell the same: assignments, polls, transactions, and what they noted in the
store."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

import msgspec
import numpy as np

from factorylab.analysis.matching import latest, polls_of, shared_keys
from factorylab.analysis.places import offset_of
from factorylab.analysis.readings import Ints, place
from factorylab.audit.checks.completeness import found_words, unnoted
from factorylab.audit.checks.noted_events import unlike_events
from factorylab.audit.checks.processors import lives
from factorylab.audit.model.registry import Evidence, Found, check
from factorylab.core.scratch import taken
from factorylab.core.vocabulary import GroupEvent
from factorylab.history.saved_run import each
from factorylab.scenarios.fault_catalog import ENDING

CALLBACKS: tuple[GroupEvent, ...] = ("assigned", "revoked", "lost")


@check(
    "Assignments, polls and transactions tell the same of who worked on which partition.", "contradictions", "INVALID",
    needs="journal",
)  # fmt: skip
def work_agrees(e: Evidence) -> Found:
    words = [*_unassigned(e), *_of_two_takings(e)]
    if e.run.scenario.clients.positions_in_store:
        words += [*_noted_otherwise(e), *_positions_elsewhere(e), *_miscounted(e)]
    return found_words(words, len(e.run.reads) + len(e.run.commits) + len(e.run.group))


def _unassigned(e: Evidence) -> Iterator[str]:
    """Polls of a partition while the group had not assigned it to their processor, by the last callback before them in
    the same life of the process."""
    group, reads = e.run.group, e.run.reads
    row = np.repeat(np.arange(len(group)), group["partitions"].map(len))
    partition = np.fromiter((p for of in group["partitions"] for p in of), np.int64, len(row))
    key, of_key = shared_keys(
        (reads["worker"], lives(e, reads), reads["partition"].to_numpy()),
        (group["worker"].iloc[row], lives(e, group)[row], partition),
    )
    last = latest(key, reads["t_ns"].to_numpy(), of_key, group["t_ns"].to_numpy()[row])
    told = np.append(row, -1)[last]
    assigned = np.append((group["event"] == "assigned").to_numpy(), False)[told]
    number = np.append(group["rebalance_no"].to_numpy(), -1)[told]
    strays = reads[~(assigned & (number <= reads["rebalance_no"].to_numpy()))]
    found = Counter(zip(strays["worker"].astype(str), strays["partition"], strict=True))
    for (worker, of), count in sorted(found.items()):
        yield f"{worker} polled partition {of} {count:,} times while it was not assigned to it"


def _of_two_takings(e: Evidence) -> Iterator[str]:
    """A processor takes a partition in the store once for each of its numbers, and gets an epoch of its own for it."""
    reads, commits = e.run.reads, e.run.commits.sort_values("t_ns", kind="stable")
    polled = place(reads["partition"].to_numpy(), reads["last_offset"].to_numpy())
    stored = place(commits["partition"].to_numpy(), commits["to_offset"].to_numpy() - 1)
    row = polls_of(commits, reads)
    elsewhere = (row < 0) & np.isin(stored, polled)  # what nobody polled is missing or skipped
    yield from (
        f"{c.worker} stored offsets up to {c.to_offset:,} of partition {c.partition}, which it had not polled"
        for c in each(commits[elsewhere])
    )
    known, poll = row >= 0, row[row >= 0]
    of_polls = {"life": lives(e, reads)[poll], "rebalance_no": reads["rebalance_no"].to_numpy()[poll]}
    pairs = commits.loc[known, ["worker", "partition", "owner_epoch"]].assign(**of_polls).drop_duplicates()
    for keys in (["worker", "life", "partition", "rebalance_no"], ["partition", "owner_epoch"]):
        twice = pairs[pairs.duplicated(keys)]
        yield from (
            f"{p.worker} stored of partition {p.partition} in epoch {p.owner_epoch} under number {p.rebalance_no},"
            " which belong to others"
            for p in each(twice)
        )


def _noted_otherwise(e: Evidence) -> Iterator[str]:
    """Callbacks that a processor noted in the store, too. The notes of one that was ended went with it."""
    noted = e.run.events.astype({"process": str, "event": str, "detail": str})
    noted = noted[noted["event"].isin(CALLBACKS)]
    ours = [(g.t_ns, _callback(g.worker, g.event, g.partitions, g.rebalance_no)) for g in each(e.run.group)]
    theirs = []
    for note in each(noted):
        detail = msgspec.json.decode(note.detail)
        what = _callback(note.process, note.event, detail.get("partitions", []), detail.get("rebalance_no", -1))
        theirs.append((note.t_ns, what))
    windows = e.fault_windows
    ended = {*windows.loc[windows["kind"].isin(ENDING), "node"], *e.run.manifest.workers_died}
    yield from unlike_events(e, ours, theirs, may_lack=lambda what: what.split()[0] in ended)


def _callback(worker: str, event: str, partitions: Any, number: int) -> str:
    return f"{worker} {event} {' '.join(map(str, partitions))} as number {number}"


def _positions_elsewhere(e: Evidence) -> Iterator[str]:
    """Positions that are not where the last transaction ended, or, where one may be missing, that do not cover what is
    stored: both change in one transaction. A partition of the topic has one position."""
    positions = e.run.positions
    wrong = positions["partition"].duplicated() | (positions["partition"] >= e.run.scenario.topology.partitions)
    yield from (
        f"partition {p}: it has another position, or is none of the topic" for p in positions.loc[wrong, "partition"]
    )
    accepted = e.run.commits[~e.run.commits["refused"]]
    reached, may_be_more = accepted.groupby("partition")["to_offset"].max().to_dict(), unnoted(e)
    for p in each(positions[~wrong]):
        end = max(reached.get(p.partition, 0), _stored_to(e, p.partition))
        if p.next_offset < end or (p.next_offset > end and not may_be_more):
            yield f"partition {p.partition}: its position is {p.next_offset:,}, it is stored up to {end:,}"


def _stored_to(e: Evidence, partition: int) -> int:
    """The offset after the last record of a partition that has a row in the store, 0 without any."""
    low, high = e.log.partitions.get(partition, (0, 0))
    stored = e.rows.of_record[low:high][::-1]
    return int(offset_of(e.log.place[high - 1 - int(stored.argmax())])) + 1 if stored.any() else 0


def _miscounted(e: Evidence) -> Iterator[str]:
    """Numbers of alerts and dead letters of a transaction that its records do not have."""
    accepted = e.run.commits[~e.run.commits["refused"]]
    partition = accepted["partition"].to_numpy()
    low, high = (place(partition, accepted[edge].to_numpy()) for edge in ("from_offset", "to_offset"))
    for name, there in _effects(e).items():
        found = np.searchsorted(there, high) - np.searchsorted(there, low)
        wrong = accepted.assign(found=found)[accepted[name].to_numpy() != found]
        for c in each(wrong):
            where = f"partition {c.partition}, {c.from_offset:,}–{c.to_offset - 1:,}"
            yield f"{where}: {c.worker} noted {getattr(c, name)} {name.replace('_', ' ')}, there are {c.found}"


def _effects(e: Evidence) -> dict[str, Ints]:
    """Places of records that became dead letters, and of those that raised an alert. Alerts of readings that the log
    holds no more, or twice, have no place of their own."""
    letters = e.run.dead_letters
    places = {"dead_letters": np.unique(place(letters["partition"].to_numpy(), letters["offset"].to_numpy()))}
    if len(e.log) == e.count(lambda k: k.in_log) and not e.count(lambda k: k.stored & ~k.in_log):
        table = e.alerts[e.alerts["sink"] == "table"].drop_duplicates("alert")
        key = e.keys(table["sensor"].to_numpy(), table["seq"].to_numpy())
        row = taken(e.log_row, key[key >= 0])
        places["alerts"] = taken(e.log.place, np.sort(row[row >= 0]))
    return places
