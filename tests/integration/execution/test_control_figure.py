"""Results of controls are kept, with their figure."""

from __future__ import annotations

from pathlib import Path

import pytest

from factorylab.core.errors import UsageError
from factorylab.execution.controls import campaign
from factorylab.execution.controls.control_results import Campaign, recall
from tests.support.control_results import result


def test_results_are_kept_and_added_to(tmp_path: Path) -> None:
    """What is recorded twice is there twice, in order, and reads back; the figure says how it came out in words."""
    first = result()
    second = result(repaired=True, met=False, verdict="INVALID", fired=["seal"], invalid=["seal"])
    campaign.keep(Campaign([first]), tmp_path)
    campaign.keep(Campaign([second]), tmp_path)
    assert recall(tmp_path).results == [first, second]
    drawn = (tmp_path / campaign.PICTURE).read_text()
    assert "P6, repaired" in drawn and "inconclusive" in drawn
    with pytest.raises(UsageError, match="no record of controls"):
        recall(tmp_path / "nowhere")
