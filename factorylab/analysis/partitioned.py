"""What brokers and clients saw while a fault was held: under a network partition they see different things.

The *watched* partition is the one whose story is told: that of the fault's target (`leader:0`), else the first that the
victim led when it was hit, else partition 0.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from factorylab.analysis.readings import FAIL, SHED, UNKNOWN, Readings
from factorylab.analysis.service import fault_windows
from factorylab.core.clock import NS
from factorylab.history.saved_run import Run, each
from factorylab.scenarios.targets import TargetParts

SILENT_S = 1.0  # a broker whose last answer is older has none: the probe asks five times a second


def watched_partition(run: Run, fault: int = 0) -> int:
    """The partition that fault number `fault` is about."""
    aim = run.scenario.faults[fault].aim if run.scenario.faults else TargetParts("")
    if aim.role in {"leader", "follower", "followers", "owner"} and aim.which.isdigit():
        return int(aim.which)
    for window in each(fault_windows(run).query("fault == @fault").head(1)):
        before = run.partitions[run.partitions["valid"] & (run.partitions["t_ns"] <= window.injected_ns)]
        latest = before.sort_values("t_ns").drop_duplicates("partition", keep="last")
        led = latest.loc["broker-" + latest["leader"].astype(str) == window.node, "partition"]
        return int(led.min()) if len(led) else 0
    return 0


def views(run: Run, partition: int) -> pd.DataFrame:
    """What each broker said of a partition: broker, leader, in_sync (ids as "1 2 3"), epoch, start_s, end_s.

    An interval ends when the broker says something else, or with its last answer before it fell silent.
    """
    told = run.views[run.views["partition"] == partition].sort_values(["broker", "t_ns"], kind="stable")
    t_s = run.seconds(told["t_ns"])
    words = told["isr"].map(lambda ids: " ".join(str(i) for i in sorted(ids)))
    said = pd.DataFrame({"broker": told["broker"], "leader": told["leader"], "in_sync": words, "epoch": told["epoch"]})
    silent = t_s.diff() > SILENT_S
    new = (said != said.shift()).any(axis=1) | silent
    following = (
        t_s.shift(-1).where(said["broker"] == said["broker"].shift(-1)).where(~silent.shift(-1, fill_value=False))
    )
    spans = said.assign(start_s=t_s, end_s=following.fillna(t_s)).groupby(new.cumsum())
    return spans.agg(
        {**dict.fromkeys(said.columns, "first"), "start_s": "first", "end_s": "last"}
    ).reset_index(drop=True)  # fmt: skip


def acks_kept_and_lost(run: Run, partition: int, bin_s: float = 0.5) -> pd.DataFrame:
    """Acknowledgements of a partition by the time they came: t_s (start of the bin), kept_per_s (the reading is in the
    log now), lost_per_s (it is not)."""
    readings = Readings(run)
    sends = run.frame("sends", "t_ack_ns", "partition", "outcome")
    mine = ((sends["partition"] == partition) & (sends["outcome"] == "ok") & (sends["t_ack_ns"] > 0)).to_numpy()
    t_s = (sends["t_ack_ns"].to_numpy()[mine] - run.t0_ns) / NS
    kept = readings.of(readings.send_key[mine]).in_log
    slot = np.floor(t_s / bin_s).astype(int)
    first = int(slot.min(initial=0))
    count = int(slot.max(initial=first)) - first + 2  # a last bin of nothing: the width of one shows in the frame
    rates = {
        name: np.bincount(slot[chosen] - first, minlength=count) / bin_s
        for name, chosen in (("kept_per_s", kept), ("lost_per_s", ~kept))
    }
    return pd.DataFrame({"t_s": (first + np.arange(count)) * bin_s, **rates})


def clients_saw(run: Run, fault: int = 0) -> pd.DataFrame:
    """What clients got from each partition while fault number `fault` was held, readings due in that time.

    Columns: partition, due, offered, acked, lost (acked, and not in the log now), unanswered (nobody knows, the log was
    looked at), shed (the producer's queue was full), stored_meanwhile (rows committed before the healing).
    """
    window = fault_windows(run).query("fault == @fault").iloc[0]
    until_ns = window.healed_ns if window.healed_ns > 0 else max(run.phases.values())
    readings = Readings(run)
    sends = run.frame("sends", "sensor", "t_intended_ns", "partition")
    log = run.frame("log", "sensor", "partition", "offset").sort_values(["partition", "offset"], kind="stable")
    home = log.drop_duplicates("sensor").set_index("sensor")["partition"]
    partition = sends["partition"].where(sends["partition"] >= 0, sends["sensor"].map(home).fillna(-1)).astype(int)
    inside = sends["t_intended_ns"].between(window.injected_ns, until_ns).to_numpy()
    some = readings.of(readings.send_key)
    commits = run.commits[~run.commits["refused"] & run.commits["t_ns"].between(window.injected_ns, until_ns)]
    counted = {
        "due": np.ones(len(sends), bool),
        "offered": some.offered,
        "acked": some.acked,
        "lost": some.acked & ~some.in_log,
        "unanswered": some.outcome == UNKNOWN,
        "shed": np.isin(some.outcome, (SHED, FAIL)),
    }
    table = pd.DataFrame({name: found & inside for name, found in counted.items()}).groupby(partition).sum()
    table = table.reindex(range(run.scenario.topology.partitions), fill_value=0)
    stored = commits.groupby("partition")["rows"].sum().reindex(table.index, fill_value=0)
    return table.assign(stored_meanwhile=stored).rename_axis("partition").reset_index()
