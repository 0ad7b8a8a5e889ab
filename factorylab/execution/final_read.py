"""The final read: what the log, the store and both alert sinks really hold at the end of a run.

The ends of `sensor-data` are frozen after healing; the store drains up to them; then log and readings go to
`history/log.parquet` and `history/rows.parquet` in pieces, so that memory stays bounded. The small tables go through
a journal like all other rows. Sensors are found again by name.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numpy as np
import psycopg2
import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq
from confluent_kafka import Message
from psycopg2 import sql

from factorylab.cluster.admin import Admin
from factorylab.core import messages
from factorylab.core.clock import NS, now_ns, stamp
from factorylab.core.errors import WaitTimeout
from factorylab.core.libpq import connect
from factorylab.core.names import Names
from factorylab.core.vocabulary import Sink
from factorylab.core.waiting import wait_until
from factorylab.execution.alert_replay import AlertReplay
from factorylab.execution.cross_read import CANNOT, cross_read
from factorylab.execution.dead_letter_record import letter_of
from factorylab.execution.kafka_dead_letters import letters_of
from factorylab.execution.log_scan import WORKER, Spans, as_bytes, header_pairs, payload, read_log, read_topic
from factorylab.execution.measures_hash import MEASURES, main_measure, measures_hashes
from factorylab.execution.subject_output import Output, read_output
from factorylab.factory.processor.intake import POISON_STAGE
from factorylab.history.export import schema
from factorylab.history.journal import Journal
from factorylab.history.manifest import OutputRead
from factorylab.history.tables import AlertSeen, DeadLetterSeen, EpochSpan, FrozenEnd, Position, SystemEvent

ROWS_SCHEMA = schema("rows")
PLACE = ("seq", "partition", "offset")
CSV_TYPES = {
    "name": pa.string(),
    **{name: ROWS_SCHEMA.field(name).type for name in PLACE},
    "stamp_us": pa.int64(),
    **dict.fromkeys(MEASURES, pa.float64()),
}
MEASURES_OF_ROW = sql.SQL(", ").join(  # as a number: a copy writes a boolean as t or f
    sql.SQL("r.{0}::int AS {0}" if name == "running" else "r.{0}").format(sql.Identifier(name)) for name in MEASURES
)


@dataclass(frozen=True)
class FinalRead:
    """What is needed to read a run's end. `sensors` maps a name to its index; `in_kafka`: positions are the group's
    offsets there, not the store's rows; `output`: what a program under test kept is read there, not in the store.
    `record`: the template that the log's records were filled from, None for readings in JSON.
    `only_committed`: of alerts and dead letters only what readers of committed records see. `kafka_dead_letters`: Kafka
    wrote some, too."""

    admin: Admin
    database_url: str
    names: Names
    sensors: Mapping[str, int]
    history: Path
    journal: Journal
    in_kafka: bool = False
    output: Output | None = None
    record: str | None = None
    only_committed: bool = False
    kafka_dead_letters: bool = False

    def freeze(self, partitions: Iterable[int]) -> dict[int, FrozenEnd]:
        """Fix log start and high watermark of each partition of `sensor-data`."""
        wanted = list(partitions)
        starts = self.admin.ends(self.names.sensors, wanted, start=True)
        ends = self.admin.ends(self.names.sensors, wanted)
        frozen = {p: FrozenEnd(worker=WORKER, t_ns=now_ns(), partition=p, start=starts[p], end=ends[p]) for p in wanted}
        for row in frozen.values():
            self.journal.write(row)
        return frozen

    def drained(self, frozen: Mapping[int, FrozenEnd], timeout_s: float) -> bool:
        """Wait until the store's positions reach the frozen ends; False where they do not in time."""
        ends = {p: row.end for p, row in frozen.items()}
        try:
            wait_until(
                lambda: ends.items() <= self._reached(ends).items(),
                what="the store to reach the end of the log",
                timeout_s=timeout_s,
                every_s=0.2,
            )
        except WaitTimeout:
            return False
        return True

    def _reached(self, ends: Mapping[int, int]) -> dict[int, int]:
        """How far each partition is done, at most to its end here: a partition without a record needs no position."""
        reached = {partition: next_offset for partition, next_offset, _ in self._positions()}
        return {p: min(end, reached.get(p, 0)) for p, end in ends.items()}

    def _positions(self) -> list[tuple[int, ...]]:
        """(partition, next offset, owner's epoch) from where the next owner would go on; offsets in Kafka have none."""
        if self.in_kafka:
            committed = self.admin.committed(self.names.group, self.names.sensors)
            return [(partition, offset, 0) for partition, offset in sorted(committed.items())]
        query = sql.SQL("SELECT partition, next_offset, owner_epoch FROM {} WHERE topic = %s")
        return self._query(query, "positions", self.names.sensors)

    def _table(self, name: str) -> sql.Composable:
        return sql.Identifier(self.names.schema, name)

    def _connect(self) -> psycopg2.extensions.connection:
        return connect(self.database_url, connect_timeout=10)

    def read_log(self, frozen: Mapping[int, FrozenEnd]) -> int:
        """Read the whole log into `log.parquet`, where its leader epochs lie, and which alerts one pass over it gives;
        the number of records found."""
        spans = _spans(frozen)
        replay, out = AlertReplay(self._set_aside()), self.history / "log.parquet"

        def see(batch: list[Message]) -> None:
            for alert in replay.feed(batch) if self.record is None else ():  # rules are of the factory's readings
                self._alert_seen("replay", alert)

        epochs = read_log(
            self.admin.bootstrap, self.names.sensors, spans, self.sensors, out, see=see, record=self.record
        )
        for (partition, epoch), span in sorted(epochs.items()):
            self.journal.write(
                EpochSpan(
                    worker=WORKER,
                    t_ns=now_ns(),
                    partition=partition,
                    epoch=epoch,
                    first_offset=span.first,
                    last_offset=span.last,
                    count=span.count,
                )
            )
        return sum(span.count for span in epochs.values())

    def cross_read(self, frozen: Mapping[int, FrozenEnd]) -> str:
        """Read a sample of the log with another client; why it could not, or nothing."""
        try:
            for row in cross_read(self.admin.bootstrap, self.names.sensors, _spans(frozen)):
                self.journal.write(row)
        except CANNOT as error:
            return f"kafka-python could not read a sample of the log: {type(error).__name__}: {error}"
        return ""

    def _set_aside(self) -> set[tuple[int, int]]:
        """Places of the records that became dead letters because nobody could work on them."""
        letters = (letter_of(message) for batch in self._whole(self.names.dead_letters) for message in batch)
        return {letter.origin[1:] for letter in letters if letter and letter.stage == POISON_STAGE}

    def read_rows(self) -> tuple[OutputRead, str]:
        """Read the table `readings`, or what a program under test kept, into `rows.parquet`; what was found, and why
        it proves nothing, if it does not.

        Raises:
            EnvironmentUnfit: the program's output cannot be read.
        """
        if self.output is not None:
            return read_output(self.output, self.sensors, self.history / "rows.parquet")
        query = sql.SQL(
            "COPY (SELECT s.name AS name, r.seq AS seq, r.partition AS partition, r.record_offset AS offset,"
            " (extract(epoch FROM r.recorded_at) * 1000000)::bigint AS stamp_us, {}"
            " FROM {} r JOIN {} s ON s.id = r.sensor_id) TO STDOUT (FORMAT csv, HEADER)"
        ).format(MEASURES_OF_ROW, self._table("readings"), self._table("sensors"))
        found = 0
        with (
            tempfile.TemporaryFile(dir=self.history) as file,
            closing(self._connect()) as connection,
            connection.cursor() as cursor,
            pq.ParquetWriter(self.history / "rows.parquet", ROWS_SCHEMA, compression="zstd") as writer,
        ):
            cursor.copy_expert(query.as_string(cursor), file)
            file.seek(0)
            for batch in csv_batches(file):
                writer.write_table(rows_table(batch, self.sensors))
                found += batch.num_rows
        return OutputRead(rows=found), ""

    def read_sinks(self) -> None:
        """Journal the alerts of both sinks, the dead letters and the store's positions."""
        self._alerts_of_topic()
        self._alerts_of_table()
        self._dead_letters()
        for partition, next_offset, owner_epoch in self._positions():
            self.journal.write(
                Position(
                    worker=WORKER, t_ns=now_ns(), partition=partition, next_offset=next_offset, owner_epoch=owner_epoch
                )
            )

        self._events()

    def _events(self) -> None:
        """What processors noted, with the times of their own clock as the history has them."""
        now = stamp()
        query = sql.SQL("SELECT extract(epoch FROM at)::float8, worker, kind, detail::text FROM {} ORDER BY at")
        for at_s, process, event, detail in self._query(query, "system_events"):
            t_ns = now.mono_ns - now.wall_ns + round(float(at_s) * NS)
            row = SystemEvent(worker=WORKER, t_ns=t_ns, process=str(process), event=str(event), detail=str(detail))
            self.journal.write(row)

    def _query(self, query: sql.SQL, table: str, *arguments: str) -> list[tuple[int, ...]]:
        with closing(self._connect()) as connection, connection.cursor() as cursor:
            cursor.execute(query.format(self._table(table)), arguments)
            return cursor.fetchall()

    def _alerts_of_topic(self) -> None:
        for batch in self._whole(self.names.alerts):
            for message in batch:
                self._alert_seen("topic", messages.decode_alert(payload(message)))

    def _alert_seen(self, sink: Sink, alert: messages.Alert) -> None:
        self._alert(
            sink,
            alert_id=alert.alert_id,
            sensor_id=alert.sensor_id,
            seq=alert.seq,
            rule=alert.rule,
            severity=alert.severity,
        )

    def _alerts_of_table(self) -> None:
        query = sql.SQL(
            "SELECT a.alert_id, s.name, a.seq, a.rule, a.severity FROM {} a JOIN {} s ON s.id = a.sensor_id"
            " ORDER BY a.alert_id"
        ).format(self._table("alerts"), self._table("sensors"))
        with closing(self._connect()) as connection, connection.cursor() as cursor:
            cursor.execute(query)
            for alert_id, name, seq, rule, severity in cursor:
                self._alert("table", alert_id=alert_id, sensor_id=name, seq=seq, rule=rule, severity=severity)

    def _alert(self, sink: Sink, *, alert_id: str, sensor_id: str, seq: int, rule: str, severity: str) -> None:
        self.journal.write(
            AlertSeen(
                worker=WORKER,
                t_ns=now_ns(),
                sink=sink,
                alert_id=alert_id,
                sensor=self.sensors.get(sensor_id, -1),
                seq=seq,
                rule=rule,
                severity=severity,
            )
        )

    def _dead_letters(self) -> None:
        for batch in self._whole(self.names.dead_letters):
            for message in batch:
                self.journal.write(dead_letter(message))
        if self.kafka_dead_letters:
            for row in letters_of(self.admin, self.names.kafka_dead_letters, self.names.sensors):
                self.journal.write(row)

    def _whole(self, topic: str) -> Iterator[list[Message]]:
        committed = self.only_committed
        return read_topic(
            self.admin.bootstrap, topic, self.admin.spans(topic, committed=committed), committed=committed
        )


