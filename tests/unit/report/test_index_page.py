"""The page that a results folder opens with."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import unquote

from factorylab.history import run_folders, sparkline
from factorylab.history.run_folders import FAILED
from factorylab.history.sparkline import Course
from factorylab.report import index_page
from factorylab.scenarios.catalog import build


def links(page: str) -> list[str]:
    return [unquote(link) for link in re.findall(r'href="([^"]+)"', page)]


def test_each_run_has_a_row_whose_links_lead_somewhere(tmp_path: Path) -> None:
    """Links are relative and lead to files that are there; the latest run comes first."""
    runs = [run_folders.create(tmp_path, build(name, {})) for name in ("high_load", "baseline")]
    (runs[0].figures / "timeline.svg").write_text("<svg/>")
    (tmp_path / "report.html").write_text("x")
    sparkline.write(runs[0], Course(of="stored", seconds=1, per_s=[0, 10]))
    text = index_page.write(tmp_path).read_text()
    assert all(run.path.name in text for run in runs) and "▁█" in text
    assert all((tmp_path / link).exists() and "://" not in link for link in links(text))
    assert {"report.html", f"high_load/{runs[0].path.name}/derived/figures/timeline.svg"} <= set(links(text))
    assert "none</td>" in text and "PASS" not in text


def test_what_a_run_says_is_shown_as_text(tmp_path: Path) -> None:
    """No sign in a reason, or in the name of a folder, becomes a tag or leads elsewhere."""
    run = run_folders.create(tmp_path, build("baseline", {}))
    (run.raw / FAILED).write_text("<script>alert(1)</script>\n")
    odd = tmp_path / '"><img src=x>'
    run.path.parent.rename(odd)
    text = index_page.write(tmp_path).read_text()
    assert "<script>" not in text and "<img" not in text and "&lt;script&gt;" in text
    assert all((tmp_path / link).exists() for link in links(text))


def test_before_the_first_run_the_page_says_how(tmp_path: Path) -> None:
    """A folder without runs, or none at all, has a page with the command that makes one."""
    assert "factorylab run baseline" in index_page.write(tmp_path / "results").read_text()
