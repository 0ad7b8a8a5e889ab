"""The way of one reading through a lab that is up: what its database, its log and the processes' log lines know of it.

Without journals there is less than in a saved run: the sensor's own stamp, the producer's (Kafka keeps the moment of
the send, in milliseconds), where it is, whether it is stored, and every log line that carries its correlation id.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from confluent_kafka import TIMESTAMP_NOT_AVAILABLE, Message
from psycopg2 import sql

from factorylab.analysis.trace_steps import Trace, TraceStep
from factorylab.cluster import merged_logs
from factorylab.cluster.admin import Admin
from factorylab.cluster.base import Endpoints
from factorylab.core import messages
from factorylab.core.errors import UsageError
from factorylab.core.libpq import connect
from factorylab.core.names import Names
from factorylab.execution.log_scan import identify, payload, read_topic
from factorylab.operations.dead_letters import DeadLetters

MILLISECOND = timedelta(milliseconds=1)


@dataclass(frozen=True)
class StoredReading:
    """A row of the table `readings`."""

    recorded_at: datetime
    partition: int
    offset: int


def trace(endpoints: Endpoints, names: Names, files: list[Path], sensor: str, seq: int) -> Trace:
    """What the lab knows of reading `seq` of `sensor`; `files` are the logs of its nodes.

    Raises:
        UsageError: neither database nor log has such a reading.
    """
    word = messages.correlation_id(sensor, seq)
    stored, alerts, known = _ask(endpoints.database_url, names.schema, sensor, seq)
    record = _find(endpoints, names, (stored.partition, stored.offset) if stored else None, sensor, seq)
    if stored is None and record is None:
        near = difflib.get_close_matches(sensor, known, 3)
        hint = "" if sensor in known else f"; the database knows {', '.join(near) or f'{len(known)} other sensors'}"
        raise UsageError(f"there is no trace of {word}: it is neither stored nor in {names.sensors}{hint}")
    letter = _letter(endpoints, names, record) if stored is None and record is not None else []
    steps = [*_steps(names, stored, record), *letter, *_log_lines(files, word)]
    timed = sorted((step for step in steps if step.at), key=lambda step: step.at or datetime.max)
    return Trace.of(word, "the lab that is up", [*timed, *(step for step in steps if not step.at), *alerts])


def _ask(url: str, schema: str, sensor: str, seq: int) -> tuple[StoredReading | None, list[TraceStep], list[str]]:
    """The reading's row, its alerts, and the names of all sensors."""

    def of(text: str) -> sql.Composed:
        return sql.SQL(text).format(
            **{table: sql.Identifier(schema, table) for table in ("sensors", "readings", "alerts")}
        )

    with closing(connect(url)) as connection, connection, connection.cursor() as cursor:
        cursor.execute(of("SELECT name FROM {sensors}"))
        known = [str(row[0]) for row in cursor.fetchall()]
        cursor.execute(
            of(
                "SELECT recorded_at, partition, record_offset FROM {readings} WHERE seq = %s"
                " AND sensor_id = (SELECT id FROM {sensors} WHERE name = %s)"
            ),
            (seq, sensor),
        )
        row = cursor.fetchone()
        cursor.execute(
            of("SELECT alert_id, rule, severity, value, limit_value FROM {alerts} WHERE correlation_id = %s"),
            (messages.correlation_id(sensor, seq),),
        )
        alerts = [
            TraceStep(
                "alert", where=f"{schema}.alerts", detail=f"{severity} {rule}: {value:g} > {limit:g} ({alert_id})"
            )
            for alert_id, rule, severity, value, limit in cursor.fetchall()
        ]
    return StoredReading(*row) if row else None, alerts, known


def _find(endpoints: Endpoints, names: Names, at: tuple[int, int] | None, sensor: str, seq: int) -> Message | None:
    """Its record in the log: where the store says, else by reading all of it."""
    with closing(Admin(endpoints.bootstrap)) as admin:
        spans = admin.spans(names.sensors)
    if at and spans[at[0]][0] <= at[1]:
        spans = {at[0]: (at[1], at[1] + 1)}
    for batch in read_topic(endpoints.bootstrap, names.sensors, spans):
        for message in batch:
            if identify(payload(message), {sensor: 0}) == (0, seq):
                return message
    return None


def _steps(names: Names, stored: StoredReading | None, record: Message | None) -> Iterator[TraceStep]:
    if stored:
        yield TraceStep("measured", stored.recorded_at.astimezone(UTC))
    if record is not None:
        kind, wall_ms = record.timestamp()
        at = None if kind == TIMESTAMP_NOT_AVAILABLE else datetime.fromtimestamp(wall_ms / 1000, UTC)
        if at and stored and at < stored.recorded_at < at + MILLISECOND:  # what Kafka rounds off is no gap
            at = stored.recorded_at.astimezone(UTC)
        yield TraceStep(
            "sent", at, where=messages.record_id(names.sensors, record.partition() or 0, record.offset() or 0)
        )
    if stored:
        where = messages.record_id(names.sensors, stored.partition, stored.offset)
        yield TraceStep("in_store", where=f"{names.schema}.readings", detail=f"from {where}")
    else:
        yield TraceStep("not_in_store", where=f"{names.schema}.readings")


def _letter(endpoints: Endpoints, names: Names, record: Message) -> list[TraceStep]:
    """The dead letter that a record in the log became; none where it did not."""
    origin = (names.sensors, record.partition(), record.offset())
    letters = [letter for letter in DeadLetters(endpoints, names).read() if letter.origin == origin]
    return [
        TraceStep(
            "dead_letter",
            datetime.fromtimestamp(letter.at_ms / 1000, UTC),
            where=names.dead_letters,
            detail=f"{letter.error_class}: {letter.error}",
        )
        for letter in letters
    ]


def _log_lines(files: list[Path], word: str) -> Iterator[TraceStep]:
    choose = merged_logs.chooser("debug", pattern=merged_logs.whole_word(word))
    for line in merged_logs.merged(files, choose):
        at = datetime.fromisoformat(line.t).replace(tzinfo=UTC) if line.t else None
        event, _, rest = line.text.partition(" ")
        yield TraceStep(re.sub(r"\W", "_", event), at, by=line.worker, detail=rest)
