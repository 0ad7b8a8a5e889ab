"""A history of a few rows that shows one finding: the rows of a saved run about one reading, none of them changed.

Kept are the reading, its predecessor, what its places hold now, the polls and transactions over them, the changes of
their partitions, and the small tables. What is left out makes the extract INVALID as an experiment, which proves
nothing any more; the finding stands all the same.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from functools import reduce
from operator import or_
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from factorylab.audit.explain.life import Biography
from factorylab.audit.judge import checked
from factorylab.audit.judged import JudgedRun, load
from factorylab.audit.model.findings import Check, Life
from factorylab.audit.model.registry import Evidence
from factorylab.core.errors import UsageError
from factorylab.history import run_folders
from factorylab.history.saved_run import each
from factorylab.history.tables import TABLES

Place = tuple[int, int]
WHOLE = ("workers", "sensors", "stages", "group", "faults", "phases", "positions", "frozen", "epochs")
BY_READING = ("sends", "log", "rows", "alerts")
BY_PLACE = {"log": ("offset", "offset"), "rows": ("offset", "offset"), "dead_letters": ("offset", "offset")}
SPANS = {"reads": ("first_offset", "last_offset"), "commits": ("from_offset", "to_offset")}
TEST = '''"""Some rows of the run {run_id} that break the claim: {claim}"""

from pathlib import Path

from factorylab import load


def test_the_finding_is_there() -> None:
    checks = {{check.name: check for check in load(Path(__file__).parent).verdict.checks}}
    found = checks["{check}"]
    assert found.verdict == "{verdict}" and found.count >= 1, found.measured
'''


def extract(run: JudgedRun, life: Life, folder: Path) -> JudgedRun:
    """Write the extract about the witness of `life` to `folder`, as a sealed run with a test beside it.

    Raises:
        UsageError: the folder is not empty, or few rows do not show the finding; then nothing is left of it.
    """
    if folder.exists() and any(folder.iterdir()):
        raise UsageError(f"{folder} is not empty: name a folder that is")
    out = run_folders.RunFolder(folder)
    out.history.mkdir(parents=True)
    evidence = Evidence(run)
    about = Biography(evidence, life.witness)
    places = set(about.places) | _neighbours(run, about.places)
    keys = {about.key, (about.sensor, about.seq - 1)} | _held_at(run, places)
    for table in TABLES:
        if run.has(table):
            pq.write_table(_rows(run, table, keys, places), out.table(table), compression="zstd")
    for name in ("scenario.json", "manifest.json"):
        shutil.copyfile(run.folder.raw / name, out.raw / name)
    run_folders.seal(out)
    small, whole = load(folder), _found(run, life.check)
    if _found(small, life.check).verdict != whole.verdict:
        shutil.rmtree(folder)
        raise UsageError(f"a few rows do not show it: {whole.name} compares all of them with what is allowed")
    text = TEST.format(run_id=run.folder.run_id, claim=whole.claim, check=whole.name, verdict=whole.verdict)
    (folder / f"test_{whole.name}_{run.folder.run_id}.py").write_text(text, encoding="utf-8")
    return small


def _found(run: JudgedRun, name: str) -> Check:
    (check,) = checked(run, name)[1]
    return check


def _neighbours(run: JudgedRun, places: Iterable[Place]) -> set[Place]:
    """The place before each poll over a place: a skip or a step back lies between two polls."""
    reads = run.reads
    found = set()
    for partition, offset in places:
        mine = reads[reads["partition"] == partition]
        hit = mine[(mine["first_offset"] <= offset) & (mine["last_offset"] >= offset)]
        before = mine[mine["worker"].isin(hit["worker"])]
        before = before[before["t_ns"] < hit["t_ns"].max()].sort_values("t_ns").tail(1)
        found |= {(r.partition, at) for r in each(before) for at in (r.last_offset, r.last_offset + 1)}
    return found


def _held_at(run: JudgedRun, places: Iterable[Place]) -> set[Place]:
    """(sensor, seq) of what the log holds at these places now."""
    held = run.only("log", _at(places, "offset", "offset"))
    return {(int(r.sensor), int(r.seq)) for r in each(held)}


def _rows(run: JudgedRun, table: str, keys: set[Place], places: set[Place]) -> pa.Table:
    if table in WHOLE:
        return run.rows(table)
    if table == "partitions":
        return _changes(run.rows(table), {p for p, _ in places})
    wanted = []
    if table in BY_READING:
        wanted += [(pc.field("sensor") == sensor) & (pc.field("seq") == seq) for sensor, seq in sorted(keys)]
    if table in BY_PLACE:
        wanted.append(_at(places, *BY_PLACE[table]))
    if table in SPANS:
        wanted.append(_at(places, *SPANS[table]))
    return run.rows(table, reduce(or_, wanted, pc.scalar(False)))


def _at(places: Iterable[Place], first: str, last: str) -> pc.Expression:
    """Rows whose first … last covers one of the places."""
    covers = [
        (pc.field("partition") == partition) & (pc.field(first) <= offset) & (pc.field(last) >= offset)
        for partition, offset in sorted(places)
    ]
    return reduce(or_, covers, pc.scalar(False))


def _changes(samples: pa.Table, partitions: set[int]) -> pa.Table:
    """The first and the last sample of each stretch in which leader, epoch and ISR of a partition stayed the same."""
    frame = samples.select(["t_ns", "partition", "leader", "epoch", "isr"]).to_pandas()
    frame = frame[frame["partition"].isin(partitions)].sort_values(["partition", "t_ns"], kind="stable")
    if frame.empty:
        return samples.slice(0, 0)
    word = frame["partition"].astype(str) + [f" {r.leader} {r.epoch} {sorted(r.isr)}" for r in each(frame)]
    edge = (word != word.shift()) | (word != word.shift(-1))
    return samples.take(pa.array(sorted(frame.index[edge])))
