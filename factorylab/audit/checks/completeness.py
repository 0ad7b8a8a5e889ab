"""Whether scenario, manifest and history are of one run, and whether the processors' journals tell all that they did.

A transaction can take effect and not be noted: its processor was killed just then, or never heard of its COMMIT. So a
hole between two owners is legal where one of them was, and one poll covers it. Within an owner's epoch none is.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

from factorylab.analysis.readings import place
from factorylab.audit.checks.duplicates import with_log
from factorylab.audit.checks.processors import steps
from factorylab.audit.model.findings import Witness
from factorylab.audit.model.registry import WITNESSES, Evidence, Found, check
from factorylab.core.clock import FOREVER_NS, NS
from factorylab.history.cross_samples import samples
from factorylab.history.saved_run import each
from factorylab.history.tables import TABLES
from factorylab.scenarios.fault_catalog import ENDING

PREPARED_S = 60.0  # from the manifest's beginning to the first journal's
MARGIN_S = 1.0  # events have the database's times


def found_words(words: list[str], n: int) -> Found:
    """Each word is a case."""
    return Found(len(words), n, "; ".join(words[:WITNESSES]), [Witness(note=word) for word in words[:WITNESSES]])


@check("Scenario, manifest and history are of one run.", "things are of another run", "INVALID")
def one_run(e: Evidence) -> Found:
    made_of, scenario = e.run.manifest, e.run.scenario
    told = {
        "scenario": (made_of.scenario, scenario.name),
        "seed": (made_of.seed, scenario.workload.seed),
        "acks": (e.acks, {"-1": "all"}.get(acks := scenario.clients.producer.get("acks", scenario.clients.acks), acks)),
    }
    words = [f"{what} {ours}, where {theirs} was declared" for what, (ours, theirs) in told.items() if ours != theirs]
    names = [*made_of.topics.values(), made_of.group, made_of.db_schema]
    words += [f"{name} is not of run {made_of.run_id}" for name in names if name and not name.endswith(made_of.run_id)]
    begun_s = (e.run.workers["wall_ns"].min() - made_of.started_wall_ns) / NS
    if not 0 <= begun_s <= PREPARED_S:
        words.append(f"the history begins {begun_s:.0f} s after what the manifest is of")
    words += [f"rows of {table} are from before or after the run" for table in _of_another_time(e)]
    return found_words(words, len(told) + len(names) + 1 + len(e.run.table_names))


def _of_another_time(e: Evidence) -> Iterator[str]:
    """Tables with rows from outside the run; those of `workers` have both clocks, which `one_clock` compares. Of a run
    that was cut short nobody knows the end."""
    moments, margin_ns = e.run.phases, round(MARGIN_S * NS)
    first, last = min(moments.values()), moments.get("end", FOREVER_NS)
    for table in sorted(TABLES.keys() - {"workers"}):
        seen = [(int(c["t_ns"].min()), int(c["t_ns"].max())) for c in e.run.chunks(table, "t_ns")]
        if any(low < first - margin_ns or high - margin_ns > last for low, high in seen):
            yield table


@check(
    "The processors' journals hold each transaction that took effect, and the poll behind it.", "things are missing",
    "INVALID", needs="journal",
)  # fmt: skip
def commits_whole(e: Evidence) -> Found:
    """That a naive processor passes over offsets, and goes back, is what it is there for."""
    commits = e.run.commits
    accepted = commits[~commits["refused"]].sort_values(["partition", "from_offset"], kind="stable")
    words = [*_unpolled(e, accepted), *_miscounted(e, accepted)]
    if e.run.scenario.clients.positions_in_store:
        words += [*_holes(e, accepted), *_doubled(accepted), *_positions_behind(e, accepted)]
    return found_words(words, len(commits))


def _unpolled(e: Evidence, accepted: pd.DataFrame) -> Iterator[str]:
    """Transactions below the position without their poll. What lies between two polls of one assignment counts as
    skipped."""
    reached = accepted["partition"].map(e.run.positions.set_index("partition")["next_offset"]).fillna(0)
    accepted = accepted[accepted["to_offset"] <= reached]
    ends = place(accepted["partition"].to_numpy(), accepted["to_offset"].to_numpy() - 1)
    polled = place(e.run.reads["partition"].to_numpy(), e.run.reads["last_offset"].to_numpy())
    seen = e.once(steps)
    gaps = [*each(seen[seen["jumped"] > 0])]
    for c in each(accepted[~np.isin(ends, polled)]):
        if not any(g.partition == c.partition and g.before < c.to_offset <= g.first_offset for g in gaps):
            yield f"partition {c.partition}, {c.from_offset:,}–{c.to_offset - 1:,}: stored by {c.worker}, in no poll"


def _miscounted(e: Evidence, accepted: pd.DataFrame) -> Iterator[str]:
    """Transactions that tell of more rows than they have offsets, or of fewer than the store holds of them; and more
    alerts than anybody knows."""
    partition = accepted["partition"].to_numpy()
    edges = (place(partition, accepted[edge].to_numpy()) for edge in ("from_offset", "to_offset"))
    low, high = (e.rows.places_before(edge) for edge in edges)
    span = accepted["to_offset"] - accepted["from_offset"]
    for c in each(accepted[(accepted["rows"] > span) | (accepted["rows"] < high - low)]):
        yield f"partition {c.partition}, {c.from_offset:,}–{c.to_offset - 1:,}: {c.worker} noted {c.rows:,} rows"
    noted, known = int(accepted["alerts"].sum()), e.alerts["alert"].nunique()
    if noted > known:
        yield f"{noted:,} alerts were noted, {known:,} are known"


def _holes(e: Evidence, accepted: pd.DataFrame) -> Iterator[str]:
    """Offsets below the store's position that no noted transaction covers."""
    ends = e.run.positions.assign(from_offset=e.run.positions["next_offset"], to_offset=-1)
    kept = ["partition", "from_offset", "to_offset", "owner_epoch"]
    told = pd.concat([accepted[kept], ends[kept]]).sort_values(["partition", "from_offset"], kind="stable")
    told["reached"] = _reached(told, "partition")
    told["before"] = told.groupby("partition")["owner_epoch"].shift()
    open_ends = unnoted(e)
    for hole in each(told[told["from_offset"] > told["reached"]]):
        if hole.owner_epoch != hole.before and open_ends and _one_poll(e, hole):
            open_ends -= 1
        else:
            yield f"partition {hole.partition}, {hole.reached:,}–{hole.from_offset - 1:,}: in no transaction"


