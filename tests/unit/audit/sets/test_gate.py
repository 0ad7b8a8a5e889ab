"""Gates: when they fail, hold, or cannot be decided."""

from __future__ import annotations

import numpy as np
import pytest

from factorylab.audit.sets.gate import Decision, decide, parsed
from factorylab.core.errors import UsageError
from tests.support.run_sets import Given, missing, over, run_set

FAST, SLOW = list(np.linspace(9, 11, 8)), list(np.linspace(13, 15, 8))
NEAR = [value * 1.05 for value in FAST]
WIDE = [9, 9.5, 10, 11.5, 13.5, 14, 15, 16]


def decision(gate: str, a: list[Given], b: list[Given]) -> Decision:
    name = parsed(gate).name
    (found,) = decide([parsed(gate)], run_set("a", **{name: a}), run_set("b", **{name: b}))
    return found.decision


@pytest.mark.parametrize(
    ("gate", "a", "b", "expected"),
    [
        ("recovery > 1.2x", FAST, SLOW, "fails"),
        ("recovery > 1.2x", FAST, NEAR, "holds"),
        ("recovery < 0.8x", SLOW, FAST, "fails"),
        ("recovery < 0.8x", FAST, SLOW, "holds"),
        ("recovery > 1.2x", FAST, WIDE, "undecided"),
        ("recovery > 1.2x", FAST[:2], SLOW[:2], "undecided"),
        ("recovery > 1.2x", FAST[:2], FAST[2:4], "undecided"),
        ("recovery > 1.2x", FAST, [missing()] * 8, "undecided"),
        ("recovery > 1.2x", [], SLOW, "undecided"),
        ("recovery > 1.2x", FAST, [over(60)] * 8, "fails"),
        ("recovery > 1.2x", [over(60)] * 8, [over(60)] * 8, "undecided"),
        ("lost > 1.2x", [0.0] * 8, [0.0] * 8, "holds"),
        ("lost > 1.2x", [0.0] * 8, [1.0] * 8, "fails"),
    ],
)
def test_a_relative_gate_fails_where_it_is_shown(gate: str, a: list[Given], b: list[Given], expected: str) -> None:
    """It fails by the test alone, holds where the median is not beyond, and is undecided where nobody can say."""
    assert decision(gate, a, b) == expected


@pytest.mark.parametrize(
    ("gate", "b", "expected"),
    [
        ("recovery > 12 s", FAST, "holds"),
        ("recovery > 12 s", [*FAST, 12.1], "fails"),
        ("recovery > 10500 ms", FAST, "fails"),
        ("recovery > 12 s", [*FAST, missing()], "undecided"),
        ("recovery > 12 s", [*FAST, over(5)], "undecided"),
        ("recovery > 12 s", [*FAST, over(60)], "fails"),
        ("recovery > 12 s", [missing(), 13.0], "fails"),
        ("recovery < 5 s", [over(4)], "undecided"),
        ("lost > 0", [0.0] * 19, "holds"),
        ("lost > 0", [*[0.0] * 19, 1.0], "fails"),
        ("lost > 0 readings", [1.0], "fails"),
        ("lost > 0", [], "undecided"),
        ("lost > 0", [missing("not asked")], "undecided"),
        ("stored_per_s < 900 readings/s", [899.0], "fails"),
    ],
)
def test_an_absolute_gate_holds_for_every_run(gate: str, b: list[Given], expected: str) -> None:
    """One run beyond the limit fails it; a run that did not observe it, or saw a lower bound, leaves it undecided."""
    assert decision(gate, [], b) == expected


@pytest.mark.parametrize(
    "text",
    ["", "recovery", "recovery > ", "recovery 12 s", "recovery >= 12 s", "recovery > 12", "recovery > -1 s",
     "recovery > 0x", "recovery > 12 kg", "lost > 3 s", "lost > 3 records", "recovry > 1 s", "recovery > 1,2x",
     "recovery.a > 1 s"],
)  # fmt: skip
def test_a_gate_of_another_form_is_refused(text: str) -> None:
    """Wrong syntax, units and quantities are refused before anything is read."""
    with pytest.raises(UsageError):
        parsed(text)


def test_several_relative_gates_are_corrected() -> None:
    """Five against five, fully apart: alone 1/252 fails, among many gates the same p is too weak to."""
    gates = [parsed(f"{name} > 1.01x") for name in ("recovery", *["blind"] * 13)]
    a, b = ({"recovery": of, "blind": [3.0, 1, 2, 5, 4]} for of in (FAST[:5], SLOW[:5]))
    assert decide(gates[:1], run_set("a", **a), run_set("b", **b))[0].decision == "fails"
    assert decide(gates, run_set("a", **a), run_set("b", **b))[0].decision == "undecided"


def test_every_decision_says_why() -> None:
    """The words have the medians, how many runs observed the quantity, and why the others did not."""
    (found,) = decide(
        [parsed("recovery > 1.2x")], run_set("a", recovery=FAST), run_set("b", recovery=[*SLOW, missing()])
    )
    assert found.decision == "fails" and "n=8, 1 not observed" in found.why and "median 14.000" in found.why
