"""A position of the store that the log does not hold any more: retention or an unclean election took records away.

Rules:
- Nothing is skipped silently: the processor stops with an event and an exit code, and so does each that takes the
  partition after it, until somebody has looked and set the position.
- Only the leader's own answer is proof. Without one the partition is tried again.
"""

from __future__ import annotations

from dataclasses import dataclass

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from factorylab.core.errors import LabError

ANSWER_S = 5.0


class PositionLost(LabError):
    """Records between the position and what is left of the log can never be stored."""


@dataclass(frozen=True)
class Loss:
    """A partition whose log goes from `first` to before `end`; where it was `truncated` it may have grown again."""

    topic: str
    partition: int
    position: int
    first: int
    end: int
    truncated: bool

    def explain(self, schema: str) -> str:
        """What is lost, and what to do about it."""
        where = f"partition {self.partition} of {self.topic}: the stored position {self.position}"
        log = f"the log goes from {self.first} to {self.end}"
        if self.position < self.first:
            what = f"is not in the log any more ({log}): {self.first - self.position} offsets were never stored"
        else:
            what = f"is of a log that was cut off ({log}): what was cut off is gone, and its offsets are used again"
        way_out = (  # for a person to read, never executed here
            f"UPDATE {schema}.positions SET next_offset = {self.first} WHERE topic = '{self.topic}'"  # noqa: S608
            f" AND partition = {self.partition}"
        )
        return (
            f"{where} {what}. Nothing is skipped by itself. To read on from what is left (rows that are stored already"
            f" stay as they are), run this and start the processors again: {way_out}"
        )


def lost(consumer: Consumer, at: TopicPartition, error: KafkaError) -> Loss | None:
    """What an error of the consumer at position `at` proves to be lost; None where it proves nothing."""
    if error.code() != KafkaError._AUTO_OFFSET_RESET or at.offset == 0:  # 0 is the beginning, wherever that is
        return None
    truncated = "truncation detected" in error.str()  # librdkafka gives one code for both
    try:
        first, end = consumer.get_watermark_offsets(at, timeout=ANSWER_S)
    except KafkaException:
        return None
    if first <= at.offset <= end and not truncated:
        return None
    return Loss(at.topic, at.partition, at.offset, first, end, truncated)
