"""Two sets of runs against each other: each quantity tested, with its effect and an interval.

A difference is *shown* where the permutation test rejects at 1 − CONFIDENCE after Holm's correction over all quantities
that were tested; intervals are of one quantity each and not corrected. Two sets are *within the margin* in a quantity
where two one-sided tests show that they differ by less, corrected in the same way.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Literal

import msgspec

from factorylab.analysis.statistics.difference import Effect, Margin, effect, equivalence_p
from factorylab.analysis.statistics.multiple import holm
from factorylab.analysis.statistics.permutation import Permutation, permutation
from factorylab.analysis.statistics.sample import CONFIDENCE
from factorylab.audit.model.verdict import NOT_RECORDED
from factorylab.audit.sets.run_set import RunSet, told_apart
from factorylab.audit.sets.summary import Bounds, Row, Summary, summary
from factorylab.core.errors import UsageError

ALPHA = 1 - CONFIDENCE
Answer = Literal["more", "less", "~", "not tested"]


class Compared(msgspec.Struct, frozen=True, kw_only=True):
    """One quantity, B against A; differences are B − A in its unit, ratios B ÷ A. None: it cannot be said.

    `answer`: B is shown to be more or less, or no difference is shown ("~"). "not tested": a set has no value, or all
    values are equal. `p` is of the test alone, `p_corrected` after Holm; `p_same` is that of the margin, corrected, and
    `within_margin` what it says. `until`: with censored values the difference is that of means restricted to it.
    """

    a: Row
    b: Row
    answer: Answer
    difference: float | None = None
    interval: Bounds | None = None
    ratio: float | None = None
    ratio_interval: Bounds | None = None
    until: float | None = None
    p: float | None = None
    p_corrected: float | None = None
    p_exact: bool = True
    p_same: float | None = None

    @property
    def within_margin(self) -> bool:
        return self.p_same is not None and self.p_same <= ALPHA

    @property
    def quantity(self) -> str:
        return self.a.quantity


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    """Two cells. `tested` quantities were; `smallest_p` is the least that so many values can give one of them.
    `differs` are the conditions in which the sets differ, with those of A and of B."""

    a: Summary
    b: Summary
    differs: dict[str, tuple[str, str]]
    tested: int
    smallest_p: float
    rows: list[Compared]

    @property
    def can_show(self) -> bool:
        """Whether any difference could be shown with so many values and quantities."""
        return self.smallest_p * max(self.tested, 1) <= ALPHA


def compare(a: RunSet, b: RunSet, names: Iterable[str], margins: Mapping[str, Margin] | None = None) -> Comparison:
    """The quantities of these names; `margins` by quantity, that of "" for all others.

    Raises:
        UsageError: a quantity is unknown, or a run is in both sets.
    """
    if both := {run.run_id for run in a.runs} & {run.run_id for run in b.runs}:
        raise UsageError(f"{', '.join(sorted(both))} would be compared with itself: each run belongs to one set")
    names = list(names)
    told_a, told_b = summary(a, names), summary(b, names)
    tests = {name: permutation(a.sample(name), b.sample(name)) for name in names}
    corrected = _corrected({name: test.p for name, test in tests.items() if test})
    same = {name: _same_p(a, b, name, margins or {}) for name in tests}
    same_corrected = _corrected({name: p for name, p in same.items() if p is not None})
    return Comparison(
        a=told_a,
        b=told_b,
        differs=_differs(a, b),
        tested=len(corrected),
        smallest_p=min((test.smallest for test in tests.values() if test), default=1.0),
        rows=[
            _compared(
                (row_a, row_b), tests[row_a.quantity], effect(a.sample(row_a.quantity), b.sample(row_a.quantity)),
                corrected.get(row_a.quantity), same_corrected.get(row_a.quantity),
            )
            for row_a, row_b in zip(told_a.rows, told_b.rows, strict=True)
        ],
    )  # fmt: skip


def _corrected(p: Mapping[str, float]) -> dict[str, float]:
    return dict(zip(p, holm(list(p.values())), strict=True))


def _same_p(a: RunSet, b: RunSet, name: str, margins: Mapping[str, Margin]) -> float | None:
    margin = margins.get(name) or margins.get("")
    return equivalence_p(a.sample(name), b.sample(name), margin) if margin else None


def _differs(a: RunSet, b: RunSet) -> dict[str, tuple[str, str]]:
    """Conditions, declared or met, that are not the same in both sets."""
    sides = [dict(one.cell) | {k: _had(one, k) for run in one.runs for k in run.met} for one in (a, b)]
    both = {name: (sides[0].get(name, "–"), sides[1].get(name, "–")) for name in dict.fromkeys([*sides[0], *sides[1]])}
    return {name: pair for name, pair in both.items() if pair[0] != pair[1]}


def _had(one: RunSet, name: str) -> str:
    """A condition of the runs of a set: each word that it has."""
    return ", ".join(sorted({run.met.get(name, NOT_RECORDED) for run in one.runs}))


def _compared(
    rows: tuple[Row, Row], test: Permutation | None, found: Effect | None, p: float | None, p_same: float | None
) -> Compared:
    told = Compared(a=rows[0], b=rows[1], answer=_answer(test, p), p_corrected=p, p_same=p_same)
    if found:
        told = msgspec.structs.replace(
            told,
            difference=found.difference,
            interval=Bounds.of(found.interval),
            ratio=found.ratio,
            ratio_interval=Bounds.of(found.ratio_interval),
            until=found.until,
        )
    return msgspec.structs.replace(told, p=test.p, p_exact=test.exact) if test else told


def _answer(test: Permutation | None, p: float | None) -> Answer:
    if test is None or p is None:
        return "not tested"
    if p > ALPHA:
        return "~"
    return "more" if test.greater < test.less else "less"


def pairs(of_a: Iterable[RunSet], of_b: Iterable[RunSet]) -> list[tuple[RunSet, RunSet]]:
    """Which sets to compare: one against one, whatever they are; of several those of the same cell.

    Raises:
        UsageError: none is in both, so that nobody can say what is to be compared with what.
    """
    a, b = list(of_a), list(of_b)
    if len(a) == len(b) == 1:
        return [(a[0], b[0])]
    found = [(one, other) for one in a for other in b if one.cell == other.cell]
    if not found:
        sides = (f"{side}: {'; '.join(map(label, sets))}" for side, sets in (("A", a), ("B", b)))
        way_out = "choose with @name=value, as in broker_loss@target=controller"
        raise UsageError(f"runs of several experiments, none of which is in both. {'. '.join(sides)}. {way_out}")
    return found


def unmatched(of_a: Iterable[RunSet], of_b: Iterable[RunSet]) -> list[tuple[RunSet, RunSet]]:
    """Of several sets those whose cell the other side has not, each against an empty set in its place: that nothing was
    compared there must not go unseen."""
    a, b = list(of_a), list(of_b)
    if len(a) == len(b) == 1:
        return []
    found = [(one, _emptied(one)) for one in a if all(one.cell != other.cell for other in b)]
    return found + [(_emptied(one), one) for one in b if all(one.cell != other.cell for other in a)]


def _emptied(one: RunSet) -> RunSet:
    return replace(one, runs=(), left_out={})


def label(one: RunSet) -> str:
    """A set in a few words."""
    return f"{one.title}{f' ({told_apart(one.unlike)})' * bool(one.unlike)}, n={len(one.runs)}"
