"""The verdict on a program under test, which writes no journal: what is asked of it, and what it is found guilty of."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from factorylab.audit.model.verdict import Verdict, panel
from factorylab.history import run_tables
from tests.support.histories import History, S, at_ns, healthy, scenario

JOURNALS = ("reads", "commits", "group")
KILLED = {"faults": [{"kind": "kill", "target": "processor:0", "hold_s": 6}]}
OF_JOURNALS = {"skipped", "rewound", "zombie_write", "two_owners", "commits_whole", "work_agrees", "work_times"}
OF_ALERTS = {"duplicate_alert", "alert_missing", "alert_spurious", "alert_differs"}


def of_subject(folder: Path, **changes: Any) -> History:
    """A healthy run of a program that has two instances, commits as the factory's processors do, and keeps identities
    alone; nothing is in a journal of theirs."""
    h = healthy(folder, scenario(**{"subject": {"command": ["mine"]}, **changes}))
    for table in JOURNALS:
        h[table] = run_tables.empty(table)
    h["workers"] = h["workers"][h["workers"]["role"] != "processor"].reset_index(drop=True)
    h["rows"] = h["rows"].assign(partition=-1, offset=-1, value=np.nan, measures_hash=np.uint64(0))
    h["members"]["member"] = "rdkafka"
    return h


def killed(folder: Path) -> History:
    """The same, and instance 0 is killed at 6 s and back at 12 s."""
    h = of_subject(folder, **KILLED)
    h.fault("processor-0", 6, 12)
    return h


def asked(verdict: Verdict) -> set[str]:
    return {check.name for check in verdict.checks if check.asked}


def fired(verdict: Verdict) -> dict[str, str]:
    return {check.name: check.verdict for check in verdict.fired}


def first_of_partition(h: History, from_s: float, count: int) -> pd.Index:
    """Rows of `rows` that are of partition 0 and were sent from then on."""
    sent = h["sends"][(h["sends"]["partition"] == 0) & (h["sends"]["t_ns"] >= at_ns(from_s))].head(count)
    wanted = set(zip(sent["sensor"], sent["seq"], strict=True))
    rows = h["rows"]
    return rows.index[[pair in wanted for pair in zip(rows["sensor"], rows["seq"], strict=True)]]


def test_a_healthy_program_passes(tmp_path: Path) -> None:
    """A program that keeps everything once passes, whatever it calls its members, and no number is made up."""
    verdict = killed(tmp_path).run().verdict
    assert (verdict.verdict, fired(verdict)) == ("PASS", {})
    assert verdict.counts and verdict.counts.stored == verdict.counts.acked > 0
    assert (verdict.latency, verdict.stored_per_s, verdict.alerting) == (None, None, None)


def test_what_needs_a_journal_is_not_asked(tmp_path: Path) -> None:
    """No check of journals or alerts passes by default: each says why it is not asked."""
    verdict = of_subject(tmp_path).run().verdict
    told = {check.name: check.measured for check in verdict.checks if not check.asked}
    assert {name for name, words in told.items() if "writes no journal" in words} == OF_JOURNALS
    assert {name for name, words in told.items() if "factory's alerts" in words} == OF_ALERTS
    assert {"lost_in_log", "lost_in_pipeline", "duplicate_in_store", "phantom", "not_drained"} <= asked(verdict)


def test_what_was_committed_and_not_kept_is_lost(tmp_path: Path) -> None:
    """Readings below the committed offset that the output lacks are lost, with the looks that saw the offset pass."""
    h = killed(tmp_path)
    h["rows"] = h["rows"].drop(index=first_of_partition(h, 5.5, 8)).reset_index(drop=True)
    verdict = h.run().verdict
    assert fired(verdict) == {"lost_in_pipeline": "FAIL"}
    (told,) = verdict.explanations
    assert (told.count, told.partition) == (8, 0)
    assert "the group's offset was" in told.evidence[0] and "kill processor-0" in told.evidence[-1]
    assert "committed" in told.event and "after the write" in told.prevented_by
    assert "passed over" in panel(verdict)


def test_losses_of_two_moments_are_two_stories(tmp_path: Path) -> None:
    """What was lost at one kill is not mixed with what was lost at another."""
    h = killed(tmp_path)
    gone = first_of_partition(h, 3, 5).union(first_of_partition(h, 9, 5))
    h["rows"] = h["rows"].drop(index=gone).reset_index(drop=True)
    assert [told.count for told in h.run().verdict.explanations] == [5, 5]


def test_what_was_kept_twice_is_doubled(tmp_path: Path) -> None:
    """A second row of a record is a duplicate, and the story says that the log holds it once."""
    h = killed(tmp_path)
    h["rows"] = pd.concat([h["rows"], h["rows"].loc[first_of_partition(h, 5.5, 7)]], ignore_index=True)
    verdict = h.run().verdict
    assert fired(verdict) == {"duplicate_in_store": "FAIL"}
    (told,) = verdict.explanations
    assert told.count == 7 and "one record of the log" in told.event and "unique key" in told.prevented_by


def test_rows_that_nobody_sent_are_found(tmp_path: Path) -> None:
    """A row of a sensor that the factory does not have is a phantom."""
    h = of_subject(tmp_path)
    h.add("rows", sensor=-1, seq=3, partition=-1, offset=-1, value=np.nan, measures_hash=np.uint64(0))
    assert fired(h.run().verdict) == {"phantom": "FAIL"}


def test_a_program_that_died_fails_and_does_not_spoil_the_run(tmp_path: Path) -> None:
    """An instance that ended by itself is held against the program: FAIL, not INVALID."""
    h = of_subject(tmp_path)
    h.made_of["workers_died"] = ["processor-1"]
    gone = (h["processes"]["name"] == "processor-1") & (h["processes"]["t_ns"] > at_ns(3))
    h["processes"].loc[gone, "status"] = "dead"
    verdict = h.run().verdict
    assert fired(verdict) == {"died_unasked": "FAIL"}


def test_offsets_that_go_back_are_the_programs_affair(tmp_path: Path) -> None:
    """A committed offset that falls, as of a program that starts over, is no fault of the probe's."""
    h = of_subject(tmp_path)
    lag = h["lag"]
    back = (lag["partition"] == 1) & lag["t_ns"].between(at_ns(3), at_ns(3.3))
    lag.loc[back, "committed"] -= 5
    assert fired(h.run().verdict) == {}


