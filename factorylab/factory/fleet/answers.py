"""A producer's answers, written down as they come."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from time import monotonic_ns

from confluent_kafka import KafkaError, Message

from factorylab.core.messages import payload_hash
from factorylab.history.journal import ACK_BYTES, AckJournal, pack_ack

NOWHERE = -1  # an answer without an offset or a partition


class Answers(AckJournal):
    """The journal of answers as delivery reports fill it; `failed` is told of those that acknowledge nothing."""

    def __init__(self, path: Path, failed: Callable[[KafkaError], None]) -> None:
        super().__init__(path)
        self._failed = failed
        self.acked = 0

    def report(self, error: KafkaError | None, message: Message) -> None:
        """Note one delivery report.

        Called for each reading, so it is `add` spelled out: calls and attributes are most of what an answer costs.

        Raises:
            JournalFull: the disk cannot take the next chunk.
        """
        if error is None:
            self.acked += 1
            code = 0
        else:
            self._failed(error)
            code = error.code()
        offset, partition, at = message.offset(), message.partition(), self._at
        pack_ack(
            self._map,
            at,
            payload_hash(message.value() or b""),
            NOWHERE if offset is None else offset,
            NOWHERE if partition is None else partition,
            code,
            monotonic_ns(),  # now_ns without its call
        )
        self._at = at = at + ACK_BYTES
        if at == self._end:
            self._map_chunk(self._chunk + 1)
