"""Who led, followed in sync or owned each partition, and when: intervals in seconds since the steady state."""

from __future__ import annotations

from dataclasses import dataclass, field

import pandas as pd

from factorylab.core.clock import NS
from factorylab.history.saved_run import Run, each

SAME_REBALANCE_S = 3.0  # callbacks of one rebalance come within about a heartbeat; the group's initial delay is 3 s


def _spans(samples: pd.DataFrame, column: str, value: str) -> pd.DataFrame:
    """Runs of equal `column` per partition: partition, `value`, start_s, end_s. An interval lasts until the next
    one is first seen, the last until the last sample."""
    samples = samples.sort_values(["partition", "t_s"], kind="stable")
    new = (samples[column] != samples[column].shift()) | (samples["partition"] != samples["partition"].shift())
    starts = samples[new]
    last = samples.groupby("partition")["t_s"].last()
    ends = starts.groupby("partition")["t_s"].shift(-1)
    return pd.DataFrame(
        {
            "partition": starts["partition"],
            value: starts[column],
            "start_s": starts["t_s"],
            "end_s": ends.fillna(starts["partition"].map(last)),
        }
    ).reset_index(drop=True)


def seen(run: Run) -> pd.DataFrame:
    """Partition samples that say something about leadership: leader −1 with an epoch means that there is none, and
    without one that no broker answered."""
    samples = run.partitions
    samples = samples[samples["valid"] | (samples["leader"] >= 0) | (samples["epoch"] >= 0)]
    return samples.assign(t_s=run.seconds(samples["t_ns"]))


def leadership(run: Run) -> pd.DataFrame:
    """partition, leader (broker id, −1 none), start_s, end_s."""
    return _spans(seen(run), "leader", "leader")


def isr(run: Run) -> pd.DataFrame:
    """partition, in_sync (broker ids as "1 2 3"), start_s, end_s."""
    samples = seen(run)
    words = samples["isr"].map(lambda ids: " ".join(str(i) for i in sorted(ids)))
    return _spans(samples.assign(word=words), "word", "in_sync")


def under_replicated(run: Run) -> pd.DataFrame:
    """The intervals of `isr` with fewer replicas in sync than the topic should have."""
    spans = isr(run)
    return spans[spans["in_sync"].map(lambda ids: len(ids.split())) < run.scenario.topology.replication]


@dataclass
class _Owners:
    """Open intervals by (worker, partition), and the closed ones."""

    since: dict[tuple[str, int], float] = field(default_factory=dict)
    closed: list[tuple[int, str, float, float, str]] = field(default_factory=list)

    def open(self, worker: str, partitions: list[int], t_s: float) -> None:
        for partition in partitions:
            self.since.setdefault((worker, partition), t_s)

    def close(self, worker: str, partitions: list[int] | None, t_s: float, why: str) -> None:
        """Close what `worker` owned of `partitions` (None: everything)."""
        for owner, partition in list(self.since):
            if owner == worker and (partitions is None or partition in partitions):
                self.closed.append((partition, worker, self.since.pop((owner, partition)), t_s, why))


def assignments(run: Run) -> pd.DataFrame:
    """partition, worker, start_s, end_s, ended_by (revoked, lost, killed, end): what each processor believed.

    A SIGKILLed member reports nothing: its intervals close when the fault was injected. A paused one goes on
    believing until it hears of the loss, so intervals of two workers can overlap.
    """
    kills = run.faults[(run.faults["step"] == "injected") & (run.faults["kind"] == "kill")]
    events: list[tuple[int, str, str, list[int] | None]] = [(k.t_ns, k.node, "killed", None) for k in each(kills)]
    events += [(g.t_ns, g.worker, g.event, g.partitions) for g in each(run.group)]
    owners = _Owners()
    for t_ns, worker, event, partitions in sorted(events, key=lambda e: e[0]):
        t_s = (t_ns - run.t0_ns) / NS
        if event == "assigned":
            owners.open(worker, partitions or [], t_s)
        else:
            owners.close(worker, partitions, t_s, event)
    end_ns = run.phases.get("final_read") or max(run.phases.values(), default=run.t0_ns)
    for worker in {worker for worker, _ in owners.since}:
        owners.close(worker, None, (end_ns - run.t0_ns) / NS, "end")
    found = pd.DataFrame(owners.closed, columns=["partition", "worker", "start_s", "end_s", "ended_by"])
    return found.sort_values(["partition", "start_s"], kind="stable").reset_index(drop=True)


def rebalances(run: Run) -> pd.DataFrame:
    """start_s, end_s, callbacks, members: callbacks less than SAME_REBALANCE_S apart are one rebalance."""
    group = run.group.sort_values("t_ns", kind="stable")
    t_s = run.seconds(group["t_ns"])
    number = (t_s.diff() > SAME_REBALANCE_S).cumsum()
    found = group.assign(t_s=t_s).groupby(number)
    return pd.DataFrame(
        {
            "start_s": found["t_s"].min(),
            "end_s": found["t_s"].max(),
            "callbacks": found.size(),
            "members": found["worker"].nunique(),
        }
    ).reset_index(drop=True)
