"""Handmade histories: a healthy run by default, in frames that a test spoils before they are saved.

    history = healthy(tmp_path, readings=600)
    history["log"] = history["log"].drop(index=[3])
    verdict = history.run().verdict

A healthy history offers `rate_per_s` readings a second, round robin over the sensors; sensor s lives in partition
s mod 3; acks come 5 ms after the send and commits every 100 ms.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq

from factorylab.audit.judge import with_cheap_text
from factorylab.audit.judged import JudgedRun, load
from factorylab.core.names import sensor_location, sensor_name
from factorylab.history import manifest, provenance, run_folders, run_tables
from factorylab.history.cross_samples import samples
from factorylab.history.saved_run import Run
from factorylab.history.tables import FINAL_READ, TABLES, WRITERS
from factorylab.scenarios.model import Scenario, scenario_from

S = 1_000_000_000
START = 1_000 * S  # every clock needs a beginning that is not 0
BOOT = "boot-1"
PARTITIONS = 3
OF_ALL_THE_RUN = {"workers", *(table for tables in WRITERS.values() for table in tables)}
BATCH, FINAL_READ_TABLES = 20_000, ("log", "rows")  # rows that the final read writes at a time
HASH_OF_ONE = np.uint64(0x9E3779B97F4A7C15)  # reading i has i + 1 times this as its hash
ACK_NS, STORE_NS, COMMIT_EVERY_NS = 5_000_000, 20_000_000, 100_000_000


class History(dict[str, pd.DataFrame]):
    """Tables by name; `run()` is the run that they make, `saved()` writes it to disk first."""

    def __init__(self, folder: Path, scenario: Scenario) -> None:
        super().__init__()
        self.folder, self.scenario = folder, scenario
        self.made_of: dict[str, Any] = {"problems": [], "workers_died": [], "producer": {"acks": scenario.clients.acks}}
        self.absent: set[str] = set()
        self.logs: dict[str, list[str]] = {}  # node → lines
        self.epochs_told = False  # does a test say itself where leader epochs begin, whatever the log holds there?

    @with_cheap_text
    def add(self, table: str, **columns: Any) -> None:
        """Append rows; a scalar stands for a whole column. Writer and time are those of the table, unless given."""
        if table in {"log", "rows"} and "measures_hash" not in columns:
            columns["measures_hash"] = self._measured_at(columns["partition"], columns["offset"])
        columns = {**self._usual(table), **columns}
        new = pd.DataFrame(
            columns if any(np.ndim(c) for c in columns.values()) else {k: [c] for k, c in columns.items()}
        )
        self[table] = new if table not in self else pd.concat([self[table], new], ignore_index=True)

    def _measured_at(self, partition: int, offset: int) -> np.uint64:
        """What the record of this place measured, or something else where there is none."""
        there = self["log"][(self["log"]["partition"] == partition) & (self["log"]["offset"] == offset)]
        return np.uint64(there["measures_hash"].iloc[0] if len(there) else 99)

    def _usual(self, table: str) -> dict[str, Any]:
        """Who writes a table, and when if not all the time: the final read in its phase, the ends in the drain."""
        schedule = self.scenario.schedule
        ends_s = schedule.steady_s + self.scenario.fault_window_s + schedule.after_s
        if table in OF_ALL_THE_RUN:
            return {"worker": next((role for role, of in WRITERS.items() if table in of), "runner"), "t_ns": START}
        return {"worker": FINAL_READ, "t_ns": at_ns(ends_s + (1.5 if table == "frozen" else 2.5))}

    def _noted(self) -> pd.DataFrame:
        """What runner and processors would have noted in the store as well, unless the history says what they did."""
        events = self.get("events", run_tables.empty("events"))
        if any(str(event).startswith(("fault_", "assigned")) for event in events["event"]):
            return events
        notes = [
            (g.t_ns, g.worker, g.event, {"partitions": list(g.partitions), "rebalance_no": g.rebalance_no})
            for g in self.get("group", run_tables.empty("group")).itertuples()
        ]
        notes += [
            (f.t_ns, "lab", f"fault_{f.step}",
             {"fault": f.kind, "target": f.target, "node": f.node, "evidence": f.evidence})
            for f in self.get("faults", run_tables.empty("faults")).itertuples()
        ]  # fmt: skip
        t_ns, process, event, detail = zip(*notes, strict=True) if notes else ((), (), (), ())
        words = [json.dumps(said) for said in detail]
        made = pd.DataFrame({"worker": FINAL_READ, "t_ns": t_ns, "process": process, "event": event, "detail": words})
        return pd.concat([events.astype(object), made]).astype({"t_ns": "int64"}) if len(events) else made

    def _epochs(self) -> pd.DataFrame:
        """The spans of leader epochs as the log has them: a spoil of the log is none of the final read's epochs."""
        spans, log = self.get("epochs", run_tables.empty("epochs")), self.get("log", run_tables.empty("log"))
        where, begins, named = (spans[column].to_numpy() for column in ("partition", "first_offset", "epoch"))
        partition, offset = log["partition"].to_numpy(), log["offset"].to_numpy()
        found = []
        for p in np.unique(where):
            offsets = np.sort(offset[partition == p])
            order = np.argsort(begins[where == p])
            at = np.searchsorted(begins[where == p][order], offsets, side="right") - 1
            epochs = named[where == p][order][np.maximum(at, 0)]
            parts = ((epoch, offsets[epochs == epoch]) for epoch in np.unique(epochs))
            found += [(p, epoch, mine[0], mine[-1], len(mine)) for epoch, mine in parts]
        if not found or self.epochs_told:
            return spans
        sizes = pd.DataFrame(found, columns=["partition", "epoch", "first_offset", "last_offset", "count"])
        return sizes.assign(**self._usual("epochs"))

    def fault(
        self, node: str, at_s: float, until_s: float, kind: str = "kill", number: int = 0, target: str = ""
    ) -> None:
        """A fault that landed and was healed, as runner and probe saw it."""
        target = target or node.replace("-", ":")
        steps = {
            "intended": at_s,
            "injected": at_s,
            "evidence": at_s + 0.01,
            "healing": until_s,
            "healed": until_s + 0.1,
        }
        for step, second in steps.items():
            self.add(
                "faults", t_ns=at_ns(second), fault=number, kind=kind, target=target, node=node, step=step, evidence=""
            )
        samples = self["processes"]
        during = (samples["name"] == node) & samples["t_ns"].between(at_ns(at_s), at_ns(until_s))
        if kind in {"kill", "terminate", "pause"}:
            samples.loc[during, "status"] = "paused" if kind == "pause" else "dead"

    @with_cheap_text
    def run(self) -> JudgedRun:
        """As a sealed run whose tables stay in memory."""
        return JudgedRun.from_frames(self._folder(), self._tables())

    def saved(self) -> JudgedRun:
        """Write, seal and load."""
        return load(self._folder(self._tables()).path)

    def _tables(self) -> dict[str, pd.DataFrame]:
        log, frozen = (self.get(table, run_tables.empty(table)) for table in ("log", "frozen"))
        tables = {
            "cross_reads": sampled(log, frozen).assign(**self._usual("cross_reads")),
            **self,
            "events": self._noted(),
            "epochs": self._epochs(),
        }
        return {name: tables.get(name, run_tables.empty(name)) for name in TABLES.keys() - self.absent}

    def _folder(self, tables: Mapping[str, pd.DataFrame] = MappingProxyType({})) -> run_folders.RunFolder:
        """A folder with scenario, manifest, logs and these tables, sealed."""
        folder = run_folders.create(self.folder, self.scenario)
        for name, frame in tables.items():
            rows = run_tables.stored(name, frame)
            size = BATCH if name in FINAL_READ_TABLES else None
            pq.write_table(rows, folder.table(name), compression="zstd", row_group_size=size)
        for node, lines in self.logs.items():
            (folder.logs / f"{node}.log").write_text("".join(f"{line}\n" for line in lines))
        facts: dict[str, Any] = {
            "run_id": folder.run_id,
            "scenario": self.scenario.name,
            "backend": "handmade",
            "started_wall_ns": at_ns(-10),
            "boot_id": BOOT,
            "seed": self.scenario.workload.seed,
            "host": provenance.Host(cores=2, memory_bytes=1 << 33, system="none"),
        }
        manifest.write(folder, manifest.Manifest(**{**facts, **self.made_of}))
        run_folders.seal(folder)
        return folder


