"""The page of true behaviour: every number is of a recorded run, and the committed page is what the files give."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from factorylab.audit.sets.quantities import known
from factorylab.audit.sets.recorded import RecordedRun, recorded_runs
from factorylab.history import campaign_file
from factorylab.history.campaign_file import Experiment, RunRow
from factorylab.report.behaviour import page
from factorylab.report.behaviour_facts import FACTS, Fact
from factorylab.scenarios.model import scenario_from
from tests.support.places import ROOT

FACT = Fact("a broker dies", "9 s", (8, 10), "ack_gap.0", "failover", {"faults.0.kind": "kill"}, "patience")


def run(number: int, seconds: float | None, kafka: str = "4.3.1", kind: str = "kill", **more: object) -> RecordedRun:
    fault = {"kind": kind, "target": "leader:0"}
    made = Experiment.of(scenario_from({"name": "loss", "workload": {"seed": number}, "faults": [fault]}, "test"))
    row = RunRow(
        run=f"20260101T00000{number}Z-00000{number}",
        experiment=made.experiment,
        began_wall_ns=number,
        verdict="INVALID" if seconds is None else "PASS",
        met={} if seconds is None else {"kafka": kafka, "confluent-kafka": "2.16.1", "host.cores": "2", "commit": "c"},
        values={} if seconds is None else {"ack_gap.0": seconds, "host_load": 0.5 * number},
        censored=["ack_gap.0"] if "censored" in more else [],
    )
    return RecordedRun(made, row)


def lines(runs: Sequence[RecordedRun], fact: Fact = FACT) -> list[str]:
    """The table's rows about the first fact."""
    return [line for line in page(lambda _: list(runs), [fact]).splitlines() if fact.situation in line]


def test_a_row_says_what_was_measured() -> None:
    """Median, range, n, how often the guess was right, versions, and as evidence the ids, the load and who was left
    out; a run of another fault is in none of them."""
    runs = [run(n, 8.0 + n) for n in range(1, 6)] + [run(6, None), run(7, 99.0, kind="pause")]
    text = page(lambda _: runs, [FACT])
    assert "| 1 | a broker dies | 9 s | **11 s** (9 … 13), n = 5 | 2 of 5 | 4.3.1 | 2.16.1 | patience |" in text
    assert "| 1 INVALID | 0.500 … 2.500 on 2 cores | c | 000001 000002 000003 000004 000005 |" in text
    assert "Not measured yet" not in text and "99" not in text


def test_few_runs_are_shown_one_by_one() -> None:
    """Below five runs there is no median that means something, so the values stand there; a lower bound says so."""
    assert "> 9.500, 12 s, n = 2" in lines([run(1, 12.0), run(2, 9.5, censored=True)])[0]


def test_a_lower_bound_is_not_as_expected() -> None:
    """What was not seen to end shows nothing of an upper end of the guess."""
    assert "| > 9.500 s, n = 1 | 0 of 1 |" in lines([run(1, 9.5, censored=True)])[0]


def test_versions_are_not_thrown_together() -> None:
    """Runs of another version of Kafka make a row of their own."""
    told = lines([run(1, 9.0), run(2, 19.0, kafka="5.0.0")])
    assert len(told) == 2 and "| 4.3.1 |" in told[0] and "19 s" in told[1] and "| 5.0.0 |" in told[1]


def test_without_a_run_there_is_no_row() -> None:
    """A fact that nobody measured is in the list of those, with the runs that it needs, and in no table."""
    (line,) = lines([])
    assert line == "- a broker dies (`campaign-failover@faults.0.kind=kill`)"
    assert lines([run(1, None)]) == [line]


@pytest.mark.parametrize("fact", FACTS, ids=lambda fact: fact.situation)
def test_every_fact_is_of_a_campaign(fact: Fact) -> None:
    """Its quantity exists, its guess is a range, and a campaign file with its name is committed."""
    assert known(fact.quantity) and fact.guess[0] <= fact.guess[1]
    assert (ROOT / "experiments" / "campaigns" / f"{fact.campaign}.yaml").is_file()


def test_the_committed_page_is_of_the_committed_runs() -> None:
    """docs/behaviour.md is what `factorylab behaviour` makes of results/campaigns, to the letter."""

    def committed(campaign: str) -> list[RecordedRun]:
        path = campaign_file.path_of(ROOT / "results", campaign)
        return recorded_runs(campaign_file.read(path)) if path.exists() else []

    assert (ROOT / "docs" / "behaviour.md").read_text() == page(committed)
