"""The lab's whole path beside what the same cluster and database can do, in turn in one run. `make bench`.

    python -m tests.measure.bench                          searches the highest rate that is kept, then 5 rounds at it
    python -m tests.measure.bench --rate 60000 --rounds 5  5 rounds at that rate
    python -m tests.measure.bench --against FILE           compares with the result of an earlier one

A round: Kafka's producer tool, Kafka's consumer tool on the same records, a raw COPY of readings into a table without
keys, and the whole path for 30 s (offered, acknowledged, stored, nothing lost). Medians and ranges; with 5 rounds the
range is an interval for the median with a confidence of 94 % (order statistics). A difference counts where the ranges
do not overlap, else it is `~`. The result goes to `results/bench-<time>.json` with a figure.
"""

from __future__ import annotations

import argparse
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any

import msgspec
import psycopg2
from psycopg2 import sql
from rich.console import Console
from rich.table import Table

from factorylab.analysis.rate_trial import Trial
from factorylab.audit.judged import JudgedRun, load
from factorylab.cluster.admin import Admin
from factorylab.cluster.local import java
from factorylab.cluster.settings import Settings, load_settings
from factorylab.core.clock import NS
from factorylab.execution.capacity import carry_out, search
from factorylab.execution.shared_lab import SharedLab
from factorylab.factory.store.rows import copy
from factorylab.factory.store.schema import create_schema
from factorylab.history import provenance, run_folders
from factorylab.report.plots.style import BLUE, GREEN, Picture, settled, styled, svg
from factorylab.scenarios.capacity import MEASURED_STEPS, CapacityPlan
from factorylab.scenarios.model import Topology
from tests.measure.pipeline import detect, newcomer, simulate

TOPIC, SCHEMA, TABLE = "bench", "bench", "bench_plain"
RECORDS, RECORD_BYTES = 1_000_000, 140
WHOLE_S = 30.0
PRODUCER = {
    "acks": "all", "linger.ms": "50", "compression.type": "lz4", "batch.size": "131072", "enable.idempotence": "true",
}  # fmt: skip
WHOLE, TOOL = "whole path, stored/s", "producer tool, records/s"
RATIO = "whole path / producer tool"


class Result(msgspec.Struct):
    """`rounds`: what each round measured, by name. `not_kept`: what the whole path's rounds say that was not kept."""

    commit: str
    host: Any
    rate_per_s: float
    rounds: list[dict[str, float]]
    not_kept: list[str]


class Tools:
    """Kafka's own benchmarks against the lab's cluster, as children of this process."""

    def __init__(self, settings: Settings, bootstrap: str, folder: Path) -> None:
        self._kit = java.ensure(settings.java, settings.cache, lambda *_: None)
        self._bootstrap, self._folder = bootstrap, folder

    def _run(self, tool: str, *words: str) -> list[str]:
        path = ":".join(map(str, self._kit.class_path))
        command = [str(self._kit.java), "-Xmx512m", "-XX:+UseSerialGC", "-cp", path, f"org.apache.kafka.tools.{tool}"]
        done = subprocess.run(
            [*command, *words], cwd=self._folder, env=java.ENVIRONMENT, capture_output=True, text=True, check=False,
            timeout=300,
        )  # fmt: skip
        lines = [line for line in done.stdout.splitlines() if line.strip()]
        if done.returncode != 0 or not lines:
            raise SystemExit(f"{tool} ended with {done.returncode}: {done.stderr[-2000:]}{done.stdout[-500:]}")
        return lines

    def produce(self) -> float:
        """Records a second. All properties stand behind one option: of a repeated one only the last counts."""
        properties = [f"{name}={value}" for name, value in {**PRODUCER, "bootstrap.servers": self._bootstrap}.items()]
        amount = ["--num-records", str(RECORDS), "--record-size", str(RECORD_BYTES), "--throughput", "-1"]
        last = self._run("ProducerPerformance", "--topic", TOPIC, *amount, "--producer-props", *properties)[-1]
        return float(last.split(", ")[1].split()[0])

    def consume(self) -> float:
        """Records a second while fetching, as the tool says."""
        where = ["--bootstrap-server", self._bootstrap, "--topic", TOPIC]
        names, values = (
            line.split(", ") for line in self._run("ConsumerPerformance", *where, "--num-records", str(RECORDS))[-2:]
        )
        return float(dict(zip(names, values, strict=True))["fetch.nMsg.sec"])


class RawCopy:
    """The readings of a fleet into a table without keys and indexes, in transactions of 2,000."""

    def __init__(self, url: str) -> None:
        self._url, self._prepared = url, detect(newcomer(), simulate(300))

    def rows_per_s(self) -> float:
        batches = [batch.batch.readings for batch in self._prepared]
        with closing(psycopg2.connect(self._url)) as line:
            with line, line.cursor() as cursor:
                cursor.execute(f"DROP TABLE IF EXISTS {TABLE}; CREATE TABLE {TABLE} (LIKE {SCHEMA}.readings)")
            began = time.perf_counter()
            for readings in batches:
                with line, line.cursor() as cursor:
                    copy(cursor, sql.Identifier(TABLE), readings)
            return sum(batch.batch.rows for batch in self._prepared) / (time.perf_counter() - began)