def _spans(frozen: Mapping[int, FrozenEnd]) -> Spans:
    return {partition: (row.start, row.end) for partition, row in frozen.items()}


def csv_batches(file: IO[bytes]) -> Iterator[pa.RecordBatch]:
    """The rows of a copy of `readings`. Their types are given: guessed from the first rows, a name of digits would be a
    number, and values without a fraction would allow none later. Only an empty field is nothing: NaN was stored."""
    return iter(
        pa_csv.open_csv(
            file,
            read_options=pa_csv.ReadOptions(block_size=1 << 22),
            convert_options=pa_csv.ConvertOptions(column_types=CSV_TYPES, null_values=[""]),
        )
    )


def rows_table(batch: pa.RecordBatch, sensors: Mapping[str, int]) -> pa.Table:
    """The rows of one piece of the copy."""
    names = batch.column("name").dictionary_encode()
    index = pa.array([sensors.get(name, -1) for name in names.dictionary.to_pylist()], pa.int32())
    there = np.column_stack([batch.column(name).is_valid().to_numpy(zero_copy_only=False) for name in MEASURES])
    values = np.column_stack([batch.column(name).to_numpy(zero_copy_only=False) for name in MEASURES])
    columns = [
        pa.DictionaryArray.from_arrays(pa.array([0] * batch.num_rows, pa.int32()), [WORKER]),
        pa.array([now_ns()] * batch.num_rows, pa.int64()),
        index.take(names.indices),
        *(batch.column(name) for name in PLACE),
        pa.array(main_measure(values), pa.float64(), from_pandas=False),
        pa.array(measures_hashes(batch.column("stamp_us").to_numpy(), values, there), pa.uint64()),
    ]
    return pa.Table.from_arrays([c.cast(f.type) for c, f in zip(columns, ROWS_SCHEMA, strict=True)], schema=ROWS_SCHEMA)


def dead_letter(message: Message) -> DeadLetterSeen:
    """The row of one dead letter; where it came from stands in its headers."""
    headers = {key: as_bytes(value) for key, value in header_pairs(message)}
    return DeadLetterSeen(
        worker=WORKER,
        t_ns=now_ns(),
        partition=int(headers["__connect.errors.partition"]),
        offset=int(headers["__connect.errors.offset"]),
        reason=headers["__connect.errors.exception.message"].decode(errors="replace"),
        payload_hash=messages.payload_hash(payload(message)),
    )
