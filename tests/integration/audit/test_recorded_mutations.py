"""Controls without a cluster: a recorded healthy run, spoiled at random places by a known number of cases.

The run was recorded on a real cluster. Each mutation is made with several seeds and must be counted exactly.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import msgspec
import numpy as np
import pandas as pd
import pytest

from factorylab.audit.judged import load
from factorylab.history import manifest, run_folders
from factorylab.history.saved_run import Run
from factorylab.history.tables import TABLES
from tests.support.histories import History
from tests.support.recorded_runs import unpack
from tests.support.spoils import fired

SEEDS = range(5)
Dice = np.random.Generator
Mutate = Callable[[History, Dice], dict[str, int | None]]
"""Spoils a history and says what must be counted; None: at least one."""


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return load(unpack("schema_1", tmp_path_factory.mktemp("recorded")).path)


def copied(run: Run, folder: Path) -> History:
    """The run's tables as a history that a test may spoil; its manifest comes along."""
    history = History(folder, run.scenario)
    history.update({table: run.frame(table).copy() for table in TABLES})
    facts = msgspec.structs.asdict(run.manifest)
    own = ("schema_version", "run_id", "started_wall_ns", "boot_id", "topics", "problems", "workers_died")
    kept = (*own, "producer", "consumer", "topic_config")
    history.made_of = {name: facts[name] for name in kept}
    return history


def inner(h: History, dice: Dice, k: int) -> np.ndarray:
    """k rows of the log, none at the edge of its partition, of readings that were acknowledged."""
    log = h["log"]
    edge = log.groupby("partition")["offset"].transform(lambda o: (o == o.min()) | (o == o.max())).astype(bool)
    return dice.choice(log.index[~edge], k, replace=False)


def row_of(h: History, table: str, rows: np.ndarray) -> np.ndarray:
    """Rows of another table about the same readings as these rows of the log."""
    wanted = h["log"].loc[rows, ["sensor", "seq"]]
    return h[table].reset_index().merge(wanted, on=["sensor", "seq"])["index"].to_numpy()


def append(h: History, table: str, rows: pd.DataFrame) -> None:
    h[table] = pd.concat([h[table], rows], ignore_index=True)


def at_the_end(h: History, rows: pd.DataFrame) -> None:
    """Records after the log's end, which the final read covers."""
    for partition, mine in rows.groupby("partition"):
        here = h["frozen"]["partition"] == partition
        end = int(h["frozen"].loc[here, "end"].iloc[0])
        append(h, "log", mine.assign(offset=end + np.arange(len(mine))))
        h["frozen"].loc[here, "end"] = end + len(mine)


def delete_records(h: History, dice: Dice) -> dict[str, int | None]:
    k = int(dice.integers(1, 50))
    h["log"] = h["log"].drop(index=inner(h, dice, k))
    return {"lost_in_log": k}


def delete_rows(h: History, dice: Dice) -> dict[str, int | None]:
    k = int(dice.integers(1, 50))
    h["rows"] = h["rows"].drop(index=row_of(h, "rows", inner(h, dice, k)))
    return {"lost_in_pipeline": k}


def duplicate_records(h: History, dice: Dice) -> dict[str, int | None]:
    k = int(dice.integers(1, 50))
    at_the_end(h, h["log"].loc[inner(h, dice, k)])
    return {"duplicate_in_log": k}


def duplicate_rows(h: History, dice: Dice) -> dict[str, int | None]:
    k = int(dice.integers(1, 50))
    append(h, "rows", h["rows"].loc[dice.choice(h["rows"].index, k, replace=False)])
    return {"duplicate_in_store": k}


def swap(h: History, dice: Dice) -> dict[str, int | None]:
    """Two successive readings of one sensor have each other's place in the log; acks, store and polls saw the first."""
    log = h["log"]
    row = int(dice.choice(log.index[log["seq"].between(3, 8)]))
    same = log["sensor"] == log.loc[row, "sensor"]
    one, two = (log.index[same & (log["seq"] == log.loc[row, "seq"] + n)] for n in (0, 1))
    for column in ("seq", "payload_hash"):
        a, b = log.loc[one, column].to_numpy(), log.loc[two, column].to_numpy()
        log.loc[one, column], log.loc[two, column] = b, a
    return {"reordered_in_log": 1, "inconsistent_offset": None}


