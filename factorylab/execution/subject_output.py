"""What a program under test kept: the identities of records, as its table, topic or files give them at the end.

They go to `history/rows.parquet` as the rows of the factory's own store do.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Protocol

import pandas as pd
import pyarrow.parquet as pq

from factorylab.execution.subject_rows import ROWS_SCHEMA, Identities, rows_table
from factorylab.history.manifest import OutputRead


class Output(Protocol):
    """One kind of output."""

    @property
    def place(self) -> str:
        """What it is called in a sentence."""

    @property
    def form(self) -> str:
        """What one row of it should give."""

    def check(self, *, there: bool) -> None:
        """Refuse what cannot be an output; `there`: the program runs. Raises UsageError."""

    def size(self) -> int:
        """How much it is now; what does not grow stands still."""

    def batches(self, sensors: Mapping[str, int]) -> Iterator[Identities]:
        """All of it, each source in its order."""


def read_output(output: Output, sensors: Mapping[str, int], out: Path) -> tuple[OutputRead, str]:
    """Write all of an output into the Parquet file `out`; what was found, and why it proves nothing, if it does not:
    where nothing names a sensor of the run, nobody knows whether the program's output was seen at all.

    Raises:
        EnvironmentUnfit: it cannot be read.
    """
    rows = known = unread = 0
    written = []
    with pq.ParquetWriter(out, ROWS_SCHEMA, compression="zstd") as writer:
        for found in output.batches(sensors):
            writer.write_table(rows_table(found))
            rows, known = rows + len(found.sensor), known + int((found.sensor >= 0).sum())
            unread += found.unread
            if found.source is not None:
                written.append(pd.DataFrame({"source": found.source, "sensor": found.sensor, "seq": found.seq}))
    told = OutputRead(rows=rows, unread=unread, out_of_order=out_of_order(pd.concat(written)) if written else None)
    if known:
        return told, ""
    count = rows + unread
    some = f"none of the {count:,} rows of {output.place}" if count else f"{output.place} gives no row, so none"
    return told, (
        f"{some} names a sensor of this run: nobody knows whether this is what the program keeps. It should give "
        f"{output.form}"
    )


def out_of_order(written: pd.DataFrame) -> int:
    """How many readings were written after a later one of their sensor in the same source. First copies only: what is
    written again after a restart is a double, and no other order."""
    mine = written[written["sensor"] >= 0].drop_duplicates()
    latest = mine.groupby(["source", "sensor"])["seq"].cummax()
    return int((mine["seq"] < latest).sum())
