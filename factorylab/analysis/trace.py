"""The way of one reading, from the sensor to its alerts, as a saved run's history has it.

Steps are in the order of time; what is known without a moment (what log and tables held at the end) comes last. A
reading that was taken up twice, because a batch failed or had another owner, has both steps: that is what happened.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from datetime import UTC, datetime

import pandas as pd
import pyarrow.compute as pc

from factorylab.analysis.trace_steps import Trace, TraceStep
from factorylab.core import messages
from factorylab.core.clock import NS
from factorylab.core.errors import UsageError
from factorylab.history.saved_run import NOT_OFFERED, Run, each
from factorylab.history.table_chunks import UNKNOWN


def trace(run: Run, sensor: str, seq: int) -> Trace:
    """All that the history of `run` says about reading `seq` of `sensor`.

    Raises:
        UsageError: no fleet of the run had such a sensor, or it never came to this reading.
    """
    number = _sensor(run, sensor)
    sends, log = rows_of(run, "sends", number, seq), rows_of(run, "log", number, seq)
    if sends.empty and log.empty:
        all_seqs = run.frame("sends", "sensor", "seq").query("sensor == @number")["seq"]
        last = f"its readings go from 0 to {all_seqs.max()}" if len(all_seqs) else "it offered none"
        raise UsageError(f"the run {run.folder.run_id} has no reading {seq} of {sensor}: {last}")
    timed = moments(run, sends, log)
    alerts = rows_of(run, "alerts", number, seq)
    ends = [*_kept(run, log, rows_of(run, "rows", number, seq)), *_alerts(alerts)]
    steps = [step._replace(at=_utc(run, t_ns)) for t_ns, step in timed]
    return Trace.of(messages.correlation_id(sensor, seq), f"run {run.folder.run_id}", [*steps, *ends])


def _sensor(run: Run, name: str) -> int:
    known = dict(zip(run.sensors["name"].astype(str), run.sensors["sensor"], strict=True))
    if name not in known:
        near = difflib.get_close_matches(name, known, 3) or sorted(known)[:3]
        raise UsageError(
            f"the run {run.folder.run_id} has no sensor {name!r}; it has {len(known)}, such as {', '.join(near)}"
        )
    return int(known[name])


def rows_of(run: Run, table: str, sensor: int, seq: int) -> pd.DataFrame:
    """The rows of a table that are about one reading."""
    return run.only(table, (pc.field("sensor") == sensor) & (pc.field("seq") == seq))


def places_of(sends: pd.DataFrame, log: pd.DataFrame) -> set[tuple[int, int]]:
    """Every (partition, offset) at which the reading was acknowledged or found."""
    both = pd.concat([sends[["partition", "offset"]], log[["partition", "offset"]]])
    return {(int(row.partition), int(row.offset)) for row in each(both) if row.offset != UNKNOWN}


Moment = tuple[int, TraceStep]


def moments(run: Run, sends: pd.DataFrame, log: pd.DataFrame) -> list[Moment]:
    """What happened to a reading and when, in the order of time; `sends` and `log` are its rows of these tables."""
    found = [*_sent(run, sends), *worked_on(run, places_of(sends, log))]
    return sorted(found, key=lambda moment: moment[0])


def _sent(run: Run, sends: pd.DataFrame) -> Iterator[Moment]:
    for row in each(sends):
        yield row.t_intended_ns, TraceStep("due", by=row.worker)
        if row.outcome == NOT_OFFERED:
            yield row.t_ns, TraceStep("not_offered", by=row.worker, detail="its fleet stopped before it was offered")
            continue
        yield row.t_ns, TraceStep("sent", by=row.worker)
        if row.outcome == "ok":
            yield row.t_ack_ns, TraceStep("acked", by=row.worker, where=_where(run, row.partition, row.offset))
        else:
            why = {"unknown": "no answer: it may be in the log or not"}.get(row.outcome, str(row.error))
            yield row.t_ns, TraceStep(str(row.outcome), by=row.worker, detail=why)


def worked_on(run: Run, places: set[tuple[int, int]]) -> Iterator[Moment]:
    """Who took the record up, and which transactions had it."""
    for partition, offset in sorted(places):
        reads, commits = run.reads, run.commits
        where = _where(run, partition, offset)
        here = reads[(reads["partition"] == partition) & (reads["first_offset"] <= offset)]
        for row in each(here[here["last_offset"] >= offset]):
            yield row.t_ns, TraceStep("read", by=row.worker, where=where, detail=f"one of {row.count} records")
        here = commits[(commits["partition"] == partition) & (commits["from_offset"] <= offset)]
        for row in each(here[here["to_offset"] > offset]):
            name, detail = ("refused", "another owner had it") if row.refused else ("stored", f"one of {row.rows} rows")
            yield (
                row.t_ns,
                TraceStep(name, by=row.worker, where=where, detail=f"{detail}; owner epoch {row.owner_epoch}"),
            )
        bad = run.dead_letters[(run.dead_letters["partition"] == partition) & (run.dead_letters["offset"] == offset)]
        for row in each(bad):
            yield row.t_ns, TraceStep("dead_letter", by=row.worker, where=where, detail=str(row.reason))


def _kept(run: Run, log: pd.DataFrame, rows: pd.DataFrame) -> Iterator[TraceStep]:
    for row in each(log):
        yield TraceStep("in_log", where=_where(run, row.partition, row.offset))
    if log.empty:
        yield TraceStep("not_in_log")
    for row in each(rows):
        yield TraceStep("in_store", where=f"{run.manifest.db_schema}.readings", detail=f"value {row.value:g}")
    if rows.empty:
        yield TraceStep("not_in_store")


def _alerts(alerts: pd.DataFrame) -> Iterator[TraceStep]:
    for row in each(alerts):
        yield TraceStep("alert", where=f"alerts, {row.sink}", detail=f"{row.severity} {row.rule} ({row.alert_id})")


def _where(run: Run, partition: int, offset: int) -> str:
    """As the id of a record is written everywhere; empty for an answer without an offset."""
    topic = run.manifest.topics.get(messages.SENSOR_TOPIC, messages.SENSOR_TOPIC)
    return messages.record_id(topic, partition, offset) if offset != UNKNOWN else ""


def _utc(run: Run, t_ns: int) -> datetime:
    """A moment of the run's clock as UTC, by what both clocks showed when the first journal was opened."""
    first = next(each(run.workers))
    return datetime.fromtimestamp((first.wall_ns + t_ns - first.t_ns) / NS, UTC)
