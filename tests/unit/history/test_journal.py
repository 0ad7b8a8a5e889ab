"""Journals and their way to Parquet: how answers find their sends, what is reported."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from numpy.typing import NDArray

from factorylab.core.errors import JournalFull
from factorylab.history import journal, tables
from factorylab.history.export import export_journals
from factorylab.history.journal import ACK, CHUNK_ROWS, REFUSED, SEND, AckJournal, BinaryJournal, Journal, read_rows
from tests.support.journals import folder, table

__all__ = ["folder"]  # fixtures


def sends(*hashes: int) -> NDArray[np.void]:
    """One send a hash; times and seqs count from 1."""
    rows = np.zeros(len(hashes), SEND)
    rows["hash"], rows["t_ns"], rows["t_intended_ns"] = hashes, range(1, len(hashes) + 1), 5
    rows["seq"] = rows["t_ns"]
    return rows


def fleet(folder: Path, offered: NDArray[np.void], answers: list[tuple[int, int, int, int]]) -> None:
    """The journals of a fleet that ended well; answers are (hash, offset, partition, error)."""
    Journal(folder, "fleet-0", "fleet").close()
    binary = BinaryJournal(journal.sends_path(folder, "fleet-0"), SEND)
    binary.extend(offered)
    binary.close()
    acks = AckJournal(journal.acks_path(folder, "fleet-0"))
    for answer in answers:
        acks.add(*answer)
    acks.close()


def test_outcomes_are_those_of_the_row_type() -> None:
    """The table of outcomes has the words of the history's row type."""
    from factorylab.history.export import OUTCOMES

    assert set(OUTCOMES) == set(tables.Outcome.__args__)  # type: ignore[attr-defined]


def test_each_answer_finds_its_send_and_decides_the_outcome(folder: Path) -> None:
    """Confirmed, confirmed without offset, timed out, queue full, too large and unanswered give ok, ok, unknown,
    shed, fail and unknown; what its fleet never offered is that, and has no payload to find an answer by."""
    answers = [(50, -1, REFUSED, 10), (40, -1, REFUSED, -184), (30, -1, 0, -192), (10, 7, 2, 0), (20, -1, 1, 0)]
    offered = sends(10, 20, 30, 40, 50, 60, 0, 0)
    offered["not_offered"][-2:] = 1
    fleet(folder, offered, answers)
    assert export_journals(folder, folder.parent / "history") == []
    rows = table(folder, "sends")
    assert [row["outcome"] for row in rows] == ["ok", "ok", "unknown", "shed", "fail", "unknown", *["not_offered"] * 2]
    assert [row["offset"] for row in rows] == [7, *[None] * 7]
    assert [row["partition"] for row in rows] == [2, 1, *[None] * 6]
    assert [row["error"] for row in rows] == [
        None,
        None,
        "_MSG_TIMED_OUT",
        "_QUEUE_FULL",
        "MSG_SIZE_TOO_LARGE",
        *[None] * 3,
    ]
    assert [row["t_ack_ns"] is None for row in rows] == [False, False, *[True] * 6]
    assert [row["payload_hash"] for row in rows] == [10, 20, 30, 40, 50, 60, 0, 0]


def test_every_table_has_a_file_with_its_columns(folder: Path) -> None:
    """All tables are written, empty ones too, except those that only the final read can write."""
    fleet(folder, sends(1), [])
    export_journals(folder, folder.parent / "history")
    there = {path.stem for path in (folder.parent / "history").glob("*.parquet")}
    assert there == set(tables.TABLES) - {"log", "rows"}
    for name in there:
        names = pq.read_schema(folder.parent / "history" / f"{name}.parquet").names
        assert names == list(tables.TABLES[name].__struct_fields__)


def test_rows_of_all_types_survive(folder: Path) -> None:
    """Rows of the history come back from Parquet as they were written."""
    group = tables.Group(worker="p", t_ns=1, event="lost", partitions=[0, 2], rebalance_no=3)
    read = tables.Read(
        worker="p", t_ns=2, partition=1, first_offset=5, last_offset=9, count=5, hash_sum=2**64 - 1, rebalance_no=3
    )
    with Journal(folder, "p", "processor") as rows:
        rows.write(group)
        rows.write(read)
    assert export_journals(folder, folder.parent / "history") == []
    assert table(folder, "group") == [
        {"worker": "p", "t_ns": 1, "event": "lost", "partitions": [0, 2], "rebalance_no": 3}
    ]
    assert table(folder, "reads")[0]["hash_sum"] == 2**64 - 1


