"""What several runs say together: summaries, comparisons and the A/A check, of quantities that are given."""

from __future__ import annotations

import numpy as np
import pytest

from factorylab.audit.sets import margins
from factorylab.audit.sets.compare import compare, pairs, unmatched
from factorylab.audit.sets.compare_text import told
from factorylab.audit.sets.gate import decide, parsed
from factorylab.audit.sets.quantities import known
from factorylab.audit.sets.run_set import RunSet
from factorylab.audit.sets.same import check
from factorylab.audit.sets.summary import default_names, summary, table
from factorylab.core.errors import UsageError
from tests.support.run_sets import CELL, missing, over, run_set

SLOW, FAST = np.linspace(12, 14, 8), np.linspace(9, 11, 8)


def test_a_summary_counts_what_it_leaves_out() -> None:
    """Runs that are INVALID are no values and are counted; what was not observed is counted with its reason."""
    found = summary(run_set(recovery=[9, 10, 11, 12, missing(), missing("no fault")], left_out=2), ["recovery"])
    (row,) = found.rows
    assert (row.n, row.missing, len(found.invalid)) == (4, {"not observed": 1, "no fault": 1}, 2)
    assert (row.median, row.least, row.most, row.interval) == (10.5, 9, 12, None)
    text = table(found)
    assert "2 INVALID left out" in text and "9, 10, 11, 12" in text and "1 not observed, 1 no fault" in text


def test_censored_values_stay_lower_bounds() -> None:
    """A value that never ended is marked, moves the median as Kaplan and Meier have it, and gives a restricted mean."""
    (row,) = summary(run_set(recovery=[8, 9, 10, over(60), over(60), over(60)]), ["recovery"]).rows
    assert (row.censored, row.median, row.until) == (3, 10, 60) and row.mean is not None and 30 < row.mean < 60
    assert row.interval is not None and not row.interval.exact and row.interval.high is None
    (few,) = summary(run_set(recovery=[8, over(60)]), ["recovery"]).rows
    assert few.values == [(8, False), (60, True)] and "8, > 60" in table(
        summary(run_set(recovery=[8, over(60)]), ["recovery"])
    )


def test_all_censored_has_no_median() -> None:
    """Where no run ended, the median was not reached: no number stands for it."""
    found = summary(run_set(recovery=[over(60)] * 6), ["recovery"])
    assert found.rows[0].median is None and "not reached" in table(found)


def test_conditions_that_vary_are_told() -> None:
    """Roles of the victim that differ from run to run are counted in front of the numbers."""
    roles = [{"faults.0.roles": "leader", "commit": "c"}] * 2 + [
        {"faults.0.roles": "leader + controller", "commit": "c"}
    ]
    found = summary(run_set(met=roles, recovery=[9, 9, 14]), ["recovery"])
    assert found.varies == {"faults.0.roles": {"leader": 2, "leader + controller": 1}}
    assert "faults.0.roles: leader (2), leader + controller (1)" in table(found)


def test_a_difference_is_shown_with_effect_and_interval() -> None:
    """Sets that lie apart differ: direction, shift, ratio, and intervals that hold them."""
    found = compare(run_set("a", recovery=FAST), run_set("b", recovery=SLOW), ["recovery"])
    (row,) = found.rows
    assert row.answer == "more" and row.p is not None and row.p == pytest.approx(2 / 12870)
    assert row.interval and row.interval.low and row.interval.high and row.difference == pytest.approx(3)
    assert row.interval.low < 3 < row.interval.high and row.ratio == pytest.approx(1.3, abs=0.01)
    assert "+3.000, 1.3x" in told(found)
    assert compare(run_set("b", recovery=SLOW), run_set("a", recovery=FAST), ["recovery"]).rows[0].answer == "less"


def test_what_is_not_shown_is_a_tilde() -> None:
    """Sets that overlap show nothing: "~", and no effect is printed as if it were real."""
    found = compare(run_set("a", recovery=FAST), run_set("b", recovery=FAST + 0.1), ["recovery"])
    assert found.rows[0].answer == "~" and "+0.1" not in told(found)


