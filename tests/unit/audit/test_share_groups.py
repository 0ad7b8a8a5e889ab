"""The verdict on a share group: what it promises of each record, and what is not asked of it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from factorylab.analysis.deliveries import STATES, redeliveries
from factorylab.audit.checks.share_groups import final_states
from factorylab.audit.judge import checked
from factorylab.audit.model.registry import CHECKS
from factorylab.audit.model.verdict import Verdict
from factorylab.history.tables import ANSWERED_OK, SENT
from tests.support.histories import History, at_ns, broker_loss, healthy
from tests.support.share_histories import (
    GIVEN_NS,
    SAID_NS,
    TAKEN_NS,
    again,
    moved,
    share_group,
    unsaid,
    unstored,
    worker_loss,
)
from tests.support.spoils import Spoil, both

OF_SHARE_GROUPS = {check.name for check in CHECKS if check.of_share_groups}


def fired(verdict: Verdict) -> dict[str, str]:
    return {check.name: check.verdict for check in verdict.fired}


@pytest.mark.parametrize("make", [share_group, worker_loss])
def test_a_share_group_that_keeps_its_promise_passes(tmp_path: Path, make: object) -> None:
    """Nothing fires, all of its own checks have a case, and no number is made up."""
    verdict = make(tmp_path).run().verdict  # type: ignore[operator]
    assert fired(verdict) == {}
    asked = {check.name for check in verdict.checks if check.asked}
    assert OF_SHARE_GROUPS - asked <= {"redelivered_late"} and ("redelivered_late" in asked) == (make is worker_loss)
    assert (verdict.latency, verdict.stored_per_s, verdict.alerting) == (None, None, None)


def test_only_share_groups_have_their_checks(tmp_path: Path) -> None:
    """The verdict on a run of processors that own partitions does not even name them."""
    assert not OF_SHARE_GROUPS & {check.name for check in healthy(tmp_path).run().verdict.checks}


def test_what_needs_order_or_positions_is_not_asked(tmp_path: Path) -> None:
    """Each check that a share group cannot answer says why."""
    told = {check.name: check.measured for check in share_group(tmp_path).run().verdict.checks if not check.asked}
    assert all("no worker of a share group owns a partition" in told[name] for name in ("skipped", "zombie_write"))
    assert "readings of a sensor in their order" in told["alert_differs"]


def test_the_waits_for_a_dead_workers_records_are_measured(tmp_path: Path) -> None:
    """From the death to the next delivery, with its count and who got it."""
    (back,) = redeliveries(worker_loss(tmp_path).run()).to_dict("records")
    assert (back["worker"], back["to"], back["count"], round(back["wait_s"], 6)) == (
        "processor-0", "processor-1", 2, 0.1)  # fmt: skip


LOST = {
    "accepted before it was stored": (unstored(0, 5), "accepted_unstored"),
    "accepted, and the answer never came": (both(unstored(0, 5), unsaid(0, 5, ANSWERED_OK)), "accepted_unstored"),
    "archived": (both(unstored(0, 5), unsaid(0, 5, SENT, ANSWERED_OK)), "archived_unstored"),
}


@pytest.mark.parametrize("how", LOST)
def test_a_lost_record_is_told_with_its_cause(tmp_path: Path, how: str) -> None:
    """A loss is one of the pipeline, and the check and the story say whether a worker or the broker gave it up."""
    spoil, check = LOST[how]
    h = share_group(tmp_path)
    spoil(h)
    verdict = h.run().verdict
    assert fired(verdict) == {"lost_in_pipeline": "FAIL", check: "FAIL"}
    (told,) = verdict.explanations
    assert told.event.startswith(how.split(",", maxsplit=1)[0]) and "delivery 1" in told.evidence[0]


def in_hands(h: History) -> None:
    """The last record of partition 0 was given, and nothing was said of it by the end."""
    last = int(h["frozen"].loc[0, "end"]) - 1
    h["positions"].loc[0, "next_offset"] = last
    unsaid(0, last, SENT, ANSWERED_OK)(h)


@pytest.mark.parametrize(
    ("spoil", "state"),
    [
        (unsaid(0, 5, ANSWERED_OK), "unanswered"),
        (unsaid(0, 5, SENT, ANSWERED_OK), "archived"),
        (in_hands, "in_flight"),
    ],
)
def test_each_record_has_one_state_at_the_end(tmp_path: Path, spoil: Spoil, state: str) -> None:
    """One record differs from the others, which are accepted."""
    h = share_group(tmp_path)
    spoil(h)
    evidence, _ = checked(h.run(), "share_journals")
    found = [STATES[one] for one in evidence.once(final_states)]
    assert found.count(state) == 1 and found.count("accepted") == len(found) - 1


def of_journal(table: str, result: str, column: str, change: Callable[[Any], object]) -> Spoil:
    """The first row of a table that has this result, altered in a column."""

    def spoil(h: History) -> None:
        row = h[table].index[h[table]["result"] == result][0] if result else h[table].index[0]
        h[table].loc[row, column] = change(h[table].loc[row, column])

    return spoil


@pytest.mark.parametrize(
    ("spoil", "count"),
    [
        (of_journal("acknowledgements", SENT, "t_ns", lambda t_ns: t_ns - 2 * GIVEN_NS), 1),
        (of_journal("acknowledgements", ANSWERED_OK, "t_ns", lambda t_ns: t_ns - TAKEN_NS), 1),
        (of_journal("acknowledgements", ANSWERED_OK, "kind", lambda _: "release"), 1),
        (of_journal("acquisitions", "", "t_ns", lambda t_ns: t_ns + SAID_NS), 1),
        (of_journal("acknowledgements", SENT, "t_ns", lambda t_ns: t_ns - SAID_NS + GIVEN_NS), 0),
    ],
)
def test_words_come_in_their_turn(tmp_path: Path, spoil: Spoil, count: int) -> None:
    """A worker is given a record, then speaks of it, then hears of what it said; in the same moment is early enough."""
    h = share_group(tmp_path)
    spoil(h)
    (check,) = checked(h.run(), "share_journals")[1]
    assert check.count == count, check.measured


def test_a_count_that_begins_anew_is_a_new_leaders(tmp_path: Path) -> None:
    """A record of a partition that another broker leads since may come with count 1 again; of another it may not."""
    h = share_group(tmp_path, faults=[{"kind": "kill", "target": "leader:0", "hold_s": 6}])
    lost = broker_loss(tmp_path / "other")
    h.fault("broker-1", 6, 12, target="leader:0")
    for table in ("partitions", "epochs"):
        h[table] = lost[table].copy()
    early = int(
        h["acquisitions"].query("partition == 0 and t_ns < @before", local_dict={"before": at_ns(5.9)})["offset"].max()
    )
    moved(0, early, 10, count=1)(h)
    _, (passed,) = checked(h.run(), "delivery_counts")
    moved(1, early, 31, count=1)(h)
    _, (failed,) = checked(h.run(), "delivery_counts")
    assert (passed.verdict, failed.verdict) == ("PASS", "FAIL") and "1 counted anew" in passed.measured


def test_stored_once_though_delivered_twice(tmp_path: Path) -> None:
    """A record that was stored, and came again since nothing was said of it, is one row: no duplicate, no loss."""
    h = share_group(tmp_path)
    for spoil in (unsaid(0, 5, SENT, ANSWERED_OK), again(0, 5, at_s=40, count=2)):
        spoil(h)
    _, found = checked(h.run(), "duplicate_in_store", "lost_in_pipeline", "delivery_counts")
    assert {check.verdict for check in found} == {"PASS"}


def test_a_record_may_come_again_before_the_death_is_noted(tmp_path: Path) -> None:
    """The runner notes a kill some milliseconds after it: what came in between waited for no time that is known."""
    h = worker_loss(tmp_path)
    step = (h["faults"]["step"] == "injected").to_numpy()
    h["faults"].loc[step, "t_ns"] += 150_000_000
    (back,) = redeliveries(h.run()).to_dict("records")
    assert (back["worker"], back["count"], back["wait_s"]) == ("processor-0", 2, 0.0)
