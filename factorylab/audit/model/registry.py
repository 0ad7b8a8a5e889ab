"""Checks: small functions that look at the evidence and say how many cases break a claim.

A check is registered with the sentence that it tests and with the verdict that a broken claim means. Its words
come from here, so that every check reads alike. A check that raises is INVALID: no evidence is not good news.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from types import ModuleType
from typing import Any, Literal

import pandas as pd

from factorylab.analysis.latency import PARTS, spread
from factorylab.analysis.limit import limit
from factorylab.analysis.offered_load import offered_load
from factorylab.analysis.places import Log
from factorylab.analysis.quantiles import quantiles
from factorylab.analysis.readings import Ints, Readings, Stored
from factorylab.analysis.recovery import recovery
from factorylab.analysis.service import ServiceTimes, ack_gaps, fault_windows
from factorylab.analysis.stalls import stalls
from factorylab.analysis.steps import steps
from factorylab.audit.model.findings import Check, LatencyPart, Outcome, Witness
from factorylab.core.errors import LabError
from factorylab.core.measures import Limit
from factorylab.core.scratch import Numbers
from factorylab.history.saved_run import Kept, Run, each
from factorylab.scenarios.share_group import ALERTS_NEED_ORDER

WITNESSES = 5
PLACE = ("partition", "offset")
NO_CASE = "the run had no case of it"
Needs = Literal["journal", "alerts"]
NOT_OF_A_SUBJECT: dict[Needs | Literal[""], str] = {
    "journal": "a program under test writes no journal of what it polled and stored",
    "alerts": "a program under test raises none of the factory's alerts",
}
NOT_OF_A_SHARE_GROUP: dict[Needs | Literal[""], str] = {
    "journal": "no worker of a share group owns a partition, or stores it from one position to the next",
    "alerts": ALERTS_NEED_ORDER,
}


class Evidence(Readings, Kept):
    """The sets of a run, what was measured on it, and how to name readings."""

    @cached_property
    def log(self) -> Log:
        self._require_final_read()
        return super().log

    @cached_property
    def rows(self) -> Stored:
        self._require_final_read()
        return super().rows

    def _require_final_read(self) -> None:
        """What a final read that was cut short did not find may be there: it proves no loss. Raises LabError."""
        if "end" not in self.run.phases:
            raise LabError("the run was cut short before its final read was done")

    @cached_property
    def _looked(self) -> dict[str, Found]:
        return {}

    def look(self, check: Registered) -> Found:
        """What a check finds, looked for once. Raises whatever the check raises."""
        if check.name not in self._looked:
            lacks = "" if self.run.scenario.owns_partitions else check.needs
            why = NOT_OF_A_SHARE_GROUP if self.run.scenario.shared else NOT_OF_A_SUBJECT
            self._looked[check.name] = Found(0, 0, not_asked=why[lacks]) if lacks else check.look(self)
        return self._looked[check.name]

    @cached_property
    def distrusted(self) -> frozenset[str]:
        """Tables whose times cannot be, as far as the checks of times could be made."""
        found: set[str] = set()
        for of_times in (c for c in CHECKS if c.of_times):
            with suppress(Exception):  # it is INVALID by itself
                found |= self.look(of_times).distrusted
        return frozenset(found)

    @cached_property
    def service(self) -> ServiceTimes:
        return ServiceTimes(self.run)

    @cached_property
    def ack_gaps(self) -> pd.DataFrame:
        return ack_gaps(self.run, self.service)

    @cached_property
    def fault_windows(self) -> pd.DataFrame:
        return fault_windows(self.run)

    @cached_property
    def recovery(self) -> pd.DataFrame:
        return recovery(self.run, self.service, self.stalls)

    @cached_property
    def stalls(self) -> pd.DataFrame:
        return stalls(self.run, self.service)

    @cached_property
    def latency(self) -> dict[str, Numbers]:
        """End-to-end latencies of the stored readings from the steady state on, `latency_s`, and their parts."""
        return spread(self.run, self)

    @property
    def latency_parts(self) -> list[LatencyPart]:
        """Whose share of these latencies is what."""
        return [_part(part, self.latency[f"{part}_s"]) for part in PARTS]

    @cached_property
    def offered_load(self) -> pd.DataFrame:
        return offered_load(self.run)

    @cached_property
    def limit(self) -> Limit | None:
        """How far the rate steps went; None without steps."""
        return limit(self.run, steps(self.run, self)) if self.run.scenario.workload.steps_per_s else None

    @cached_property
    def alerts(self) -> pd.DataFrame:
        """sink, alert (the number of its id in `alert_ids`), sensor, seq, rule, severity."""
        self._require_final_read()
        found = self.run.frame("alerts", "sink", "sensor", "seq", "rule", "severity")
        return found.assign(alert=self._alert_ids[0])

    @property
    def alert_ids(self) -> Sequence[Any]:
        return self._alert_ids[1]

    @cached_property
    def _alert_ids(self) -> tuple[Ints, Sequence[Any]]:
        return self.run.coded("alerts", "alert_id")

    def sensor_name(self, sensor: int) -> str:
        names = self.run.sensors
        found = names.loc[names["sensor"] == sensor, "name"]
        return str(found.iloc[0]) if len(found) else f"sensor {sensor}"

    def witnesses(self, keys: Ints, note: str = "") -> list[Witness]:
        """The first few of some readings, with their place in the log or, failing that, in their ack."""
        found = []
        for key, sensor, seq in zip(keys[:WITNESSES], *self.named(keys[:WITNESSES]), strict=True):
            record, row = self.log_row[key], self.send_row[key]
            told = self.log.take(record[None]) if record >= 0 else self.acked_at(row[None])
            partition, offset = (int(told[name].iloc[0]) if record >= 0 or row >= 0 else -1 for name in PLACE)
            found.append(Witness(self.sensor_name(sensor), int(seq), partition, offset, note))
        return found

    def acked_at(self, rows: Ints) -> pd.DataFrame:
        """Where some rows of `sends` were acknowledged: partition, offset."""
        told = self.run.take("sends", rows, *PLACE)
        return told.assign(offset=-1) if self.acks == "0" else told

    def log_witnesses(self, rows: Ints, note: str = "") -> list[Witness]:
        """The first few of some records of the log."""
        return [
            Witness(self.sensor_name(r.sensor), r.seq, r.partition, r.offset, note)
            for r in each(self.log.take(rows[:WITNESSES]))
        ]


def _part(name: str, known: Numbers) -> LatencyPart:
    p50, p99, top = (round(q, 4) for q in quantiles(known, [0.5, 0.99, 1])) if len(known) else [None] * 3
    return LatencyPart(part=name, n=len(known), p50_s=p50, p99_s=p99, max_s=top)


@dataclass(frozen=True)
class Found:
    """`count` of `n` cases break the claim; `detail` adds to the sentence built from the two.

    Without a case the claim is not asked, and neither is it where `not_asked` says why the run does not promise it.
    `distrusted`: the tables whose times cannot be, as a check of times found.
    """

    count: int
    n: int
    detail: str = ""
    witnesses: Sequence[Witness] = field(default=())
    not_asked: str = ""
    distrusted: frozenset[str] = frozenset()

    @property
    def asked(self) -> bool:
        return self.count > 0 or (self.n > 0 and not self.not_asked)

    def words(self, cases: str) -> str:
        told = f"{self.count:,} of {self.n:,} {cases}" if self.asked else f"not asked: {self.not_asked or NO_CASE}"
        return told + (f"; {self.detail}" if self.detail else "")


Look = Callable[[Evidence], Found]


@dataclass(frozen=True)
class Registered:
    name: str
    claim: str
    cases: str
    broken: Outcome
    look: Look
    of_times: bool = False
    by_times_of: frozenset[str] = frozenset()
    needs: Needs | Literal[""] = ""
    of_share_groups: bool = False
    of_transactions: bool = False

    def __call__(self, evidence: Evidence) -> Check:
        try:
            found = evidence.look(self)
        except Exception as error:  # whatever it is: a check without an answer must not pass
            text = f"the check could not be made: {type(error).__name__}: {error}"
            return Check(name=self.name, verdict="INVALID", count=0, n=0, claim=self.claim, measured=text)
        broken, words = self.broken, found.words(self.cases)
        if found.count and (doubted := self.by_times_of & evidence.distrusted):
            broken = "INVALID"
            words += f"; inconclusive, since times in {', '.join(sorted(doubted))} cannot be"
        return Check(
            name=self.name,
            verdict=broken if found.count else "PASS" if found.asked else "NOT_ASKED",
            count=found.count,
            n=found.n,
            claim=self.claim,
            measured=words,
            witnesses=list(found.witnesses)[:WITNESSES],
        )


CHECKS: list[Registered] = []


def check(
    claim: str, cases: str, broken: Outcome = "FAIL", *, of_times: bool = False, by_times_of: Sequence[str] = (),
    needs: Needs | Literal[""] = "", of_share_groups: bool = False, of_transactions: bool = False,
) -> Callable[[Look], Look]:  # fmt: skip
    """Register a function, by its name, as the check of `claim`; `cases` are what it counts.

    `of_times`: it tests whether the times of the history can be. `by_times_of`: what it finds is judged by the times
    in these tables, so where those cannot be it is INVALID, and nothing is held against the system. `needs`: what of
    the factory's own processors it looks at, so that it is not asked of a program under test or a share group.
    `of_share_groups`, `of_transactions`: only a run of such has it at all.
    """

    def register(look: Look) -> Look:
        tables = frozenset(by_times_of)
        where = of_share_groups, of_transactions
        CHECKS.append(Registered(look.__name__, claim, cases, broken, look, of_times, tables, needs, *where))
        return look

    return register


def run_checks(run: Run, modules: Sequence[ModuleType], names: Collection[str] = ()) -> tuple[Evidence, list[Check]]:
    """The checks of some modules that have these names, or all of them, in their order.

    Raises:
        ValueError: there is no check of such a name.
    """
    evidence, known = Evidence(run), [c for m in modules for c in CHECKS if c.look.__module__ == m.__name__]
    if unknown := set(names) - {c.name for c in known}:
        raise ValueError(f"no check is called {', '.join(sorted(unknown))}")
    known = [c for c in known if run.scenario.shared or not c.of_share_groups]
    known = [c for c in known if run.scenario.transactional or not c.of_transactions]
    return evidence, [c(evidence) for c in known if not names or c.name in names]