def test_a_committed_offset_that_stands_still_is_a_stall(tmp_path: Path) -> None:
    """Where the probe saw no commit of a partition for longer than usual, its store stood still."""
    h = killed(tmp_path)
    lag = h["lag"]
    held = (lag["partition"] == 0) & lag["t_ns"].between(at_ns(6), at_ns(10))
    lag.loc[held, "committed"] = lag.loc[held, "committed"].min()
    run = h.run()
    (stall,) = run.verdict.service.stalls if run.verdict.service else []
    assert (stall.partition, stall.service) == (0, "stores")
    assert 3.7 <= stall.end_s - stall.start_s <= 4.5
    assert fired(run.verdict) == {}


def test_an_unread_rest_is_not_drained(tmp_path: Path) -> None:
    """What the group has not committed and the output lacks is no loss: the program did not come so far."""
    h = of_subject(tmp_path)
    h["positions"].loc[h["positions"]["partition"] == 0, "next_offset"] -= 6
    last = h["log"][h["log"]["partition"] == 0].tail(6)
    wanted = set(zip(last["sensor"], last["seq"], strict=True))
    rows = h["rows"]
    there = [pair not in wanted for pair in zip(rows["sensor"], rows["seq"], strict=True)]
    h["rows"] = rows[there].reset_index(drop=True)
    assert fired(h.run().verdict) == {"not_drained": "NOT_DRAINED"}


def timed(folder: Path, late_s: float = 0.0, **changes: Any) -> History:
    """A program that says when it wrote each row: 50 ms after its send; those of the third second are later by so
    much."""
    told = {"command": ["mine"], "query": "SELECT a, b, c FROM t", "times": True}
    h = of_subject(folder, subject=told, **changes)
    sent = h["rows"][["sensor", "seq"]].merge(h["sends"][["sensor", "seq", "t_ns"]], on=["sensor", "seq"])["t_ns"]
    h["rows"]["t_ns"] = sent + S // 20 + (sent.between(at_ns(2), at_ns(3)) * late_s * S).astype("int64")
    return h


def test_a_program_that_tells_when_it_wrote_is_timed(tmp_path: Path) -> None:
    """With times, latency and blind time are those of the rows, and no check takes them for times of the final read."""
    verdict = timed(tmp_path).run().verdict
    assert fired(verdict) == {} and verdict.latency and verdict.alerting
    assert verdict.latency.p50_s == verdict.latency.max_s == 0.05
    assert verdict.alerting.blind.blind_s == 0


def test_late_rows_make_machines_blind(tmp_path: Path) -> None:
    """Rows that came late count as late, and the machine was blind that long; an objective holds it against the
    program."""
    verdict = timed(tmp_path, late_s=2.0, objectives={"latency_p99_s": 1}).run().verdict
    assert fired(verdict) == {"latency_p99_s": "FAIL"}
    assert verdict.alerting and 0.9 <= verdict.alerting.blind.blind_s <= 1.1
    assert verdict.latency and verdict.latency.max_s == 2.05


def test_of_two_copies_the_first_counts(tmp_path: Path) -> None:
    """A row that was written again later is a duplicate, and not late."""
    h = timed(tmp_path)
    again = h["rows"].head(1).assign(t_ns=at_ns(5))
    h["rows"] = pd.concat([again, h["rows"]], ignore_index=True)
    verdict = h.run().verdict
    assert fired(verdict) == {"duplicate_in_store": "FAIL"} and verdict.latency and verdict.latency.max_s == 0.05
