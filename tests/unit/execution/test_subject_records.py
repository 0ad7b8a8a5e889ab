"""What a program under test wrote, one record after the other: lines of files, records of a topic."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from factorylab.core.clock import NS, now_ns
from factorylab.core.errors import UsageError
from factorylab.core.names import Names
from factorylab.execution.subject import check_files, files_of
from factorylab.execution.subject_output import out_of_order, read_output
from factorylab.execution.subject_records import FileOutput, finder
from factorylab.history.manifest import OutputRead
from factorylab.scenarios.subject import Subject

SENSORS = {"temperature-00000": 0, "vibration-00001": 1}
LINES = b"""sensor,seq
temperature-00000,5
vibration-00001,7

temperature-00000,5
temperature-00009,1
temperature-00000,4
temperature-00000,6"""


def output(path: Path, *more: Path, **asked: object) -> FileOutput:
    return FileOutput((path, *more), Subject(command=("mine",), output="file", file=str(path), **asked))  # type: ignore[arg-type]


def test_lines_are_read_as_rows(tmp_path: Path) -> None:
    """Each line that names a reading is a row, with −1 for a sensor of nobody; a headline and a last line without its
    newline are counted, an empty line is not; what stands behind a later one of its sensor is out of order."""
    path = tmp_path / "out.csv"
    path.write_bytes(LINES)
    mine = output(path, tmp_path / "never_made", identity="{sensor},{seq}")
    assert mine.size() == len(LINES)
    assert read_output(mine, SENSORS, tmp_path / "rows.parquet") == (OutputRead(rows=5, unread=2, out_of_order=1), "")
    found = pq.read_table(tmp_path / "rows.parquet").to_pydict()
    assert [*zip(found["sensor"], found["seq"], strict=True)] == [(0, 5), (1, 7), (0, 5), (-1, 1), (0, 4)]


def test_without_a_word_lines_are_json(tmp_path: Path) -> None:
    """The keys are those of the record that the program got; `at` is when it wrote the line, where times are asked."""
    path = tmp_path / "out.jsonl"
    path.write_text('{"at": 1000000000000, "sensor_id": "vibration-00001", "seq": 7, "more": [1]}\n{"seq": 8}\n')
    read_output(output(path, times=True), SENSORS, tmp_path / "rows.parquet")
    (row,) = pq.read_table(tmp_path / "rows.parquet").to_pylist()
    assert (row["sensor"], row["seq"]) == (1, 7) and row["t_ns"] < now_ns() - 20 * 365 * 86400 * NS


def test_as_the_record_has_it() -> None:
    """Where the record is the user's, so is what it looks like in the output, unless another form is named."""
    record = "{sensor}|{seq}|{value}"
    assert finder(Subject(command=("mine",), output="topic", record=record).looked_for)(b"vibration-00001|7|1.5")
    other = Subject(command=("mine",), output="topic", record=record, identity="{seq} of {sensor}")
    assert finder(other.looked_for)(b"vibration-00001|7|1.5") is None


def test_a_file_that_names_nothing_proves_nothing(tmp_path: Path) -> None:
    """Nobody knows then whether the lines are what the program keeps, so it is no loss of everything."""
    path = tmp_path / "out"
    path.write_text("hello\n")
    told, why = read_output(output(path), SENSORS, tmp_path / "rows.parquet")
    assert told == OutputRead(rows=0, unread=1, out_of_order=0) and "none of the 1 rows of the file" in why
    assert why.endswith("It should give JSON with the keys sensor_id and seq; identity names another form")


def test_a_file_is_there_once_the_program_runs(tmp_path: Path) -> None:
    """Before that it may come."""
    output(tmp_path / "out").check(there=False)
    with pytest.raises(UsageError, match=r"the program has not made its output .*out \(OUTPUT_FILE\)"):
        output(tmp_path / "out").check(there=True)


def test_each_instance_has_its_file(tmp_path: Path) -> None:
    """The path has the number of the instance and the run."""
    subject = Subject(command=("mine",), output="file", file=f"{tmp_path}/{{run}}/{{instance}}.csv")
    found = files_of(subject, Names.of("1f2e3d"), ["processor-0", "processor-1"])
    assert found == {f"processor-{i}": tmp_path / f"1f2e3d/{i}.csv" for i in range(2)}


def test_what_is_there_already_is_not_judged(tmp_path: Path) -> None:
    """A file with lines of another run is refused by its name; an empty one, or one that is to come, is all right."""
    old, empty = tmp_path / "old", tmp_path / "empty"
    old.write_text("1\n")
    empty.touch()
    check_files([empty, tmp_path / "new"])
    with pytest.raises(UsageError, match=r"old is there already, .* move it away, or write \{run\} into its path"):
        check_files([old])


def test_order_is_of_first_copies_within_one_source() -> None:
    """What comes again after a restart is a double; another partition, or another sensor, has an order of its own."""
    rows = [(0, 1, 5), (0, 1, 6), (0, 1, 5), (1, 1, 4), (0, 2, 1), (0, 1, 4), (0, -1, 9), (0, -1, 8)]
    frame = pd.DataFrame(np.array(rows), columns=["source", "sensor", "seq"])
    assert out_of_order(frame) == 1
