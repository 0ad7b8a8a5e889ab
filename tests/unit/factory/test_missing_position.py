"""A position that the log does not hold, told apart from one that it does."""

from __future__ import annotations

import pytest
from confluent_kafka import KafkaError, TopicPartition

from factorylab.factory.processor.missing_position import lost


class Ends:
    """A consumer that knows the ends of a log, or raises."""

    def __init__(self, first: int, end: int) -> None:
        self._ends = first, end

    def get_watermark_offsets(self, _at: TopicPartition, timeout: float) -> tuple[int, int]:
        assert timeout > 0
        return self._ends


@pytest.mark.parametrize(
    ("position", "text", "proves"),
    [
        (9, "out of range", True),
        (10, "out of range", False),
        (20, "out of range", False),
        (21, "out of range", True),
        (15, "Partition log truncation detected at 15: broker end offset is 12. Reset to INVALID.", True),
        (0, "out of range", False),
    ],
)
def test_only_a_position_outside_the_log_is_lost(position: int, text: str, proves: bool) -> None:
    """In a log from 10 to 20 a position from 10 to 20 is none that is lost, unless the log was cut off below it."""
    error = KafkaError(KafkaError._AUTO_OFFSET_RESET, text)
    found = lost(Ends(10, 20), TopicPartition("t", 1, position), error)  # type: ignore[arg-type]
    assert bool(found) == proves
    if found:
        assert "next_offset = 10 WHERE topic = 't' AND partition = 1" in found.explain("s")
    other = KafkaError(KafkaError._TRANSPORT, text)
    assert lost(Ends(10, 20), TopicPartition("t", 1, position), other) is None  # type: ignore[arg-type]
