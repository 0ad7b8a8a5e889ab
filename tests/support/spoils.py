"""Ways to spoil a handmade history: each changes it as one fault of a system, or of the evidence, would."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd

from factorylab.audit.judge import checked
from factorylab.audit.model.findings import Check
from factorylab.audit.model.registry import CHECKS
from factorylab.audit.model.verdict import Verdict
from factorylab.history.saved_run import Run
from tests.support.histories import History, S, at_ns
from tests.support.reached import reached

Spoil = Callable[[History], object]


CONTRADICTIONS = {"work_agrees", "samples_agree", "epochs_agree", "known_names"}
"""Checks that set tables against each other. A handmade spoil changes one table and leaves the others as they were, so
these find it, too; `test_alterations.py` holds them on recorded runs."""

OTHERS = tuple(check.name for check in CHECKS if check.name not in CONTRADICTIONS)


def fired(judged: Verdict | Run, *names: str) -> dict[str, int]:
    """What did not pass, with its count, but for CONTRADICTIONS. Of a run the checks of these names are made, or all
    the others that its spoil can reach, and nothing else of its verdict."""
    checks = judged.checks if isinstance(judged, Verdict) else checked(judged, *(names or reached(judged, OTHERS)))[1]
    return {c.name: c.count for c in checks if c.fired and c.name not in CONTRADICTIONS}


def check_of(run: Run, name: str) -> Check:
    """One check alone."""
    (found,) = checked(run, name)[1]
    return found


def drop(table: str, *rows: int) -> Spoil:
    return lambda h: h.__setitem__(table, h[table].drop(index=list(rows)).reset_index(drop=True))


def drop_column(column: str, *tables: str) -> Spoil:
    return lambda h: [h.__setitem__(table, h[table].drop(columns=column)) for table in tables]


def set_cell(table: str, row: int, column: str, value: object) -> Spoil:
    return lambda h: h[table].__setitem__(column, h[table][column].where(h[table].index != row, value))


def both(*spoils: Spoil) -> Spoil:
    return lambda h: [spoil(h) for spoil in spoils]


def unread(h: History, row: int) -> None:
    """The reading of log row `row` was never read: the polls that covered it did not see it."""
    record = h["log"].loc[row]
    reads = h["reads"]
    hit = (reads["partition"] == record.partition) & reads["first_offset"].le(record.offset)
    hit &= reads["last_offset"].ge(record.offset)
    reads.loc[hit, "count"] -= 1
    reads.loc[hit, "hash_sum"] -= record.payload_hash
    h["rows"] = h["rows"].drop(index=[row]).reset_index(drop=True)


def add_log(h: History, sensor: int, seq: int, digest: int = 99) -> None:
    """One more record at the end of the sensor's partition, which the final read covers."""
    partition = max(sensor, 0) % 3
    end = int(h["frozen"].loc[partition, "end"])
    h.add("log", partition=partition, offset=end, sensor=sensor, seq=seq, payload_hash=np.uint64(digest))
    h["frozen"].loc[partition, "end"] = end + 1


def answer(h: History, row: int, outcome: str) -> None:
    """The producer never heard of send `row`, or refused it."""
    columns = ["t_ack_ns", "partition", "offset"]
    h["sends"].loc[row, columns] = -1
    h["sends"].loc[row, "outcome"] = outcome


def alert(h: History, sink: str, seq: int, name: str = "", severity: str = "warning") -> None:
    name = name or f"temperature-00000:{seq}:high"
    h.add("alerts", sink=sink, alert_id=name, sensor=0, seq=seq, rule="high", severity=severity)


def behind(h: History) -> None:
    """The store stops ten records before the end of partition 0."""
    limit = int(h["positions"].loc[0, "next_offset"]) - 10
    h["positions"].loc[0, "next_offset"] = limit
    h["rows"] = h["rows"][~((h["rows"]["partition"] == 0) & (h["rows"]["offset"] >= limit))]
    late = (h["reads"]["partition"] == 0) & (h["reads"]["last_offset"] >= limit)
    h["reads"] = h["reads"][~late]


def retention(h: History, *, stored: bool) -> None:
    """The log of partition 0 begins at offset 4 now."""
    gone = (h["log"]["partition"] == 0) & (h["log"]["offset"] < 4)
    h["log"] = h["log"][~gone].reset_index(drop=True)
    h["frozen"].loc[0, "start"] = 4
    if not stored:
        h["rows"] = h["rows"][~((h["rows"]["partition"] == 0) & (h["rows"]["offset"] < 4))]


def poll(h: History, worker: str, rebalance_no: int) -> None:
    """Late in the run, one more poll of the first record of partition 0."""
    h.add("reads", worker=worker, t_ns=at_ns(11.95), partition=0, first_offset=0, last_offset=0, count=1,
          hash_sum=h["log"].loc[0, "payload_hash"], rebalance_no=rebalance_no)  # fmt: skip


