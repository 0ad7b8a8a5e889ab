"""Results of controls are kept, with their figure."""

from __future__ import annotations

from pathlib import Path

import pytest

from factorylab.core.errors import UsageError
from factorylab.execution.controls import campaign
from factorylab.execution.controls.control_results import MANIFESTS, Campaign, recall, record
from factorylab.history.manifest import Manifest
from factorylab.history.provenance import Host
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


def test_what_brokers_were_set_to_is_kept_once(tmp_path: Path) -> None:
    """Each variant's manifest reads back whole, and a configuration that several runs had stands in the file once."""
    plain, other = {"log.dirs": "where it was"}, {"log.dirs": "elsewhere"}
    manifests = {variant: _manifest(config) for variant, config in (("P1", plain), ("P2", other), ("P3", plain))}
    record(Campaign([], {"P1": manifests["P1"]}), tmp_path)
    record(Campaign([], manifests), tmp_path)
    assert recall(tmp_path).manifests == manifests
    assert (tmp_path / MANIFESTS).read_text().count("where it was") == 1


def _manifest(broker_config: dict[str, str]) -> Manifest:
    host = Host(cores=2, memory_bytes=1 << 33, system="none")
    return Manifest(
        run_id="0a1b2c", scenario="a", backend="local", started_wall_ns=1, boot_id="b", seed=1, host=host,
        broker_config=broker_config,
    )  # fmt: skip