def flip(h: History, dice: Dice) -> dict[str, int | None]:
    k = int(dice.integers(1, 50))
    h["log"].loc[inner(h, dice, k), "payload_hash"] ^= np.uint64(1 << int(dice.integers(0, 64)))
    return {"corrupt": k, "inconsistent_offset": None}


def phantom(h: History, dice: Dice) -> dict[str, int | None]:
    k = int(dice.integers(1, 50))
    at_the_end(h, h["log"].loc[inner(h, dice, k)].assign(sensor=-1, seq=7))
    return {"phantom": k}


def shift_acks(h: History, dice: Dice) -> dict[str, int | None]:
    """Acknowledged one place beside where the reading is."""
    k = int(dice.integers(1, 50))
    h["sends"].loc[row_of(h, "sends", inner(h, dice, k)), "offset"] -= 1
    return {"inconsistent_offset": k}


def shift_position(h: History, dice: Dice) -> dict[str, int | None]:
    """The store's position says less than what is stored: the rows are there, so nothing is lost."""
    h["positions"]["next_offset"] -= int(dice.integers(1, 50))
    return {}


def unread_end(h: History, dice: Dice) -> dict[str, int | None]:
    """The store stopped k records before the end of a partition."""
    k, partition = int(dice.integers(1, 50)), int(dice.integers(0, 3))
    here = h["positions"]["partition"] == partition
    limit = int(h["positions"].loc[here, "next_offset"].iloc[0]) - k
    h["positions"].loc[here, "next_offset"] = limit
    h["rows"] = h["rows"][~((h["rows"]["partition"] == partition) & (h["rows"]["offset"] >= limit))]
    return {"not_drained": k}


def alerts(h: History, dice: Dice, sinks: tuple[str, ...], k: int) -> pd.DataFrame:
    """k new alerts about stored readings, each in these sinks."""
    rows = h["rows"].loc[dice.choice(h["rows"].index, k, replace=False)]
    for sink in sinks:
        made = rows[["sensor", "seq"]].assign(sink=sink, rule="made", severity="warning")
        made = made.assign(worker="final-read", t_ns=h["log"]["t_ns"].max())
        made["alert_id"] = [f"made-{r.sensor}-{r.seq}" for r in made.itertuples()]
        both = pd.concat([h["alerts"].astype({"sink": str, "alert_id": str, "rule": str, "severity": str}), made])
        h["alerts"] = both.reset_index(drop=True)
    return rows


def drop_alerts(h: History, dice: Dice) -> dict[str, int | None]:
    k = int(dice.integers(1, 20))
    alerts(h, dice, ("table",), k)
    return {"alert_missing": k}


def invent_alerts(h: History, dice: Dice) -> dict[str, int | None]:
    k = int(dice.integers(1, 20))
    alerts(h, dice, ("topic",), k)
    return {"alert_spurious": k}


def repeat_alerts(h: History, dice: Dice) -> dict[str, int | None]:
    k = int(dice.integers(1, 20))
    alerts(h, dice, ("topic", "table"), k)
    append(h, "alerts", h["alerts"].iloc[-k:])
    return {"duplicate_alert": k}


def zombie(h: History, dice: Dice) -> dict[str, int | None]:
    """An older owner's transaction over offsets that a newer one had stored took effect."""
    commits = h["commits"]
    row = commits.loc[[int(dice.choice(commits.index[~commits["refused"]]))]]
    append(h, "commits", row.assign(owner_epoch=row["owner_epoch"] - 1))
    return {"zombie_write": None}


def skip_poll(h: History, dice: Dice) -> dict[str, int | None]:
    """A poll in the middle of an assignment is missing: exactly its records were skipped."""
    reads = h["reads"].sort_values("t_ns", kind="stable")
    group = reads.groupby(["worker", "rebalance_no", "partition"], observed=True)
    middle = reads[(group.cumcount() > 0) & (group.cumcount(ascending=False) > 0)]
    row = middle.loc[int(dice.choice(middle.index))]
    h["reads"] = h["reads"].drop(index=[row.name])
    return {"skipped": int(row["count"])}


def truncate_journal(h: History, dice: Dice) -> dict[str, int | None]:
    """The last k sends of the journal are gone: INVALID, and no phantom of what it lacks."""
    k = int(dice.integers(1, 50))
    h["sends"] = h["sends"].sort_values("t_ns", kind="stable").iloc[:-k]
    return {"journal_whole": None}


def misplace_rows(h: History, dice: Dice) -> dict[str, int | None]:
    """Stored from places that the log does not have."""
    k = int(dice.integers(1, 50))
    h["rows"].loc[dice.choice(h["rows"].index, k, replace=False), "offset"] += 10**6
    return {"inconsistent_offset": k}


