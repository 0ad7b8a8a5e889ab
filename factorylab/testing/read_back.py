"""The log of a topic as a test finds it, and how far a group has read it."""

from __future__ import annotations

from contextlib import closing

from factorylab.cluster.admin import Admin
from factorylab.core.errors import UsageError
from factorylab.execution.log_scan import Spans, as_bytes, payload, read_topic
from factorylab.testing.history import Identify, LogRecord


def read(bootstrap: str, topic: str, identify: Identify) -> tuple[list[LogRecord], Spans]:
    """All records up to the high watermarks of this moment, and start and end of each partition.

    Raises:
        UsageError: there is no such topic.
        WaitTimeout: some of them cannot be read.
    """
    with closing(Admin(bootstrap)) as admin:
        admin.require_topic(topic)
        spans = admin.spans(topic)
    found = []
    for batch in read_topic(bootstrap, topic, spans):
        for message in batch:
            partition, offset = message.partition(), message.offset()
            assert partition is not None and offset is not None  # a record proper has both
            found.append(LogRecord(partition, offset, identify(as_bytes(message.key()), payload(message))))
    return found, spans


def committed(bootstrap: str, topic: str, group: str) -> dict[int, int]:
    """The offset up to which the group has read each partition.

    Raises:
        UsageError: it has committed nothing, so how far it has read is not known.
    """
    with closing(Admin(bootstrap)) as admin:
        found = admin.committed(group, topic)
    if not found:
        raise UsageError(
            f"the group {group!r} has committed no offset of {topic}: check its name, or leave group= out, and the "
            "consumer is taken to have read everything"
        )
    return found
