"""What Kafka transactions promise of alerts, held against the topic and the processors' journals. Only runs with
`consumption: transactional` have these checks.

Whoever reads committed records alone sees each alert once: it counts together with the offsets of the records that
raised it, and a former owner of a partition cannot commit any more.
"""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd

from factorylab.audit.checks.completeness import found_words, unnoted
from factorylab.audit.checks.processors import alert_witnesses, alerts_of, judged, no_pass
from factorylab.audit.model.findings import Witness
from factorylab.audit.model.registry import WITNESSES, Evidence, Found, check
from factorylab.history.saved_run import each
from factorylab.history.tables import COMMITTED


@check(
    "Readers of committed records see each alert of one uninterrupted pass over the log once, and no other.",
    "alerts are repeated, missing or without ground", needs="alerts", of_transactions=True,
)  # fmt: skip
def alert_not_once(e: Evidence) -> Found:
    """The final read reads the topic as such a reader. Judged are alerts of readings that the store has reached: it
    follows the transaction. Repeats need no pass over the log."""
    unjudged = no_pass(e)
    topic = alerts_of(e, "topic")
    once = topic.drop_duplicates("alert")
    replay = once if unjudged else alerts_of(e, "replay").drop_duplicates("alert")
    repeated = topic[topic["alert"].duplicated()]
    missing = replay[~replay["alert"].isin(once["alert"]) & judged(e, replay)]
    extra = once[~once["alert"].isin(replay["alert"]) & judged(e, once)]
    witnesses = [
        *alert_witnesses(e, repeated, "committed twice"),
        *alert_witnesses(e, missing, "not committed"),
        *alert_witnesses(e, extra, "not raised by the pass"),
    ]
    count = len(repeated) + len(missing) + len(extra)
    detail = f"{len(repeated):,} repeated, {len(missing):,} missing, {len(extra):,} too many" if count else ""
    return Found(count, len(replay), detail, witnesses, unjudged)


@check(
    "No two committed transactions cover the same records.", "transactions cover records of an earlier one",
    of_transactions=True,
)  # fmt: skip
def committed_twice(e: Evidence) -> Found:
    """A former owner of a partition is refused, by its group or by its producer's epoch: what it was told is counted by
    name."""
    told = e.run.transactions
    counted = told[told["result"] == COMMITTED].sort_values(["partition", "from_offset"], kind="stable")
    reached = counted.groupby("partition")["to_offset"].cummax()
    again = counted[counted["from_offset"] < reached.groupby(counted["partition"]).shift(fill_value=0)]
    witnesses = [
        Witness(partition=t.partition, offset=t.from_offset, note=f"{t.worker}, to {t.to_offset - 1:,}")
        for t in each(again.head(WITNESSES))
    ]
    return Found(len(again), len(counted), _refusals(told), witnesses)


def _refusals(told: pd.DataFrame) -> str:
    """What became of the others; a transaction has a row for each partition."""
    others = told[told["result"] != COMMITTED].drop_duplicates(["worker", "begun_ns"])
    counts = others["result"].astype(str).value_counts().sort_index()
    return "not committed: " + ", ".join(f"{n:,} {name}" for name, n in counts.items()) if len(counts) else ""


@check(
    "The processors' journals tell of each Kafka transaction that counts, and of nothing else.", "contradictions",
    "INVALID", of_transactions=True,
)  # fmt: skip
def transactions_whole(e: Evidence) -> Found:
    told = e.run.transactions
    counted = told[told["result"] == COMMITTED]
    words = [*_impossible(told), *_out_of_turn(e, counted), *_uncovered(e, counted), *_miscounted(e, counted)]
    return found_words(words, len(told))


def _impossible(told: pd.DataFrame) -> Iterator[str]:
    """What no transaction can be."""
    if strange := int((told["t_ns"] < told["begun_ns"]).sum()):
        yield f"{strange:,} ended before they began"
    if strange := int((told["to_offset"] <= told["from_offset"]).sum()):
        yield f"{strange:,} cover no record"
    whole = told.groupby(["worker", "begun_ns"])[["sent", "result"]].nunique()
    if strange := int((whole > 1).any(axis=1).sum()):
        yield f"{strange:,} are told in two ways"


