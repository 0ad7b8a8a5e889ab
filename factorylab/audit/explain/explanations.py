"""Why readings were lost, doubled, reordered or never left the factory: from the saved run alone.

Each explainer takes the readings that one check counted and tells their story in groups: partition, offsets, time,
leader epoch, the event, its evidence, and the setting that prevents it. An explainer that finds no event says so: it
never guesses. What it says changes no verdict.
"""

from __future__ import annotations

from collections.abc import Sequence

from factorylab.audit.explain import log_explanations, store_explanations
from factorylab.audit.explain.case import EXPLAINERS, NOTHING_SEEN, UNKNOWN_CURE, Case
from factorylab.audit.model.findings import Check, Explanation
from factorylab.audit.model.registry import Evidence

__all__ = ["explanations", "log_explanations", "store_explanations"]  # importing them registers their explainers
MOST = 12  # groups of a check that a verdict keeps; a scenario has few partitions and fewer events
UNCHECKED = ("shed", "unconfirmed")  # told wherever there are any: no check fires on those that are allowed


def explanations(evidence: Evidence, checks: Sequence[Check]) -> list[Explanation]:
    """Explanations of all that was lost, doubled or reordered; of one check the largest groups come first."""
    counted = {check.name: check.count for check in checks if check.verdict != "INVALID"}
    found = []
    for name, explainer in EXPLAINERS.items():
        if not counted.get(name) and name not in UNCHECKED:
            continue
        try:
            told = list(explainer(Case(evidence)))
        except Exception as error:  # as for a check: no evidence is no story, and the verdict stands without it
            told = [untold(name, counted[name], error)] if counted.get(name) else []
        found += sorted(told, key=lambda e: (-e.count, e.partition, e.first_offset))[:MOST]
    return found


def untold(check: str, count: int, error: Exception) -> Explanation:
    return Explanation(
        check=check, count=count, partition=-1, first_offset=-1, last_offset=-1, from_s=0.0, until_s=0.0,
        epoch=-1, event=NOTHING_SEEN, evidence=[f"{type(error).__name__}: {error}"], prevented_by=UNKNOWN_CURE,
    )  # fmt: skip
