"""Arrays by the million: worked through in chunks, and kept in files instead of memory where they are large.

Rules:
- A *chunk* is CHUNK entries. What is computed on the way is never larger than that.
- What is larger than IN_MEMORY lies in a file without a name in the temporary folder (TMPDIR). It is gone with the
  array, or with the process, however that ends.
- `array` maps its file into memory, and `chunks` lets go of what is mapped as it goes on: a process holds little more
  than HELD of such arrays. The kernel keeps the rest where it likes.
"""

from __future__ import annotations

import mmap
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any
from weakref import WeakSet, finalize

import numpy as np
from numpy.typing import DTypeLike, NDArray

from factorylab.core.errors import EnvironmentUnfit, NoRoom

CHUNK = 1 << 17
IN_MEMORY = 1 << 20  # bytes
HELD = 192 << 20  # bytes of files, of which some 70 MB are Python and its libraries
BLOCK = 1 << 16
"""Bytes that are written at once. The kernel may keep what is written at once as one large page, and maps the whole of
it when one entry is touched: with blocks of 1 MB a chunk that is spread over its arrays held 600 MB of them."""
Ints = NDArray[Any]
_mapped: WeakSet[mmap.mmap] = WeakSet()


def chunks(size: int) -> Iterator[slice]:
    """The parts of so many entries, one after the other."""
    for start in range(0, size, CHUNK):
        yield slice(start, min(start + CHUNK, size))
        done()


def done() -> None:
    """A chunk is done: let go of pages once there are too many. Each comes back when it is touched, which takes time:
    if all were let go of after each chunk it would be a quarter of the audit's."""
    if _mapped and _resident_bytes() > HELD:
        let_go()


def _resident_bytes() -> int:
    """What this process holds of files, those of its programs included."""
    return int(Path("/proc/self/statm").read_bytes().split()[2]) * mmap.PAGESIZE


def where(values: Ints, condition: Callable[[Ints], NDArray[np.bool_]]) -> Ints:
    """Ascending positions of the values that fulfil a condition."""
    found = [np.flatnonzero(condition(values[part])) + part.start for part in chunks(len(values))]
    return np.concatenate([np.empty(0, np.int64), *found])


def taken(values: Ints, positions: Ints) -> Ints:
    """Some entries of an array. Those of a chunk should lie near each other: all its pages are held at once."""
    found = np.empty(len(positions), values.dtype)
    for part in chunks(len(positions)):
        found[part] = values[positions[part]]
    return found


def let_go() -> None:
    """Hold no page of any array that lies in a file."""
    for one in list(_mapped):
        one.madvise(mmap.MADV_DONTNEED)


def room_for(size: int) -> None:
    """Raises EnvironmentUnfit where the temporary folder has no room for so many bytes."""
    folder = tempfile.gettempdir()
    free = shutil.disk_usage(folder).free
    if free < size:
        needed = f"the audit of this run needs {size / 1e9:.1f} GB there"
        raise EnvironmentUnfit(f"{free / 1e9:.1f} GB are free in {folder}, {needed}: {NoRoom.WAY_OUT}")


def array(count: int, dtype: DTypeLike, fill: int = 0) -> Ints:
    """So many entries of one value, in memory or in a file.

    Raises:
        NoRoom: the disk does not take them.
    """
    size = count * np.dtype(dtype).itemsize
    if size <= IN_MEMORY:
        return np.full(count, fill, dtype)
    with tempfile.TemporaryFile() as file:
        try:
            _write(file, count, np.full(BLOCK // np.dtype(dtype).itemsize, fill, dtype))
        except OSError as error:
            raise NoRoom from error
        made = mmap.mmap(file.fileno(), size)
    _mapped.add(made)
    return np.frombuffer(made, dtype)


def _write(file: IO[bytes], count: int, block: Ints) -> None:
    """So many entries, in blocks. They are written rather than mapped and filled, which takes several times as long;
    and a full disk shows here, not where a page is first touched."""
    for start in range(0, count, len(block)):
        file.write(block[: count - start].tobytes())
    file.flush()


def with_before(values: Ints) -> Iterator[Ints]:
    """The chunks of an array, each with the entry before its first: together they have all differences."""
    for part in chunks(len(values)):
        yield values[max(part.start - 1, 0) : part.stop]


class Numbers:
    """Numbers that are put down in their order and read in it: in memory while they are few, then in a file."""

    def __init__(self, dtype: DTypeLike) -> None:
        self._dtype = np.dtype(dtype)
        self._count = self._waiting_bytes = 0
        self._waiting: list[Ints] = []
        self._file: IO[bytes] | None = None

    def __len__(self) -> int:
        return self._count

    def add(self, values: Ints) -> None:
        """Put down some more. Raises NoRoom where the disk does not take them."""
        self._waiting.append(np.array(values, self._dtype))
        self._count += len(values)
        self._waiting_bytes += self._waiting[-1].nbytes
        if self._waiting_bytes > IN_MEMORY:
            self._write()

    def _write(self) -> None:
        if self._file is None:
            self._file = tempfile.TemporaryFile()  # noqa: SIM115 — closed, and so gone, with this object
            finalize(self, self._file.close)
        try:
            for values in self._waiting:
                self._file.write(values.tobytes())
            self._file.flush()
        except OSError as error:
            raise NoRoom from error
        self._waiting, self._waiting_bytes = [], 0

    @property
    def in_memory(self) -> bool:
        return self._file is None

    def parts(self) -> Iterator[Ints]:
        """All of them, by the chunk."""
        size, at = CHUNK * self._dtype.itemsize, 0
        while self._file and (read := os.pread(self._file.fileno(), size, at)):
            yield np.frombuffer(read, self._dtype)
            at += len(read)
        yield from self._waiting

    def ascending(self) -> Ints:
        """All of them, sorted, as an array. Those that are nearly in order are sorted by pairs of chunks."""
        made, at = array(self._count, self._dtype), 0
        for values in self.parts():
            made[at : at + len(values)] = values
            at += len(values)
            done()
        for part in chunks(self._count):
            made[part.start : part.stop + CHUNK].sort()
        if any((np.diff(part) < 0).any() for part in with_before(made)):
            made.sort()
        return made

    def whole(self) -> Ints:
        """All of them at once."""
        return np.concatenate([np.empty(0, self._dtype), *self.parts()])
