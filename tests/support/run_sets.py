"""Handmade sets of runs: quantities as numbers, without a history behind them."""

from __future__ import annotations

from collections.abc import Sequence

from factorylab.audit.sets.quantities import Value
from factorylab.audit.sets.run_set import Repetition, RunSet

Given = float | Value
CELL = {"name": "broker_loss", "faults.0.kind": "kill", "faults.0.target": "leader:0"}


def over(seconds: float) -> Value:
    """A lower bound."""
    return Value(seconds, censored=True)


def missing(why: str = "not observed") -> Value:
    return Value(None, missing=why)


def run_set(
    name: str = "a", met: Sequence[dict[str, str]] = (), left_out: int = 0, **values: Sequence[Given]
) -> RunSet:
    """Runs a0, a1, …, one for each value of each quantity; `met` are their conditions, `left_out` so many INVALID."""
    count = max((len(of) for of in values.values()), default=0)
    runs = tuple(
        Repetition(
            f"{name}{i}",
            i,
            {quantity: _value(of[i]) for quantity, of in values.items()},
            met[i] if met else {},
        )
        for i in range(count)
    )
    return RunSet("broker_loss", CELL, runs, {f"{name}x{i}": "INVALID" for i in range(left_out)})


def _value(given: Given) -> Value:
    return given if isinstance(given, Value) else Value(float(given))
