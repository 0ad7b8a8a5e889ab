"""Settings of several runs: what they share stands once, and nothing is left out."""

from __future__ import annotations

from pathlib import Path

import msgspec

from factorylab.report.environment import settings
from tests.support.histories import healthy


def test_shared_settings_stand_once_and_others_by_run(tmp_path: Path) -> None:
    """A setting that differs stands under each run with its own value, and one that only one run has under that one."""
    one = msgspec.structs.replace(healthy(tmp_path).run().manifest, producer={"acks": "all", "linger.ms": "5"})
    other = msgspec.structs.replace(one, producer={"acks": "1", "linger.ms": "5", "retries": "3"})
    rows = [(row.run, row.value) for row in settings({"a": one, "b": other}) if row.what == "producer"]
    assert rows == [("", "linger.ms=5"), ("a", "acks=all"), ("b", "acks=1, retries=3")]


def test_one_run_shares_everything_with_itself(tmp_path: Path) -> None:
    """Then no row names it; without a run there is no row."""
    manifest = healthy(tmp_path).run().manifest
    assert {row.run for row in settings({"a": manifest})} == {""} and settings({}) == []
