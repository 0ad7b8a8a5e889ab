"""`assert_delivery`: what was acknowledged is in the log once, in order, and where it is asked in the output."""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable, Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from factorylab.testing.recorder import Deliveries
    from factorylab.testing.verdict import Delivery


def as_they_are(key: bytes, value: bytes) -> Hashable:
    """The identity of a record where nothing else is said: its key and its value."""
    return key, value


def assert_delivery(
    sent: Deliveries,
    topic: str,
    *,
    received: Iterable[Hashable] | None = None,
    group: str | None = None,
    identity: Callable[[bytes, bytes], Hashable] = as_they_are,
    allow: Collection[str] = (),
    bootstrap: str | None = None,
) -> Delivery:
    """Read the whole topic and fail where a record that was acknowledged is lost, doubled or out of order.

    Args:
        sent: the delivery reports. What has no acknowledgement is looked for and counted, never a loss.
        topic: that of the fixture, or any name together with `bootstrap`.
        received: the identities of what the consumer put out, in its order. None: the output is not asked.
        group: the consumer's. What lies below its committed offset and was not put out is lost, what lies above it is
            not read yet. None: the consumer is taken to have read everything.
        identity: key and value → what tells a record from all others, as in `received`. By default (key, value).
        allow: names of checks that may fire, as "duplicate_in_store" for a consumer that promises at least once.
        bootstrap: of the cluster, for a topic that is not the fixture's.

    Raises:
        AssertionError: with the checks that failed, and records that show it; also where nothing was acknowledged.
        UsageError: records cannot be told apart, or an argument fits nothing.
        WaitTimeout: the topic cannot be read as a whole.
    """
    __tracebackhide__ = True
    from factorylab.core.errors import UsageError
    from factorylab.testing.history import Numbered
    from factorylab.testing.read_back import committed, read
    from factorylab.testing.verdict import allowed, judged

    address = bootstrap or getattr(topic, "bootstrap", None)
    if address is None:
        raise UsageError(f"where is {topic!r}? Take the fixture 'topic', or add bootstrap=kafka_cluster.bootstrap")
    if group is not None and received is None:
        raise UsageError(f"group={group!r} says how far a consumer has read: give what it put out as well, received=")
    may_fire, numbered = allowed(allow), Numbered.of(sent, identity)
    log, spans = read(address, topic, identity)
    positions = None if group is None else committed(address, topic, group)
    outputs = None if received is None else list(received)
    found = judged(numbered, log, spans, received=outputs, positions=positions, may_fire=may_fire)
    if not found.ok:
        raise AssertionError(f"the delivery to {topic} is not what was promised\n{found}")
    return found
