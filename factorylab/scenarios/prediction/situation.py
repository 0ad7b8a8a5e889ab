"""What a formula is given: one fault, the scenario around it, the settings in force, and the victim's roles."""

from __future__ import annotations

from dataclasses import dataclass

from factorylab.scenarios.model import Fault, Scenario
from factorylab.scenarios.prediction.draws import Draws, Floats, interval
from factorylab.scenarios.prediction.settings import EffectiveSettings
from factorylab.scenarios.prediction.structures import Quantity, Role
from factorylab.scenarios.stall_phases import (
    GROUP_HEARTBEAT,
    GROUP_SESSION,
    MEMBER_HEARTBEAT,
    MEMBER_SESSION,
    Setting,
)

PRODUCER_ACKS = Setting("producer", "acks")
GROUP_PROTOCOL = Setting("consumer", "group.protocol")


@dataclass(frozen=True)
class Situation:
    """`controller`, `coordinator`: whether the victim is the active controller, the group's coordinator."""

    fault: Fault
    scenario: Scenario
    settings: EffectiveSettings
    draws: Draws
    controller: bool = False
    coordinator: bool = False

    def s(self, setting: Setting) -> float:
        """A time in force, in seconds."""
        return self.settings.seconds(setting)

    @property
    def back_s(self) -> float:
        """When the victim is started, resumed or healed; what undoes itself is back at once."""
        return 0 if self.fault.declared.undoes_itself else self.fault.hold_s

    @property
    def answers_alone(self) -> bool:
        """Does the victim go on answering its clients, cut off from its peers alone? A fetch then never times out."""
        return answers_alone(self.fault)

    @property
    def still_heard(self) -> bool:
        """Does the victim's next heartbeat arrive, and only its answer not? So with a cut of what comes in."""
        return self.fault.direction == "in"

    @property
    def acks(self) -> str:
        """What the producer waits for: "0", "1" or "all"."""
        return self.settings.get("producer", "acks").value.replace("-1", "all")

    @property
    def kip_848(self) -> bool:
        """Does the broker set the members' session (group.protocol=consumer)?"""
        return self.settings.get("consumer", "group.protocol").value == "consumer"

    @property
    def session(self) -> Setting:
        return GROUP_SESSION if self.kip_848 else MEMBER_SESSION

    @property
    def heartbeat(self) -> Setting:
        return GROUP_HEARTBEAT if self.kip_848 else MEMBER_HEARTBEAT

    @property
    def static(self) -> bool:
        """Has the member an id that outlives its process?"""
        return "group.instance.id" in self.settings.consumer


def answers_alone(fault: Fault) -> bool:
    """Whether a broker that it hits still reaches its clients, and none of its peers."""
    return fault.kind == "partition" and fault.away_from == "brokers"


def drawn(  # noqa: PLR0917 (the columns of a row)
    name: str, role: Role, seconds: Floats, formula: str, inputs: tuple[Setting, ...] = (), source: str = ""
) -> Quantity:
    """A row of a prediction: the interval of these draws, and where it comes from."""
    low, high = interval(seconds)
    return Quantity(name=name, role=role, low_s=low, high_s=high, formula=formula, inputs=names(inputs), source=source)


def names(inputs: tuple[Setting, ...]) -> list[str]:
    """Settings as a row names them, each once: "producer acks"."""
    return [f"{setting.owner} {setting.name}" for setting in dict.fromkeys(inputs)]


def no_model(name: str, role: Role, why: str) -> Quantity:
    """A row without an interval."""
    return Quantity(name=name, role=role, why_not=why)
