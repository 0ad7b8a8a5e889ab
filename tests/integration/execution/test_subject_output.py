"""What a program under test kept, asked of a real PostgreSQL by a query of the user's."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterator
from contextlib import closing
from math import isnan
from pathlib import Path

import psycopg2
import pyarrow.parquet as pq
import pytest

from factorylab.core.clock import NS, now_ns
from factorylab.core.errors import EnvironmentUnfit, UsageError
from factorylab.core.names import Names
from factorylab.execution.subject import database_url as with_schema
from factorylab.execution.subject import schema_of
from factorylab.execution.subject_output import read_output
from factorylab.execution.subject_run import prepared_output
from factorylab.execution.subject_table import TableOutput
from factorylab.factory.store.schema import create_empty, drop_schema
from factorylab.history.manifest import OutputRead
from factorylab.scenarios.model import scenario_from
from factorylab.scenarios.subject import Subject

SENSORS = {"temperature-00000": 0, "vibration-00001": 1}
ROWS = "('temperature-00000', 5), ('vibration-00001', 7), ('temperature-00000', 5), ('another', 1), (NULL, NULL)"


@pytest.fixture
def url(database_url: str) -> Iterator[str]:
    """A database whose search path is a schema of the test's own, in which a program has kept a few rows."""
    name = f"of_{secrets.token_hex(4)}"
    create_empty(database_url, name)
    found = with_schema(database_url, name)
    with closing(psycopg2.connect(found)) as connection, connection, connection.cursor() as cursor:
        cursor.execute("CREATE TABLE readings (sensor_id text, seq bigint)")
        cursor.execute(f"INSERT INTO readings VALUES {ROWS}")  # noqa: S608 (a constant)
    yield found
    drop_schema(database_url, name)


def asked(url: str, query: str | None = None) -> TableOutput:
    return TableOutput(url, Subject(command=("mine",), query=query))


def read(output: TableOutput, folder: Path) -> tuple[OutputRead, str]:
    return read_output(output, SENSORS, folder / "rows.parquet")


def test_rows_are_found_in_the_programs_own_schema(url: str, tmp_path: Path) -> None:
    """Each row is there with the index of its sensor, −1 where the run has none of its name; of places and values
    nothing is said."""
    output = asked(url)
    output.check(there=True)
    assert (output.size(), read(output, tmp_path)) == (5, (OutputRead(rows=5), ""))
    found = pq.read_table(tmp_path / "rows.parquet").to_pydict()
    assert sorted(zip(found["sensor"], found["seq"], strict=True)) == [(-1, -1), (-1, 1), (0, 5), (0, 5), (1, 7)]
    assert {*found["partition"], *found["offset"]} == {-1} and all(isnan(value) for value in found["value"])


@pytest.mark.parametrize(
    "query",
    [
        "SELECT sensor_id, seq FROM readings WHERE sensor_id LIKE '%0' -- mine",
        "SELECT sensor_id, seq::text FROM readings WHERE sensor_id = 'temperature-00000';",
    ],
)
def test_a_query_is_asked_as_it_stands(url: str, query: str, tmp_path: Path) -> None:
    """A percent sign, a comment at the end, a semicolon and numbers as text are all right."""
    asked(url, query).check(there=True)
    assert read(asked(url, query), tmp_path) == (OutputRead(rows=2), "")


@pytest.mark.parametrize(
    ("query", "why"),
    [
        ("SELEC sensor_id", "the query 'SELEC sensor_id': syntax error"),
        ("SELECT seq FROM readings", r"gives 1 columns \(seq\): it should give 2, "),
        ("SELECT 'a', 1, 2", "gives 3 columns"),
        ("SELECT 1; DROP TABLE readings", "syntax error"),
        ("DELETE FROM readings RETURNING sensor_id, seq", "syntax error"),
    ],
)
def test_what_is_no_query_is_refused_at_once(url: str, query: str, why: str) -> None:
    """The query is named, with PostgreSQL's own sentence, before the program is begun."""
    with pytest.raises(UsageError, match=why):
        asked(url, query).check(there=False)


def test_a_table_may_come_later(url: str) -> None:
    """What is not there before the program has begun is no error yet; afterwards it is."""
    output = asked(url, "SELECT a, b FROM to_come")
    output.check(there=False)
    with pytest.raises(UsageError, match=r'relation "to_come" does not exist; the program has not made it'):
        output.check(there=True)


def test_a_seq_that_is_no_number_is_told(url: str, tmp_path: Path) -> None:
    """It is found out when it is read, and PostgreSQL's sentence says which."""
    with pytest.raises(EnvironmentUnfit, match='invalid input syntax for type bigint: "another"'):
        read(asked(url, "SELECT seq, sensor_id FROM readings WHERE seq = 1"), tmp_path)


@pytest.mark.parametrize(
    ("query", "why"),
    [
        ("SELECT sensor_id, seq FROM readings WHERE false", "gives no row, so none names a sensor of this run"),
        ("SELECT 'sensor 1', 4", "none of the 1 rows of the query .* names a sensor of this run"),
    ],
)
def test_what_names_no_reading_proves_nothing(url: str, query: str, why: str, tmp_path: Path) -> None:
    """Nobody knows then whether the query sees what the program keeps, so it is no loss of everything."""
    _, told = read(asked(url, query), tmp_path)
    assert re.search(why, told)


def test_times_are_put_on_the_clock_of_the_run(url: str, tmp_path: Path) -> None:
    """A third column says when a row was written; one that does not know it counts as written now."""
    query = (
        "SELECT 'temperature-00000', g, CASE g WHEN 1 THEN now() - interval '100 s' WHEN 2 THEN now() END"
        " FROM generate_series(1, 3) g"
    )
    before_ns = now_ns()
    output = TableOutput(url, Subject(command=("mine",), query=query, times=True))
    output.check(there=True)
    read(output, tmp_path)
    found = pq.read_table(tmp_path / "rows.parquet").to_pydict()
    ago_s = dict(zip(found["seq"], [round((t - before_ns) / NS) for t in found["t_ns"]], strict=True))
    assert ago_s == {1: -100, 2: 0, 3: 0}


def test_a_query_with_times_has_three_columns(url: str) -> None:
    """Two are too few then, and all three are named."""
    output = TableOutput(url, Subject(command=("mine",), query="SELECT 1, 2", times=True))
    with pytest.raises(UsageError, match="should give 3, the sensor's name, the reading's seq, when it was written"):
        output.check(there=False)


def test_a_file_is_where_the_program_is_told(url: str, tmp_path: Path) -> None:
    """Of each instance, with the run in its path; one that is there already is refused."""
    subject = {"command": ["mine"], "output": "file", "file": f"{tmp_path}/{{run}}-{{instance}}"}
    wanted, names = scenario_from({"name": "mine", "subject": subject}, "test"), Names.of("1f2e3d")
    workers = ["processor-0", "processor-1"]
    found = prepared_output(wanted, None, url, names, workers)  # type: ignore[arg-type]
    assert found and found.place == f"the file {tmp_path}/1f2e3d-0, {tmp_path}/1f2e3d-1"
    (tmp_path / "1f2e3d-1").write_text("old")
    with pytest.raises(UsageError, match="1f2e3d-1 is there already"):
        prepared_output(wanted, None, url, names, workers)  # type: ignore[arg-type]
    drop_schema(url, schema_of(names))
