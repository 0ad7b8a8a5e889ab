"""Identities of records as rows of the history: what is known of a program's output, whatever kind it is.

Where in the log a row came from and what it measured is not known, so `partition` and `offset` are −1 and `value` is
NaN. `t_ns` is when it was written where the output says so, else when it was read.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pyarrow as pa

from factorylab.core.clock import stamp
from factorylab.execution.log_scan import WORKER
from factorylab.history.export import schema

ROWS_SCHEMA = schema("rows")


class Identities(NamedTuple):
    """A piece of an output, in the order in which it was written within its `source`: a partition, or a file.

    `sensor` is its index, −1 for a name that is none of the run's; `t_ns` is monotonic. `unread` counts lines beside
    these that name no reading at all.
    """

    sensor: np.ndarray
    seq: np.ndarray
    t_ns: np.ndarray
    source: np.ndarray | None = None
    unread: int = 0


def moments(wall_us: np.ndarray) -> np.ndarray:
    """Moments of the wall clock (µs) on the monotonic one (ns); the present for those that are not known (−1)."""
    now = stamp()
    return np.where(wall_us < 0, now.mono_ns, wall_us * 1000 + now.mono_ns - now.wall_ns)


def rows_table(found: Identities) -> pa.Table:
    """Rows of the table `rows` that tell of an identity and nothing else."""
    count = len(found.sensor)
    columns = {
        "worker": pa.DictionaryArray.from_arrays(pa.array(np.zeros(count, np.int32)), [WORKER]),
        "t_ns": found.t_ns,
        "sensor": found.sensor,
        "seq": found.seq,
        "partition": np.full(count, -1),
        "offset": np.full(count, -1),
        "value": np.full(count, np.nan),
        "measures_hash": np.zeros(count, np.uint64),
    }
    arrays = [pa.array(columns[f.name]).cast(f.type) for f in ROWS_SCHEMA]
    return pa.Table.from_arrays(arrays, schema=ROWS_SCHEMA)
