"""The topic of the canaries: made where it is not there, checked where it is."""

from __future__ import annotations

import re
from collections.abc import Mapping

from factorylab.core.errors import UsageError
from factorylab.operations.observe.cluster_view import ClusterView

NAME = "canary"
PREFIX = re.compile(r"[A-Za-z0-9._-]{1,100}")
HOUR_MS = 3_600_000
MADE_WITH = {"cleanup.policy": "delete", "retention.ms": f"{HOUR_MS}", "segment.ms": f"{HOUR_MS // 4}"}
LEAST_RETENTION_MS = 600_000  # a reader that stands still for some minutes still finds what it has missed


def topic_under(prefix: str) -> str:
    """The topic's name. Raises UsageError where no topic can be named so."""
    if not PREFIX.fullmatch(prefix):
        raise UsageError(
            f"--prefix {prefix!r}: 1 to 100 letters, digits, dots, - and _, since a topic's name has no others"
        )
    return f"{prefix}{NAME}"


def prepare(view: ClusterView, topic: str, partitions: int | None) -> bool:
    """Make the topic, by default with a partition for each broker, or check the one that is there. Was it made?

    Raises:
        UsageError: it is there with settings that would lose canaries.
        WaitTimeout: nobody answers.
    """
    if topic in view.topics():
        check(topic, view.config(topic))
        return False
    view.create(topic, partitions or len(view.brokers()), MADE_WITH)
    return True


def check(topic: str, config: Mapping[str, str]) -> None:
    """Raises UsageError where the settings of the topic would lose canaries."""
    policy, retention_ms = config.get("cleanup.policy", "delete"), int(config.get("retention.ms", "-1"))
    other = "choose another --prefix, or delete the topic, and it is made anew"
    if policy != "delete":
        raise UsageError(f"{topic} is there with cleanup.policy={policy}, which takes records out of the log: {other}")
    if 0 <= retention_ms < LEAST_RETENTION_MS:
        raise UsageError(
            f"{topic} is there with retention.ms={retention_ms}: canaries might expire before they are read; give it "
            f"{LEAST_RETENTION_MS} or more, or {other}"
        )
