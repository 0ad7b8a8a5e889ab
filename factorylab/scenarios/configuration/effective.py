"""The settings in force: what a file gives, what a client makes of them together, and the defaults of the rest."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from factorylab.scenarios.client_settings import SPELLINGS, TRUE
from factorylab.scenarios.configuration import spring_boot
from factorylab.scenarios.configuration.entries import REFERENCE
from factorylab.scenarios.configuration.keys import Role, kafka
from factorylab.scenarios.configuration.settings_file import SettingsFile

MOST_IN_FLIGHT = 5
"""Requests on their way that an idempotent producer may have: a broker remembers so many batches of each producer
(Kafka's ProducerConfig; librdkafka's CONFIGURATION.md)."""


class NotGiven(Exception):
    """What a rule asks was not given; its text names it."""


class Value(NamedTuple):
    """A setting in force, under the name that its file has, and where it comes from."""

    name: str
    text: str
    source: str

    @property
    def number(self) -> float:
        return float(self.text)

    @property
    def true(self) -> bool:
        return self.text.lower() in TRUE


@dataclass(frozen=True)
class Side:
    """The settings of one client, or of the brokers."""

    file: SettingsFile

    @property
    def java(self) -> bool:
        return self.file.definitions.client == "java"

    def given(self, name: str) -> bool:
        """Does the file have it?"""
        return self._spelled(name) in self.file.given

    def get(self, name: str) -> Value:
        """The setting of this name (Java's, where both clients have it).

        Raises:
            NotGiven: its value stands elsewhere.
            KeyError: this client has no such setting.
        """
        one = self._spelled(name)
        entry = self.file.given.get(one)
        if entry is None:
            return self._made_of_others(name) or self._default(one)
        if REFERENCE.search(entry.value):
            raise NotGiven(f"{entry.key}, whose value does not stand in {self.name}")
        return Value(entry.key, entry.value.strip(), f"{self.file.path.name}, line {entry.line}")

    def _spelled(self, name: str) -> str:
        return name if self.java else SPELLINGS.get(name, name)

    def _default(self, name: str) -> Value:
        software = "kafka-clients" if self.java else "librdkafka"
        software = "Kafka" if self.file.role == "broker" else software
        key = self.file.definitions.keys(self.file.role)[name]
        return Value(name, key.default or "", f"default of {software} {self.file.definitions.version}")

    def _made_of_others(self, name: str) -> Value | None:
        """Where a client changes a default because of another setting."""
        if name == "enable.idempotence":
            return self._idempotence()
        if name == "max.in.flight.requests.per.connection" and not self.java and self.file.role == "producer":
            idempotent = self.get("enable.idempotence").true
            return Value(name, str(MOST_IN_FLIGHT), "set by enable.idempotence") if idempotent else None
        if name == "delivery.timeout.ms" and self.java:
            return self._long_enough(name)
        if name == "enable.auto.commit" and self.file.framework == spring_boot.NAME:
            return Value(name, "false", "switched off by Spring's listener containers since 2.3")
        if name == "enable.auto.commit" and self.java and not self.given("group.id"):
            return Value(name, "false", "switched off: there is no group.id")
        return None

    def _idempotence(self) -> Value | None:
        """Java's client gives it up without a word where others contradict; librdkafka's sets it for transactions."""
        name = "enable.idempotence"
        if not self.java:
            return Value(name, "true", "set by transactional.id") if self.given("transactional.id") else None
        if self.acks != "all":
            return Value(name, "false", f"switched off, without a word, by acks={self.acks}")
        retries = self.get("retries")
        return Value(name, "false", "switched off, without a word, by retries=0") if retries.number == 0 else None

    def _long_enough(self, name: str) -> Value | None:
        """Java's client raises its default where the others need longer."""
        needed = self.get("linger.ms").number + self.get("request.timeout.ms").number
        default = self._default(name)
        raised = Value(name, f"{needed:.0f}", "raised to linger.ms + request.timeout.ms")
        return raised if needed > default.number else None

    @property
    def acks(self) -> str:
        """all, 1 or 0."""
        return self.get("acks").text.replace("-1", "all")

    @property
    def protocol(self) -> str:
        """classic or consumer (KIP-848)."""
        return self.get("group.protocol").text.lower()

    @property
    def name(self) -> str:
        return str(self.file.path)


@dataclass(frozen=True)
class Together:
    """All files of one check. A rule is asked of each client with these around it."""

    producers: tuple[Side, ...]
    consumers: tuple[Side, ...]
    brokers: Side | None

    def of(self, role: Role) -> tuple[Side, ...]:
        sides = {"producer": self.producers, "consumer": self.consumers}
        return sides.get(role, (self.brokers,) if self.brokers and role == "broker" else ())

    def broker(self, name: str, whose: str = "the brokers") -> Value:
        """A setting of the brokers, which their topics have by default.

        Raises:
            NotGiven: no broker file.
        """
        if self.brokers is None:
            raise NotGiven(f"{name} of {whose}, which was not given")
        return self.brokers.get(name)

    def usual(self, name: str) -> Value:
        """A setting of the brokers; without their file Kafka's default."""
        if self.brokers:
            return self.brokers.get(name)
        default = kafka().keys("broker")[name].default
        return Value(name, default or "", f"default of Kafka {kafka().version}, for no broker file was given")
