"""Handmade histories of share groups: two workers take the records by turns, store each and accept it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from factorylab.history import run_tables
from factorylab.history.tables import ANSWERED_OK, SENT
from tests.support.histories import BOOT, History, S, at_ns, healthy, scenario
from tests.support.spoils import Spoil

GIVEN_NS, SAID_NS, TAKEN_NS = 10_000_000, 20_000_000, 25_000_000  # after the record was sent
OF_OWNERS = ("reads", "commits", "group")
DEATH_S = 6.0
KILLED = {"faults": [{"kind": "kill", "target": "processor:0", "hold_s": 6}]}


def share_group(folder: Path, **changes: Any) -> History:
    """Nothing goes wrong: each record is given once, to one worker, and accepted."""
    h = healthy(folder, scenario(consumption="share", **changes))
    for table in OF_OWNERS:
        h[table] = run_tables.empty(table)
    sent = h["sends"].sort_values(["partition", "offset"])
    worker = np.array([f"processor-{i % 2}" for i in range(len(sent))], dtype=object)
    where = {"worker": worker, "partition": sent["partition"].to_numpy(), "offset": sent["offset"].to_numpy()}
    t_ns = sent["t_ns"].to_numpy()
    h.add("acquisitions", **where, t_ns=t_ns + GIVEN_NS, delivery_count=1)
    h.add("acknowledgements", **where, t_ns=t_ns + SAID_NS, kind="accept", result=SENT)
    h.add("acknowledgements", **where, t_ns=t_ns + TAKEN_NS, kind="accept", result=ANSWERED_OK)
    return h


def worker_loss(folder: Path) -> History:
    """Worker 0 is killed at 6 s with one record in hand, which worker 1 is given 0.1 s later; it is back at 12 s."""
    h = share_group(folder, **KILLED)
    h.fault("processor-0", DEATH_S, 12)
    h.add("workers", worker="processor-0", t_ns=at_ns(12), pid=2, role="processor", boot_id=BOOT, wall_ns=at_ns(12))
    given = h["acquisitions"]
    away = given[given["t_ns"].between(at_ns(DEATH_S) - TAKEN_NS, at_ns(12))]
    held, others = away.index[0], zip(away["partition"], away["offset"], strict=True)
    elsewhere = set(others)
    for table in ("acquisitions", "acknowledgements"):
        mine = [place in elsewhere for place in zip(h[table]["partition"], h[table]["offset"], strict=True)]
        h[table].loc[mine, "worker"] = "processor-1"
    given.loc[held, ["worker", "t_ns"]] = ["processor-0", at_ns(DEATH_S) - S // 100]
    record = given.loc[held]
    unsaid(record["partition"], record["offset"], SENT, ANSWERED_OK)(h)
    again(record["partition"], record["offset"], at_s=DEATH_S + 0.1, count=2, worker="processor-1")(h)
    return h


def again(partition: int, offset: int, *, at_s: float, count: int, worker: str = "processor-1") -> Spoil:
    """The record is given once more, and accepted then."""

    def spoil(h: History) -> None:
        where = {"worker": worker, "partition": partition, "offset": offset}
        h.add("acquisitions", **where, t_ns=at_ns(at_s), delivery_count=count)
        for result, later_ns in ((SENT, S // 100), (ANSWERED_OK, S // 50)):
            h.add("acknowledgements", **where, t_ns=at_ns(at_s) + later_ns, kind="accept", result=result)

    return spoil


def unsaid(partition: int, offset: int, *results: str) -> Spoil:
    """What was said of a record, or what came back of it, is not there."""

    def spoil(h: History) -> None:
        said = h["acknowledgements"]
        gone = (said["partition"] == partition) & (said["offset"] == offset) & said["result"].isin(results)
        h["acknowledgements"] = said[~gone].reset_index(drop=True)

    return spoil


def unstored(partition: int, offset: int) -> Spoil:
    """The store does not have a record."""

    def spoil(h: History) -> None:
        rows = h["rows"]
        h["rows"] = rows[~((rows["partition"] == partition) & (rows["offset"] == offset))].reset_index(drop=True)

    return spoil


def given_at(h: History, partition: int, offset: int) -> float:
    """When a record was first given to a worker, in seconds."""
    given = h["acquisitions"]
    mine = given[(given["partition"] == partition) & (given["offset"] == offset)]
    return float((mine["t_ns"].min() - at_ns(0)) / S)


def moved(partition: int, offset: int, later_s: float, count: int = 2) -> Spoil:
    """A record whose first worker says nothing of it is given to the other one so much later."""

    def spoil(h: History) -> None:
        first_s, given = given_at(h, partition, offset), h["acquisitions"]
        mine = given[(given["partition"] == partition) & (given["offset"] == offset)]["worker"].iloc[0]
        unsaid(partition, offset, SENT, ANSWERED_OK)(h)
        other = "processor-1" if mine == "processor-0" else "processor-0"
        again(partition, offset, at_s=first_s + later_s, count=count, worker=other)(h)

    return spoil


def redelivered(later_s: float) -> Spoil:
    """What the dead worker had in hand comes so much later than it did."""

    def spoil(h: History) -> None:
        given = h["acquisitions"]
        where = given.loc[given["delivery_count"] == 2, ["partition", "offset"]].iloc[0]
        for table in ("acquisitions", "acknowledgements"):
            at = (h[table][["partition", "offset"]] == where.to_numpy()).all(axis=1)
            at &= h[table]["t_ns"] > at_ns(DEATH_S)
            h[table].loc[at, "t_ns"] += round(later_s * S)

    return spoil
