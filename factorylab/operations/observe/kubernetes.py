"""Events of Kubernetes, as `kubectl get events -o json` writes them into a file that somebody refreshes."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import msgspec

from factorylab.core.clock import NS
from factorylab.core.errors import UsageError
from factorylab.operations.observe.foreign import Event
from factorylab.operations.observe.own_time import OwnTime

RESOLUTION_NS = NS  # Kubernetes writes whole seconds, by a clock of its own
KNOWN_MAX = 10_000


class _Of(msgspec.Struct, frozen=True):
    kind: str = ""
    name: str = ""


class _Meta(msgspec.Struct, frozen=True):
    uid: str = ""


class _Item(msgspec.Struct, rename="camel"):
    metadata: _Meta = _Meta()
    involved_object: _Of = _Of()
    reason: str = ""
    message: str | None = None
    last_timestamp: datetime | None = None
    event_time: datetime | None = None
    first_timestamp: datetime | None = None

    @property
    def at_ns(self) -> int | None:
        """The latest moment that it tells, on the wall clock."""
        at = self.last_timestamp or self.event_time or self.first_timestamp
        return None if at is None else round(at.timestamp() * NS)


class _Items(msgspec.Struct):
    items: list[_Item]


class KubernetesEvents:
    """The file, read again and again; each event is given once."""

    def __init__(self, path: Path) -> None:
        """Raises UsageError where the file is not what kubectl writes."""
        self._path = path
        self._known: deque[tuple[str, int]] = deque(maxlen=KNOWN_MAX)
        try:
            self._read()
        except (OSError, msgspec.DecodeError) as error:
            raise UsageError(
                f"--kubernetes-events {path}: {error}; write it with 'kubectl get events --all-namespaces -o json'"
            ) from None

    def news(self, own: OwnTime, since_ns: int) -> Iterator[Event]:
        """Those that came to be since a moment and were not given yet. A file that is just being written gives none."""
        try:
            items = self._read()
        except (OSError, msgspec.DecodeError):
            return
        for item in items:
            if item.at_ns is None or (key := (item.metadata.uid, item.at_ns)) in self._known:
                continue
            at_ns = item.at_ns - own.wall_ns(0)
            if at_ns + RESOLUTION_NS >= since_ns:
                self._known.append(key)
                who = f"{item.involved_object.kind} {item.involved_object.name}".strip()
                yield Event("kubernetes", who, f"{item.reason}: {item.message or ''}", at_ns, at_ns + RESOLUTION_NS)

    def _read(self) -> list[_Item]:
        return msgspec.json.decode(self._path.read_bytes(), type=_Items).items
