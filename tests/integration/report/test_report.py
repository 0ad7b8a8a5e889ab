"""The report: one file, whole in itself, that says what the verdicts say."""

from __future__ import annotations

from pathlib import Path

import pytest

import factorylab as lab
from factorylab.audit.judged import load
from factorylab.audit.sets.run_set import by_cell
from factorylab.history.saved_run import Run
from factorylab.report import build
from tests.support.histories import broker_loss, consumer_loss, healthy
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
    """Every source is inline, every link stays in the page or leads to the run's folder beside it."""
    for link in page.links:
        inline = link.startswith(("data:image/", "#"))
        assert inline or (results / link).exists(), link[:80]
    assert sum(link.startswith("data:image/svg+xml") for link in page.links) == 18


def test_inner_links_lead_somewhere(page: Page) -> None:
    """Each link of the first table has its section, and no id stands twice."""
    targets = [link[1:] for link in page.links if link.startswith("#")]
    assert targets == page.ids and len(set(page.ids)) == 3


def test_every_figure_is_described(page: Page) -> None:
    """Each image has a text for those who do not see it."""
    assert page.images == page.described == 18


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
def test_the_report_of_one_run_knows_the_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`write_report` shows the runs that were asked for, and sums up all of the same scenario and parameters."""
    monkeypatch.setenv("FACTORYLAB_RESULTS", str(tmp_path))
    monkeypatch.setenv("FACTORYLAB_HOME", str(tmp_path / "home"))
    runs = [healthy(tmp_path).saved() for _ in range(3)]
    words = Page(lab.write_report(runs[:1]).read_text()).words
    assert "3 runs" in words and runs[1].folder.run_id not in words
