"""What runs of share groups measured, as a table: one row for each scenario and version of Kafka.

    python -m tests.measure.queues RESULTS            of all finished runs in this folder
    python -m tests.measure.queues RESULTS --runs     a row for each run

again      seconds from the moment at which a worker's death was noted until others had been given all that it had in
           hand, one value for each death
counts     delivery counts above 1
next       from one delivery of a record to its next one, of all records of a run that had one (s)
deliveries the longest time from the steady state on in which no record of a partition was given to anybody (s)
answers    the longest time from a worker's word about a record to the broker's answer (s)
group      the longest time in which nobody told the probe of the group (s)
acks       the longest time without an acknowledgement of a partition to the producer (s)
unanswered words of workers that a broker answered with an error, and which
states     of the group, as the probe was told, from the steady state on; "–" for no answer
"""

from __future__ import annotations

import argparse
import statistics
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from rich.console import Console
from rich.table import Table

from factorylab.analysis.deliveries import deliveries, redeliveries
from factorylab.analysis.service import ack_gaps, fault_windows, longest_gap
from factorylab.audit.judged import JudgedRun, load
from factorylab.core.clock import FOREVER_NS, NS
from factorylab.history.saved_run import Run, each
from factorylab.history.tables import ANSWERED_OK, SENT


@dataclass(frozen=True)
class Seen:
    """One run."""

    title: str
    kafka: str
    verdict: str
    met: bool
    victims: str
    again_s: Sequence[float]
    counts: Sequence[int]
    next_s: Sequence[float]
    deliveries_s: Sequence[float]
    acks_s: Sequence[float]
    answers_s: float
    group_s: float
    unanswered: Counter[str]
    states: Sequence[str]
    load: float

    @classmethod
    def of(cls, run: JudgedRun) -> Seen:
        back = redeliveries(run)
        waits = back.dropna(subset=["wait_s"])
        host = run.manifest.host
        return cls(
            title=run.scenario.title,
            kafka=run.manifest.versions["kafka"],
            verdict=str(run.verdict.verdict),
            met=run.verdict.met,
            victims=_victims(run),
            again_s=waits.groupby("fault")["wait_s"].max().tolist(),
            counts=sorted({int(n) for n in run.acquisitions["delivery_count"] if n > 1}),
            next_s=_to_the_next_s(run),
            deliveries_s=list(_delivery_gaps_s(run)),
            acks_s=ack_gaps(run)["gap_s"].tolist(),
            answers_s=_longest_answer_s(run),
            group_s=float(_looks_ns(run).diff().max() / NS),
            unanswered=Counter(r for r in run.acknowledgements["result"] if r not in {SENT, ANSWERED_OK}),
            states=list(_states(run)),
            load=host.load if host and host.load is not None else float("nan"),
        )


def _victims(run: Run) -> str:
    """Brokers that were hit, with what the injector was told of them just before."""
    steps = run.faults[run.faults["step"] == "intended"]
    return "; ".join(f"{s.node}: {s.evidence}" for s in each(steps) if s.node.startswith("broker"))


def _to_the_next_s(run: Run) -> list[float]:
    known = run.once(deliveries)
    again = known.next_ns < FOREVER_NS
    return [float(s) for s in (known.next_ns - known.t_ns)[again] / NS]


def _delivery_gaps_s(run: Run) -> Iterator[float]:
    given, first_ns, until_ns = run.acquisitions, run.t0_ns, run.phases["recover"]
    for partition in range(run.scenario.topology.partitions):
        moments = np.sort(given.loc[given["partition"] == partition, "t_ns"].to_numpy(np.int64))
        gap = longest_gap(moments, run.phases["steady"], until_ns, until_ns)
        yield (gap.end_ns - max(gap.start_ns, first_ns)) / NS


