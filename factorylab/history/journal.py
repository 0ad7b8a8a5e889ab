"""Journals: what a worker writes down while it runs, so that a SIGKILL loses only what had not happened yet.

Three files a worker, all append-only:

    <worker>.jsonl      history rows, one JSON object a line; the first is history.Worker (again after a restart)
    <worker>.sends.bin  a fixed-width row (SEND) for each reading that was due, written before it is offered to the
                        producer, or when its fleet stops without having offered it (`not_offered`; it has no hash)
    <worker>.acks.bin   a fixed-width row (ACK) for each answer: a delivery report, or a refusal by the producer

The binary files are memory-mapped: a finished store into the mapping survives the death of the process. An
answer belongs to the send with the same payload hash, which is unique in a run. Unused space is zero: a row without
`t_ns`, or without both `hash` and `not_offered`, is empty. Every byte of a chunk is allocated before it is mapped, so a
full disk is an error when the file grows and never a fault in the middle of a store.
"""

from __future__ import annotations

import mmap
import os
import struct
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Union

import msgspec
import numpy as np
from numpy.typing import NDArray

from factorylab.core.clock import now_ns, stamp
from factorylab.core.errors import JournalFull
from factorylab.history.tables import ROW_TYPES, Row, Worker

SEND = np.dtype(
    [("t_ns", "<i8"), ("t_intended_ns", "<i8"), ("hash", "<u8"), ("seq", "<i8"), ("sensor", "<i4"),
     ("not_offered", "<i4")]
)  # fmt: skip
ACK = np.dtype([("hash", "<u8"), ("offset", "<i8"), ("partition", "<i4"), ("error", "<i4"), ("t_ns", "<i8")])
ACK_STRUCT = struct.Struct("<QqiiQ")  # t_ns last: fields are stored in order, so a row with a time is whole
ACK_BYTES, pack_ack = ACK_STRUCT.size, ACK_STRUCT.pack_into
REFUSED = -2  # partition of an answer that produce() gave on the spot
PIECE_ROWS = 1_000_000
CHUNK_ROWS = 1 << 18  # a multiple of every page size, whatever the row's width


_decode_row = msgspec.json.Decoder(Union[ROW_TYPES]).decode  # noqa: UP007


