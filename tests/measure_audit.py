"""Time and memory of the audit of a generated history.

    python -m tests.measure_audit 1000000 20000000

A healthy run of so many readings: 1,000 sensors, three partitions, one broker loss in its samples. Processor time, not
wall time: it does not depend on what else the machine does. Memory is the peak of the process that judges.
"""

from __future__ import annotations

import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from factorylab.saved import load
from tests.histories import healthy, scenario

SECONDS = 60


def make(folder: Path, readings: int) -> Path:
    rate = readings / (SECONDS + 2)
    made = scenario(
        workload={"rate_per_s": rate, "sensors": 1000}, schedule={"warm_up_s": 2, "steady_s": SECONDS - 4, "after_s": 4}
    )
    return healthy(folder, made).saved().folder.path


def main() -> None:
    if sys.argv[1] == "judge":
        verdict = load(sys.argv[2]).verdict
        used = resource.getrusage(resource.RUSAGE_SELF)
        counts = verdict.counts
        assert counts is not None
        print(f"{counts.offered:>12,} readings  {verdict.verdict}  {used.ru_utime + used.ru_stime:.1f} s of CPU  "
              f"{used.ru_maxrss / 1024:,.0f} MB", flush=True)  # fmt: skip
        return
    for number in map(int, sys.argv[1:]):
        with tempfile.TemporaryDirectory() as scratch:
            path = make(Path(scratch), number)
            began = time.monotonic()
            subprocess.run([sys.executable, "-m", "tests.measure_audit", "judge", str(path)], check=True)
            print(f"{'':>12}           {time.monotonic() - began:.1f} s of wall time")


if __name__ == "__main__":
    main()