def _longest_answer_s(run: Run) -> float:
    """NaN where no word was answered."""
    said = run.acknowledgements
    of_record = ["worker", "partition", "offset"]
    ordered = said.assign(answer=said["result"] != SENT).sort_values([*of_record, "t_ns"], kind="stable")
    before = ordered.groupby(of_record, observed=True)["t_ns"].shift()
    return float(((ordered["t_ns"] - before)[ordered["answer"]] / NS).max())


def _looks_ns(run: Run) -> pd.Series[Any]:
    """When the probe was told of the group, from the steady state on."""
    return run.members.loc[run.members["t_ns"] > run.phases["steady"], "t_ns"].drop_duplicates().sort_values()


def _states(run: Run) -> Iterator[str]:
    """The group's states in their order, each with when it was first told (s after the first fault)."""
    windows = fault_windows(run)
    zero_ns = int(windows["injected_ns"].min()) if len(windows) else run.t0_ns
    told = run.members[run.members["t_ns"] > run.phases["steady"]].drop_duplicates("t_ns").sort_values("t_ns")
    last = ""
    for look in each(told):
        if look.state != last:
            yield f"{look.state} {(look.t_ns - zero_ns) / NS:+.1f} s"
        last = look.state


def spread(values: Iterable[float]) -> str:
    """Median, range and number."""
    found = list(values)
    if not found:
        return "–"
    return f"{statistics.median(found):.2f} ({min(found):.2f}–{max(found):.2f}, n = {len(found)})"


def of_scenarios(seen: Sequence[Seen]) -> Table:
    shown = Table("scenario", "Kafka", "as declared", "again (s)", "counts", "next (s)", "deliveries (s)",
                  "answers (s)", "group (s)", "acks (s)", "unanswered", "load", show_lines=True)  # fmt: skip
    for title, kafka in dict.fromkeys((one.title, one.kafka) for one in seen):
        mine = [one for one in seen if (one.title, one.kafka) == (title, kafka)]
        met = sum(one.met for one in mine)
        counts = sorted({count for one in mine for count in one.counts})
        unanswered = sum((one.unanswered for one in mine), Counter[str]())
        shown.add_row(
            title, kafka, f"{met} of {len(mine)} ({', '.join(sorted({one.verdict for one in mine}))})",
            spread(s for one in mine for s in one.again_s), ", ".join(map(str, counts)),
            spread(s for one in mine for s in one.next_s),
            spread(max(one.deliveries_s) for one in mine), spread(one.answers_s for one in mine),
            spread(one.group_s for one in mine), spread(max(one.acks_s) for one in mine if one.acks_s),
            ", ".join(f"{n} {name}" for name, n in unanswered.items()), spread(one.load for one in mine),
        )  # fmt: skip
    return shown


def of_runs(seen: Sequence[Seen]) -> Table:
    shown = Table("scenario", "Kafka", "verdict", "victims", "again (s)", "counts", "next (s)", "deliveries (s)",
                  "answers (s)", "group (s)", "acks (s)", "unanswered", "states", show_lines=True)  # fmt: skip
    for one in seen:
        shown.add_row(
            one.title, one.kafka, f"{one.verdict}, {'as' if one.met else 'NOT as'} declared", one.victims,
            ", ".join(f"{s:.2f}" for s in one.again_s), ", ".join(map(str, one.counts)), spread(one.next_s),
            ", ".join(f"{s:.1f}" for s in one.deliveries_s), f"{one.answers_s:.1f}", f"{one.group_s:.1f}",
            ", ".join(f"{s:.1f}" for s in one.acks_s),
            ", ".join(f"{n} {name}" for name, n in one.unanswered.items()), ", ".join(one.states),
        )  # fmt: skip
    return shown


def main() -> None:
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("results", type=Path)
    words.add_argument("--runs", action="store_true")
    given = words.parse_args()
    runs = (load(seal.parent.parent) for seal in sorted(given.results.rglob("raw/seal.json")))
    seen = [Seen.of(run) for run in runs if run.scenario.shared]
    Console(width=260).print((of_runs if given.runs else of_scenarios)(seen))


if __name__ == "__main__":
    main()
