"""The output of a program under test that is a table: a query of the user's gives the identity of each row."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass

import numpy as np
import psycopg2
import pyarrow as pa
import pyarrow.csv as pa_csv
from psycopg2 import errors, sql

from factorylab.core.errors import EnvironmentUnfit, UsageError
from factorylab.core.libpq import connect
from factorylab.execution.subject_rows import Identities, moments
from factorylab.scenarios.subject import Subject

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
TOO_LATE_S = 60  # for one answer of the query
NOT_THERE = (errors.UndefinedTable, errors.UndefinedColumn, errors.UndefinedFunction)
"""What a program that creates its table itself may still mend."""


@dataclass(frozen=True)
class TableOutput:
    """`url` is the database's with the program's schema. A table has no order."""

    url: str
    subject: Subject

    @property
    def place(self) -> str:
        return f"the query {' '.join(self.subject.sql.split())!r}"

    @property
    def form(self) -> str:
        return "the sensor's name and the reading's seq, as the record has them"

    def check(self, *, there: bool) -> None:
        """Try the query. `there`: the program runs, so that what the query names must be there by now.

        Raises:
            UsageError: it is no query, or does not give two columns; what PostgreSQL says of it.
        """
        try:
            with self._asked("SELECT * FROM ({}\n) AS output LIMIT 0") as cursor:
                given = [column.name for column in cursor.description or ()]
        except NOT_THERE as error:
            if there:
                raise UsageError(f"{self.place}: {_said(error)}; the program has not made it, or not there") from None
            return
        except (errors.ProgrammingError, errors.DataError) as error:
            raise UsageError(f"{self.place}: {_said(error)}") from None
        wanted = ("the sensor's name", "the reading's seq", *(("when it was written",) if self.subject.times else ()))
        if len(given) != len(wanted):
            raise UsageError(
                f"{self.place} gives {len(given)} columns ({', '.join(given)}): it should give {len(wanted)}, "
                f"{', '.join(wanted)}"
            )

    def size(self) -> int:
        """How many rows there are now.

        Raises:
            EnvironmentUnfit: the query fails.
        """
        with self._must_answer(), self._asked("SELECT count(*) FROM ({}\n) AS output") as cursor:
            (rows,) = cursor.fetchone() or (0,)
            return int(rows)

    def batches(self, sensors: Mapping[str, int]) -> Iterator[Identities]:
        """All rows.

        Raises:
            EnvironmentUnfit: the query fails, or gives a seq that is no whole number.
        """
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
                t_ns = moments(batch.column("at_us").to_numpy())
                yield Identities(index[names.indices.to_numpy()], batch.column("seq").to_numpy(), t_ns)

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
            raise EnvironmentUnfit(f"{self.place}: {_said(error)}") from None


def _said(error: psycopg2.Error) -> str:
    """The server's own sentence, without the place in our statement around the query."""
    return str(error.diag.message_primary or error).strip()
