"""A prediction as it is kept: plain data that `raw/prediction.json` holds."""

from __future__ import annotations

from typing import Literal

import msgspec

Role = Literal["led", "followed", "owned", "any"]
"""What a partition had to do with the victim: the victim led it, followed it in sync, owned it as a processor; any:
the run as a whole."""


class Input(msgspec.Struct, frozen=True):
    """A setting that a prediction rests on."""

    owner: str
    name: str
    value: str
    source: str


class Quantity(msgspec.Struct, frozen=True, kw_only=True):
    """A time in seconds that is expected within low_s … high_s.

    `name` is that of a phase of `stall_phases`, or a whole: longest_ack_gap, longest_store_gap, recovery, lost_until.
    Without a model both are None, and `why_not` says why. With low_s alone it does not end by itself: it is longer than
    low_s.
    """

    name: str
    role: Role
    low_s: float | None = None
    high_s: float | None = None
    formula: str = ""
    inputs: list[str] = []
    source: str = ""
    why_not: str = ""


class Case(msgspec.Struct, frozen=True, kw_only=True):
    """What holds if the victim has these roles, or has them not; None: that makes no difference."""

    controller: bool | None = None
    coordinator: bool | None = None
    quantities: list[Quantity] = []

    @property
    def victim(self) -> str:
        """What the victim must turn out to be, in words; empty where it makes no difference."""
        words = ("controller", self.controller, "the active "), ("coordinator", self.coordinator, "the group's ")
        return ", ".join(f"{is_one if has else 'not the '}{role}" for role, has, is_one in words if has is not None)


class FaultPrediction(msgspec.Struct, frozen=True, kw_only=True):
    """Of fault number `fault` of the scenario. `why_not`: why there is no prediction at all."""

    fault: int
    kind: str
    target: str
    hold_s: float
    cases: list[Case] = []
    why_not: str = ""


class Prediction(msgspec.Struct, frozen=True, kw_only=True):
    """`coverage`: the share of runs that should lie within each interval. `model`: the version of the formulas."""

    model: int
    scenario: str
    backend: str
    coverage: float
    draws: int
    seed: int
    inputs: list[Input]
    faults: list[FaultPrediction]

    def encoded(self) -> bytes:
        """As it is written down."""
        return msgspec.json.format(msgspec.json.encode(self), indent=2) + b"\n"