def _doubled(accepted: pd.DataFrame) -> Iterator[str]:
    """Transactions over offsets that their own epoch had stored: the fence lets no position move twice."""
    for c in each(accepted[accepted["from_offset"] < _reached(accepted, "partition", "owner_epoch")]):
        yield f"partition {c.partition}, {c.from_offset:,}–{c.to_offset - 1:,}: stored twice in epoch {c.owner_epoch}"


def _reached(told: pd.DataFrame, *of: str) -> pd.Series[Any]:
    """By row: the offset up to which the rows of its group before it go."""
    highest = told.groupby(list(of))["to_offset"].cummax()
    return highest.groupby([told[name] for name in of]).shift(fill_value=0)


def unnoted(e: Evidence) -> int:
    """How many transactions may have taken effect without a note: one for each processor that was ended, and for each
    batch of which the store gave no answer."""
    windows, noted = e.fault_windows, e.run.events["event"].astype(str)
    ended = windows["kind"].isin(ENDING) & windows["node"].str.startswith("processor")
    died = [name for name in e.run.manifest.workers_died if name.startswith("processor")]
    return int(ended.sum()) + len(died) + int((noted == "batch_failed").sum())


def _one_poll(e: Evidence, hole: Any) -> bool:
    """Whether a single poll brought all records of a hole."""
    reads = e.run.reads
    polls = reads[(reads["partition"] == hole.partition) & (reads["last_offset"] == hole.from_offset - 1)]
    low, high = e.log.partitions.get(int(hole.partition), (0, 0))
    log = e.log.place[low:high]
    edges = place(np.full(len(polls), hole.partition), polls["first_offset"].to_numpy())
    begin = np.searchsorted(log, place(np.array([hole.partition]), np.array([hole.reached])))
    return bool((np.searchsorted(log, edges) <= begin).any())


def _positions_behind(e: Evidence, accepted: pd.DataFrame) -> Iterator[str]:
    """Positions that are missing, or of an older owner than a transaction."""
    owner = dict(zip(e.run.positions["partition"], e.run.positions["owner_epoch"], strict=True))
    for partition, epoch in accepted.groupby("partition")["owner_epoch"].max().items():
        if owner.get(partition, -1) < epoch:
            yield f"partition {partition}: stored in epoch {epoch}, its position is of {owner.get(partition, 'none')}"


@check("A client of another implementation reads the same from the log.", "samples differ", "INVALID")
def cross_read(e: Evidence) -> Found:
    """Everything else about the log came by way of one client library. Each span that was to be read is there once."""
    seen = with_log(e, e.run.cross_reads)
    other = seen[(seen["count"] != seen["in_log"]) | (seen["hash_sum"] != seen["log_hash_sum"])]
    words = [
        f"partition {r.partition}, offsets {r.first_offset} to {r.last_offset}: {r.count:,} records, here {r.in_log:,}"
        for r in each(other)
    ]
    words += [f"partition {p}, offsets {first} to {last}: {what}" for p, first, last, what in _spans_elsewhere(e, seen)]
    reached, partitions = seen["partition"].nunique(), e.run.scenario.topology.partitions
    read = f"{seen['count'].sum():,} records of {reached} of {partitions} partitions by kafka-python"
    read = read if len(seen) else "no other client read the log"
    return Found(len(words), len(seen), "; ".join([read, *words[:WITNESSES]]), [Witness(note=w) for w in words])


def _spans_elsewhere(e: Evidence, seen: pd.DataFrame) -> Iterator[tuple[int, int, int, str]]:
    """Spans that were read though nobody asked, or twice, or not at all where another was."""
    asked = Counter(
        (int(f.partition), first, end - 1) for f in each(e.run.frozen) for first, end in samples(f.start, f.end)
    )
    read = Counter(
        zip(seen["partition"].tolist(), seen["first_offset"].tolist(), seen["last_offset"].tolist(), strict=True)
    )
    yield from ((*span, "not one of the samples") for span in sorted((read - asked).elements()))
    yield from ((*span, "not read") for span in sorted((asked - read).elements()) if read)
