"""What the registry leads to, and whose leftovers those of a dead supervisor are."""

from __future__ import annotations

import os
import pkgutil
from pathlib import Path

import msgspec
import pytest

from factorylab.cluster import leftovers
from factorylab.cluster.backend_registry import BACKENDS, Backend
from factorylab.cluster.docker.creation import PLAN, Plan
from factorylab.cluster.docker.leftovers import ContainerLeftovers
from factorylab.cluster.driver import Driver
from factorylab.cluster.leftovers import Leftovers
from factorylab.cluster.node_owner import NodeOwner
from factorylab.core.errors import EnvironmentUnfit


@pytest.fixture
def plan(tmp_path: Path) -> Path:
    """The file that a lab on Docker leaves in its folder, and nothing else in there."""
    path = tmp_path / PLAN
    path.write_bytes(msgspec.json.encode(Plan("factorylab-test", "network", "application", "netfault")))
    return path


@pytest.mark.parametrize("backend", BACKENDS.values(), ids=list(BACKENDS))
def test_each_name_of_the_registry_is_such_a_class(backend: Backend) -> None:
    """Owner, driver and leftovers of each backend can be imported, and each is what is asked for by that name."""
    kinds = {backend.owner: NodeOwner, backend.driver: Driver, backend.leftovers: Leftovers}
    assert [name for name, kind in kinds.items() if kind not in pkgutil.resolve_name(name).__mro__] == []


def test_only_the_plan_of_containers_leads_to_an_engine(plan: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where containers may be left and no engine answers, clearing is refused and they stay known; without their plan
    nobody asks for an engine."""
    monkeypatch.setenv("DOCKER_HOST", f"unix://{plan.with_name('nothing')}")
    assert leftovers.left(plan.parent)
    with pytest.raises(EnvironmentUnfit, match="no Docker engine runs here"):
        leftovers.clear(plan.parent)
    assert leftovers.left(plan.parent)
    plan.unlink()
    assert leftovers.clear(plan.parent) == [] and not leftovers.left(plan.parent)


def test_a_later_lab_is_none_of_a_guards_business(plan: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A guard ends the containers of the plan that it saw, and leaves alone those of one that was written since."""
    monkeypatch.setattr(ContainerLeftovers, "clear", lambda _: ["broker-1"])
    guarded = ContainerLeftovers(plan.parent)
    assert guarded.end_outliving() == ["broker-1"]
    os.utime(plan, ns=(0, 0))
    assert guarded.end_outliving() == []
