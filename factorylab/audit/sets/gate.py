"""Gates: conditions under which a comparison fails, such as 'recovery > 1.2x', 'recovery > 12 s' or 'lost > 0'.

An *absolute* limit holds for every run of B. It fails where one run is beyond it, and is undecided where none is, but a
run did not observe the quantity, or saw it only as a lower bound.

A *relative* limit ("1.2x") is tested: it fails where B is shown to be beyond so many times A, by the one-sided
permutation test of B ÷ limit against A at 1 − CONFIDENCE, with Holm's correction over all relative gates. It holds
where the median of B is not beyond, and is undecided where it is but that is not shown, where a median is not known, or
where so few runs could not show anything.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from math import comb, isfinite
from typing import Literal

import msgspec

from factorylab.analysis.statistics.difference import beyond_p
from factorylab.analysis.statistics.location import median
from factorylab.analysis.statistics.multiple import holm
from factorylab.audit.sets.compare import ALPHA, Comparison
from factorylab.audit.sets.quantities import Value, in_unit, known
from factorylab.audit.sets.run_set import RunSet
from factorylab.core.errors import UsageError

Decision = Literal["fails", "undecided", "holds"]
FORM = re.compile(r"\s*(?P<name>[a-z][a-z0-9_.]*)\s*(?P<sign>[<>])\s*(?P<size>\d+(?:\.\d+)?)\s*(?P<unit>\S*)\s*")
SHOWN = 5  # runs that are named
HOW = "write it as 'recovery > 1.2x', 'recovery > 12 s' or 'lost > 0'"


@dataclass(frozen=True)
class Gate:
    """Fails where `name` is beyond `limit`: above it, or with `above` false below it. `relative`: times A."""

    text: str
    name: str
    above: bool
    limit: float
    relative: bool

    def beyond(self, value: float, of_a: float = 1.0) -> bool:
        limit = self.limit * of_a if self.relative else self.limit
        return value > limit if self.above else value < limit


class Decided(msgspec.Struct, frozen=True):
    """What became of a gate, and why, in words."""

    gate: str
    decision: Decision
    why: str


class Result(msgspec.Struct, frozen=True):
    """A comparison and what became of the gates."""

    comparison: Comparison
    gates: list[Decided]


def parsed(text: str) -> Gate:
    """A gate as it was typed.

    Raises:
        UsageError: it has another form, or its quantity or unit does not exist.
    """
    fits = FORM.fullmatch(text)
    if fits is None:
        raise UsageError(f"{text!r} is no gate: {HOW}")
    quantity, limit, unit = known(fits["name"]), float(fits["size"]), fits["unit"]
    relative = unit == "x"
    if relative and limit <= 0:
        raise UsageError(f"{text!r}: nothing is beyond 0 times A; {HOW}")
    scale = 1.0 if relative else in_unit(quantity, unit, text)
    return Gate(text.strip(), fits["name"], fits["sign"] == ">", limit * scale, relative)


def decide(gates: Sequence[Gate], a: RunSet | None, b: RunSet) -> list[Decided]:
    """What becomes of each gate, in their order.

    Raises:
        UsageError: a relative gate needs A, and there is none.
    """
    relative = [gate for gate in gates if gate.relative]
    shown = dict(zip(relative, holm([_p(gate, a, b) for gate in relative]), strict=True))
    return [
        _decide_relative(gate, a, b, shown[gate], len(relative)) if a and gate.relative else _decide_absolute(gate, b)
        for gate in gates
    ]


def _p(gate: Gate, a: RunSet | None, b: RunSet) -> float:
    if a is None:
        raise UsageError(f"{gate.text!r} is relative to A: name two sets")
    found = beyond_p(a.sample(gate.name), b.sample(gate.name), gate.limit)
    return 1.0 if found is None else found[0 if gate.above else 1]


def _decide_relative(gate: Gate, a: RunSet, b: RunSet, p: float, tests: int) -> Decided:
    samples = [one.sample(gate.name) for one in (a, b)]
    of_a, of_b = map(median, samples)
    sides = zip("AB", (of_a, of_b), (a, b), strict=True)
    words = "; ".join(f"{side}: median {_number(of)} ({_seen(one.values(gate.name))})" for side, of, one in sides)
    words += f"; p = {p:.3g}"
    if p <= ALPHA:
        return Decided(gate.text, "fails", f"shown. {words}")
    if not (isfinite(of_a) and isfinite(of_b)):
        return Decided(gate.text, "undecided", f"a median is not known. {words}")
    if tests / comb(len(samples[0]) + len(samples[1]), len(samples[0])) > ALPHA:
        return Decided(gate.text, "undecided", f"so few runs cannot show it: repeat. {words}")
    if gate.beyond(of_b, of_a):
        return Decided(gate.text, "undecided", f"the median is beyond, which is not shown: repeat. {words}")
    return Decided(gate.text, "holds", words)


def _decide_absolute(gate: Gate, b: RunSet) -> Decided:
    seen = {run.run_id: run.values[gate.name] for run in b.runs if gate.name in run.values}
    beyond = [run for run, value in seen.items() if _surely_beyond(gate, value)]
    if beyond:
        return Decided(gate.text, "fails", f"in {len(beyond)} of {len(b.runs)} runs: {', '.join(beyond[:SHOWN])}")
    open_ones = [run for run, value in seen.items() if value.censored]
    values = b.values(gate.name)
    if not values or any(value.value is None for value in values):
        return Decided(gate.text, "undecided", f"not observed in every run ({_seen(values)})")
    if open_ones:
        return Decided(gate.text, "undecided", f"only a lower bound is known in {', '.join(open_ones[:SHOWN])}")
    return Decided(gate.text, "holds", f"in all runs (n={len(values)})")


def _surely_beyond(gate: Gate, value: Value) -> bool:
    """A lower bound is surely above a limit, never surely below."""
    return value.value is not None and gate.beyond(value.value) and (gate.above or not value.censored)


def _number(value: float) -> str:
    return f"{value:,.3f}" if isfinite(value) else "not known"


def _seen(values: Sequence[Value]) -> str:
    missing = [value.missing for value in values if value.value is None]
    return ", ".join([f"n={len(values) - len(missing)}", *(f"{missing.count(w)} {w}" for w in dict.fromkeys(missing))])
