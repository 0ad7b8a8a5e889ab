"""How a partition goes on after its batches failed, so that one record cannot stop all others.

Rules:
- What failed is tried again as it is, PLAIN_TAKES times: most failures pass by themselves.
- Then the partition is worked on piece by piece, each a transaction of its own, and each written down
  beside the position *before* it is begun. So whoever takes the partition after a process has died in a piece
  knows where that was, and how often it was tried.
- A piece that fails is cut into PARTS. A single record that failed TRIES times is poison: it becomes a dead letter
  without being worked on again.
- What is not the record's fault (no answer of the database or of Kafka, another owner) is no try.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import psycopg2

from factorylab.core.errors import LabError
from factorylab.factory.processor.intake import Records
from factorylab.factory.store.positions import Taken

PLAIN_TAKES = 3  # of a partition without a batch stored in between: rebalances count too, and cost nothing
SUSPECT = 10_000  # records in which poison is looked for where nobody knows how far the failed batch went
PARTS = 100
TRIES = 3


class Poison(LabError):
    """A record that cannot be worked on: each try ended in an exception, a refusal or the death of the process."""


@dataclass(frozen=True)
class PiecewiseRetry:
    """Work in pieces of `piece` records up to the offset `until`.

    The first of them, up to the offset `tried_to`, was tried `tries` times already.
    """

    piece: int
    until: int
    tried_to: int
    tries: int

    def pieces(self, records: Records) -> Iterator[Records]:
        """Records cut into pieces, and last, in one piece, those from `until` on."""
        at, total = 0, len(records.values)
        while at < total:
            suspect = int(records.offsets[at]) < self.until
            end = min(at + self.piece, total) if suspect else total
            yield records.part(at, end)
            at = end

    def concerns(self, records: Records) -> bool:
        """A piece that is to be written down before it is begun."""
        return records.first_offset < self.until

    def gives_up(self, records: Records) -> bool:
        """A single record that was tried often enough."""
        return len(records.values) == 1 and records.last_offset + 1 == self.tried_to and self.tries >= TRIES


def retry_of(taken: Taken) -> PiecewiseRetry | None:
    """How a partition is retried from where it was taken; None where a batch is worked on as a whole."""
    if taken.tries:
        piece = max(1, (taken.tried_to - taken.next_offset) // PARTS)
        return PiecewiseRetry(piece, taken.tried_to, taken.tried_to, taken.tries)
    if taken.takes > PLAIN_TAKES:
        return PiecewiseRetry(SUSPECT // PARTS, taken.next_offset + SUSPECT, 0, 0)
    return None


def is_the_records_fault(error: Exception) -> bool:
    """Values that the database refuses, and whatever nobody expected; not what may pass by itself."""
    if isinstance(error, psycopg2.Error):
        return isinstance(error, psycopg2.DataError | psycopg2.IntegrityError)
    return not isinstance(error, LabError)
