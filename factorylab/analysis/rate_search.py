"""Where to look next for the highest rate that is kept, and what the trials so far say about it.

The rule is fixed before the first trial: double while rates are kept (halve while none is), then halve the bracket in
logarithms until its ends are `resolution` apart, then repeat both ends until each has `repeats` trials that decided.
A rate is kept, or not, by the majority of its trials, so one trial on a machine that was busy elsewhere moves nothing
for good. OpenMessaging Benchmark searches in the same two stages, with one trial a rate.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

import msgspec

from factorylab.core.limits import RATE_MAX_PER_S
from factorylab.scenarios.capacity import CapacityPlan

Outcome = Literal["kept", "not kept", "generator late", "inconclusive"]
"""`generator late`: the load was not offered, so what lies behind was not put to the test. `inconclusive`: the trial
itself is INVALID for another reason; it decides nothing."""
DECIDED: tuple[Outcome, ...] = ("kept", "not kept", "generator late")
LEAST_PER_S = 100.0
INCONCLUSIVE_MAX = 3  # trials of one rate
DIGITS = 3  # of a rate that is tried: fine enough for the least resolution, 2 %


class Tried(msgspec.Struct, frozen=True):
    """One trial."""

    rate_per_s: float
    outcome: Outcome


class Bracket(msgspec.Struct, frozen=True):
    """The highest rate that is kept and the lowest one above it that is not, each with its trials as (that way, all
    that decided); None where there is no such rate. `generator_late` says that the upper end was never put to the test.
    `open` says why the answer is not the planned one; empty where it is."""

    kept_per_s: float | None
    kept: tuple[int, int]
    failed_per_s: float | None
    failed: tuple[int, int]
    generator_late: bool = False
    open: str = ""

    def __str__(self) -> str:
        return f"{self._words}; {self.open}" if self.open else self._words

    @property
    def _words(self) -> str:
        if self.kept_per_s is None:
            return f"No rate was kept, down to {self.failed_per_s or 0:,g} readings/s"
        below = f"{self.kept_per_s:,g} readings/s were kept ({self.kept[0]} of {self.kept[1]} trials)"
        if self.failed_per_s is None:
            return f"{below}, and no higher rate was tried"
        word = "the generator was late" if self.generator_late else "were not"
        return f"{below}, {self.failed_per_s:,g}/s {word} ({self.failed[0]} of {self.failed[1]})"


def next_rate(plan: CapacityPlan, trials: Sequence[Tried]) -> float | None:
    """The rate of the next trial; None where the search is over (see `bracket`)."""
    if not trials:
        return plan.start_per_s
    last = trials[-1]
    if _given_up(plan, trials):
        return None
    if last.outcome == "inconclusive" or _kept(trials, last.rate_per_s) is None:
        return last.rate_per_s
    found = _ends(trials)
    if found.kept_per_s is None or found.failed_per_s is None:
        return _outwards(found)
    return _inwards(plan, found.kept_per_s, found.failed_per_s) or _repeated(plan, found)


def _outwards(found: Bracket) -> float | None:
    """One of the ends is not known yet."""
    if found.failed_per_s is not None:
        return max(_rounded(found.failed_per_s / 2), LEAST_PER_S) if found.failed_per_s > LEAST_PER_S else None
    assert found.kept_per_s is not None
    return min(_rounded(2 * found.kept_per_s), RATE_MAX_PER_S) if found.kept_per_s < RATE_MAX_PER_S else None


def _inwards(plan: CapacityPlan, low: float, high: float) -> float | None:
    middle = _rounded(math.sqrt(low * high))
    return middle if high > (1 + plan.resolution) * low and low < middle < high else None


def _repeated(plan: CapacityPlan, found: Bracket) -> float | None:
    """The end with fewer trials, where that is too few."""
    ends = ((found.kept[1], found.kept_per_s), (found.failed[1], found.failed_per_s))
    return min((end for end in ends if end[0] < plan.repeats), default=(0, None))[1]


def bracket(plan: CapacityPlan, trials: Sequence[Tried]) -> Bracket:
    """What the trials say now."""
    unfinished = "the search is not finished" if next_rate(plan, trials) is not None else ""
    return msgspec.structs.replace(_ends(trials), open=_given_up(plan, trials) or unfinished)


def _ends(trials: Sequence[Tried]) -> Bracket:
    rates = sorted({trial.rate_per_s for trial in trials})
    high = next((rate for rate in rates if _kept(trials, rate) is False), None)
    low = max((rate for rate in rates if _kept(trials, rate) and (high is None or rate < high)), default=None)
    votes = [trial.outcome for trial in trials if trial.rate_per_s == high]
    late = votes.count("generator late") > votes.count("not kept")
    kept, failed = _count(trials, low, kept=True), _count(trials, high, kept=False)
    return Bracket(low, kept, high, failed, late)


def _given_up(plan: CapacityPlan, trials: Sequence[Tried]) -> str:
    if rate := _stuck(trials):
        return f"{INCONCLUSIVE_MAX} trials of {rate:,g}/s were inconclusive"
    return f"the search ended after {len(trials)} trials" if len(trials) >= plan.trials_max else ""


def _stuck(trials: Sequence[Tried]) -> float | None:
    """A rate whose trials decide nothing, again and again."""
    unclear = [trial.rate_per_s for trial in trials if trial.outcome == "inconclusive"]
    return next((rate for rate in unclear if unclear.count(rate) >= INCONCLUSIVE_MAX), None)


def _kept(trials: Sequence[Tried], rate: float) -> bool | None:
    """By the majority; None where there is none."""
    kept, decided = _count(trials, rate, kept=True)
    return None if 2 * kept == decided else 2 * kept > decided


def _count(trials: Sequence[Tried], rate: float | None, *, kept: bool) -> tuple[int, int]:
    votes = [trial.outcome for trial in trials if trial.rate_per_s == rate and trial.outcome in DECIDED]
    return sum((vote == "kept") == kept for vote in votes), len(votes)


def _rounded(rate: float) -> float:
    return round(rate, DIGITS - 1 - math.floor(math.log10(rate)))
