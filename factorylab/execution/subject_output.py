"""What a program under test kept: the identities of records, as its table or its topic gives them at the end.

They go to `history/rows.parquet` as the rows of the factory's own store do. Where in the log a row came from and what
it measured is not known, so `partition` and `offset` are −1 and `value` is NaN. `t_ns` is when it was written where the
query says so, else when it was read.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import psycopg2
import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq
from psycopg2 import errors, sql

from factorylab.cluster.admin import Admin
from factorylab.core.clock import now_ns, stamp
from factorylab.core.errors import EnvironmentUnfit, UsageError
from factorylab.core.libpq import connect
from factorylab.execution.log_scan import WORKER, identify, payload, read_topic
from factorylab.history.export import schema
from factorylab.scenarios.subject import Subject

ROWS_SCHEMA = schema("rows")
IDENTITY = pa.schema([("sensor", pa.string()), ("seq", pa.int64()), ("at_us", pa.int64())])
IDENTITIES = (
    "COPY (SELECT coalesce(sensor::text, ''), coalesce(seq::bigint, -1), -1 FROM ({}\n) AS output (sensor, seq))"
    " TO STDOUT (FORMAT csv)"
)
TIMED = (
    "COPY (SELECT coalesce(sensor::text, ''), coalesce(seq::bigint, -1),"
    " coalesce((extract(epoch FROM at::timestamptz) * 1000000)::bigint, -1)"
    " FROM ({}\n) AS output (sensor, seq, at)) TO STDOUT (FORMAT csv)"
)
Identities = tuple[np.ndarray, np.ndarray, np.ndarray]
"""Index of the sensor, seq, and when (monotonic ns) it was written; of a row that does not say so, when it was read."""
TOO_LATE_S = 60  # for one answer of the query
NOT_THERE = (errors.UndefinedTable, errors.UndefinedColumn, errors.UndefinedFunction)
"""What a program that creates its table itself may still mend."""


@dataclass(frozen=True)
class SubjectOutput:
    """Where a program's output is read. `url` is the database's with the program's schema, `topic` its own topic."""

    admin: Admin
    url: str
    topic: str
    subject: Subject

    def check(self, *, there: bool) -> None:
        """Try the query. `there`: the program runs, so that what the query names must be there by now.

        Raises:
            UsageError: it is no query, or does not give two columns; what PostgreSQL says of it.
        """
        if self.subject.output != "table":
            return
        try:
            with self._asked("SELECT * FROM ({}\n) AS output LIMIT 0") as cursor:
                given = [column.name for column in cursor.description or ()]
        except NOT_THERE as error:
            if there:
                raise UsageError(f"{self._query}: {_said(error)}; the program has not made it, or not there") from None
            return
        except (errors.ProgrammingError, errors.DataError) as error:
            raise UsageError(f"{self._query}: {_said(error)}") from None
        wanted = ("the sensor's name", "the reading's seq", *(("when it was written",) if self.subject.times else ()))
        if len(given) != len(wanted):
            raise UsageError(
                f"{self._query} gives {len(given)} columns ({', '.join(given)}): it should give {len(wanted)}, "
                f"{', '.join(wanted)}"
            )

    def count(self) -> int:
        """How many rows or records there are now.

        Raises:
            EnvironmentUnfit: the query fails.
        """
        if self.subject.output == "topic":
            return sum(end - start for start, end in self.admin.spans(self.topic).values())
        with self._must_answer(), self._asked("SELECT count(*) FROM ({}\n) AS output") as cursor:
            (rows,) = cursor.fetchone() or (0,)
            return int(rows)

    def read(self, sensors: Mapping[str, int], out: Path) -> tuple[int, str]:
        """Write all of it into the Parquet file `out`; the number of rows, and why they prove nothing, if they do not:
        where no row names a sensor of the run, nobody knows whether the program's output was seen at all.

        Raises:
            EnvironmentUnfit: the query fails, or gives a seq that is no whole number.
        """
        batches = self._records(sensors) if self.subject.output == "topic" else self._rows(sensors)
        found = known = 0
        with pq.ParquetWriter(out, ROWS_SCHEMA, compression="zstd") as writer:
            for sensor, seq, t_ns in batches:
                writer.write_table(rows_table(sensor, seq, t_ns))
                found, known = found + len(sensor), known + int((sensor >= 0).sum())
        if known:
            return found, ""
        some = f"none of the {found:,} rows of {self._place}" if found else f"{self._place} gives no row, so none"
        return found, (
            f"{some} names a sensor of this run: nobody knows whether this is what the program keeps. It should give "
            "the sensor's name and the reading's seq, as the record has them in sensor_id and seq"
        )

    def _rows(self, sensors: Mapping[str, int]) -> Iterator[Identities]:
        with tempfile.TemporaryFile() as file:
            with self._must_answer(), self._asked() as cursor:
                columns = TIMED if self.subject.times else IDENTITIES
                cursor.copy_expert(self._around(columns).as_string(cursor), file)
            if not file.tell():
                return
            file.seek(0)
            options = pa_csv.ReadOptions(column_names=IDENTITY.names, block_size=1 << 22)
            types = pa_csv.ConvertOptions(column_types=IDENTITY, null_values=[])
            for batch in pa_csv.open_csv(file, read_options=options, convert_options=types):
                names = batch.column("sensor").dictionary_encode()
                index = np.array([sensors.get(name, -1) for name in names.dictionary.to_pylist()], np.int32)
                yield index[names.indices.to_numpy()], batch.column("seq").to_numpy(), moments(batch.column("at_us"))

    def _records(self, sensors: Mapping[str, int]) -> Iterator[Identities]:
        for batch in read_topic(self.admin.bootstrap, self.topic, self.admin.spans(self.topic)):
            pairs = np.array([identify(payload(message), sensors) for message in batch], np.int64)
            yield pairs[:, 0].astype(np.int32), pairs[:, 1], np.full(len(pairs), now_ns())

    @property
    def _place(self) -> str:
        return f"the topic {self.topic}" if self.subject.output == "topic" else self._query

    @property
    def _query(self) -> str:
        return f"the query {' '.join(self.subject.sql.split())!r}"

    def _around(self, statement: str) -> sql.Composable:
        """A statement with the query in its braces."""
        return sql.SQL(statement).format(sql.SQL(self.subject.sql))

    @contextmanager
    def _asked(self, statement: str = "") -> Iterator[psycopg2.extensions.cursor]:
        """A cursor that may only read, after this statement."""
        with closing(connect(self.url, connect_timeout=10)) as connection:
            connection.set_session(readonly=True)
            with connection.cursor() as cursor:
                cursor.execute("SET statement_timeout = %s", (TOO_LATE_S * 1000,))
                if statement:
                    cursor.execute(self._around(statement))
                yield cursor

    @contextmanager
    def _must_answer(self) -> Iterator[None]:
        try:
            yield
        except psycopg2.Error as error:
            raise EnvironmentUnfit(f"{self._query}: {_said(error)}") from None