def commit(h: History, epoch: int, *, refused: bool) -> None:
    """A poll and a commit of processor-9 over the first five offsets of partition 0, late in the run."""
    first = h["log"].query("partition == 0 and offset < 5")["payload_hash"]
    h.add("reads", worker="processor-9", t_ns=at_ns(8.9), partition=0, first_offset=0, last_offset=4, count=5,
          hash_sum=first.sum(), rebalance_no=1)  # fmt: skip
    h.add("commits", worker="processor-9", t_ns=at_ns(9), partition=0, from_offset=0, to_offset=5, owner_epoch=epoch,
          rows=5, alerts=0, dead_letters=0, refused=refused)  # fmt: skip


def lose(h: History, send: int, *tables: str) -> None:
    """The last step of a reading that never reached Kafka: no offset was given for it."""
    sensor, seq = h["sends"].loc[send, "sensor"], h["sends"].loc[send, "seq"]
    for table in tables or ("log", "rows"):
        h[table] = h[table][~((h[table]["sensor"] == sensor) & (h[table]["seq"] == seq))].reset_index(drop=True)


def callback(h: History, worker: str, second: float, event: str) -> None:
    """The group tells a processor about partition 0."""
    h.add("group", worker=worker, t_ns=at_ns(second), event=event, partitions=[[0]], rebalance_no=2)


def dead_letter(h: History, row: int) -> None:
    letter(h, row)
    h["rows"] = h["rows"].drop(index=[row]).reset_index(drop=True)


def letter(h: History, row: int) -> None:
    """A dead letter of this record of the log."""
    record = h["log"].loc[row]
    h.add("dead_letters", partition=record.partition, offset=record.offset, reason="", payload_hash=record.payload_hash)


def thin_after(h: History) -> None:
    """Hardly any sends after the fault."""
    keep = (h["sends"]["t_ns"] < at_ns(12)) | (h["sends"].index % 3 == 0)
    for table in ("sends", "log", "rows"):
        mark = h["sends"].loc[keep, ["sensor", "seq"]]
        h[table] = h[table].merge(mark, on=["sensor", "seq"])


def not_in_sync(h: History) -> None:
    last = h["partitions"]["t_ns"].max()
    h["partitions"]["isr"] = [
        isr[:1] if t == last else isr for isr, t in zip(h["partitions"]["isr"], h["partitions"]["t_ns"], strict=True)
    ]


def blind(h: History) -> None:
    h["processes"] = h["processes"][~h["processes"]["t_ns"].between(at_ns(6.5), at_ns(9))]


def later(table: str, second: float, **where: object) -> Spoil:
    """Some rows of a table, or all, have their times put off."""

    def spoil(h: History) -> None:
        hit = pd.Series(True, index=h[table].index)
        for column, value in where.items():
            hit &= h[table][column] == value
        h[table].loc[hit, [c for c in ("t_ns", "wall_ns") if c in h[table]]] += round(second * S)

    return spoil


def of_partition(table: str, pick: Callable[[pd.DataFrame], list[int]]) -> Spoil:
    """Some rows of partition 1 of a table, in the order of time, are gone."""

    def spoil(h: History) -> None:
        mine = h[table][h[table]["partition"] == 1].sort_values("t_ns")
        h[table] = h[table].drop(index=pick(mine))

    return spoil


def lag_grows(h: History) -> None:
    t_s = (h["lag"]["t_ns"] - at_ns(0)) / S
    h["lag"]["committed"] = (h["lag"]["committed"] - t_s.clip(lower=0) * 8).astype(int)


def link(source: str, target: str, from_s: float, until_s: float, *, ok: bool) -> Spoil:
    """What the probe's attempts from `source` to `target` in this time found."""

    def spoil(h: History) -> None:
        rows = h["reach"]
        mine = (rows["source"] == source) & (rows["target"] == target)
        rows.loc[mine & rows["t_ns"].between(at_ns(from_s), at_ns(until_s)), "ok"] = ok

    return spoil


def dead_from(node: str, from_s: float) -> Spoil:
    def spoil(h: History) -> None:
        rows = h["processes"]
        rows.loc[(rows["name"] == node) & rows["t_ns"].between(at_ns(from_s), at_ns(from_s + 1)), "status"] = "dead"

    return spoil


def invalid(table: str, from_s: float, until_s: float, partition: int | None = None) -> Spoil:
    """No sample of partitions or lag is valid in this time, or none of one partition."""

    def spoil(h: History) -> None:
        rows = h[table]
        mine = rows["partition"] == partition if partition is not None else True
        rows.loc[mine & rows["t_ns"].between(at_ns(from_s), at_ns(until_s)), "valid"] = False

    return spoil


def blind_for(from_s: float, until_s: float) -> Spoil:
    def spoil(h: History) -> None:
        h["processes"] = h["processes"][~h["processes"]["t_ns"].between(at_ns(from_s), at_ns(until_s))]

    return spoil
