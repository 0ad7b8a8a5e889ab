"""How far rate steps went, and what gave way first."""

from __future__ import annotations

from pathlib import Path

import pytest

from factorylab import analysis
from tests.support.check_histories import not_offered, stepped, store_falls_behind
from tests.support.histories import S
from tests.support.spoils import Spoil, both

STEP = range(800, 1400)  # the sends of the step


def transactions(took_s: float) -> Spoil:
    return lambda h: h["commits"].__setitem__("begun_ns", h["commits"]["t_ns"] - round(took_s * S))


def late_acks(h: object) -> None:
    h["sends"].loc[list(STEP), "t_ack_ns"] += 10 * S  # type: ignore[index]


@pytest.mark.parametrize(
    ("spoil", "gave_way"),
    [
        (not_offered(*STEP[100:300]), "generator"),
        (both(store_falls_behind, late_acks), "brokers"),
        (both(store_falls_behind, transactions(0.001)), "processors"),
        (both(store_falls_behind, transactions(0.09)), "store"),
        (store_falls_behind, "processors or store"),
    ],
)
def test_what_gave_way_is_where_the_readings_of_the_step_were_held_back(
    tmp_path: Path, spoil: Spoil, gave_way: str
) -> None:
    """Not offered: the generator; not acknowledged: the brokers; not stored: who took the processors' time, where that
    was recorded. No rate below the one that failed was kept here, since all are the same."""
    history = stepped(tmp_path)
    spoil(history)
    run = history.run()
    found = analysis.limit(run, analysis.steps(run))
    assert (found.kept_per_s, found.failed_per_s, found.gave_way) == (None, 100, gave_way)
    assert found.evidence and "CPUs in use" in found.evidence[-1]


def test_a_run_that_kept_every_rate_says_so(tmp_path: Path) -> None:
    """Then nothing gave way."""
    run = stepped(tmp_path).run()
    found = analysis.limit(run, analysis.steps(run))
    assert (found.kept_per_s, found.failed_per_s, found.gave_way) == (100, None, "")
    assert str(found) == "Up to 100 readings/s were kept: every rate that was declared, so nothing gave way."


def test_a_backlog_counts_for_the_step_in_which_it_was_due(tmp_path: Path) -> None:
    """Readings of the step that are sent after its end are not offered in it, nor do they count for the stage after."""
    history = stepped(tmp_path)
    hit = list(STEP[300:])
    history["sends"].loc[hit, ["t_ns", "t_ack_ns"]] += 3 * S
    step, after = (row for _, row in analysis.offered_load(history.run()).iloc[1:].iterrows())
    assert (step["offered"], step["due"], step["kept"]) == (300, 600, False)
    assert (after["offered"], after["kept"]) == (400, True) and step["late_max_s"] == pytest.approx(3)
