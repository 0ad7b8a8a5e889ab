"""The anatomy of recorded runs, which hold only some lines of the brokers' logs."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from factorylab import analysis
from factorylab.analysis.anatomy import NO_STALL
from factorylab.audit.judged import JudgedRun, load
from factorylab.report.anatomy_words import lines
from tests.support.commands import Call, call, nothing_starts, results
from tests.support.recorded_runs import unpack

__all__ = ["call", "nothing_starts", "results"]  # fixtures
STALLED = ("broker_loss", "consumer_loss", "network_partition", "database_loss", "acked_loss", "schema_1", "schema_2")


@pytest.fixture(scope="module", params=STALLED)
def recorded(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> JudgedRun:
    return load(unpack(request.param, tmp_path_factory.mktemp(request.param)).path)


def test_phases_are_in_order_and_add_up_to_their_stall(recorded: JudgedRun) -> None:
    """In runs of every schema version, with one fault or two: no hole, no overlap, the same ends."""
    found, stalls = analysis.anatomy(recorded), analysis.stalls(recorded)
    of_stalls = found[found["stall"] != NO_STALL]
    assert set(of_stalls["stall"]) == set(range(len(stalls)))
    for number, mine in of_stalls.groupby("stall"):
        whole = stalls.iloc[int(str(number))]
        edges = np.append(mine["start_s"], mine["end_s"].iloc[-1])
        assert (np.diff(edges) >= 0).all() and edges[1:].tolist() == mine["end_s"].tolist()
        assert edges[[0, -1]] == pytest.approx([whole["start_s"], whole["end_s"]], abs=1e-8)


def test_the_truth_lies_within_the_bounds(recorded: JudgedRun) -> None:
    """A phase's length lies between its shortest and its longest, and one that is open has no longest."""
    found = analysis.anatomy(recorded)
    assert (found["shortest_s"] <= found["lasted_s"] + 1e-9).all()
    assert (found["longest_s"] >= found["lasted_s"] - 1e-9).all()
    assert (np.isinf(found["longest_s"]) == found["open"]).all()


def test_no_evidence_contradicts_another(recorded: JudgedRun) -> None:
    """Real clusters produce no order that cannot be."""
    assert analysis.contradictions(recorded) == []


def test_a_part_that_the_next_fault_ends_knows_nothing_of_what_came_later(tmp_path: Path) -> None:
    """Followers were frozen at 6 s, the leader killed at 10 s: before that no victim is back, and after it no session
    of 9 s has ended within 4 s."""
    found = analysis.anatomy(load(unpack("acked_loss", tmp_path).path))
    stores = found[(found["stall"] != NO_STALL) & (found["service"] == "stores") & (found["partition"] == 1)]
    first = stores[stores["stall"] == stores["stall"].min()]
    ended = first[first["ended_by"] == "fault 1 begins"]
    assert len(ended) == 1 and not ended["phase"].str.contains("victim_return").any()
    assert "unexplained" in first["phase"].tolist()
    assert not first.loc[first["end_s"] > ended["end_s"].item(), "setting"].str.contains("session").any()


def test_a_backlog_is_not_drained_through_another_stall(recorded: JudgedRun) -> None:
    """What follows the last stall of a fault ends before the partition's next stall begins, or is not told."""
    stalls, found = analysis.stalls(recorded), analysis.anatomy(recorded)
    for row in found[found["phase"] == "drain"].itertuples():
        later = stalls[(stalls["partition"] == row.partition) & (stalls["start_s"] >= row.start_s - 1e-9)]
        assert (later["start_s"] >= row.end_s).all()


def test_every_stall_has_a_line_that_names_its_slowest_phase(recorded: JudgedRun) -> None:
    """In words: one head for each stall, with its slowest phase."""
    heads = [text for text in lines(recorded) if "slowest: " in text]
    assert len(heads) == len(analysis.stalls(recorded))


def test_the_command_prints_what_the_frame_holds(call: Call, results: Path) -> None:
    """As JSON: the rows of one partition, without an infinite number; a partition that is not there is refused."""
    unpack("broker_loss", results / "broker_loss")
    code, out, _ = call("anatomy", "broker_loss", "--partition", "0", "--json")
    told = json.loads(out, parse_constant=pytest.fail)
    assert code == 0 and {row["partition"] for row in told["phases"]} == {0} and told["contradictions"] == []
    code, _, err = call("anatomy", "broker_loss", "--partition", "7")
    assert code == 2 and "no partition 7: its partitions are 0 to 2" in err


def test_a_partition_that_did_not_stall_is_named(call: Call, results: Path) -> None:
    """Where others stalled, the one that was asked for is said not to have."""
    unpack("broker_loss", results / "one")
    assert call("anatomy", "broker_loss", "--partition", "1")[:2] == (0, "partition 1 did not stall\n")


def test_a_run_without_stalls_says_so(call: Call, results: Path) -> None:
    """No empty answer where nothing stood still."""
    unpack("baseline", results / "baseline")
    assert call("anatomy", "baseline")[:2] == (0, "no partition stalled\n")