def test_many_quantities_are_corrected() -> None:
    """A p of 0.03 is a difference alone, and none among five quantities: Holm's correction is told."""
    a = {"recovery": [1, 2, 3, 4, 5.5], "blind": [5, 1, 4, 2, 3], "ack_gap": [5, 1, 4, 2, 3], "shed": [3, 1, 2, 5, 4]}
    b = {"recovery": [5, 6, 7, 8, 9], "blind": [4, 2, 5, 1, 3.5], "ack_gap": [4, 2, 5, 1, 3.5], "shed": [1, 2, 3, 4, 6]}
    alone = compare(run_set("a", **a), run_set("b", **b), ["recovery"]).rows[0]
    among = compare(run_set("a", **a), run_set("b", **b), list(a))
    assert alone.answer == "more" and alone.p is not None and 0.0125 < alone.p < 0.05
    assert among.rows[0].answer == "~" and among.rows[0].p_corrected == pytest.approx(4 * alone.p)
    assert "4 quantities were tested" in told(among) and "Holm" in told(among)


def test_so_few_runs_say_that_they_can_show_nothing() -> None:
    """Three runs against three that lie fully apart: "~", and why."""
    found = compare(run_set("a", recovery=[1, 2, 3]), run_set("b", recovery=[7, 8, 9]), ["recovery"])
    assert found.rows[0].answer == "~" and not found.can_show and "So few runs can show nothing" in told(found)


def test_equal_values_and_absent_ones_are_not_tested() -> None:
    """Equal values in all runs, and a set without a value, give no test, and are not counted among the quantities."""
    a, b = run_set("a", lost=[0] * 6, recovery=[missing()] * 6), run_set("b", lost=[0] * 6, recovery=[9] * 6)
    found = compare(a, b, ["lost", "recovery"])
    assert [row.answer for row in found.rows] == ["not tested"] * 2 and found.tested == 0
    assert found.rows[1].difference is None and "not observed" in told(found)
    assert compare(run_set("a"), run_set("b"), []).rows == []


def test_censored_sets_are_compared_by_restricted_means() -> None:
    """With lower bounds on one side the log-rank scores are tested, and the effect is that of means up to the end."""
    never = [*SLOW[:5], *[over(60)] * 3]
    (row,) = compare(run_set("a", recovery=FAST), run_set("b", recovery=never), ["recovery"]).rows
    assert row.answer == "more" and row.until == FAST.max() and row.ratio is None
    assert row.difference is not None and row.difference == pytest.approx(FAST.max() - FAST.mean())


def test_the_same_within_a_margin_is_shown_not_assumed() -> None:
    """Sets that hardly differ are within 20 % and not within 0.1 %; those apart are not within either."""
    a, b, far = run_set("a", recovery=FAST), run_set("b", recovery=FAST + 0.01), run_set("c", recovery=SLOW + 9)
    wide, narrow = (margins.parsed([text]) for text in ("20%", "0.1%"))
    assert compare(a, b, ["recovery"], wide).rows[0].within_margin
    assert not compare(a, b, ["recovery"], narrow).rows[0].within_margin
    assert not compare(a, far, ["recovery"], wide).rows[0].within_margin
    assert "within the margin" in told(compare(a, b, ["recovery"], wide))


def test_a_run_is_not_compared_with_itself() -> None:
    """A run in both sets is refused by its id."""
    with pytest.raises(UsageError, match="a0"):
        compare(run_set("a", recovery=[1]), run_set("a", recovery=[1]), ["recovery"])