def _out_of_turn(e: Evidence, counted: pd.DataFrame) -> Iterator[str]:
    """A processor polls, then begins a transaction, then hears that it counts, then begins to store. It notes its polls
    partition by partition, so that a transaction of several may begin when the first of them is noted."""
    of = ["worker", "partition", "to_offset"]
    ended = counted.assign(worker=counted["worker"].astype(str)).groupby(of)[["begun_ns", "t_ns"]].min()
    reads = e.run.reads.assign(worker=e.run.reads["worker"].astype(str), to_offset=e.run.reads["last_offset"] + 1)
    stores = e.run.commits.assign(worker=e.run.commits["worker"].astype(str))
    polled = ended.join(reads.groupby(of)["t_ns"].min().rename("polled_ns"))
    stored = ended.join(stores.groupby(of)["begun_ns"].max().rename("stored_ns"))
    first = polled.reset_index().groupby(["worker", "begun_ns"])["polled_ns"].min().reset_index()
    if early := int((first["begun_ns"] < first["polled_ns"]).sum()) + int((polled["t_ns"] < polled["polled_ns"]).sum()):
        yield f"{early:,} began or ended before the poll that they cover"
    if early := int((stored["stored_ns"] < stored["t_ns"]).sum()):
        yield f"{early:,} were stored before they counted"


def _uncovered(e: Evidence, counted: pd.DataFrame) -> Iterator[str]:
    """Offsets below the store's position in no transaction that counts, where none may be missing: the store follows
    the transaction."""
    if unnoted(e):
        return
    ends = e.run.positions.assign(from_offset=e.run.positions["next_offset"], to_offset=-1)
    kept = ["partition", "from_offset", "to_offset"]
    spans = pd.concat([counted[kept], ends[kept]]).sort_values(["partition", "from_offset"], kind="stable")
    reached = spans.groupby("partition")["to_offset"].cummax().groupby(spans["partition"]).shift(fill_value=0)
    for hole in each(spans.assign(reached=reached)[spans["from_offset"] > reached]):
        yield f"partition {hole.partition}, {hole.reached:,}–{hole.from_offset - 1:,}: in no transaction that counts"


def _miscounted(e: Evidence, counted: pd.DataFrame) -> Iterator[str]:
    """What was committed is in the topics, and nothing else is, where no transaction may be missing."""
    sent = int(counted.drop_duplicates(["worker", "begun_ns"])["sent"].sum())
    there = len(alerts_of(e, "topic")) + e.run.row_count("dead_letters")
    if sent > there or (sent < there and not unnoted(e)):
        yield f"{sent:,} alerts and dead letters were committed by the journals, {there:,} are in the topics"


@check(
    "The probe's looks at the topic of alerts agree with each other.", "contradictions", "INVALID",
    of_transactions=True,
)  # fmt: skip
def stable_looks(e: Evidence) -> Found:
    """Each look has all partitions, no last stable offset lies beyond its end, and neither falls while brokers live."""
    looks = e.run.stable.sort_values(["partition", "t_ns"], kind="stable")
    parts = set(range(e.run.scenario.topology.partitions))
    whole = looks.groupby("t_ns")["partition"].agg(lambda of: sorted(of) == sorted(parts))
    words = [f"{n:,} lack a partition, or have one twice"] if (n := int((~whole).sum())) else []
    if beyond := int((looks["stable"] > looks["end"]).sum()):
        words.append(f"{beyond:,} last stable offsets lie beyond the end")
    if not any(fault.hits == "broker" for fault in e.run.scenario.faults):
        falls = looks.groupby("partition")[["stable", "end"]].diff() < 0
        words += [f"{n:,} times the {name} fell" for name in ("stable", "end") if (n := int(falls[name].sum()))]
    return found_words(words, len(looks))