def change_values(h: History, dice: Dice) -> dict[str, int | None]:
    """Rows with another value than their record, in a history that has the values of both."""
    k, keys = int(dice.integers(1, 50)), ["sensor", "seq"]
    h.made_of["schema_version"] = 4
    h["log"] = h["log"].drop(columns="value").merge(h["rows"][[*keys, "value"]], on=keys, how="left")
    h["rows"].loc[dice.choice(h["rows"].index, k, replace=False), "value"] += 0.5
    return {"corrupt": k}


def letters_of_stored(h: History, dice: Dice) -> dict[str, int | None]:
    k = int(dice.integers(1, 50))
    rows = h["log"].loc[inner(h, dice, k), ["t_ns", "partition", "offset", "payload_hash"]]
    append(h, "dead_letters", rows.assign(worker="final-read", reason="made"))
    return {"dead_and_stored": k}


def alter_alerts(h: History, dice: Dice) -> dict[str, int | None]:
    """Of new alerts in both sinks, the table has k with another severity."""
    k = int(dice.integers(1, 20))
    alerts(h, dice, ("topic", "table"), k)
    h["alerts"].loc[h["alerts"].index[-k:], "severity"] = "critical"
    return {"alert_differs": k}


def drop_commit(h: History, dice: Dice) -> dict[str, int | None]:
    """A transaction that took effect, of an owner that lived, is in no journal."""
    commits = h["commits"]
    h["commits"] = commits.drop(index=[dice.choice(commits.index[~commits["refused"]])])
    return {"commits_whole": 1}


def second_owner(h: History, dice: Dice) -> dict[str, int | None]:
    """Another worker wrote in the epoch of the owner."""
    commits = h["commits"].astype({"worker": str})
    inner = commits.groupby(["partition", "owner_epoch"])["from_offset"].transform("min") < commits["from_offset"]
    commits.loc[int(dice.choice(commits.index[inner & ~commits["refused"]])), "worker"] = "processor-9"
    h["commits"] = commits
    return {"zombie_write": 1}


def another_time(h: History, dice: Dice) -> dict[str, int | None]:
    """A table of another run on the same machine."""
    table = str(dice.choice(["reads", "commits", "rows"]))
    h[table]["t_ns"] += 3600 * 10**9
    return {"one_run": 1, "run_times": None, **({} if table == "rows" else {"work_times": None})}


def nothing(h: History, dice: Dice) -> dict[str, int | None]:
    return {}


MUTATIONS: list[Mutate] = [
    nothing, delete_records, delete_rows, duplicate_records, duplicate_rows, swap, flip, phantom, shift_acks,
    shift_position, unread_end, drop_alerts, invent_alerts, repeat_alerts, zombie, skip_poll, truncate_journal,
    misplace_rows, change_values, letters_of_stored, alter_alerts, drop_commit, second_owner, another_time,
]  # fmt: skip


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("mutate", MUTATIONS, ids=lambda mutate: mutate.__name__)
def test_a_mutation_is_counted_exactly(recorded: Run, tmp_path: Path, mutate: Mutate, seed: int) -> None:
    """The mutated run fires exactly the checks that it must, with exactly the number of cases made."""
    history = copied(recorded, tmp_path)
    expected = mutate(history, np.random.default_rng(seed))
    found = fired(history.run())
    assert found == {name: found.get(name) if count is None else count for name, count in expected.items()}
    assert all(found.values())


def test_a_mutation_after_the_seal_is_invalid(recorded: Run, tmp_path: Path) -> None:
    """Evidence that was changed and not sealed again is told by name; so are a file too many and one too few."""
    run = copied(recorded, tmp_path).saved()
    log, extra = run.folder.table("log"), run.folder.history / "more.parquet"
    data = bytearray(log.read_bytes())
    data[len(data) // 2] ^= 1
    log.write_bytes(bytes(data))
    extra.write_bytes(b"")
    run.folder.table("reach").unlink()
    broken = run_folders.broken_seal(run.folder)
    assert broken == ["history/log.parquet", "history/more.parquet", "history/reach.parquet"]
    seal = next(check for check in load(run.folder.path).verdict.checks if check.name == "seal")
    assert (seal.verdict, seal.count) == ("INVALID", 3)
    assert manifest.read(run.folder).run_id == recorded.manifest.run_id
