"""Open files: raised to what is allowed, and too few are told before anything starts."""

from __future__ import annotations

import resource

import pytest

from factorylab.cluster import descriptors
from factorylab.cluster.settings import load_settings
from factorylab.core.errors import EnvironmentUnfit
from factorylab.operations import doctor


def limits(monkeypatch: pytest.MonkeyPatch, hard: int) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _: (min(hard, 100), hard))


def test_too_few_open_files_are_told_with_the_way_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """One less than a broker needs is an unfit machine, for a start and for the doctor; as many are none."""
    limits(monkeypatch, descriptors.NEEDED)
    descriptors.check()
    limits(monkeypatch, descriptors.NEEDED - 1)
    with pytest.raises(EnvironmentUnfit, match=r"255 open files .* 'ulimit -n 4096'"):
        descriptors.check()
    finding = doctor._open_files(load_settings())
    assert (finding.what, finding.ok) == ("open files", False)
    limits(monkeypatch, resource.RLIM_INFINITY)
    assert doctor._open_files(load_settings()).ok