def _said(error: psycopg2.Error) -> str:
    """The server's own sentence, without the place in our statement around the query."""
    return str(error.diag.message_primary or error).strip()


def moments(wall_us: pa.Array) -> np.ndarray:
    """Moments of the wall clock (µs) on the monotonic one (ns); the present for those that are not known (−1)."""
    now, told = stamp(), wall_us.to_numpy()
    return np.where(told < 0, now.mono_ns, told * 1000 + now.mono_ns - now.wall_ns)


def rows_table(sensor: np.ndarray, seq: np.ndarray, t_ns: np.ndarray) -> pa.Table:
    """Rows of the table `rows` that tell of an identity and nothing else."""
    count = len(sensor)
    columns = {
        "worker": pa.DictionaryArray.from_arrays(pa.array(np.zeros(count, np.int32)), [WORKER]),
        "t_ns": t_ns,
        "sensor": sensor,
        "seq": seq,
        "partition": np.full(count, -1),
        "offset": np.full(count, -1),
        "value": np.full(count, np.nan),
        "measures_hash": np.zeros(count, np.uint64),
    }
    arrays = [pa.array(columns[f.name]).cast(f.type) for f in ROWS_SCHEMA]
    return pa.Table.from_arrays(arrays, schema=ROWS_SCHEMA)
