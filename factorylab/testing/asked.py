"""What a test asks the cluster before it breaks something, perhaps while something is broken already."""

from __future__ import annotations

from factorylab.cluster.admin import Admin
from factorylab.cluster.one_broker import OneBroker
from factorylab.cluster.views import PartitionView
from factorylab.core.errors import UsageError
from factorylab.testing.targets import Aim


class AdminUnderFault(Admin):
    """Asks one broker of topics and partitions. An `Admin` asks any that it has heard of, and waits 10 s for one
    that is frozen."""

    def __init__(self, bootstrap: str, number: int) -> None:
        super().__init__(bootstrap)
        self._broker = OneBroker(bootstrap, number)

    def topics(self) -> set[str]:
        return self._broker.topics()

    def partitions(self, topic: str) -> list[PartitionView]:
        return self._broker.partitions(topic) if topic else []  # a target such as broker:2 is about none

    def close(self) -> None:
        self._broker.close()
        super().close()


def require(admin: Admin, aim: Aim) -> None:
    """Raises UsageError where there is no such topic, partition or group."""
    if aim.topic:
        admin.require_topic(aim.topic)
        known = [view.partition for view in admin.partitions(aim.topic)]
        if aim.partition not in known:
            raise UsageError(f"{aim.topic} has no partition {aim.partition}: take one of 0 to {max(known)}")
    if aim.group and admin.group(aim.group).state == "Dead":
        raise UsageError(f"there is no consumer group {aim.group!r} now: its first member makes it")
