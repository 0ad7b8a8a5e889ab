"""Every check, with a history that breaks its claim and one that almost does.

The table is held to the checks that are registered: a check that goes, or comes without its two histories, fails here.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from factorylab.audit.model.findings import Check
from factorylab.audit.model.registry import CHECKS
from tests.support.check_histories import TABLE, with_objectives
from tests.support.histories import History
from tests.support.spoils import check_of

KEPT = {"recovery_s": 4, "ack_gap_s": 4, "latency_p99_s": 4}
"""Objectives are missed by the same outage that keeps a longer one."""


def made(history: History, name: str, *, broken: bool) -> Check:
    """The check of this name, of this history."""
    run = history.run()
    if name == "seal":
        file = (run.folder.raw if broken else run.folder.derived) / "manifest.json"
        file.write_text((run.folder.raw / "manifest.json").read_text() + "\n")
    return check_of(run, name)


def test_every_check_has_its_two_histories() -> None:
    """The table names exactly the checks that are registered, and no check is registered twice."""
    assert sorted(TABLE) == sorted(check.name for check in CHECKS)


@pytest.mark.parametrize("name", TABLE)
def test_a_history_that_breaks_a_claim_fires_its_check(tmp_path: Path, name: str) -> None:
    """The check reports with the verdict that it was registered with, and counts something."""
    pair = TABLE[name]
    history = pair.make(tmp_path)
    pair.breaks(history)
    found = made(history, name, broken=True)
    registered = next(check for check in CHECKS if check.name == name)
    assert (found.verdict, found.count > 0) == (registered.broken, True), found.measured


@pytest.mark.parametrize("name", TABLE)
def test_a_history_that_almost_breaks_a_claim_passes_its_check(tmp_path: Path, name: str) -> None:
    """What looks alike and is legal, or lies just within the limit, leaves the check at PASS."""
    pair = TABLE[name]
    history = with_objectives(**{name: KEPT[name]})(tmp_path) if name in KEPT else pair.make(tmp_path)
    pair.almost(history)
    found = made(history, name, broken=False)
    assert (found.verdict, found.count) == ("PASS", 0), found.measured
