"""The records of a test as a run's history, so that the audit's checks judge them.

In the history's words the key of a record is its sensor, and its number among the records of that key its seq. What a
consumer put out is what is stored.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from factorylab.core.errors import UsageError
from factorylab.execution.log_scan import Spans, as_bytes
from factorylab.history.manifest import Manifest
from factorylab.history.provenance import Host
from factorylab.history.run_folders import RunFolder
from factorylab.history.run_tables import FrameTables
from factorylab.history.saved_run import Run
from factorylab.scenarios.model import Scenario, scenario_from
from factorylab.testing.recorder import NOWHERE, Deliveries, Sent

NAME = "test"
NO_KEY = "no key"
NOBODY = (-1, -1)  # a record that nobody told us of
Identify = Callable[[bytes, bytes], Hashable]


class LogRecord(NamedTuple):
    """A record as it lies in the log."""

    partition: int
    offset: int
    identity: Hashable


class TestRun(Run):
    """A history without a folder: the records of one test."""

    __test__ = False  # pytest collects classes of such a name

    def __init__(self, acks: str, frames: Mapping[str, pd.DataFrame]) -> None:
        super().__init__(RunFolder(Path(NAME)), FrameTables(frames))
        self._acks = acks

    @cached_property
    def scenario(self) -> Scenario:
        return scenario_from({"name": NAME}, NAME)

    @cached_property
    def manifest(self) -> Manifest:
        nowhere = Host(cores=0, memory_bytes=0, system="")
        return Manifest(run_id=NAME, scenario=NAME, backend="", started_wall_ns=0, boot_id="", host=nowhere, seed=0,
                        producer={"acks": self._acks})  # fmt: skip


@dataclass(frozen=True)
class Numbered:
    """The records that were sent, each with its number among those of its key: (index of the key, number)."""

    sent: Deliveries
    numbers: Mapping[Hashable, tuple[int, int]]
    keys: Sequence[str]

    @classmethod
    def of(cls, sent: Deliveries, identify: Identify) -> Numbered:
        """Number them in their order.

        Raises:
            UsageError: two of them have one identity, or one of them cannot be an identity.
        """
        keys: dict[str, int] = {}
        counts: Counter[int] = Counter()
        numbers: dict[Hashable, tuple[int, int]] = {}
        for record in sent.records:
            name = NO_KEY if record.key is None else f"key {as_bytes(record.key).decode(errors='replace')}"
            index = keys.setdefault(name, len(keys))
            who = identity_of(record, identify)
            if who in numbers:
                raise UsageError(
                    f"two of the records that were sent are {who!r}, so none can be missed or doubled: give each a "
                    "value of its own, and let identity= tell them apart; call Deliveries.of() once for each record"
                )
            numbers[who] = (index, counts[index])
            counts[index] += 1
        return cls(sent, numbers, list(keys))

    def run(
        self,
        log: Iterable[LogRecord],
        spans: Spans,
        received: Iterable[Hashable] = (),
        positions: Mapping[int, int] | None = None,
    ) -> TestRun:
        """The history of these records. `spans` are start and end of each partition's log, `positions` the offset up to
        which the consumer has read each."""
        rows = [(r.partition, r.offset, *self.numbers.get(r.identity, NOBODY)) for r in log]
        at_end = {p: end for p, (_, end) in spans.items()} if positions is None else positions
        frames = {
            "phases": pd.DataFrame({"phase": ["end"], "t_ns": [0], "wall_ns": [0]}),
            "sensors": pd.DataFrame({"sensor": range(len(self.keys)), "name": self.keys}),
            "sends": self._sends(),
            "log": pd.DataFrame(rows, columns=["partition", "offset", "sensor", "seq"]).assign(payload_hash=0),
            "rows": self._rows(received),
            "frozen": pd.DataFrame([(p, *span) for p, span in spans.items()], columns=["partition", "start", "end"]),
            "positions": pd.DataFrame(list(at_end.items()), columns=["partition", "next_offset"]),
        }
        return TestRun(self.sent.acks, frames)

    def _sends(self) -> pd.DataFrame:
        sent = [(*number, record.outcome, record.partition, record.offset)
                for number, record in zip(self.numbers.values(), self.sent.records, strict=True)]  # fmt: skip
        return pd.DataFrame(sent, columns=["sensor", "seq", "outcome", "partition", "offset"])

    def _rows(self, received: Iterable[Hashable]) -> pd.DataFrame:
        found = [(*self.numbers.get(who, NOBODY), NOWHERE, NOWHERE) for who in received]
        return pd.DataFrame(found, columns=["sensor", "seq", "partition", "offset"])


def identity_of(record: Sent, identify: Identify) -> Hashable:
    """What tells this record from all others.

    Raises:
        UsageError: it cannot, since it has no hash.
    """
    who = identify(as_bytes(record.key), as_bytes(record.value))
    try:
        hash(who)
    except TypeError:
        raise UsageError(f"identity= gave {who!r}, which has no hash: give a text, a number or a tuple") from None
    return who
