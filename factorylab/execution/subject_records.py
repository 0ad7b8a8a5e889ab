"""The output of a program under test that is written one after the other: records of a topic, lines of files.

A line ends with a newline: what follows the last one is not complete, and no reader would take it for a record.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Annotated

import msgspec
import numpy as np
from confluent_kafka import TIMESTAMP_NOT_AVAILABLE, Message

from factorylab.cluster.admin import Admin
from factorylab.core.errors import UsageError
from factorylab.core.templates import Identity, Template, moment_us
from factorylab.core.waiting import wait_until
from factorylab.execution.log_scan import BATCH, payload, read_topic
from factorylab.execution.subject_rows import Identities, moments
from factorylab.scenarios.subject import Subject

OPEN_S = 75.0
"""A killed program's transaction ends by `transaction.timeout.ms`, 60 s in both clients, which the coordinator looks
after every 10 s (`transaction.abort.timed.out.transaction.cleanup.interval.ms`)."""
Find = Callable[[bytes], Identity | None]


class JsonIdentity(msgspec.Struct, frozen=True, gc=False):
    """What a record that is JSON says of itself."""

    sensor_id: str
    seq: Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]
    at: msgspec.Raw = msgspec.Raw(b"")


_json = msgspec.json.Decoder(JsonIdentity)


def finder(template: str | None) -> Find:
    """What finds the identity in a record of the output: JSON with sensor_id and seq, or what looks like a template."""
    return _of_json if template is None else Template(template).find


def form(template: str | None) -> str:
    """What a record should look like, for a sentence."""
    looks = "JSON with the keys sensor_id and seq" if template is None else f"what looks like {template!r}"
    return f"{looks}; identity names another form"


def _of_json(text: bytes) -> Identity | None:
    try:
        told = _json.decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    return Identity(told.sensor_id, told.seq, moment_us(bytes(told.at).decode().strip('"')))


@dataclass(frozen=True)
class TopicOutput:
    """A topic, read as a consumer of committed records reads it. Times are Kafka's timestamps of the records."""

    admin: Admin
    topic: str
    subject: Subject

    @property
    def place(self) -> str:
        return f"the topic {self.topic}"

    @property
    def form(self) -> str:
        return form(self.subject.looked_for)

    def check(self, *, there: bool) -> None:
        """The lab has made it."""

    def size(self) -> int:
        """How many offsets there are now."""
        return sum(end - start for start, end in self.admin.spans(self.topic).values())

    def batches(self, sensors: Mapping[str, int]) -> Iterator[Identities]:
        """All records. One that names no reading is one of nobody's: index −1.

        Raises:
            EnvironmentUnfit: a transaction stays open, so that a reader of committed records does not come beyond it.
        """
        find = finder(self.subject.looked_for)
        wait_until(
            lambda: self.admin.spans(self.topic, committed=True) == self.admin.spans(self.topic),
            what=f"the transactions in {self.topic} to end",
            timeout_s=OPEN_S,
        )
        spans = self.admin.spans(self.topic)
        for batch in read_topic(self.admin.bootstrap, self.topic, spans, committed=True):
            found = [find(payload(message)) or Identity("", -1) for message in batch]
            at_us = [_written_us(message) if self.subject.times else -1 for message in batch]
            yield identities(found, at_us, [message.partition() or 0 for message in batch], sensors)


def _written_us(message: Message) -> int:
    kind, at_ms = message.timestamp()
    return -1 if kind == TIMESTAMP_NOT_AVAILABLE else at_ms * 1000


@dataclass(frozen=True)
class FileOutput:
    """Lines of files, one file for each instance."""

    files: Sequence[Path]
    subject: Subject

    @property
    def place(self) -> str:
        return f"the file {', '.join(map(str, self.files))}"

    @property
    def form(self) -> str:
        return form(self.subject.looked_for)

    def check(self, *, there: bool) -> None:
        """`there`: the program runs, so that its files must be there by now.

        Raises:
            UsageError: naming one that is not.
        """
        for path in self.files if there else ():
            if not path.is_file():
                raise UsageError(f"the program has not made its output {path} (OUTPUT_FILE)")

    def size(self) -> int:
        """How many bytes there are now."""
        return sum(path.stat().st_size for path in self.files if path.is_file())

    def batches(self, sensors: Mapping[str, int]) -> Iterator[Identities]:
        """All lines that name a reading; the others are counted. A file that is gone has none."""
        find = finder(self.subject.looked_for)
        for number, path in enumerate(self.files):
            for batch in batches_of_lines(path) if path.is_file() else ():
                found = [find(line) if line.endswith(b"\n") else None for line in batch if line.strip()]
                named = [one for one in found if one]
                at_us = [one.at_us if self.subject.times else -1 for one in named]
                told = identities(named, at_us, [number] * len(named), sensors)
                yield told._replace(unread=len(found) - len(named))


def batches_of_lines(path: Path) -> Iterator[list[bytes]]:
    """Lines with their newlines, some thousand at a time."""
    with path.open("rb") as lines:
        while batch := list(islice(lines, BATCH)):
            yield batch


def identities(
    found: Sequence[Identity], at_us: Iterable[int], source: Sequence[int], sensors: Mapping[str, int]
) -> Identities:
    """What was found, as columns."""
    sensor = np.array([sensors.get(one.sensor, -1) for one in found], np.int32)
    seq = np.array([one.seq for one in found], np.int64)
    return Identities(sensor, seq, moments(np.array(at_us, np.int64)), np.array(source, np.int32))
