"""The audit believes a fault only by the evidence that its kind declares, in what the probe saw."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from factorylab.audit.model.findings import Check
from factorylab.scenarios import faults
from factorylab.scenarios.fault_catalog import KINDS, effects, possible
from factorylab.scenarios.model import Fault
from tests.support.histories import History, at_ns, healthy, scenario


def landed(h: History) -> Check:
    return next(check for check in h.saved().verdict.checks if check.name == "fault_landed")


def test_each_kind_is_known_by_its_name() -> None:
    """A kind has the name of its file and says what it does; a lab with nothing but processes does those that need no
    more."""
    files = {path.stem for path in Path(faults.__file__).parent.glob("*.py")} - {"__init__", "kind"}
    assert {kind.name for kind in KINDS.values()} == set(KINDS) == files
    assert effects(["kill", "terminate"]) == "kill: SIGKILL; terminate: SIGTERM"
    assert set(possible(())) == {name for name, kind in KINDS.items() if kind.needs == "processes"}


def test_only_a_restart_is_not_held() -> None:
    """hold_s 0 is refused for a kind that somebody has to undo."""
    assert Fault(kind="restart", target="broker:1", hold_s=0).hold_s == 0
    with pytest.raises(ValidationError, match="a pause is held for some time"):
        Fault(kind="pause", target="broker:1", hold_s=0)


@pytest.mark.parametrize(("another", "verdict"), [(True, "PASS"), (False, "INVALID")])
def test_a_restart_counts_only_where_another_process_ran(tmp_path: Path, another: bool, verdict: str) -> None:
    """The probe must have seen the node run as another process, also where nothing was held."""
    h = healthy(tmp_path, scenario(faults=[{"kind": "restart", "target": "broker:2", "hold_s": 0}]))
    h.fault("broker-2", 6, 6.05, kind="restart")
    samples = h["processes"]
    if another:
        samples.loc[(samples["name"] == "broker-2") & (samples["t_ns"] > at_ns(6.1)), "pid"] = 8
    assert landed(h).verdict == verdict
