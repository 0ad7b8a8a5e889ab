"""Alterations of recorded runs: for each column of the history one that the audit must find, and one that must not
matter. A column that only informs says why.

The recordings are those of `tests/runs`; a table that only one of them has rows of names it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from factorylab.core.clock import NS
from factorylab.history.tables import TABLES, WRITERS

Frames = dict[str, pd.DataFrame]
Change = Callable[[Frames, str, str], None]
"""Alters a column of a table; frames are replaced, never written to."""


class Alteration(NamedTuple):
    """`checks`: one of these must fire. `recording`: the run that it is made on."""

    change: Change
    checks: tuple[str, ...]
    recording: str = "network_partition"


def cells(
    new: Callable[[Any], object], where: Callable[[pd.DataFrame], pd.Series[bool]] | None = None, at: float = 0.5
) -> Change:
    """One cell, in the middle of the rows that may be altered, or so far on in them."""

    def change(frames: Frames, table: str, column: str) -> None:
        frame = frames[table]
        rows = np.flatnonzero(where(frame)) if where else np.arange(len(frame))
        row = rows[int(at * (len(rows) - 1))]
        values = frame[column].astype(object).tolist() if frame[column].dtype == "category" else list(frame[column])
        values[row] = new(values[row])
        kind = None if frame[column].dtype in ("category", "object") else frame[column].dtype
        frames[table] = frame.assign(**{column: pd.Series(values, index=frame.index, dtype=kind or object)})

    return change


def every(new: Callable[[Any], object]) -> Change:
    """Each cell."""

    def change(frames: Frames, table: str, column: str) -> None:
        frames[table] = frames[table].assign(
            **{column: pd.Series([new(v) for v in frames[table][column]], index=frames[table].index)}
        )

    return change


def stranger(frames: Frames, table: str, column: str) -> None:
    cells(lambda _: "stranger")(frames, table, column)


def begun_late(frames: Frames, table: str, column: str) -> None:
    """A transaction began after it was noted; recordings before schema version 6 have no such times."""
    frames[table] = frames[table].assign(**{column: frames[table]["t_ns"] + (np.arange(len(frames[table])) == 1)})


def later(seconds: float) -> Callable[[Any], int]:
    return lambda t_ns: int(t_ns + seconds * NS)


def more(by: int = 1) -> Callable[[Any], Any]:
    return lambda value: type(value)(value + by)


def other(*values: object) -> Callable[[Any], object]:
    """The first of the values that it is not."""
    return lambda value: next(v for v in values if v != value)


def _acked(sends: pd.DataFrame) -> pd.Series[bool]:
    return sends["outcome"] == "ok"


def _valid(samples: pd.DataFrame) -> pd.Series[bool]:
    return samples["valid"]


def _long(polls: pd.DataFrame) -> pd.Series[bool]:
    return polls["count"] > 2


def _of(column: str, value: object) -> Callable[[pd.DataFrame], pd.Series[bool]]:
    return lambda frame: frame[column] == value


FINAL_TABLES = tuple(sorted(TABLES.keys() - {"workers", *(table for tables in WRITERS.values() for table in tables)}))
WITH_ALERTS, WITH_DATABASE = "database_loss", "database_loss"
WITH_LETTERS, QUIET = "control", "baseline"
QUEUE, TRANSACTIONS = "queue_loss", "transactions"
HOME = {"alerts": WITH_ALERTS, "database": WITH_DATABASE, "dead_letters": WITH_LETTERS,
        "acquisitions": QUEUE, "acknowledgements": QUEUE, "transactions": TRANSACTIONS,
        "stable": TRANSACTIONS}  # fmt: skip
STEP = ("fault_times", "fault_landed", "run_times")
SHARED = (
    "accepted_unstored", "archived_unstored", "redelivered_after_accept", "delivery_counts", "two_holders",
    "share_journals",
)  # fmt: skip
COMMITTED_ONCE = ("alert_not_once", "committed_twice", "transactions_whole")
ALERT = ("alert_missing", "alert_spurious", "alert_differs", "duplicate_alert", "work_agrees")
KEY = ("phantom", "lost_in_log", "lost_in_pipeline", "duplicate_in_log", "duplicate_in_store")

FOUND: dict[tuple[str, str], Alteration] = {
    **{(t, "worker"): Alteration(stranger, ("known_names",), HOME.get(t, "network_partition"))
       for t in TABLES},
    **{(t, "t_ns"): Alteration(cells(later(-60)), ("run_times",), HOME.get(t, "network_partition"))
       for t in FINAL_TABLES if t != "events"},
    ("workers", "t_ns"): Alteration(cells(later(0.3)), ("one_clock",)),
    ("workers", "role"): Alteration(cells(other("probe", "fleet")), ("known_names",)),
    ("workers", "boot_id"): Alteration(cells(lambda _: "another"), ("one_clock",)),
    ("workers", "wall_ns"): Alteration(cells(later(-0.3)), ("one_clock",)),
    ("sensors", "t_ns"): Alteration(cells(later(-60)), ("run_times",)),
    ("sensors", "sensor"): Alteration(cells(more()), ("known_names",)),
    ("sensors", "name"): Alteration(cells(lambda _: "temperature-00000"), ("known_names",)),
    ("sensors", "kind"): Alteration(cells(other("temperature", "energy")), ("known_names",)),
    ("sensors", "location"): Alteration(cells(lambda _: "elsewhere"), ("known_names",)),
    ("stages", "t_ns"): Alteration(cells(later(1.5)), ("reading_times",)),
    ("stages", "rate_per_s"): Alteration(cells(lambda rate: rate * 1.5), ("reading_times",)),
    ("sends", "t_ns"): Alteration(cells(later(-1)), ("reading_times",)),
    ("sends", "sensor"): Alteration(cells(more()), ("journal_whole", *KEY)),
    ("sends", "seq"): Alteration(cells(more()), ("journal_whole", *KEY)),
    ("sends", "t_intended_ns"): Alteration(cells(later(-1)), ("reading_times",)),
    ("sends", "t_ack_ns"): Alteration(cells(later(-30)), ("reading_times",)),
    ("sends", "partition"): Alteration(cells(lambda p: (p + 1) % 3), ("inconsistent_offset",)),
    ("sends", "offset"): Alteration(cells(more()), ("inconsistent_offset",)),
    ("sends", "outcome"): Alteration(cells(lambda _: "unknown", _acked), ("journal_whole",)),
    ("sends", "error"): Alteration(cells(lambda _: "_TIMED_OUT", _acked), ("journal_whole",)),
    ("sends", "payload_hash"): Alteration(cells(more()), ("corrupt",)),
    ("reads", "t_ns"): Alteration(cells(later(1)), ("work_times",)),
    ("reads", "partition"): Alteration(cells(lambda p: (p + 1) % 3), ("skipped", "rewound", "work_agrees")),
    ("reads", "first_offset"): Alteration(cells(more(), _long), ("skipped", "inconsistent_offset")),
    ("reads", "last_offset"): Alteration(cells(more(-1), _long), ("skipped", "inconsistent_offset")),
    ("reads", "count"): Alteration(cells(more(-1), _long), ("skipped",)),
    ("reads", "hash_sum"): Alteration(cells(more()), ("inconsistent_offset",)),
    ("reads", "rebalance_no"): Alteration(cells(more()), ("work_agrees",)),
    ("commits", "t_ns"): Alteration(cells(later(-1)), ("work_times",)),
    ("commits", "begun_ns"): Alteration(begun_late, ("work_times",)),
    ("commits", "partition"): Alteration(cells(lambda p: (p + 1) % 3), ("commits_whole",)),
    ("commits", "from_offset"): Alteration(cells(more()), ("commits_whole",)),
    ("commits", "to_offset"): Alteration(cells(more()), ("commits_whole",)),
    ("commits", "owner_epoch"): Alteration(cells(more()), ("work_agrees",)),
    ("commits", "rows"): Alteration(cells(more(-1)), ("commits_whole",)),
    ("commits", "alerts"): Alteration(cells(more()), ("work_agrees",)),
    ("commits", "dead_letters"): Alteration(cells(more()), ("work_agrees",)),
    ("commits", "refused"): Alteration(cells(lambda refused: not refused), ("commits_whole",)),
    ("group", "t_ns"): Alteration(cells(later(1)), ("work_agrees",)),
    ("group", "event"): Alteration(cells(other("lost", "assigned")), ("work_agrees",)),
    ("group", "partitions"): Alteration(cells(lambda _: []), ("work_agrees",)),
    ("group", "rebalance_no"): Alteration(cells(more()), ("work_agrees",)),
    ("faults", "t_ns"): Alteration(cells(later(3), _of("step", "injected")), STEP),
    ("faults", "fault"): Alteration(cells(more()), STEP),
    ("faults", "kind"): Alteration(cells(other("kill", "pause")), STEP),
    ("faults", "target"): Alteration(cells(other("leader:1", "leader:2")), STEP),
    ("faults", "node"): Alteration(cells(other("broker-1", "broker-2")), STEP),
    ("faults", "step"): Alteration(cells(other("skipped")), STEP),
    ("faults", "evidence"): Alteration(cells(lambda _: "seen"), STEP),
    ("phases", "t_ns"): Alteration(cells(later(0.3)), ("one_clock",)),
    ("phases", "wall_ns"): Alteration(cells(later(0.3)), ("one_clock",)),
    ("phases", "phase"): Alteration(cells(other("drain", "end")), ("complete",)),
    ("log", "partition"): Alteration(cells(lambda p: (p + 1) % 3), ("duplicate_in_log", "epochs_agree")),
    ("log", "offset"): Alteration(cells(more()), ("inconsistent_offset",)),
    ("log", "sensor"): Alteration(cells(more()), KEY),
    ("log", "seq"): Alteration(cells(more()), KEY),
    ("log", "payload_hash"): Alteration(cells(more()), ("corrupt",)),
    ("log", "value"): Alteration(cells(more()), ("corrupt",)),
    ("log", "measures_hash"): Alteration(cells(more()), ("corrupt",)),
    ("rows", "sensor"): Alteration(cells(more()), KEY),
    ("rows", "seq"): Alteration(cells(more()), KEY),
    ("rows", "partition"): Alteration(cells(lambda p: (p + 1) % 3), ("inconsistent_offset",)),
    ("rows", "offset"): Alteration(cells(more()), ("inconsistent_offset",)),
    ("rows", "value"): Alteration(cells(more()), ("corrupt",)),
    ("rows", "measures_hash"): Alteration(cells(more()), ("corrupt",)),
    ("alerts", "sink"): Alteration(cells(other("topic", "table")), ALERT, WITH_ALERTS),
    ("alerts", "alert_id"): Alteration(cells(lambda _: "made"), ALERT, WITH_ALERTS),
    ("alerts", "sensor"): Alteration(cells(more()), ALERT, WITH_ALERTS),
    ("alerts", "seq"): Alteration(cells(more()), ALERT, WITH_ALERTS),
    ("alerts", "rule"): Alteration(cells(lambda _: "made"), ALERT, WITH_ALERTS),
    ("alerts", "severity"): Alteration(cells(lambda _: "made"), ALERT, WITH_ALERTS),
    ("positions", "partition"): Alteration(cells(more(7)), ("work_agrees", "commits_whole", "not_drained")),
    ("positions", "next_offset"): Alteration(cells(more(-1)), ("work_agrees",)),
    ("positions", "owner_epoch"): Alteration(cells(more(-1)), ("commits_whole",)),
    ("frozen", "t_ns"): Alteration(cells(later(-5)), ("run_times",)),
    ("frozen", "partition"): Alteration(cells(more(7)), ("final_read",)),
    ("frozen", "start"): Alteration(cells(more()), ("final_read",)),
    ("frozen", "end"): Alteration(cells(more()), ("final_read",)),
    ("epochs", "partition"): Alteration(cells(more(7)), ("epochs_agree",)),
    ("epochs", "epoch"): Alteration(cells(more(5)), ("epochs_agree",)),
    ("epochs", "first_offset"): Alteration(cells(more()), ("epochs_agree",)),
    ("epochs", "last_offset"): Alteration(cells(more(-1)), ("epochs_agree",)),
    ("epochs", "count"): Alteration(cells(more(-1)), ("epochs_agree",)),
    ("cross_reads", "partition"): Alteration(cells(lambda p: (p + 1) % 3), ("cross_read",)),
    ("cross_reads", "first_offset"): Alteration(cells(more()), ("cross_read",)),
    ("cross_reads", "last_offset"): Alteration(cells(more(-1)), ("cross_read",)),
    ("cross_reads", "count"): Alteration(cells(more()), ("cross_read",)),
    ("cross_reads", "hash_sum"): Alteration(cells(more()), ("cross_read",)),
    ("partitions", "t_ns"): Alteration(cells(later(0.05)), ("samples_agree",)),
    ("partitions", "partition"): Alteration(cells(lambda p: (p + 1) % 3), ("samples_agree",)),
    ("partitions", "leader"): Alteration(cells(lambda leader: leader % 3 + 1, _valid), ("samples_agree",)),
    ("partitions", "epoch"): Alteration(cells(more(), _valid), ("samples_agree",)),
    ("partitions", "isr"): Alteration(cells(lambda isr: isr[1:], _valid), ("samples_agree",)),
    ("partitions", "end"): Alteration(cells(more(), _valid), ("samples_agree",)),
    ("partitions", "valid"): Alteration(cells(lambda valid: not valid), ("samples_agree",)),
    ("partitions", "asked_ns"): Alteration(cells(later(1), _valid), ("run_times",)),
    ("lag", "t_ns"): Alteration(cells(later(0.05)), ("samples_agree",)),
    ("lag", "partition"): Alteration(cells(lambda p: (p + 1) % 3), ("samples_agree",)),
    ("lag", "committed"): Alteration(cells(more(500), _valid), ("samples_agree",)),
    ("lag", "end"): Alteration(cells(more(), _valid), ("samples_agree",)),
    ("lag", "valid"): Alteration(cells(lambda valid: not valid), ("samples_agree",)),
    ("processes", "t_ns"): Alteration(cells(later(0.05)), ("samples_agree",)),
    ("processes", "name"): Alteration(cells(other("broker-1", "broker-2")), ("samples_agree",)),
    ("processes", "pid"): Alteration(cells(more()), ("undisturbed",)),
    ("processes", "status"): Alteration(cells(lambda _: "paused"), ("undisturbed",)),
    ("members", "t_ns"): Alteration(cells(later(0.05)), ("samples_agree",)),
    ("members", "partitions"): Alteration(cells(lambda _: []), ("samples_agree",), QUIET),
    ("members", "member"): Alteration(cells(lambda _: "somebody"), ("known_names",)),
    ("reach", "t_ns"): Alteration(every(later(-30)), ("run_times",)),
    ("reach", "source"): Alteration(every(lambda _: "nobody"), ("fault_landed",)),
    ("reach", "target"): Alteration(every(lambda _: "nobody"), ("fault_landed",)),
    ("reach", "ok"): Alteration(every(lambda _: True), ("fault_landed",)),
    ("views", "t_ns"): Alteration(cells(later(0.05)), ("samples_agree",)),
    ("views", "broker"): Alteration(cells(lambda broker: broker % 3 + 1), ("samples_agree",)),
    ("views", "partition"): Alteration(cells(lambda p: (p + 1) % 3), ("samples_agree",)),
    ("views", "leader"): Alteration(every(lambda leader: leader % 3 + 1), ("samples_agree",)),
    ("views", "epoch"): Alteration(cells(more()), ("samples_agree",)),
    ("database", "t_ns"): Alteration(cells(later(-30)), ("run_times",), WITH_DATABASE),
    ("database", "answer"): Alteration(every(lambda _: "none"), ("undisturbed",), WITH_DATABASE),
    ("events", "t_ns"): Alteration(cells(later(3), _of("event", "fault_injected")), ("fault_times",)),
    ("events", "process"): Alteration(cells(lambda _: "lab", _of("event", "assigned")), ("work_agrees",)),
    ("events", "event"): Alteration(cells(lambda _: "made", _of("event", "assigned")), ("work_agrees",)),
    ("events", "detail"): Alteration(cells(lambda _: "{}", _of("event", "assigned")), ("work_agrees",)),
    ("dead_letters", "partition"): Alteration(cells(lambda p: (p + 1) % 3), ("work_agrees",), WITH_LETTERS),
    ("dead_letters", "offset"): Alteration(cells(more(-1)), ("dead_and_stored", "work_agrees"), WITH_LETTERS),
    ("dead_letters", "payload_hash"): Alteration(cells(more()), ("corrupt",), WITH_LETTERS),
    ("acquisitions", "t_ns"): Alteration(cells(later(5)), SHARED, QUEUE),
    ("acquisitions", "partition"): Alteration(cells(more(7)), SHARED, QUEUE),
    ("acquisitions", "offset"): Alteration(cells(more()), SHARED, QUEUE),
    ("acquisitions", "delivery_count"): Alteration(cells(more(), at=0.05), SHARED, QUEUE),
    ("acknowledgements", "t_ns"): Alteration(cells(later(-5)), SHARED, QUEUE),
    ("acknowledgements", "partition"): Alteration(cells(more(7)), SHARED, QUEUE),
    ("acknowledgements", "offset"): Alteration(cells(more()), SHARED, QUEUE),
    ("acknowledgements", "kind"): Alteration(cells(other("accept", "release")), SHARED, QUEUE),
    ("acknowledgements", "result"): Alteration(cells(lambda _: "ok", _of("result", "sent")), SHARED, QUEUE),
    ("transactions", "t_ns"): Alteration(cells(later(5)), COMMITTED_ONCE, TRANSACTIONS),
    ("transactions", "partition"): Alteration(cells(more(7)), COMMITTED_ONCE, TRANSACTIONS),
    ("transactions", "from_offset"): Alteration(cells(more(-1)), COMMITTED_ONCE, TRANSACTIONS),
    ("transactions", "to_offset"): Alteration(cells(more()), COMMITTED_ONCE, TRANSACTIONS),
    ("transactions", "begun_ns"): Alteration(cells(later(-5)), COMMITTED_ONCE, TRANSACTIONS),
    ("transactions", "sent"): Alteration(cells(more()), COMMITTED_ONCE, TRANSACTIONS),
    ("transactions", "result"): Alteration(cells(lambda _: "_FENCED"), COMMITTED_ONCE, TRANSACTIONS),
    ("stable", "t_ns"): Alteration(cells(later(5)), ("stable_looks",), TRANSACTIONS),
    ("stable", "partition"): Alteration(cells(more(7)), ("stable_looks",), TRANSACTIONS),
    ("stable", "stable"): Alteration(cells(more(1_000)), ("stable_looks",), TRANSACTIONS),
    ("stable", "end"): Alteration(cells(more(-1_000)), ("stable_looks",), TRANSACTIONS),
}  # fmt: skip

INFORMATIVE: dict[tuple[str, str], str] = {
    ("workers", "pid"): "the number that a process has for itself: in a container another than the probe sees",
    ("processes", "cpu_s"): "measured, and evidence of the fault slow alone",
    ("processes", "rss_bytes"): "measured, not judged",
    ("processes", "cpu_limit"): "evidence of the fault slow alone",
    ("members", "state"): "the group's word for itself, shown beside others",
    ("dead_letters", "reason"): "words for whoever looks at it",
    ("views", "isr"): "what a broker that may be isolated believes",
}
"""Columns that no check judges, and why."""


def harmless(frames: Frames) -> Frames:
    """What must not matter, of every column at once: the order of rows, that of the words of a text column, that of a
    list of replicas, and the zero of the monotonic clock."""
    dice = np.random.default_rng(1)
    return {
        table: _harmless(frame.iloc[dice.permutation(len(frame))].reset_index(drop=True))
        for table, frame in frames.items()
    }


def _harmless(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.assign(**{str(name): _retold(str(name), frame[name]) for name in frame})


def _retold(name: str, column: pd.Series[Any]) -> pd.Series[Any]:
    if name.endswith("_ns") and name != "wall_ns":
        return column.where(column < 0, column + 7 * NS)
    if name == "isr":
        return column.map(lambda isr: list(reversed(isr)))
    if column.dtype == "category":
        return column.cat.reorder_categories(column.cat.categories[::-1])
    return column
