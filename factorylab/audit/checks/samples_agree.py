"""Whether what the probe saw agrees with itself, and with what was sent, stored and read at the end.

The probe writes of everything in one look, so its tables have the same times. What a broker told lies between what was
acknowledged before it was asked and what was sent until it answered.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
import pandas as pd

from factorylab.analysis.matching import latest, previous, shared_keys
from factorylab.analysis.readings import Ints, place
from factorylab.audit.checks.completeness import found_words, unnoted
from factorylab.audit.checks.disturbed import disturbed
from factorylab.audit.checks.loss import gone
from factorylab.audit.checks.samples_of_brokers import impossible_replicas, members_elsewhere
from factorylab.audit.model.registry import Evidence, Found, check
from factorylab.core.clock import FOREVER_NS
from factorylab.history.saved_run import each

WAITS_FOR_MEMBERS = "PreparingRebalance"


@check(
    "The probe's samples agree with each other and with what was sent, acknowledged and stored.", "do not", "INVALID"
)
def samples_agree(e: Evidence) -> Found:
    views = e.run.partitions.sort_values(["partition", "t_ns"], kind="stable")
    lags = e.run.lag.sort_values(["partition", "t_ns"], kind="stable")
    words = [
        *_looks(e),
        *_ends_differ(views, lags),
        *_leaders(e, views),
        *impossible_replicas(e, views),
        *members_elsewhere(e),
        *_falls(e, views, lags),
        *_beyond(e, views, lags),
    ]
    return found_words(words, len(views) + len(lags))


def _looks(e: Evidence) -> Iterator[str]:
    """Looks that lack a part, or have it twice: each is of every partition, of its lag, and of every process that was
    seen before."""
    ticks = np.unique(e.run.frame("processes", "t_ns")["t_ns"].to_numpy())
    for table, of in (("partitions", "partition"), ("lag", "partition"), ("processes", "name")):
        rows = e.run.frame(table, "t_ns", of)
        moments, strange = rows["t_ns"].to_numpy(), int((~np.isin(rows["t_ns"].to_numpy(), ticks)).sum())
        names, number = np.unique(rows[of].astype(str) if of == "name" else rows[of], return_inverse=True)
        looks = (np.unique(moments[number == n], return_counts=True) for n in range(len(names)))
        odd = [name for name, (at, times) in zip(names, looks, strict=True)
               if len(at) != len(ticks) - np.searchsorted(ticks, at[0]) or times.max() > 1]  # fmt: skip
        yield from (f"{table} of {name} lack looks, or have some twice" for name in odd)
        if strange:
            yield f"{strange:,} samples of {table} are of no look"
    views = e.run.frame("views", "t_ns", "broker", "partition")
    members = e.run.frame("members", "t_ns", "member", "state")
    strays = int(views.duplicated().sum())
    if e.run.scenario.owns_partitions:  # a program may call its members alike, and a share group keeps a dead one long
        strays += _members_twice(e, members)
    for looks_of in (views, members):
        strays += int((~np.isin(looks_of["t_ns"].to_numpy(), ticks)).sum())
    if strays:
        yield f"{strays:,} samples of members and views are of no look, or there twice"


def _members_twice(e: Evidence, members: pd.DataFrame) -> int:
    """Samples of a member that its look has already. One that rejoins is there twice, as it may after a fault, while
    the group forms, and while a rebalance waits for what it was before: until the session of that is over."""
    twice = members.duplicated(["t_ns", "member"]) & (members["state"] != WAITS_FOR_MEMBERS)
    again_ns = members.loc[twice, "t_ns"].to_numpy()
    return int(((again_ns >= e.run.t0_ns) & ~disturbed(e, again_ns, again_ns)).sum())


def _same_look(samples: pd.DataFrame, others: pd.DataFrame, newness: Ints) -> Ints:
    """By sample: the newest of the others that is of its look and partition, −1 where there is none."""
    key, of_key = shared_keys(*([f["t_ns"].to_numpy(), f["partition"].to_numpy()] for f in (samples, others)))
    return latest(key, FOREVER_NS, of_key, newness)


def _ends_differ(views: pd.DataFrame, lags: pd.DataFrame) -> Iterator[str]:
    """The end of a partition is one number of a look, whichever table it stands in; with it a sample is valid."""
    row = _same_look(views, lags, np.arange(len(lags)))
    if odd := int((views["end"].to_numpy() != lags["end"].to_numpy()[row])[row >= 0].sum() if len(lags) else 0):
        yield f"{odd:,} ends of partitions are others than those of the lag"
    odd = int((views["valid"] != (views["end"] >= 0)).sum()) + int((lags["valid"] & (lags["end"] < 0)).sum())
    odd += int((~lags["valid"] & (lags["end"] >= 0) & (lags["committed"] > 0)).sum())
    if odd:
        yield f"{odd:,} samples say that they are valid and are not, or the other way round"


def _leaders(e: Evidence, views: pd.DataFrame) -> Iterator[str]:
    """An epoch has one leader; a look names the leader of the newest epoch that a broker told of."""
    known = views[views["epoch"] >= 0]
    leaders = known[["partition", "epoch", "leader"]].drop_duplicates()
    for row in each(leaders[leaders.duplicated(["partition", "epoch"])]):
        yield f"partition {row.partition}: epoch {row.epoch} has two leaders"
    told = e.run.frame("views", "t_ns", "partition", "epoch", "leader")
    row = _same_look(known, told, told["epoch"].to_numpy())
    here, newest = known[row >= 0], told.iloc[row[row >= 0]]
    if odd := int((here[["epoch", "leader"]].to_numpy() != newest[["epoch", "leader"]].to_numpy()).any(axis=1).sum()):
        yield f"{odd:,} samples of partitions are not of the newest view"


def _falls(e: Evidence, views: pd.DataFrame, lags: pd.DataFrame) -> Iterator[str]:
    """Ends under one leader, leader epochs and committed offsets only rise, but where a fault explains a fall."""
    valid = views[views["valid"]]
    yield from _fallen(e, valid, ["partition", "leader", "epoch"], "end", "the end under one leader")
    yield from _fallen(e, valid, ["partition"], "epoch", "the leader epoch")
    if e.run.scenario.owns_partitions:  # a program under test may go back, and a share group's records come again
        yield from _fallen(e, lags[lags["valid"]], ["partition"], "committed", "the committed offset")


def _fallen(e: Evidence, samples: pd.DataFrame, keys: list[str], column: str, what: str) -> Iterator[str]:
    row, values = previous(*(samples[key].to_numpy() for key in keys)), samples[column].to_numpy()
    fallen = (row >= 0) & (values < values[row])
    if not fallen.any():
        return
    t_ns = samples["t_ns"].to_numpy()
    unexplained = ~disturbed(e, t_ns[row][fallen], t_ns[fallen])
    for row in each(samples[fallen][unexplained]):
        yield f"{what} of partition {row.partition} fell to {getattr(row, column):,}, and no fault explains it"


def _beyond(e: Evidence, views: pd.DataFrame, lags: pd.DataFrame) -> Iterator[str]:
    """Ends beyond what was sent, or short of what was acknowledged; committed offsets beyond what was stored."""
    partitions = range(e.run.scenario.topology.partitions)
    samples = {p: views[(views["partition"] == p) & views["valid"]] for p in partitions}
    asked = {p: mine[mine["asked_ns"] >= 0] for p, mine in samples.items()} if e.acks == "all" else {}
    cut, acknowledged = _acknowledged(e, {p: mine["asked_ns"].to_numpy() for p, mine in asked.items()})
    for p, mine in samples.items():
        if p not in cut and e.acks != "0":  # a log that was cut off held other records before
            beyond = _too_far(e, p, mine)
            yield from [f"{beyond:,} ends of partition {p} lie beyond what was sent"] * bool(beyond)
        if p in asked:
            short = _too_short(e, asked[p], acknowledged[p])
            yield from [f"{short:,} ends of partition {p} lie below what was acknowledged"] * bool(short)
    yield from _committed_elsewhere(e, lags[lags["valid"]])


def _acknowledged(e: Evidence, asked: Mapping[int, Ints]) -> tuple[set[int], dict[int, Ints]]:
    """Partitions that lost acknowledged readings, and by partition and moment of asking the highest offset that was
    acknowledged before it, −1 for none."""
    cut, any_gone = set[int](), e.count(gone)
    inorder = {p: np.sort(moments) for p, moments in asked.items()}
    highest = {p: np.full(len(moments) + 1, -1) for p, moments in asked.items()}
    for chunk, key in e.sends("partition", "offset", "t_ack_ns") if any_gone or asked else ():
        where, answered, some = chunk["partition"], chunk["t_ack_ns"], e.of(key)
        if any_gone:
            cut |= set(np.unique(where[gone(some)]).tolist())
        acked = some.acked & (answered >= 0)
        for p, moments in inorder.items():
            here = np.flatnonzero(acked & (where == p))
            np.maximum.at(highest[p], np.searchsorted(moments, answered[here], side="right"), chunk["offset"][here])
    return cut, {
        p: np.maximum.accumulate(highest[p])[np.searchsorted(inorder[p], moments)] for p, moments in asked.items()
    }


def _too_far(e: Evidence, partition: int, samples: pd.DataFrame) -> int:
    """Ends of which a record was sent only after the sample."""
    low, high = e.log.partitions.get(partition, (0, 0))
    ends = samples["end"].to_numpy()
    reached = np.clip(e.log.before(place(np.full(len(ends), partition), np.maximum(ends, 0))), low, high)
    edges, at = np.unique(np.append(reached, low), return_inverse=True)
    between = e.log.latest(lambda part: e.of_log("t_ns", part), edges[:-1], edges[1:])
    sent = np.maximum.accumulate(np.append(0, between))[at[:-1]]
    top = e.run.frozen.loc[e.run.frozen["partition"] == partition, "end"].max()
    return int(((sent > samples["t_ns"].to_numpy()) | (ends > top)).sum())


def _too_short(e: Evidence, samples: pd.DataFrame, acknowledged: Ints) -> int:
    """Ends that were asked for after a record at or beyond them was acknowledged, while no fault was about."""
    quiet = ~disturbed(e, samples["asked_ns"].to_numpy(), samples["t_ns"].to_numpy())
    return int((quiet & (samples["end"].to_numpy() <= acknowledged)).sum())


def _committed_elsewhere(e: Evidence, lags: pd.DataFrame) -> Iterator[str]:
    """A processor tells Kafka of its position, which is the end of a transaction, once that is noted. Where one may be
    missing, its poll counts. A client that commits by itself commits what it likes."""
    if not e.run.scenario.clients.positions_in_store:
        return
    commits, reads = e.run.commits[~e.run.commits["refused"]], e.run.reads
    noted = [(commits, commits["to_offset"].to_numpy())]
    if unnoted(e) or e.run.scenario.transactional:  # there Kafka has the position before the store
        noted.append((reads, reads["last_offset"].to_numpy() + 1))
    of, t_ns = (np.concatenate([frame[name].to_numpy() for frame, _ in noted]) for name in ("partition", "t_ns"))
    reached, order = np.concatenate([ends for _, ends in noted]), np.argsort(t_ns, kind="stable")
    for partition in np.unique(lags["partition"]):
        mine, asked = order[of[order] == partition], lags[lags["partition"] == partition]
        highest = np.append(0, np.maximum.accumulate(reached[mine]))
        known = highest[np.searchsorted(t_ns[mine], asked["t_ns"].to_numpy(), side="right")]
        if beyond := int((asked["committed"].to_numpy() > known).sum()):
            yield f"{beyond:,} committed offsets of partition {partition} lie beyond what was stored"
        if within := int((~np.isin(asked["committed"], np.append(0, reached[mine]))).sum()):
            yield f"{within:,} committed offsets of partition {partition} are no end of a transaction"