def test_sets_of_several_experiments_are_paired_by_what_was_declared() -> None:
    """One against one is compared whatever it is; of several only equal cells; without any the choice is asked for."""
    kill = run_set("a", recovery=[1])
    pause = RunSet("broker_loss", {**CELL, "faults.0.kind": "pause"}, (), {})
    again = RunSet("broker_loss", {**CELL, "faults.0.kind": "pause"}, (), {"d": "INVALID"})
    assert pairs([kill], [pause]) == [(kill, pause)]
    assert pairs([kill, pause], [again]) == [(pause, again)]
    with pytest.raises(UsageError, match="none of which is in both") as refused:
        pairs([kill, kill], [pause])
    assert "@name=value" in str(refused.value) and "broker_loss, n=1" in str(refused.value)


def test_an_experiment_that_one_side_lacks_is_told() -> None:
    """Of several experiments one that only a side has stands against an empty set: a gate on it fails where a run of B
    is beyond an absolute limit, is undecided where it needs A, and never holds unseen."""
    kill, again = run_set("a", recovery=[1]), run_set("b", recovery=[1])
    other = run_set("c", recovery=[20])
    pause = RunSet(other.title, {**CELL, "faults.0.kind": "pause"}, other.runs, {})
    ((a, b),) = unmatched([kill], [again, pause])
    assert (a.runs, a.cell, b) == ((), pause.cell, pause)
    told_ = [one.decision for one in decide([parsed("recovery > 15 s"), parsed("recovery > 2x")], a, b)]
    assert told_ == ["fails", "undecided"] and "0 runs" in told(compare(a, b, ["recovery"]))
    ((a, b),) = unmatched([kill, pause], [again])
    assert (a, b.runs) == (pause, ()) and decide([parsed("recovery > 15 s")], a, b)[0].decision == "undecided"
    assert unmatched([kill], [pause]) == []


def test_whether_anything_can_be_shown_depends_on_the_values() -> None:
    """Ten runs of which three observed the quantity are three: that no difference can be shown is told."""
    values = [[at, at + 1, at + 2, *([missing()] * 7)] for at in (1, 10)]
    found = compare(run_set("a", recovery=values[0]), run_set("b", recovery=values[1]), ["recovery"])
    assert not found.can_show and "So few runs can show nothing" in told(found)


def test_a_range_keeps_the_mark_of_a_lower_bound() -> None:
    """Ends of a range that were not seen to end say so."""
    text = table(summary(run_set(recovery=[over(5), 9, 10, 11, 12, over(13)]), ["recovery"]))
    assert "> 5 … > 13" in text


def test_the_usual_quantities_are_those_that_were_observed() -> None:
    """What no run observed is not shown unless asked for, nor is one that is not among the usual ones."""
    found = run_set("a", recovery=[1], blind=[missing()], latency_max=[2])
    assert default_names([found]) == ["recovery"] and default_names([found], every=True) == ["recovery", "latency_max"]


def test_unknown_quantities_are_refused_with_the_nearest() -> None:
    """A name that does not exist, and a part of what has none, are refused with a way out."""
    for name, words in {
        "recovry": "recovery",
        "lost.1": "no parts",
        "recovery.x": "a number",
        "zzz": "latency_p99",
    }.items():
        with pytest.raises(UsageError, match=words):
            known(name)
    assert known("ack_gap.2").name == "ack_gap"


@pytest.mark.parametrize("text", ["", "s", "10", "0%", "1x", "recovery 0 s", "recovery 3", "lost 3 s", "nothing 3 s"])
def test_margins_that_mean_nothing_are_refused(text: str) -> None:
    """A margin without a unit, of no size, in a wrong unit or of an unknown quantity is refused."""
    with pytest.raises(UsageError):
        margins.parsed([text])


def test_an_a_a_check_needs_runs_that_differ() -> None:
    """Fewer than ten runs, and runs that are all the same, are refused; ten that differ by chance are fit."""
    for values in ([1] * 9, [1] * 12):
        with pytest.raises(UsageError, match=r"repeat|no quantity differs"):
            check(run_set("a", recovery=values), ["recovery"])
    found = check(run_set("a", recovery=np.random.default_rng(1).normal(10, 1, 40)), ["recovery"])
    assert found.fit and found.runs == 40 and found.alarms / found.splits < 0.07
