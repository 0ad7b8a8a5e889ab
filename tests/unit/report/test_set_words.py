"""What several runs answer: medians with their spread, lower bounds marked, and what was left out counted."""

from __future__ import annotations

import pytest

from factorylab.report.set_words import sentence, spread, typical
from tests.support.run_sets import missing, over, run_set


def test_a_spread_has_median_least_and_most() -> None:
    """Of several values the median and both ends; one value that all share stands alone."""
    assert spread(run_set("a", recovery=[9, 12.5, 10]), "recovery") == "10 s (9 … 12.500)"
    assert spread(run_set("a", lost=[0, 0, 0]), "lost") == "0"


def test_a_lower_bound_is_marked() -> None:
    """Where the end of a run was not seen the range says so, and the median too where it is not reached."""
    assert spread(run_set("a", recovery=[9, 10, over(30)]), "recovery") == "10 s (9 … > 30)"
    assert spread(run_set("a", recovery=[over(30), over(30)]), "recovery") == "not reached (> 30 … > 30)"


def test_what_was_not_observed_is_no_value() -> None:
    """Runs that did not observe it make n smaller; where none did there is no number."""
    assert spread(run_set("a", recovery=[9, 9, missing()]), "recovery") == "9 s, n = 2"
    assert spread(run_set("a", recovery=[missing(), missing()]), "recovery") == "–"


def test_a_sentence_names_what_was_observed() -> None:
    """Each quantity that was, in its order, with how many runs there are; of one run there is no median."""
    many = run_set("a", recovery=[9, 11], lost=[0, 3], blind=[missing(), missing()])
    assert sentence(many, ("lost", "recovery", "blind")) == (
        "2 runs; median (least … most): lost 1.500 (0 … 3); recovery 10 s (9 … 11)."
    )
    assert sentence(run_set("a", lost=[2]), ("lost", "recovery")) == "1 run: lost 2."
    assert sentence(run_set("a", lost=[2]), ("recovery",)) == "1 run: none of it was observed."


@pytest.mark.parametrize(
    ("values", "by"),
    [({"recovery": [9], "latency_p99": [1]}, "recovery"), ({"latency_p99": [1]}, "latency_p99"), ({"lost": [0]}, "")],
)
def test_a_run_stands_for_others_by_its_recovery(values: dict[str, list[float]], by: str) -> None:
    """Without a recovery by its latency; without either there is nothing to go by."""
    assert typical(run_set("a", **values)) == by
