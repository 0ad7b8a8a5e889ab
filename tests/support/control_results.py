"""Results of controls as a campaign has them."""

from __future__ import annotations

from factorylab.execution.controls.control_results import Result
from factorylab.scenarios.controls import ControlName


def result(name: ControlName = "P6", *, repaired: bool = False, **given: object) -> Result:
    """A result that came out as declared, but for what is given."""
    usual: dict[str, object] = {"verdict": "FAIL", "fired": ["duplicate_in_store"], "met": True, "evidence_count": 3}
    expected = ["FAIL", "duplicate_in_store"]
    return Result(control=name, repaired=repaired, expected=expected, finished_utc="2030-01-01", **usual | given)  # type: ignore[arg-type]
