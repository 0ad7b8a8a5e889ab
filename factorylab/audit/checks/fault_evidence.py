"""Did a fault land? The evidence that its kind declares, sought in what the probe saw, not in the injector's word."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from factorylab.analysis.service import fault_windows
from factorylab.audit.checks import cut_evidence
from factorylab.core.clock import NS
from factorylab.core.vocabulary import GroupEvent
from factorylab.history.saved_run import Run, each
from factorylab.history.table_chunks import UNKNOWN
from factorylab.scenarios.faults.kind import (
    DatabaseAnswers,
    LeadersShow,
    Leading,
    LinksBreak,
    MembershipEnds,
    ProcessShows,
    ProcessState,
)
from factorylab.scenarios.model import Fault

LOST: GroupEvent = "lost"


def lacking(run: Run, fault: Fault, window: Any) -> list[str]:
    """What is lacking of the evidence that `fault` landed in `window`, a row of `fault_windows`; empty: it is whole."""
    match fault.declared.evidence:
        case LinksBreak():
            return cut_evidence.not_as_cut(run, fault, window)
        case DatabaseAnswers(answer):
            asked = run.database
            answers = asked.loc[asked["t_ns"].between(window.injected_ns, _until_ns(window)), "answer"]
            return [] if (answers == answer).any() else [f"no answer of {len(answers)} was {answer!r}"]
        case LeadersShow() as shows:
            before, since = _leaders(run, window, _undone_ns(run, fault, window))
            proof = shows.proof(int(window.node.rpartition("-")[2]), before, since)
            return [] if proof.ok else [f"{window.node} {proof.words}"]
        case MembershipEnds():
            told = run.group
            heard = told["t_ns"].between(window.intended_ns, _undone_ns(run, fault, window))
            lost = (told["worker"] == window.node) & (told["event"] == LOST) & heard
            return [] if lost.any() else [f"{window.node} was not told that its partitions are lost"]
        case ProcessShows() as shows:
            samples = run.frame("processes", "t_ns", "name", "pid", "status", "cpu_s", "cpu_limit")
            mine = samples[samples["name"] == window.node]
            held = mine["t_ns"].between(window.injected_ns, _undone_ns(run, fault, window))
            proof = shows.proof(_looks(mine[mine["t_ns"] <= window.intended_ns]), _looks(mine[held]))
            return [] if proof.ok else [f"{window.node} {proof.words}"]


def _leaders(run: Run, window: Any, until_ns: int) -> tuple[dict[int, Leading], dict[int, list[Leading]]]:
    """Who led each partition at the last look before the fault, and all that was seen from then on until `until_ns`."""
    looks = run.frame("partitions", "t_ns", "partition", "leader", "epoch", "valid")
    looks = looks[looks["valid"] & (looks["t_ns"] <= until_ns)].sort_values("t_ns", kind="stable")
    before: dict[int, Leading] = {}
    since: dict[int, list[Leading]] = {}
    for look in each(looks):
        at = Leading(int(look.leader), int(look.epoch))
        if look.t_ns <= window.intended_ns:
            before[look.partition] = at
        else:  # the request is answered once it is done
            since.setdefault(look.partition, []).append(at)
    return before, since


def _undone_ns(run: Run, fault: Fault, window: Any) -> int:
    """When it began to be undone; what undoes itself shows until the next fault of its node."""
    if not fault.declared.undoes_itself:
        return cut_evidence.step_ns(run, window, "healing", _until_ns(window))
    windows = fault_windows(run)
    later = windows.loc[(windows["node"] == window.node) & (windows["injected_ns"] > window.injected_ns), "intended_ns"]
    return int(later.min()) if len(later) else np.iinfo(np.int64).max


def _until_ns(window: Any) -> int:
    return int(window.healed_ns) if window.healed_ns > 0 else np.iinfo(np.int64).max


def _looks(samples: pd.DataFrame) -> list[ProcessState]:
    return [
        ProcessState(s.t_ns / NS, s.pid, s.status, s.cpu_s, None if s.cpu_limit == UNKNOWN else s.cpu_limit)
        for s in each(samples)
    ]
