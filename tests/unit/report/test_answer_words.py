"""The sentences of a run: each holds against its tables, on both sides of each case."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from factorylab.audit.judged import JudgedRun
from factorylab.audit.model.findings import Check, Span
from factorylab.audit.model.stall import StallSum
from factorylab.audit.model.verdict import Verdict
from factorylab.report import answer
from tests.support.check_histories import TABLE
from tests.support.histories import History, broker_loss, consumer_loss, healthy, network_partition
from tests.support.told_numbers import NUMBER, unfounded


def told(run: JudgedRun, **changed: object) -> str:
    """The answer of a run whose verdict says something else in places."""
    run.__dict__["verdict"] = msgspec.structs.replace(run.verdict, **changed)
    return str(answer(run))


def spoilt(folder: Path, check: str) -> JudgedRun:
    """A run that breaks the claim of this check."""
    pair = TABLE[check]
    history = pair.make(folder)
    pair.breaks(history)
    return history.run()


def test_numbers_of_a_sentence_are_found() -> None:
    """The pattern takes times and counts, and neither the number in a node's name nor a part of another number."""
    assert NUMBER.findall("12.9 s on 2 of 3 (broker-2), 1,200 readings, 8.0–16.6 s.") == [
        "12.9", "2", "3", "1,200", "8.0", "16.6",
    ]  # fmt: skip


@pytest.mark.parametrize("make", [healthy, broker_loss, consumer_loss, network_partition])
def test_every_number_stands_in_the_verdict(make: Callable[[Path], History], tmp_path: Path) -> None:
    """No sentence has a number that the tables do not have: the verdict's, sums of its rows, or how many there are."""
    assert unfounded(make(tmp_path).run()) == set()


def test_a_number_without_a_table_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A sentence with a number that nothing measured does not pass the test above."""
    monkeypatch.setattr("factorylab.report.answer_words.as_expected", lambda verdict: "As expected? After 7.77 s.")
    assert unfounded(healthy(tmp_path).run()) == {"7.77"}


def test_a_run_that_kept_everything_says_so(tmp_path: Path) -> None:
    """Nothing lost, nothing doubled, each offered reading stored once, and the expectation met."""
    text = str(answer(healthy(tmp_path).run()))
    assert text.startswith(
        "Without a fault: nothing lost, nothing doubled; each of the 1,200 readings that were offered"
    )
    assert "No partition stood still." in text and text.endswith("As expected? Yes.")


def test_lost_readings_are_counted(tmp_path: Path) -> None:
    """What is lost is said with the number that was acknowledged; nothing claims that each was stored."""
    text = str(answer(spoilt(tmp_path, "lost_in_log")))
    assert "1 of 1,200 acknowledged readings lost" in text and "stored once" not in text
    assert "Violated: lost_in_log: 1 of 1,200 acknowledged readings are not in the log" in text
    assert text.endswith("As expected? No: expected was PASS, the verdict is FAIL.")


def test_doubled_readings_are_counted(tmp_path: Path) -> None:
    """A row twice in the store is a doubled reading, and not a lost one."""
    text = str(answer(spoilt(tmp_path, "duplicate_in_store")))
    assert "nothing lost, 1 doubled" in text and "stored once" not in text


def test_a_backlog_that_is_left_is_said_first(tmp_path: Path) -> None:
    """NOT_DRAINED begins the answer, with what the check counted."""
    run = spoilt(tmp_path, "not_drained")
    (check,) = (check for check in run.verdict.checks if check.name == "not_drained")
    text = told(run, verdict="NOT_DRAINED", checks=[check])
    assert text.startswith("Not drained: ") and check.measured in text


def test_an_invalid_run_is_inconclusive_and_says_why(tmp_path: Path) -> None:
    """Its first sentence names the checks; no sentence claims what was kept or how long anything took."""
    history = healthy(tmp_path)
    history.made_of["problems"] = ["the clock was set"]
    run = history.run()
    text = str(answer(run))
    assert run.verdict.verdict == "INVALID" and text.startswith("Inconclusive: ")
    assert all(f"{c.name}: {c.measured.rstrip('.')}" in text for c in run.verdict.fired)
    assert "lost" not in text and len(answer(run).sentences) == 2


def test_a_killed_leader_is_told_with_its_stalls(tmp_path: Path) -> None:
    """Who was killed, and for how long nothing was acknowledged and stored: the sums of the verdict."""
    run = broker_loss(tmp_path).run()
    text = str(answer(run))
    assert text.startswith("Killing the leader of partition 0 (broker-1, for 6.1 s): nothing lost")
    sums = run.verdict.service.sums
    acks, stores = sorted(s.acks.seconds for s in sums), sorted(s.stores.seconds for s in sums)
    for done, ends in (("acknowledged", acks), ("stored", stores)):
        length = f"{ends[0]:.1f}–{ends[-1]:.1f}" if f"{ends[0]:.1f}" != f"{ends[-1]:.1f}" else f"{ends[0]:.1f}"
        assert f"othing {done} for {length} s on 3 of 3 partitions" in text


def test_acknowledgements_that_went_on_are_told_as_such(tmp_path: Path) -> None:
    """A killed processor stalls one partition's stores; its lack of an owner is told with the reason."""
    text = str(answer(consumer_loss(tmp_path).run()))
    assert "Acknowledged without a stall; nothing stored for" in text and "on 1 of 3 partitions" in text
    assert "A partition had no owner for" in text and "because processor-1 was away" in text


