"""The report: one file, whole in itself, that says what the verdicts say."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import factorylab as lab
from factorylab.audit.judged import load
from factorylab.audit.sets.run_set import by_cell
from factorylab.history.saved_run import Run
from factorylab.report import answer, build
from tests.support.histories import broker_loss, consumer_loss, healthy, stall
from tests.support.report_page import Page


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("results")


@pytest.fixture(scope="module")
def runs(results: Path) -> list[Run]:
    lossy = healthy(results)
    lossy["log"] = lossy["log"].drop(index=[5, 6])
    lossy.made_of["problems"] = ["<script>alert(1)</script>"]
    return [broker_loss(results).saved(), consumer_loss(results).saved(), lossy.saved()]


@pytest.fixture(scope="module")
def page(runs: list[Run], results: Path) -> Page:
    return Page(build(runs, results / "report.html").read_text())


def test_nothing_is_fetched_from_elsewhere(page: Page, results: Path) -> None:
    """Figures are elements of the page; every link stays in it or leads to the run's folder beside it."""
    for link in page.links:
        assert link.startswith("#") or (results / link).exists(), link[:80]
    text = (results / "report.html").read_text()
    assert "url(#" in text and "url(h" not in text and "@import" not in text and "base64" not in text


def test_inner_links_lead_somewhere(page: Page, results: Path) -> None:
    """Each link and each part of a figure has what it points at, and no id stands twice, whosever figure it is of."""
    inside = [link for link in page.links if link.startswith("#")]
    hatches = re.findall(r"url\((#[^)]+)\)", (results / "report.html").read_text())
    assert {target[1:] for target in [*inside, *page.pointed, *hatches]} <= set(page.ids)
    assert len(set(page.ids)) == len(page.ids) and len(page.sections) == 3


def test_every_figure_is_described(page: Page) -> None:
    """Each figure has a text for those who do not see it; what was never exposed or blind has no figure."""
    assert page.images == page.described == 6 + 6 + 3


def test_a_section_opens_with_its_answer(page: Page, runs: list[Run]) -> None:
    """Of each run the answer comes first, then the timeline, then the details, and what was declared last."""
    assert all(str(answer(run)) in page.words for run in runs)
    words = page.words[page.words.index(str(answer(runs[0]))) :]
    order = [words.index(part) for part in ("Throughput, consumer lag", "All checks:", "What was declared", "name: ")]
    assert order == sorted(order)


def test_a_check_that_was_not_asked_is_named_in_one_line(page: Page, runs: list[Run]) -> None:
    """It has no line of its own in the run; what a check claims stands once for all runs."""
    spared = [check for check in runs[0].verdict.checks if not check.asked]
    line = page.words[page.words.index("NOT_ASKED, because") :].split(": ", 1)[1].split(".")[0].strip()
    assert line == ", ".join(check.name for check in spared) and spared[0].measured not in page.words
    quiet = next(
        c for c in runs[0].verdict.checks if c.asked and all(c.name != f.name for r in runs for f in r.verdict.fired)
    )
    assert page.words.count(quiet.claim) == 1


def test_page_one_says_what_the_verdicts_say(page: Page) -> None:
    """Verdicts, unmet expectation, the loss of two and the recovery of three seconds are on the page."""
    assert "FAIL" in page.words and "NOT as expected" in page.words
    assert "2 of 1,200 acknowledged readings are not in the log" in page.words and "3.0 s" in page.words


def test_the_page_tells_of_blind_machines(page: Page) -> None:
    """Each run has its line about blind machines and its table of alert latencies, by period if there was a fault."""
    assert page.words.count("Blind: at worst") == 2 and page.words.count("Blind: none of 6 machines") == 1
    assert page.words.count("duringalerts raised") == 2 and page.words.count("no faultalerts raised") == 1


def test_the_report_is_the_same_bytes_each_time(runs: list[Run], page: Page, results: Path) -> None:
    """Building again, from the runs loaded anew, writes the same file."""
    out = results / "report.html"
    before = out.read_bytes()
    assert build([load(run.folder.path) for run in runs], out).read_bytes() == before


def test_text_from_the_run_is_escaped(page: Page, results: Path) -> None:
    """Markup in a run's own words is shown, not obeyed."""
    text = (results / "report.html").read_text()
    assert "<script>" not in text and "&lt;script&gt;" in text


def test_a_run_that_did_not_finish_is_reported(tmp_path: Path) -> None:
    """A run without manifest and tables has its line, INVALID, and no figure."""
    run = healthy(tmp_path).saved()
    (run.folder.raw / "manifest.json").unlink()
    (run.folder.history / "sends.parquet").unlink()
    page = Page(build([run], tmp_path / "report.html").read_text())
    assert "INVALID" in page.words and "did not finish" in page.words and page.images == 0


@pytest.fixture
def no_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    """For tests of the words alone."""
    monkeypatch.setattr("factorylab.report.plots.drawn", lambda run: {})


@pytest.mark.usefixtures("no_figures")
def test_repetitions_stand_in_front(tmp_path: Path) -> None:
    """Two runs of one scenario show what they say together, once; a single one does not."""
    pair, single = [broker_loss(tmp_path).saved() for _ in range(2)], healthy(tmp_path).saved()
    sets = by_cell([*pair, single], say=lambda text: None)
    page = Page(build([pair[0]], tmp_path / "report.html", sets).read_text())
    assert page.images == page.described == 2
    assert page.words.count("Repetitions") == 1 and "2 runs" in page.words and "handmade: 1 run" not in page.words
    assert "Repetitions" not in Page(build([single], tmp_path / "report.html").read_text()).words


@pytest.mark.usefixtures("no_figures")
def test_a_set_shows_its_spread_and_its_typical_run(tmp_path: Path) -> None:
    """Of three runs the one with the median recovery has a section; the first table has one row, with the least and the
    most, and a run that is INVALID is counted and says why."""
    made = [broker_loss(tmp_path) for _ in range(4)]
    for history, until_s in zip(made, (8, 8.5, 7), strict=False):
        stall(history, 8, until_s + 2, (0, 1, 2))
    made[3].made_of["problems"] = ["the clock was set"]
    runs = [history.saved() for history in made]
    (one,) = by_cell(runs, say=lambda text: None)
    page = Page(build(runs, tmp_path / "report.html", [one]).read_text())
    values = {run.folder.run_id: max(r.recovery.seconds for r in run.verdict.recovery) for run in runs[:3]}
    middle = sorted(values, key=lambda run_id: values[run_id])[1]
    assert page.sections == [middle]
    assert "median (least … most): lost 0; duplicated 0" in page.words and "the clock was set" in page.words
    assert (
        f"recovery {sorted(values.values())[1]:.3f} s ({min(values.values()):.3f} … {max(values.values()):.3f})"
        in page.words
    )
    assert "3 PASS, 1 INVALID" in page.words and "3 runs, 1 left out" in page.words


@pytest.mark.usefixtures("no_figures")
def test_the_report_of_one_run_knows_the_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`write_report` shows the runs that were asked for, and sums up all of the same scenario and parameters."""
    monkeypatch.setenv("FACTORYLAB_RESULTS", str(tmp_path))
    monkeypatch.setenv("FACTORYLAB_HOME", str(tmp_path / "home"))
    runs = [healthy(tmp_path).saved() for _ in range(3)]
    words = Page(lab.write_report(runs[:1]).read_text()).words
    assert "3 runs" in words and runs[1].folder.run_id not in words
