"""Handmade histories of processors in Kafka transactions: each batch is committed just before it is stored."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from factorylab.history.tables import COMMITTED
from tests.support.histories import PARTITIONS, History, S, at_ns, healthy, scenario
from tests.support.spoils import Spoil, alert

ALERTED = range(3, 60, 6)  # readings of sensor 0 that raise an alert
BEFORE_NS, LASTED_NS = S // 1000, S // 100  # of the transaction, before the store has it


def transactional(folder: Path, **changes: Any) -> History:
    """Nothing goes wrong: each alert is committed once, with the offsets that it belongs to."""
    h = healthy(folder, scenario(consumption="transactional", **changes))
    for seq in ALERTED:
        for sink in ("topic", "table", "replay"):
            alert(h, sink, seq)
    commits = h["commits"]
    raised = h["log"][(h["log"]["sensor"] == 0) & h["log"]["seq"].isin(ALERTED)]
    sent = [
        int(((raised["partition"] == c.partition) & raised["offset"].between(c.from_offset, c.to_offset - 1)).sum())
        for c in commits.itertuples()
    ]
    commits["alerts"] = sent
    ended = commits["t_ns"].to_numpy() - BEFORE_NS
    commits["begun_ns"] = ended
    places = {name: commits[name].to_numpy() for name in ("worker", "partition", "from_offset", "to_offset")}
    begun = ended - LASTED_NS - places["partition"]  # each its own transaction
    h.add("transactions", **places, t_ns=ended, begun_ns=begun, sent=sent, result=COMMITTED)
    ticks = np.unique(h["lag"]["t_ns"])
    h.add("stable", worker="probe", t_ns=np.repeat(ticks, PARTITIONS), stable=0, end=0,
          partition=np.tile(np.arange(PARTITIONS), len(ticks)))  # fmt: skip
    return h


def once_more(seq: int) -> Spoil:
    """An alert is committed a second time, by a transaction over the records that the first one covered."""

    def spoil(h: History) -> None:
        first = h["transactions"][h["transactions"]["sent"] > 0].iloc[0]
        h.add("transactions", **(first.to_dict() | {"t_ns": first["t_ns"] + LASTED_NS, "begun_ns": first["t_ns"],
              "sent": 1}))  # fmt: skip
        alert(h, "topic", seq)

    return spoil


def refused(result: str) -> Spoil:
    """A transaction over records that another one covers does not count."""

    def spoil(h: History) -> None:
        first = h["transactions"].iloc[5]
        later = {"t_ns": first["t_ns"] + S, "begun_ns": first["t_ns"] + 1, "worker": "processor-1", "result": result}
        h.add("transactions", **(first.to_dict() | later))

    return spoil


def uncommitted(seq: int) -> Spoil:
    """Readers of committed records never see an alert."""

    def spoil(h: History) -> None:
        alerts = h["alerts"]
        h["alerts"] = alerts[~((alerts["sink"] == "topic") & (alerts["seq"] == seq))].reset_index(drop=True)

    return spoil


def left_open(from_s: float, until_s: float, partition: int = 1) -> Spoil:
    """From the one moment to the other a transaction is open in a partition of the topic of alerts."""

    def spoil(h: History) -> None:
        looks = h["stable"]
        mine = looks["partition"] == partition
        looks.loc[mine & looks["t_ns"].between(at_ns(from_s), at_ns(until_s), inclusive="left"), "end"] = 9
        looks.loc[mine & (looks["t_ns"] >= at_ns(until_s)), ["stable", "end"]] = 10

    return spoil
