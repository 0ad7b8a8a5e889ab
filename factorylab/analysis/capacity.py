"""What a capacity search found: its trials, the answer, and what gave way; read from where it was written."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import pandas as pd

from factorylab.analysis.rate_search import Bracket, Tried
from factorylab.analysis.rate_trial import Trial
from factorylab.core.errors import UsageError
from factorylab.history.provenance import Host
from factorylab.scenarios.capacity import CapacityPlan

FILES = "capacity-*.json"


class Capacity(msgspec.Struct, kw_only=True):
    """`trials` are all of them, `fleets` is what the generator was split over at the end."""

    plan: dict[str, Any]
    fleets: int
    answer: Bracket
    trials: list[Trial]
    commit: str
    host: Host

    @property
    def gave_way(self) -> list[str]:
        """What gave way first at the lowest rate that was not kept, and how that is known; empty where nothing did."""
        return [f"{one.gave_way}: {'; '.join(one.evidence)}" for one in counted(self.trials) if self._failed(one)]

    def _failed(self, one: Trial) -> bool:
        return one.rate_per_s == self.answer.failed_per_s and one.outcome in {"not kept", "generator late"}

    @property
    def table(self) -> pd.DataFrame:
        """One row a trial, in their order; the columns are those of `Trial` but for its evidence."""
        return pd.DataFrame([msgspec.structs.asdict(one) for one in self.trials]).drop(columns="evidence")


def fleets_for(plan: CapacityPlan, trials: Sequence[Trial]) -> int:
    """How many processes the sensors of the next trial are split over: twice as many after the generator was late."""
    fleets = 1
    for one in trials:
        if one.outcome == "generator late" and one.fleets == fleets:
            fleets = min(2 * fleets, plan.fleets_max)
    return fleets


def counted(trials: Sequence[Trial], fleets: int = 1) -> list[Trial]:
    """Without those in which the generator was late with fewer processes than `fleets`, or than it had later."""
    most = max((one.fleets for one in trials), default=fleets)
    return [one for one in trials if one.outcome != "generator late" or one.fleets >= max(most, fleets)]


def tried(plan: CapacityPlan, trials: Sequence[Trial]) -> list[Tried]:
    """The trials as the search counts them: a rate for which the generator gets more processes is tried again."""
    return [Tried(one.rate_per_s, one.outcome) for one in counted(trials, fleets_for(plan, trials))]


def read(path: Path) -> Capacity:
    """The result of a search in a file.

    Raises:
        UsageError: it cannot be read, or is none.
    """
    try:
        return msgspec.json.decode(path.read_bytes(), type=Capacity)
    except (OSError, msgspec.DecodeError) as error:
        raise UsageError(f"{path} is not the result of a capacity search ({error})") from None


def latest(results: Path) -> Path | None:
    """The file of the latest search under `results`; None where there is none."""
    return max(results.glob(FILES), default=None)
