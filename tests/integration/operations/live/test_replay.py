"""A recorded run on the live page: its moments are those of its history, and the file shows them in a browser."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from factorylab.history.saved_run import Run
from factorylab.operations.live.moments import Moment
from factorylab.operations.live.replay import moments, write_page
from tests.support.browser import Visit, chromium
from tests.support.contrast import contrast, luminance
from tests.support.recorded_runs import unpack

NARROW = 390
VICTIM = "broker-2"


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return Run(unpack("broker_loss", tmp_path_factory.mktemp("run")))


@pytest.fixture(scope="module")
def found(run: Run) -> list[Moment]:
    return list(moments(run))


@pytest.fixture(scope="module")
def file(run: Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_page(run.folder, tmp_path_factory.mktemp("page") / "live.html")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as found:
        yield found


def test_the_moments_are_those_of_the_history(run: Run, found: list[Moment]) -> None:
    """The fault is held from its injection to its healing and its node seen dead, the leader that was lost is replaced,
    and at the end all that was acknowledged is stored."""
    steps = dict(zip(run.faults["step"], run.seconds(run.faults["t_ns"]), strict=True))
    held = [moment.at_s for moment in found if moment.faults]
    assert 0 <= held[0] - steps["injected"] < 0.6 and 0 <= steps["healed"] - held[-1] < 0.6
    dead = [m.at_s for m in found for node in m.nodes if (node.name, node.status) == (VICTIM, "dead")]
    assert dead and set(dead) <= set(held)
    leaders = {one.leader for m in found if m.at_s > held[-1] for one in m.partitions if one.partition == 0}
    assert 2 not in leaders and leaders
    last = found[-1]
    assert (last.lag.records, last.lag.seconds) == (0, 0)
    kinds = [mark.kind for moment in found for mark in moment.marks]
    begun = [run.seconds(run.phase_starts["t_ns"]).between(found[0].at_s, last.at_s).sum()]
    assert [kinds.count("fault"), kinds.count("heal"), kinds.count("run")] == [1, 1, *begun]


def test_lag_in_seconds_grew_as_long_as_nobody_could_store(run: Run, found: list[Moment]) -> None:
    """The worst lag is about as long as the fault: the partition's readings waited for its next leader."""
    worst = max(moment.lag.seconds or 0 for moment in found)
    assert 0.5 * run.scenario.faults[0].hold_s < worst < 1.5 * run.scenario.faults[0].hold_s


def test_the_file_allows_its_own_scripts_and_styles_alone(file: Path) -> None:
    """It loads nothing, and its policy has the digest of each script and style in it and nothing broader."""
    text = file.read_text()
    (policy,) = re.findall(r'Content-Security-Policy" content="([^"]*)"', text)
    inline = re.findall(r"<(?:script|style)>(.*?)</(?:script|style)>", text, re.DOTALL)
    digests = {base64.b64encode(hashlib.sha256(part.encode()).digest()).decode() for part in inline}
    assert len(inline) == 9 and set(re.findall(r"sha256-([^']+)'", policy)) == digests
    assert "unsafe" not in policy and not re.search(r"<(?:script|link|img)[^>]+(?:src|href)=\"(?!data:)", text)


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_it_is_readable_on_a_telephone(browser: Browser, file: Path, dark: bool) -> None:
    """At 390 px nothing is wider than the page but tables in their own frames, text has contrast, no script fails and
    nobody is asked for anything."""
    visit = Visit(browser, file.as_uri(), NARROW, dark=dark)
    assert visit.page.evaluate("document.documentElement.scrollWidth") == NARROW
    back, ink = visit.page.evaluate(
        "['background-color', 'color'].map((n) => getComputedStyle(document.body).getPropertyValue(n))"
    )
    assert contrast(rgb(back), rgb(ink)) > 7 and (luminance(*rgb(back)) < 0.2) == dark
    assert visit.page.locator("canvas").count() == 6
    assert visit.trouble == []
    visit.close()


def test_the_time_is_moved_by_keys_and_read_aloud(browser: Browser, file: Path) -> None:
    """With Tab and arrows alone one comes to the slider and to another moment; roles and names tell a screen reader
    what everything is, the charts' values included."""
    visit = Visit(browser, file.as_uri())
    for _ in range(10):
        visit.page.keyboard.press("Tab")
        if visit.page.evaluate("document.activeElement.id") == "at":
            break
    else:
        pytest.fail("the slider is not reached")
    assert f"kill {VICTIM}" in visit.text("#faults")
    before = visit.text("#at-text")
    visit.page.keyboard.press("Home")
    assert visit.text("#faults") == "No fault is held." and visit.text("#at-text") != before
    tree = visit.page.locator("body").aria_snapshot()
    for part in (
        'slider "Moment"', 'heading "Nodes"', 'table', 'columnheader "leader"', 'img "Leader of each partition; at',
        'region "Faults that are held"', 'combobox "Show"',
    ):  # fmt: skip
        assert part in tree, part
    visit.close()


def test_what_nobody_could_see_is_not_zero(browser: Browser, file: Path, found: list[Moment]) -> None:
    """While the end of a partition was told by nobody its lag is "?", with what was known last and when."""
    blind = next(n for n, moment in enumerate(found) if moment.faults and moment.lag.records is None)
    visit = Visit(browser, file.as_uri())
    visit.page.fill("#at", str(blind))
    (tile,) = [text for text in visit.page.locator("#tiles div").all_inner_texts() if text.startswith("Lag\n")]
    assert "?" in tile and "not known" in tile and "s ago" in tile
    visit.close()


def rgb(colour: str) -> tuple[int, int, int]:
    """Of rgb(…), as a browser tells it."""
    red, green, blue = map(int, re.findall(r"\d+", colour)[:3])
    return red, green, blue