def test_what_did_not_end_is_marked(tmp_path: Path) -> None:
    """Censored values have their ">" and words that say so; those that ended have neither."""
    run = broker_loss(tmp_path).run()
    ended = str(answer(run))
    (row,), service = run.verdict.recovery, run.verdict.service
    open_ = msgspec.structs.replace(row, recovery=Span(19.0, True), catch_up=Span(20.0, True))
    sums = [StallSum(0, Span(3.0), Span(19.0, True))]
    text = told(run, recovery=[open_], service=msgspec.structs.replace(service, sums=sums))
    assert "it took > 19.0 s (not seen to end)" in text and "> 20.0 s (not seen to end)" in text
    assert "nothing stored for > 19.0 s on 1 of 3 partitions, on 1 of them not again while it was watched" in text
    assert ">" not in ended and "not seen" not in ended


def test_what_was_not_observed_is_no_number(tmp_path: Path) -> None:
    """A catch-up that nobody saw, and tables that an old run lacks, are said to be so."""
    run = broker_loss(tmp_path).run()
    (row,) = run.verdict.recovery
    text = told(run, recovery=[msgspec.structs.replace(row, catch_up=None)], service=None, alerting=None)
    assert "until the lag was back where it had been: not observed." in text
    assert "How long partitions stood still: not recorded." in text and "How late alerts were: not recorded." in text


@pytest.mark.parametrize(
    ("outcome", "words"),
    [
        ("NOT_ASKED", "whether anything was lost was not asked"),
        ("INVALID", "what was lost is not known"),
        ("PASS", "nothing lost"),
    ],
)
def test_none_not_asked_and_not_known_differ(tmp_path: Path, outcome: str, words: str) -> None:
    """The same zero is "nothing" only where the check looked and passed."""
    run = healthy(tmp_path).run()
    check = Check(name="lost_in_log", verdict=outcome, count=0, n=0, claim="", measured="")  # type: ignore[arg-type]
    assert f"Without a fault: {words}" in told(run, checks=[check])


def test_without_acknowledgements_nothing_could_be_lost(tmp_path: Path) -> None:
    """Under acks=0 nobody promised anything."""
    run = healthy(tmp_path).run()
    text = told(run, counts=msgspec.structs.replace(run.verdict.counts, acked=0))
    assert "no reading was acknowledged, so none could be lost" in text


def test_readings_without_a_row_are_told_with_their_reasons(tmp_path: Path) -> None:
    """What was shed or not offered is no loss, and not hidden either."""
    run = healthy(tmp_path).run()
    text = told(run, counts=msgspec.structs.replace(run.verdict.counts, unstored=7, shed=7, not_offered=3))
    assert "Not in the store: 7 of 1,200 offered readings (shed 7)." in text and "stored once" not in text
    assert "Due and not offered, because a fleet was behind its schedule: 3 readings." in text


def test_a_demonstration_that_fails_as_declared_is_as_expected(tmp_path: Path) -> None:
    """FAIL by the declared checks is a yes, with what was declared."""
    run = spoilt(tmp_path, "lost_in_log")
    declared = [check.name for check in run.verdict.fired]
    text = told(run, expectation=declared, met=True)
    assert text.endswith(f"As expected? Yes (fires: {', '.join(declared)}).")


def test_markup_in_a_runs_words_is_no_markup(tmp_path: Path) -> None:
    """In a notebook a sentence is Markdown: tags of a run's own words are shown, not obeyed."""
    run = healthy(tmp_path).run()
    run.__dict__["verdict"] = msgspec.structs.replace(run.verdict, verdict="INVALID", checks=[_said("<script>")])
    assert "<script>" in str(answer(run)) and "<script>" not in answer(run)._repr_markdown_()


def _said(words: str) -> Check:
    return Check(name="complete", verdict="INVALID", count=1, n=1, claim="", measured=words)


def test_the_answer_follows_from_the_verdict_alone(tmp_path: Path) -> None:
    """Asked twice it says the same."""
    run = broker_loss(tmp_path).run()
    assert isinstance(run.verdict, Verdict) and answer(run) == answer(run)