def test_files_of_the_final_read_are_left_alone(folder: Path) -> None:
    """A Parquet file that is there already is not written again."""
    fleet(folder, sends(1), [])
    mine = folder.parent / "history" / "log.parquet"
    mine.write_bytes(b"as it was")
    export_journals(folder, folder.parent / "history")
    assert mine.read_bytes() == b"as it was"


def test_a_torn_last_line_is_legal_and_a_torn_middle_is_not(folder: Path) -> None:
    """A line cut by a SIGKILL at the end, or before a restart, is passed over; anywhere else it is reported."""
    path = folder / "p.jsonl"
    Journal(folder, "p", "processor").close()
    with path.open("ab") as stream:
        stream.write(b'{"table":"group","wor')
    Journal(folder, "p", "processor").close()
    with path.open("ab") as stream:
        stream.write(b'{"table":"gro')
    assert len(journal.read_journal(folder, "p")) == 2
    assert export_journals(folder, folder.parent / "history") == []
    with path.open("ab") as stream:
        stream.write(b'up"\n{"table":"phases","worker":"p","t_ns":1,"phase":"end"}\n')
    assert export_journals(folder, folder.parent / "history") != []


def _cut_sends(folder: Path) -> None:
    path = journal.sends_path(folder, "fleet-0")
    os.truncate(path, path.stat().st_size - SEND.itemsize)


def _cut_half_a_row(folder: Path) -> None:
    path = journal.acks_path(folder, "fleet-0")
    os.truncate(path, path.stat().st_size - 3)


DAMAGE = {
    "sends lost": _cut_sends,
    "half a row": _cut_half_a_row,
    "no sends": lambda folder: journal.sends_path(folder, "fleet-0").unlink(),
    "no acks": lambda folder: journal.acks_path(folder, "fleet-0").unlink(),
    "no rows": lambda folder: journal.journal_path(folder, "fleet-0").unlink(),
    "empty rows": lambda folder: os.truncate(journal.journal_path(folder, "fleet-0"), 0),
    "two answers": lambda folder: journal.acks_path(folder, "fleet-0").write_bytes(
        journal.acks_path(folder, "fleet-0").read_bytes() * 2
    ),
    "two equal sends": lambda folder: journal.sends_path(folder, "fleet-0").write_bytes(
        journal.sends_path(folder, "fleet-0").read_bytes() * 2
    ),
}


@pytest.mark.parametrize("what", DAMAGE)
def test_damage_is_reported(folder: Path, what: str) -> None:
    """A journal that was cut, lost or does not fit together gives a problem that names the worker."""
    fleet(folder, sends(1, 2, 3), [(1, 0, 0, 0), (3, 1, 0, 0)])
    Journal(folder, "runner", "runner").close()
    assert export_journals(folder, folder.parent / "history") == []
    DAMAGE[what](folder)
    for path in (folder.parent / "history").glob("*.parquet"):
        path.unlink()
    problems = export_journals(folder, folder.parent / "history")
    assert problems
    assert "fleet-0" in problems[0]


def test_rows_of_another_boot_are_refused(folder: Path) -> None:
    """Times of different boots are never joined: the worker is left out and reported."""
    Journal(folder, "runner", "runner").close()
    with Journal(folder, "p", "processor") as rows:
        rows.write(tables.Group(worker="p", t_ns=1, event="lost", partitions=[0], rebalance_no=1))
    path = folder / "p.jsonl"
    ours = journal.read_journal(folder, "runner")[0]
    assert isinstance(ours, tables.Worker)
    path.write_text(path.read_text().replace(ours.boot_id, "another"))
    assert any("another boot" in problem for problem in export_journals(folder, folder.parent / "history"))
    assert table(folder, "group") == []


def test_binary_rows_cross_chunks_and_go_on_after_a_restart(tmp_path: Path) -> None:
    """Rows that do not fit into a chunk go into the next; a file that is opened again keeps what it had."""
    path = tmp_path / "x.bin"
    many = sends(*range(1, CHUNK_ROWS + 11))
    first = BinaryJournal(path, SEND)
    first.extend(many[: CHUNK_ROWS - 5])
    first.extend(many[CHUNK_ROWS - 5 :])
    assert first.count == len(many)
    first.close()
    assert path.stat().st_size == len(many) * SEND.itemsize
    again = BinaryJournal(path, SEND)
    again.extend(sends(99))
    again.close()
    assert np.array_equal(read_rows(path, SEND)["hash"], np.append(many["hash"], np.uint64(99)))


def test_a_full_disk_is_an_error_and_no_crash(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """When the disk cannot take the next chunk, the journal says which file and why."""

    def full(_fd: int, _offset: int, _size: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", full)
    with pytest.raises(JournalFull, match="No space left on device"):
        BinaryJournal(tmp_path / "x.bin", ACK)
