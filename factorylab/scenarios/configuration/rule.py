"""What a rule is: a condition on the settings in force, and what they then allow to happen."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from factorylab.scenarios.configuration.effective import Side, Together, Value
from factorylab.scenarios.configuration.keys import Role
from factorylab.scenarios.configuration.stall_times import Stall
from factorylab.scenarios.controls import ControlName

Kind = Literal["loss", "double", "reorder", "stall"]
KINDS: tuple[Kind, ...] = ("loss", "double", "reorder", "stall")
When = Callable[[Side, Together], tuple[Value, ...]]
"""The settings that let it happen; none where it cannot. It may raise NotGiven: the rule then depends on that."""


@dataclass(frozen=True)
class Rule:
    """One thing that may happen to the records of a producer, of a consumer, or on the brokers of a file.

    `failure`: what must fail for it. `why`: how it comes about. `prevention`: the setting that prevents it. `source`:
    where that is known from. `shown_by`: the controls that show it on a real cluster. `depends_on`: what no file of
    settings says, and what decides; it is then asked and not found. `stall`: how long it lasts.
    """

    name: str
    role: Role
    kind: Kind
    when: When
    failure: str
    why: str
    prevention: str
    source: str
    shown_by: tuple[ControlName, ...] = ()
    depends_on: str = ""
    stall: Callable[[Side, Together], Stall] | None = None
