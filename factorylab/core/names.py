"""What a run's topics, group and database schema are called, and the sensors of a simulated factory.

Under `make start` they are plain; a run on a cluster that may outlive it appends its run id to each, so that runs
never see each other.
"""

from __future__ import annotations

from dataclasses import dataclass

from factorylab.core import messages

LINES = 4  # of the factory


@dataclass(frozen=True)
class Names:
    sensors: str
    alerts: str
    dead_letters: str
    labels: str
    group: str
    schema: str

    @classmethod
    def of(cls, run_id: str = "", prefix: str = "") -> Names:
        """Names with the suffix `-<run_id>`, or the plain ones; of topics and the group behind a prefix."""
        tail = f"-{run_id}" if run_id else ""
        return cls(
            sensors=prefix + messages.SENSOR_TOPIC + tail,
            alerts=prefix + messages.ALERT_TOPIC + tail,
            dead_letters=prefix + messages.DEAD_LETTER_TOPIC + tail,
            labels=prefix + messages.LABEL_TOPIC + tail,
            group=prefix + messages.GROUP + tail,
            schema="run_" + run_id if run_id else "factory",
        )

    @property
    def kafka_dead_letters(self) -> str:
        """The topic to which Kafka writes dead letters of a share group. By default brokers take only names with this
        prefix."""
        return f"dlq.{self.sensors}"

    @property
    def topics(self) -> tuple[str, ...]:
        return (self.sensors, self.alerts, self.dead_letters, self.labels)


def sensor_name(index: int, kind: str) -> str:
    return f"{kind}-{index:05d}"


def sensor_location(index: int) -> str:
    """Sensors are on the lines of the factory by turns."""
    return f"line-{index % LINES + 1}"
