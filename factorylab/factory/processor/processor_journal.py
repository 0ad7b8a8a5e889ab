"""What a processor writes into its journal: what it polled, what it committed, what the group told it.

Without a journal all of it does nothing. `number` counts a worker's spells of work on partitions: it rises with each
assignment, and when a partition is taken again after a failure. Within one number offsets of a partition only go on.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from factorylab.core import messages
from factorylab.core.clock import now_ns
from factorylab.core.vocabulary import GroupEvent
from factorylab.factory.processor.intake import Records
from factorylab.factory.processor.outbox import Span
from factorylab.factory.processor.owned_partition import Prepared
from factorylab.history.journal import Journal
from factorylab.history.tables import Commit, Group, Read, Transaction


class ProcessorJournal:
    """The journal of one processor."""

    def __init__(self, worker: str, journal: Journal | None) -> None:
        self._worker, self._journal = worker, journal

    def polled(self, records: Records, number: int) -> None:
        """A partition's share of a poll."""
        if self._journal is None:
            return
        hashes = map(messages.payload_hash, (value or b"" for value in records.values))
        self._journal.write(
            Read(
                worker=self._worker,
                t_ns=now_ns(),
                partition=records.partition,
                first_offset=records.first_offset,
                last_offset=records.last_offset,
                count=len(records.values),
                hash_sum=sum(hashes) % 2**64,
                rebalance_no=number,
            )
        )

    def committed(self, prepared: Prepared, new_rows: int) -> None:
        """A batch that the store has confirmed."""
        self._commit(prepared, new_rows, len(prepared.alerts), len(prepared.dead_letters), refused=False)

    def refused(self, prepared: Prepared) -> None:
        """A batch that the store's fence refused: nothing of it was written."""
        self._commit(prepared, 0, 0, 0, refused=True)

    def _commit(self, prepared: Prepared, rows: int, alerts: int, dead_letters: int, *, refused: bool) -> None:
        batch = prepared.batch
        if self._journal is None:
            return
        self._journal.write(
            Commit(
                worker=self._worker,
                t_ns=now_ns(),
                partition=batch.partition,
                from_offset=batch.from_offset,
                to_offset=batch.to_offset,
                owner_epoch=batch.epoch,
                rows=rows,
                alerts=alerts,
                dead_letters=dead_letters,
                refused=refused,
                begun_ns=prepared.begun_ns,
            )
        )

    def transaction(self, spans: Mapping[int, Span], begun_ns: int, sent: int, result: str) -> None:
        """A Kafka transaction that has ended, or whose end is not known; a row for each partition."""
        if self._journal is None:
            return
        for partition, (from_offset, to_offset) in spans.items():
            self._journal.write(
                Transaction(
                    worker=self._worker,
                    t_ns=now_ns(),
                    partition=partition,
                    from_offset=from_offset,
                    to_offset=to_offset,
                    begun_ns=begun_ns,
                    sent=sent,
                    result=result,
                )
            )

    def group(self, event: GroupEvent, partitions: Sequence[int], number: int) -> None:
        """A callback of the group."""
        if self._journal is not None:
            self._journal.write(
                Group(worker=self._worker, t_ns=now_ns(), event=event, partitions=list(partitions), rebalance_no=number)
            )
