"""The audit believes a fault only by the evidence that its kind declares, in what the probe saw."""

from __future__ import annotations

from pathlib import Path

from factorylab.scenarios import faults
from factorylab.scenarios.fault_catalog import KINDS, effects, possible


def test_each_kind_is_known_by_its_name() -> None:
    """A kind has the name of its file and says what it does; a lab with nothing but processes does those that need no
    more."""
    files = {path.stem for path in Path(faults.__file__).parent.glob("*.py")} - {"__init__", "kind"}
    assert {kind.name for kind in KINDS.values()} == set(KINDS) == files
    assert effects(["kill", "terminate"]) == "kill: SIGKILL; terminate: SIGTERM"
    assert set(possible(())) == {name for name, kind in KINDS.items() if kind.needs == "processes"}
