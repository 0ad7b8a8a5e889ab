"""Whether something happened that nobody declared: a process was begun anew or stood still, a link was cut, the
database gave no answer."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

import pandas as pd

from factorylab.audit.checks.completeness import found_words
from factorylab.audit.checks.cut_evidence import OFTEN
from factorylab.audit.model.registry import Evidence, Found, check
from factorylab.core.clock import NS
from factorylab.history.saved_run import each
from factorylab.scenarios.fault_catalog import ENDING, FAULT_KINDS


@check(
    "No process was restarted or paused, no link cut, no database away but by a declared fault.",
    "looks were disturbed",
    "INVALID",
)
def undisturbed(e: Evidence) -> Found:
    words = [f"{name} is another process from {at_s:.1f} s on" for name, at_s in replaced(e).items()]
    words += [*_too_many_lives(e), *_stood_still(e), *_away_before(e)]
    looks = sum(e.run.row_count(table) for table in ("processes", "workers", "reach", "database"))
    return found_words(words, looks)


def _windows(e: Evidence, node: str, kinds: tuple[str, ...]) -> list[Any]:
    return [w for w in each(e.fault_windows) if w.node == node and w.kind in kinds]


def replaced(e: Evidence) -> dict[str, float]:
    """Processes that have another pid than before, though no fault ended them, and since when (seconds): the lab begins
    none again by itself, so somebody else did."""
    samples = e.run.frame("processes", "t_ns", "name", "pid").sort_values("t_ns", kind="stable")
    changed = samples["pid"] != samples.groupby("name", observed=True)["pid"].transform("shift").fillna(samples["pid"])
    found: dict[str, float] = {}
    seen: Counter[str] = Counter()
    for row in each(samples[changed]):
        seen[row.name] += 1
        ended = sum(w.intended_ns <= row.t_ns for w in _windows(e, row.name, ENDING))
        if seen[row.name] > ended:
            found.setdefault(row.name, (row.t_ns - e.run.t0_ns) / NS)
    return found


def _too_many_lives(e: Evidence) -> Iterator[str]:
    """Workers that began a journal again without a fault that had ended them."""
    lives = e.run.workers.sort_values("t_ns", kind="stable")
    lives = lives.assign(before=lives.groupby("worker", observed=True).cumcount())
    for life in each(lives[lives["before"] > 0]):
        ended = sum(w.intended_ns <= life.t_ns for w in _windows(e, str(life.worker), ENDING))
        if life.before > ended:
            yield f"{life.worker} began again at {(life.t_ns - e.run.t0_ns) / NS:.1f} s"


def _stood_still(e: Evidence) -> Iterator[str]:
    """Samples in which a process was paused, and no fault held it, or had it wait at a step of its work. What is killed
    is stopped just before, so that it begins no child any more."""
    samples = e.run.frame("processes", "t_ns", "name", "status")
    paused = samples[samples["status"] == "paused"]
    stops = {name for name, kind in FAULT_KINDS.items() if kind.stops or kind.stops_in_turns}
    for name, mine in paused.groupby("name", observed=True):
        asked = pd.Series(False, index=mine.index)
        for w in each(e.fault_windows[e.fault_windows["node"] == name]):
            declared = e.run.scenario.faults[w.fault] if w.fault < len(e.run.scenario.faults) else None
            if w.kind in stops or (declared and declared.step):
                asked |= mine["t_ns"].between(w.intended_ns, w.healed_ns if w.healed_ns > 0 else mine["t_ns"].max())
            elif w.kind in ENDING:
                asked |= mine["t_ns"].between(w.intended_ns, w.injected_ns)
        if not asked.all():
            yield f"{name} was paused in {int((~asked).sum()):,} samples, and no fault paused it"


def _away_before(e: Evidence) -> Iterator[str]:
    """Links and databases that failed more often than not from the steady state until the first fault. What they do
    after it may be its doing."""
    until_ns = int(e.fault_windows["intended_ns"].min()) if len(e.fault_windows) else e.run.last_ns
    tried = e.run.reach.assign(name=lambda links: links["source"].astype(str) + "→" + links["target"].astype(str))
    asked = e.run.database.assign(name="database", ok=e.run.database["answer"].astype(str) == "ok")
    for words, looks in (("was broken", tried), ("gave no answer", asked)):
        calm = looks[looks["t_ns"].between(e.run.t0_ns, until_ns)]
        often = calm.groupby("name")["ok"].mean()
        yield from (f"{name} {words}, and no fault had begun" for name in often.index[often < OFTEN])
