"""What a figure of blind time says where nothing was recorded."""

from __future__ import annotations

from pathlib import Path

import pytest

from factorylab.audit.model.verdict import panel
from factorylab.report import plots, summary_tables
from tests.support.histories import healthy


@pytest.mark.parametrize("table", ["sensors", "rows", "commits"])
def test_a_run_without_the_rows_says_so(tmp_path: Path, table: str) -> None:
    """An older or broken history gives no number: verdict, table and figure say that it was not recorded."""
    h = healthy(tmp_path)
    h.absent.add(table)
    run = h.run()
    assert run.verdict.alerting is None and "blind: not recorded" in panel(run.verdict)
    assert summary_tables.alerting(run).index.tolist() == ["not recorded"]
    assert "not recorded" in plots.svg(plots.blind(run)) and "blind" not in plots.drawn(run)