class Journal:
    """History rows of one worker; one system call a row, nothing is held back."""

    def __init__(self, folder: Path, worker: str, role: str) -> None:
        self.worker = worker
        path = journal_path(folder, worker)
        self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
        size = os.fstat(self._fd).st_size
        if size and os.pread(self._fd, 1, size - 1) != b"\n":
            os.write(self._fd, b"\n")  # the line that a killed predecessor tore
        at = stamp()
        self.write(
            Worker(worker=worker, t_ns=at.mono_ns, pid=os.getpid(), role=role, boot_id=at.boot_id, wall_ns=at.wall_ns)
        )

    def write(self, row: Row) -> None:
        """Append one row.

        Raises:
            JournalFull: the disk did not take all of it.
        """
        self.write_all([row])

    def write_all(self, rows: Iterable[Row]) -> None:
        """Append some rows with one system call.

        Raises:
            JournalFull: the disk did not take all of them.
        """
        line = b"".join(msgspec.json.encode(row) + b"\n" for row in rows)
        try:
            taken = os.write(self._fd, line)
        except OSError as error:
            raise JournalFull(f"journal of {self.worker}: {error.strerror}") from error
        if taken != len(line):
            raise JournalFull(
                f"journal of {self.worker}: only {taken} of {len(line)} bytes of a row fitted on the disk"
            )

    def close(self) -> None:
        os.close(self._fd)

    def __enter__(self) -> Journal:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class BinaryJournal:
    """Fixed-width rows appended to a memory-mapped file that grows by chunks. `last` is a predecessor's last row."""

    def __init__(self, path: Path, dtype: np.dtype[np.void]) -> None:
        self._path, self._dtype, self._width = path, dtype, dtype.itemsize
        kept = read_rows(path, dtype) if path.exists() else np.empty(0, dtype)  # rows of a predecessor
        count, self.last = len(kept), kept[-1:].copy()
        self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        self._map_chunk(count // CHUNK_ROWS)
        self._at = count % CHUNK_ROWS * self._width  # in bytes, within the chunk
        self._end = CHUNK_ROWS * self._width

    def _map_chunk(self, number: int) -> None:
        size = CHUNK_ROWS * self._width
        try:
            os.posix_fallocate(self._fd, number * size, size)
        except OSError as error:
            raise JournalFull(f"{self._path} cannot grow by {size} bytes: {error.strerror}") from error
        self._map = mmap.mmap(self._fd, size, offset=number * size)
        self._chunk, self._at = number, 0

    @property
    def count(self) -> int:
        """Rows so far."""
        return self._chunk * CHUNK_ROWS + self._at // self._width

    def extend(self, block: NDArray[np.void]) -> None:
        """Append a block of rows.

        Raises:
            JournalFull: the disk cannot take the next chunk.
        """
        data = memoryview(block.tobytes())
        while data:
            part = data[: self._end - self._at]
            self._map[self._at : self._at + len(part)] = part
            self._at += len(part)
            if self._at == self._end:
                self._map_chunk(self._chunk + 1)
            data = data[len(part) :]

    def close(self) -> None:
        """Give the unused space back. A killed worker leaves it behind: it reads as empty rows."""
        self._map.close()
        os.ftruncate(self._fd, self.count * self._width)
        os.close(self._fd)


class AckJournal(BinaryJournal):
    """Answers of the producer, one by one."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, ACK)

    def add(self, payload_hash: int, offset: int, partition: int, error: int) -> None:
        """Append one answer; `error` is librdkafka's code, 0 for an acknowledged record.

        Raises:
            JournalFull: the disk cannot take the next chunk.
        """
        pack_ack(self._map, self._at, payload_hash, offset, partition, error, now_ns())
        self._at += ACK_BYTES
        if self._at == self._end:
            self._map_chunk(self._chunk + 1)


def journal_path(folder: Path, worker: str) -> Path:
    return folder / f"{worker}.jsonl"


def sends_path(folder: Path, worker: str) -> Path:
    return folder / f"{worker}.sends.bin"


def acks_path(folder: Path, worker: str) -> Path:
    return folder / f"{worker}.acks.bin"


def read_journal(folder: Path, worker: str) -> list[Row]:
    """The history rows of one worker. A line torn by a SIGKILL (the last of a file or before a restart) is left out.

    Raises:
        ValueError: another line is not a row of the history.
    """
    path = journal_path(folder, worker)
    rows: list[Row] = []
    torn = 0
    for number, line in enumerate(path.read_bytes().split(b"\n"), 1):
        try:
            row = _decode_row(line) if line else None
        except msgspec.DecodeError:
            if torn:
                raise ValueError(f"{path.name}, line {torn} is not a row of the history") from None
            torn = number
            continue
        if row is not None:
            if torn and not isinstance(row, Worker):
                raise ValueError(f"{path.name}, line {torn} is not a row of the history")
            torn = 0
            rows.append(row)
    return rows


def read_rows(path: Path, dtype: np.dtype[np.void]) -> NDArray[np.void]:
    """All rows of a binary journal, without the empty ones.

    Raises:
        ValueError: the file does not hold a whole number of rows.
    """
    return np.concatenate([np.empty(0, dtype), *read_pieces(path, dtype)])


def read_pieces(path: Path, dtype: np.dtype[np.void]) -> Iterator[NDArray[np.void]]:
    """The same, a million rows at a time: a long run's journals need not fit into memory.

    Raises:
        ValueError: the file does not hold a whole number of rows.
    """
    size = path.stat().st_size
    if size % dtype.itemsize:
        raise ValueError(f"{path.name} has {size} bytes, which is not a multiple of {dtype.itemsize}")
    for start in range(0, size, PIECE_ROWS * dtype.itemsize):
        rows = np.fromfile(path, dtype, PIECE_ROWS, offset=start)
        there = rows["hash"] != 0
        if "not_offered" in (dtype.names or ()):
            there |= rows["not_offered"] != 0
        there &= rows["t_ns"] != 0
        yield rows if there.all() else rows[there]
