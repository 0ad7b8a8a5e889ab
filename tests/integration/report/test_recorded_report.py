"""The report of runs that were recorded on a real cluster: small, whole, and true to their tables."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from factorylab.audit.judged import JudgedRun, load
from factorylab.report import answer, build
from tests.support.recorded_runs import unpack
from tests.support.report_page import Page
from tests.support.told_numbers import unfounded

QUICK = ("baseline", "broker_loss", "consumer_loss", "high_load")
OTHERS = ("acked_loss", "database_loss", "network_partition", "schema_2")
MOST_BYTES, OF_FIGURES = 400_000, 280_000


@pytest.fixture(scope="module")
def quick(tmp_path_factory: pytest.TempPathFactory) -> list[JudgedRun]:
    folder = tmp_path_factory.mktemp("quick")
    return [load(unpack(name, folder / name).path) for name in QUICK]


def test_the_report_of_the_quick_profile_is_small(quick: list[JudgedRun], tmp_path: Path) -> None:
    """Four recorded runs with all their figures take at most 400 kB, their figures 280 kB of that; all figures are
    described, and nothing points outside."""
    out = build(quick, tmp_path / "report.html")
    text = out.read_text(encoding="utf-8")
    figures = re.findall(r"<svg.*?</svg>", text, re.DOTALL)
    assert len(text.encode()) <= MOST_BYTES and sum(map(len, figures)) <= OF_FIGURES
    page = Page(text)
    assert page.images == page.described == len(figures) >= 5 * len(quick) - 4
    assert all(str(answer(run)) in page.words for run in quick)


def test_every_number_of_an_answer_stands_in_the_verdict(quick: list[JudgedRun]) -> None:
    """No sentence of the four has a number that nothing measured."""
    assert [unfounded(run) for run in quick] == [set()] * len(quick)


@pytest.mark.parametrize("name", OTHERS)
def test_so_it_does_where_readings_are_lost_or_the_store_is_away(name: str, tmp_path: Path) -> None:
    """Nor of those with a loss, without a database, with a cut, and of an older version of the history."""
    assert unfounded(load(unpack(name, tmp_path).path)) == set()
