"""Time and memory of the audit of a generated history.

    python -m tests.measure.audit --repeat 3 1000000 20000000 100000000
    python -m tests.measure.audit --broken 1000000

A run of so many readings as it comes from a cluster: 1,000 sensors, three partitions, a broker loss, one alert for 100
readings; the log as a consumer of all partitions reads it, the rows as the transactions wrote them. With
--broken a fifth of the log is lost and a tenth of the rows doubled, so that there is much to explain. CPU time,
not wall time: it does not depend on what else the machine does. More than a million readings are made of a million.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from argparse import ArgumentParser
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pandas as pd

from factorylab.analysis.readings import place
from factorylab.audit.judged import load
from tests.measure.large_runs import multiplied
from tests.support.histories import History, broker_loss

SECONDS, WARM_UP_S, STEADY_S, HOLD_S = 62, 2, 6, 6
ALERT_EVERY = 100  # readings
AT_ONCE = 1_000_000
MOST_PER_S = 800_000  # a scenario may declare a million
FETCH = 5_000  # records that a consumer gets of one partition before it turns to the next


def make(folder: Path, readings: int, broken: bool) -> Path:
    """A saved run of so many readings, of which more than AT_ONCE are a multiple of it; its folder."""
    times, seconds = max(readings // AT_ONCE, 1), max(SECONDS, readings / MOST_PER_S)
    schedule = {"warm_up_s": WARM_UP_S, "steady_s": STEADY_S, "after_s": seconds - WARM_UP_S - STEADY_S - HOLD_S}
    load = {"rate_per_s": min(readings, AT_ONCE) / seconds, "sensors": 1000}
    history = broker_loss(folder, workload=load, schedule=schedule)
    log, rows = history["log"], history["rows"]
    if broken:
        log, rows = log[log["offset"] % 5 != 0], pd.concat([rows, rows[rows["offset"] % 10 == 0]])
    history["log"], history["rows"] = in_turn(log, FETCH // times), in_turn(rows, FETCH // times)
    raise_alerts(history)
    made = history.saved().folder
    return made.path if times == 1 else multiplied(made, folder, times).path


def in_turn(records: pd.DataFrame, count: int) -> pd.DataFrame:
    """Records in batches of `count`, one of each partition after the other."""
    return records.iloc[(records["offset"] // count).argsort(kind="stable")]


def raise_alerts(history: History) -> None:
    """Alerts about some of the stored readings, as the topic, the table and a pass over the log hold them."""
    about = history["rows"].iloc[::ALERT_EVERY][["sensor", "seq", "partition", "offset"]]
    ids = [f"sensor-{a.sensor}:{a.seq}:temperature_high.v1" for a in about.itertuples()]
    for sink in ("topic", "table", "replay"):
        history.add("alerts", sink=sink, alert_id=ids, sensor=about["sensor"].to_numpy(), seq=about["seq"].to_numpy(),
                    rule="temperature_high", severity="warning")  # fmt: skip
    commits = history["commits"]
    raised = np.sort(place(about["partition"].to_numpy(), about["offset"].to_numpy()))
    low, high = (place(commits["partition"].to_numpy(), commits[of].to_numpy()) for of in ("from_offset", "to_offset"))
    commits["alerts"] = np.searchsorted(raised, high) - np.searchsorted(raised, low)


def judge(path: Path) -> tuple[str, float, float]:
    """The verdict on a run, and what this process has used until then: seconds of CPU, and MB at its peak."""
    return load(path).verdict.verdict, time.process_time(), peak_mb()


def peak_mb() -> float:
    """The most memory that this process ever had. The peak of getrusage() would not do: it outlives exec, so that a
    process begins with the peak of the one that started it."""
    words = Path("/proc/self/status").read_text().split()
    return int(words[words.index("VmHWM:") + 1]) / 1024


def middle(values: Sequence[float], digits: int) -> str:
    """The median and, of several, the least and the most."""
    low, median, high = (f"{v:,.{digits}f}" for v in (min(values), statistics.median(values), max(values)))
    return f"{median} ({low} to {high})" if len(values) > 1 else median


def main() -> None:
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("readings", type=int, nargs="+")
    parser.add_argument("--repeat", type=int, default=1)
    parser.add_argument("--broken", action="store_true")
    asked = parser.parse_args()
    if odd := [n for n in asked.readings if n > AT_ONCE and n % AT_ONCE]:
        parser.error(f"{odd[0]} readings: more than {AT_ONCE} must be a multiple of it")
    fresh = ProcessPoolExecutor(1, mp_context=get_context("spawn"), max_tasks_per_child=1)
    for readings in asked.readings:
        with tempfile.TemporaryDirectory() as scratch:
            path = fresh.submit(make, Path(scratch), readings, asked.broken).result()
            found = [fresh.submit(judge, path).result() for _ in range(asked.repeat)]
        verdicts, cpu_s, mb = zip(*found, strict=True)
        print(f"{readings:>12,} readings  {', '.join(sorted(set(verdicts)))}  n = {len(found)}  "
              f"{middle(cpu_s, 1)} s of CPU  {middle(mb, 0)} MB", flush=True)  # fmt: skip


if __name__ == "__main__":
    main()