def at_ns(second: float) -> int:
    """Seconds since the steady state as monotonic ns."""
    return START + round(second * S)


def scenario(**changes: Any) -> Scenario:
    """Three partitions, 100 readings/s, 2 s warm-up, 6 s steady, 4 s after, 8 s fault window where there are faults."""
    base: dict[str, Any] = {
        "name": "handmade",
        "workload": {"rate_per_s": 100, "sensors": 6},
        "schedule": {"warm_up_s": 2, "steady_s": 6, "after_s": 4},
    }
    return scenario_from({**base, **changes}, "test")


def healthy(folder: Path, made: Scenario | None = None) -> History:
    """A whole run in which nothing goes wrong."""
    made = made or scenario()
    h = History(folder, made)
    h.update({table: frame.copy() for table, frame in _healthy(made.model_dump_json()).items()})
    return h


@cache
@with_cheap_text
def _healthy(made_json: str) -> History:
    """The tables of a healthy run, made once for each scenario: copies are quicker."""
    made = Scenario.model_validate_json(made_json)
    h = History(Path(), made)
    ends_s = made.schedule.steady_s + made.fault_window_s + made.schedule.after_s
    marks = {"start": -made.schedule.warm_up_s - 1, "warm_up": -made.schedule.warm_up_s, "steady": 0.0}
    if made.fault_window_s:
        marks["fault_window"] = made.schedule.steady_s
    healing_s = 0.15 if made.faults else 0  # what is undone when the window ends takes its time
    marks |= {"after": ends_s - made.schedule.after_s + healing_s, "recover": ends_s, "drain": ends_s + 1}
    marks |= {"final_read": ends_s + 2, "end": ends_s + 3}
    for phase, second in marks.items():
        h.add("phases", t_ns=at_ns(second), phase=phase, wall_ns=at_ns(second))
    _traffic(h, at_ns(-made.schedule.warm_up_s), at_ns(ends_s))
    _samples(h, at_ns(-made.schedule.warm_up_s) - S // 10, at_ns(ends_s + 1))
    for worker, role in {"runner": "runner", "probe": "probe", "fleet-0": "fleet", **_processors(made)}.items():
        h.add("workers", worker=worker, t_ns=at_ns(-10), pid=1, role=role, boot_id=BOOT, wall_ns=at_ns(-10))
    return h


def _processors(made: Scenario) -> dict[str, str]:
    return {f"processor-{i}": "processor" for i in range(made.clients.processors)}


def owner_of(made: Scenario, partition: int) -> str:
    return f"processor-{partition % made.clients.processors}"


def _traffic(h: History, start: int, end: int) -> None:
    """Sends, log, rows, reads and commits that agree with each other."""
    load, sensors = h.scenario.workload, h.scenario.workload.sensors
    n = int((end - start) / S * load.rate_per_s)
    i = np.arange(n)
    sensor, seq, t_ns = i % sensors, i // sensors, start + (i * (S / load.rate_per_s)).astype(np.int64)
    partition = sensor % PARTITIONS
    order = np.argsort(partition, kind="stable")
    counts = np.bincount(partition, minlength=PARTITIONS)
    offset = np.empty(n, np.int64)
    offset[order] = np.arange(n) - np.repeat(np.cumsum(counts) - counts, counts)
    digest = (i.astype(np.uint64) + np.uint64(1)) * HASH_OF_ONE
    h.add(
        "sensors",
        sensor=np.arange(sensors),
        name=[sensor_name(s, "temperature") for s in range(sensors)],
        kind="temperature",
        location=[sensor_location(s) for s in range(sensors)],
    )
    h.add("stages", worker="fleet-0", t_ns=[start, end], rate_per_s=[load.rate_per_s, 0.0])
    h.add("sends", worker="fleet-0", t_ns=t_ns, sensor=sensor, seq=seq, t_intended_ns=t_ns, t_ack_ns=t_ns + ACK_NS,
          partition=partition, offset=offset, outcome="ok", error=None, payload_hash=digest)  # fmt: skip
    place = {"partition": partition[order], "offset": offset[order], "sensor": sensor[order], "seq": seq[order]}
    h.add("log", **place, payload_hash=digest[order], value=20.0, measures_hash=digest[order])
    h.add("rows", **place, value=20.0, measures_hash=digest[order])
    batch = (t_ns + STORE_NS - start) // COMMIT_EVERY_NS
    frame = pd.DataFrame({"partition": partition, "batch": batch, "offset": offset, "hash": digest})
    found = frame.groupby(["partition", "batch"]).agg(
        first=("offset", "min"), last=("offset", "max"), n=("offset", "size"), hash=("hash", "sum")
    ).reset_index()  # fmt: skip
    done = start + (found["batch"] + 1) * COMMIT_EVERY_NS
    who = [owner_of(h.scenario, p) for p in found["partition"]]
    h.add("reads", worker=who, t_ns=done - STORE_NS, partition=found["partition"], first_offset=found["first"],
          last_offset=found["last"], count=found["n"], hash_sum=found["hash"], rebalance_no=1)  # fmt: skip
    h.add("commits", worker=who, t_ns=done, partition=found["partition"], from_offset=found["first"],
          to_offset=found["last"] + 1, owner_epoch=1, rows=found["n"], alerts=0, dead_letters=0,
          refused=False)  # fmt: skip
    each = np.arange(PARTITIONS)
    h.add("positions", partition=each, next_offset=counts, owner_epoch=1)
    h.add("frozen", partition=each, start=0, end=counts)
    h.add("epochs", partition=each, epoch=0, first_offset=0, last_offset=counts - 1, count=counts)
    for p in each:
        h.add(
            "group",
            worker=owner_of(h.scenario, p),
            t_ns=start - S // 2,
            event="assigned",
            partitions=[[int(p)]],
            rebalance_no=1,
        )


def _samples(h: History, start: int, end: int) -> None:
    """What the probe saw, five times a second."""
    replicas = h.scenario.topology.replication
    ticks = np.arange(start, end + 1, S // 5)
    t_ns, partition = np.repeat(ticks, PARTITIONS), np.tile(np.arange(PARTITIONS), len(ticks))
    leader = partition % 3 + 1
    isr = [[int(p + k) % 3 + 1 for k in range(replicas)] for p in partition]
    written, stored = (
        _count_until(h[table], time, t_ns, partition, of) for table, time, of in
        (("sends", "t_ack_ns", "offset"), ("commits", "t_ns", "to_offset"))
    )  # fmt: skip
    h.add(
        "partitions",
        worker="probe",
        t_ns=t_ns,
        partition=partition,
        leader=leader,
        epoch=0,
        isr=isr,
        end=written,
        valid=True,
        asked_ns=t_ns - S // 100,
    )
    h.add("lag", worker="probe", t_ns=t_ns, partition=partition, committed=stored, end=written, valid=True)
    nodes = ["broker-1", "broker-2", "broker-3", "database", "fleet-0", *_processors(h.scenario), "probe"]
    for node in nodes:
        h.add("processes", worker="probe", t_ns=ticks, name=node, pid=7, status="running",
              cpu_s=(ticks - start) / S / 100, rss_bytes=1 << 20)  # fmt: skip
    for name in _processors(h.scenario):
        mine = [p for p in range(PARTITIONS) if owner_of(h.scenario, p) == name]
        h.add("members", worker="probe", t_ns=ticks, state="STABLE", member=name, partitions=[mine] * len(ticks))


def sampled(log: pd.DataFrame, frozen: pd.DataFrame) -> pd.DataFrame:
    """What another client would have read of this log."""
    spans = [(f.partition, *span) for f in frozen.itertuples() for span in samples(f.start, f.end)]
    partition, offset, hashes = (log[column].to_numpy() for column in ("partition", "offset", "payload_hash"))
    read = [hashes[(partition == p) & (offset >= first) & (offset < end)] for p, first, end in spans]
    found = pd.DataFrame(spans, columns=["partition", "first_offset", "last_offset"], dtype="int64")
    found["last_offset"] -= 1
    counts, sums = [len(mine) for mine in read], np.array([mine.sum() for mine in read], np.uint64)
    return found.assign(count=counts, hash_sum=sums, worker=FINAL_READ, t_ns=START)


def _count_until(frame: pd.DataFrame, time: str, t_ns: np.ndarray, partition: np.ndarray, of: str) -> np.ndarray:
    """How far partitions had come at some moments, by the column `of`: one more than the last offset acknowledged, or
    the end of the last transaction."""
    found = np.zeros(len(t_ns), np.int64)
    for p in range(PARTITIONS):
        mine, here = frame[frame["partition"] == p].sort_values(time), partition == p
        reached = np.concatenate([[0], mine[of].cummax() + (of == "offset")])
        found[here] = reached[np.searchsorted(mine[time], t_ns[here], side="right")]
    return found


def stall(h: History, from_s: float, until_s: float, partitions: tuple[int, ...], *, acks: bool = True) -> None:
    """Nothing of these partitions is stored (nor acked) in between; the lag shows it, and works off in a second."""
    start, end, caught_up = at_ns(from_s), at_ns(until_s), at_ns(until_s + 1)
    late = {"commits": "t_ns", "reads": "t_ns"} | ({"sends": "t_ack_ns"} if acks else {})
    for table, column in late.items():
        frame = h[table]
        held = frame["partition"].isin(partitions) & frame[column].between(start, caught_up)
        later = (frame.loc[held, column] - start) * S // (caught_up - start)
        frame.loc[held, column] = end + later
    samples, commits = h["lag"], h["commits"]
    hit = samples["partition"].isin(partitions) & samples["t_ns"].between(start, caught_up)
    where = samples.loc[hit, "t_ns"].to_numpy(), samples.loc[hit, "partition"].to_numpy()
    samples.loc[hit, "committed"] = _count_until(commits, "t_ns", *where, "to_offset")


def broker_loss(folder: Path, **changes: Any) -> History:
    """Broker 1, leader of partition 0, is killed at 6 s and back at 12 s; until 9 s nobody is acked."""
    h = healthy(
        folder, scenario(name="broker_loss", faults=[{"kind": "kill", "target": "leader:0", "hold_s": 6}], **changes)
    )
    h.fault("broker-1", 6, 12, target="leader:0")
    stall(h, 6, 9, (0, 1, 2))
    samples = h["partitions"]
    out = samples["t_ns"].between(at_ns(9), at_ns(12.5))
    led = samples["partition"] == 0
    samples["isr"] = [[b for b in isr if not o or b != 1] for isr, o in zip(samples["isr"], out, strict=True)]
    samples.loc[led & (samples["t_ns"] >= at_ns(9)), "epoch"] = 1
    samples.loc[led & samples["t_ns"].between(at_ns(9), at_ns(16)), "leader"] = 2
    samples.loc[led & (samples["t_ns"] > at_ns(16)), "epoch"] = 2
    _lead_anew(h)
    _lead_anew(h, from_s=16, epoch=2)
    return h


def _lead_anew(h: History, from_s: float = 7.5, epoch: int = 1) -> None:
    """Partition 0 has its next leader epoch, for what was sent from then on."""
    since = h["sends"].loc[(h["sends"]["partition"] == 0) & (h["sends"]["t_ns"] >= at_ns(from_s)), "offset"]
    if since.empty:
        return
    first, end, spans = int(since.min()), int(h["frozen"].loc[0, "end"]), h["epochs"]
    last = spans.index[spans["partition"] == 0][-1]
    spans.loc[last, ["last_offset", "count"]] = [first - 1, first - spans.loc[last, "first_offset"]]
    h.add("epochs", partition=0, epoch=epoch, first_offset=first, last_offset=end - 1, count=end - first)


def consumer_loss(folder: Path, **changes: Any) -> History:
    """Processor 1, owner of partition 1, is killed at 6 s; its partition moves at 11 s, and back at 13 s."""
    h = healthy(
        folder, scenario(name="consumer_loss", faults=[{"kind": "kill", "target": "owner:1", "hold_s": 6}], **changes)
    )
    h.fault("processor-1", 6, 12, target="owner:1")
    stall(h, 6, 11, (1,), acks=False)
    moves = [(11, "processor-0", "revoked", [0, 2], 1), (11.01, "processor-0", "assigned", [0, 1, 2], 2),
             (13, "processor-0", "revoked", [0, 1, 2], 2), (13.01, "processor-0", "assigned", [0, 2], 3),
             (13.01, "processor-1", "assigned", [1], 1)]  # fmt: skip
    for second, worker, event, partitions, number in moves:
        h.add("group", worker=worker, t_ns=at_ns(second), event=event, partitions=[partitions], rebalance_no=number)
    h.add("workers", worker="processor-1", t_ns=at_ns(12), pid=2, role="processor", boot_id=BOOT, wall_ns=at_ns(12))
    for table in ("reads", "commits"):
        frame = h[table]
        number = "rebalance_no" if table == "reads" else "owner_epoch"
        moved, back = frame["t_ns"].between(at_ns(11), at_ns(13), inclusive="right"), frame["t_ns"] > at_ns(13)
        frame.loc[moved & (frame["partition"] == 1), "worker"] = "processor-0"
        frame.loc[moved, number], frame.loc[back, number] = 2, 3
        if table == "reads":
            frame.loc[(frame["partition"] == 1) & back, number] = 1
    h["positions"]["owner_epoch"] = 3
    return h


NODES = ("broker-1", "broker-2", "broker-3", "processor-0", "processor-1", "host")


def network_partition(folder: Path, target: str = "leader:0", node: str = "broker-1", **changes: Any) -> History:
    """`node` is cut from the brokers from 6 s to 12 s; links are tried once a second.

    Where it is broker 1, the leader of partition 0, broker 2 leads that from 9 s on; broker 1 hears of it at 12.4 s,
    and all are in sync again at 14 s. Until 9 s nobody is acked.
    """
    fault = {"kind": "partition", "target": target, "hold_s": 6}
    h = healthy(folder, scenario(name="network_partition", topology={"profile": "safe"}, faults=[fault], **changes))
    h.fault(node, 6, 12, kind="partition", target=target)
    declared = h.scenario.faults[0]
    ends_s = h.scenario.schedule.steady_s + h.scenario.fault_window_s + h.scenario.schedule.after_s
    tried = [
        (at_ns(second), source, broker, not (6 < second < 12 and declared.breaks(node, source, broker)))
        for second in np.arange(-1.95, ends_s, 1.0)
        for source in NODES
        for broker in NODES[:3]
        if source != broker
    ]
    columns = dict(zip(("t_ns", "source", "target", "ok"), map(list, zip(*tried, strict=True)), strict=True))
    h.add("reach", worker="probe", **columns)
    if node == "broker-1":
        stall(h, 6, 9, (0, 1, 2))
        _isolate(h)
    _views(h)
    return h


def _isolate(h: History) -> None:
    """The partitions as the newest leader epoch has it: broker 1 out of sync from 9 s to 14 s, partition 0 moved."""
    samples = h["partitions"]
    out = samples["t_ns"].between(at_ns(9), at_ns(14))
    samples["isr"] = [[b for b in isr if not o or b != 1] for isr, o in zip(samples["isr"], out, strict=True)]
    moved = (samples["partition"] == 0) & (samples["t_ns"] >= at_ns(9))
    samples.loc[moved, ["leader", "epoch"]] = [2, 1]
    _lead_anew(h)


def _views(h: History) -> None:
    """What each broker says: the truth, but broker 1 goes on with what it knew at 6 s until it is back at 12.4 s."""
    truth = h["partitions"].drop(columns=["end", "valid"])
    apart = "broker-1" in set(h["faults"]["node"])
    stale = truth["t_ns"].between(at_ns(9), at_ns(12.4)) & apart
    old = truth.assign(leader=truth["partition"] % 3 + 1, epoch=0, isr=[[p + 1, (p + 1) % 3 + 1, (p + 2) % 3 + 1]
                       for p in truth["partition"]])  # fmt: skip
    own = pd.concat([truth[~stale], old[stale]]).sort_values("t_ns", kind="stable")
    for broker, told in ((1, own), (2, truth), (3, truth)):
        h.add("views", **{name: told[name].to_numpy() for name in told}, broker=broker)


def forget_acked(h: History, from_s: float, until_s: float, partition: int = 0) -> int:
    """With acks=1: what an isolated leader acknowledged in this time is nowhere after it; gives how many readings."""
    sends = h["sends"]
    gone = (sends["partition"] == partition) & sends["t_ns"].between(at_ns(from_s), at_ns(until_s))
    lost = sends.loc[gone, ["sensor", "seq"]].assign(lost=True)
    for table in ("log", "rows"):
        marked = h[table].merge(lost, on=["sensor", "seq"], how="left")
        h[table] = marked[marked["lost"].isna()].drop(columns="lost").reset_index(drop=True)
    return int(gone.sum())


def names(run: Run, sensor: int) -> str:
    """The name of a sensor."""
    return str(run.sensors.set_index("sensor")["name"][sensor])
