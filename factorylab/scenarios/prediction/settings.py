"""The effective settings that a prediction is computed from: what was set and by whom, else the software's default."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import msgspec

from factorylab.core.errors import UsageError
from factorylab.scenarios.stall_phases import Setting

Side = Literal["broker", "producer", "consumer"]
KAFKA, LIBRDKAFKA = "Kafka's default", "librdkafka's default"
DEFAULTS: dict[Side, dict[str, str]] = {
    "broker": {
        "broker.session.timeout.ms": "9000",
        "broker.heartbeat.interval.ms": "2000",
        "controller.quorum.fetch.timeout.ms": "2000",
        "controller.quorum.election.timeout.ms": "1000",
        "group.consumer.session.timeout.ms": "45000",
        "group.consumer.heartbeat.interval.ms": "5000",
        "transaction.abort.timed.out.transaction.cleanup.interval.ms": "10000",
    },
    "producer": {
        "socket.timeout.ms": "60000",
        "request.timeout.ms": "30000",
        "topic.metadata.refresh.interval.ms": "300000",
        "acks": "all",
        "transaction.timeout.ms": "60000",
    },
    "consumer": {
        "socket.timeout.ms": "60000",
        "topic.metadata.refresh.interval.ms": "300000",
        "fetch.wait.max.ms": "500",
        "session.timeout.ms": "45000",
        "heartbeat.interval.ms": "3000",
        "group.protocol": "classic",
    },
}
"""Of what the model asks for: Kafka 4.3's broker configurations, and librdkafka 2.16's CONFIGURATION.md."""


class Given(msgspec.Struct, frozen=True):
    """A value as its program takes it, and where it comes from."""

    value: str
    source: str


class EffectiveSettings(msgspec.Struct, frozen=True):
    """What was set of each side, by name; what is not set has the software's default."""

    broker: dict[str, Given]
    producer: dict[str, Given]
    consumer: dict[str, Given]

    def get(self, side: Side, name: str) -> Given:
        """The value in force.

        Raises:
            KeyError: it is neither set nor is its default known here.
        """
        given: Mapping[str, Given] = getattr(self, side)
        if name in given:
            return given[name]
        return Given(DEFAULTS[side][name], KAFKA if side == "broker" else LIBRDKAFKA)

    def seconds(self, setting: Setting) -> float:
        """A time in force, in seconds.

        Raises:
            UsageError: its value is no number of milliseconds.
        """
        value = self.get(side_of(setting), setting.name).value
        try:
            return float(value) / 1000
        except ValueError:
            raise UsageError(f"{setting.owner} {setting.name}={value!r} is no number of milliseconds") from None


def side_of(setting: Setting) -> Side:
    """Whose setting it is; the lab's own and a topic's are no client's and no broker's."""
    if setting.owner not in DEFAULTS:
        raise UsageError(f"{setting.name} is a setting of the {setting.owner}, and of no program")
    return setting.owner


def set_by(source: str, values: Mapping[str, object]) -> dict[str, Given]:
    """Each value as set by `source`."""
    return {name: Given(str(value), source) for name, value in values.items()}