def cpu_us(run: JudgedRun, trial: Trial) -> dict[str, float]:
    """CPU time of each role for each reading that was stored in the measured steps, in microseconds."""
    table = run.frame("processes", "t_ns", "name", "cpu_s")
    steps = run.scenario.workload.step_s * MEASURED_STEPS
    end_ns = run.t0_ns + round((run.scenario.schedule.steady_s + run.scenario.fault_window_s) * NS)
    inside = table[table["t_ns"].between(end_ns - round(steps * NS), end_ns)]
    spans = inside.groupby(inside["name"].astype(str))[["t_ns", "cpu_s"]].agg(["min", "max"])
    used = (spans["cpu_s"]["max"] - spans["cpu_s"]["min"]) / ((spans["t_ns"]["max"] - spans["t_ns"]["min"]) / NS)
    by_role = used.groupby(used.index.str.replace(r"-\d+$", "", regex=True)).sum() / trial.stored_per_s * 1e6
    return {f"CPU µs a reading: {role}": float(value) for role, value in by_role.items()} | {
        "CPU µs a reading: all": float(by_role.sum())
    }


def one_round(tools: Tools, raw: RawCopy, plan: CapacityPlan, rate: float, fleets: int, lab: SharedLab) -> Any:
    found = {TOOL: tools.produce(), "consumer tool, records/s": tools.consume(), "raw COPY, rows/s": raw.rows_per_s()}
    trial = carry_out(plan, rate, fleets, lab, print)
    run = load(run_folders.find(load_settings().results, trial.run_id).path)
    found |= {WHOLE: trial.stored_per_s, "whole path, p50 s": trial.p50_s, "whole path, p99 s": trial.p99_s}
    found |= {RATIO: trial.stored_per_s / found[TOOL]} | cpu_us(run, trial)
    return found, "" if trial.outcome == "kept" else f"{trial.outcome}: {'; '.join(trial.evidence)}"


def show(result: Result, against: Result | None) -> None:
    kept = len(result.rounds) - len(result.not_kept)
    title = f"{result.rate_per_s:,g} readings/s for {WHOLE_S:g} s, kept in {kept} of {len(result.rounds)} rounds"
    table = Table("measured", "median", "least", "most", *(["before", "change"] if against else []), title=title)
    for name in result.rounds[0]:
        mine = [one[name] for one in result.rounds]
        table.add_row(name, *map(number, (median(mine), min(mine), max(mine))), *compared(mine, against, name))
    Console(width=120).print(table)
    for words in result.not_kept:
        print(words)


def compared(mine: Sequence[float], against: Result | None, name: str) -> list[str]:
    if against is None or name not in against.rounds[0]:
        return ["–", "–"] if against else []
    other = [one[name] for one in against.rounds]
    apart = min(mine) > max(other) or max(mine) < min(other)
    return [number(median(other)), f"{median(mine) / median(other) - 1:+.0%}" if apart else "~"]


def number(value: float) -> str:
    return f"{value:,.0f}" if value >= 1000 else f"{value:.3g}"


def figure(rounds: Sequence[Mapping[str, float]]) -> Picture:
    """Each round's rate of the whole path beside the producer tool's."""
    with styled():
        picture = Picture(figsize=(6, 3.2))
        ax = picture.subplots()
        numbers = range(1, len(rounds) + 1)
        ax.plot(numbers, [one[TOOL] for one in rounds], "s--", color=GREEN, label=TOOL)
        ax.plot(numbers, [one[WHOLE] for one in rounds], "o-", color=BLUE, label=WHOLE)
        ax.set(xlabel="round", ylabel="records / s", title="Whole path beside the producer tool", ylim=(0, None))
        ax.set_xticks(list(numbers))
        ax.legend(loc="lower left")
        return settled(picture)


def main() -> None:
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("--rate", type=float, help="readings/s of the whole path; default: what a search finds")
    words.add_argument("--rounds", type=int, default=5)
    words.add_argument("--fleets", type=int, default=1)
    words.add_argument("--linger-ms", type=float, default=50)
    words.add_argument("--against", type=Path)
    given = words.parse_args()
    settings, fleets, rate = load_settings(), given.fleets, given.rate
    plan = CapacityPlan(trial_s=WHOLE_S, linger_ms=given.linger_ms, repeats=1, start_per_s=40_000)
    if rate is None:
        found = search(plan, settings, print)
        print(found.answer)
        rate, fleets = found.answer.kept_per_s, found.fleets
    if rate is None:
        raise SystemExit("no rate was kept: nothing to compare")
    result = Result(provenance.commit(), provenance.host(), rate, [], [])
    with tempfile.TemporaryDirectory() as folder, SharedLab(settings, lambda *_: None) as lab:
        with closing(Admin(lab.endpoints.bootstrap)) as admin:
            admin.create_topics([TOPIC], Topology(profile="safe"))
        create_schema(lab.endpoints.database_url, SCHEMA)
        tools, raw = Tools(settings, lab.endpoints.bootstrap, Path(folder)), RawCopy(lab.endpoints.database_url)
        for number_ in range(given.rounds):
            print(f"round {number_ + 1} of {given.rounds}")
            measured, why = one_round(tools, raw, plan, rate, fleets, lab)
            result.rounds.append(measured)
            result.not_kept += [why] if why else []
    path = settings.results / f"bench-{datetime.now(UTC):%Y%m%dT%H%M%SZ}.json"
    path.write_bytes(msgspec.json.format(msgspec.json.encode(result)))
    path.with_suffix(".svg").write_text(svg(figure(result.rounds)), encoding="utf-8")
    show(result, msgspec.json.decode(given.against.read_bytes(), type=Result) if given.against else None)
    print(path)


if __name__ == "__main__":
    main()
