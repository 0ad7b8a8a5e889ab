"""Brokers of somebody else: what can be asked of them, and what nobody here can do to them."""

from __future__ import annotations

import asyncio
from pathlib import Path

import msgspec
import pytest

from factorylab.cluster import boot
from factorylab.cluster.base import Own
from factorylab.cluster.capabilities import require_own
from factorylab.cluster.control import Inject
from factorylab.cluster.external.owner import ExternalNodes
from factorylab.cluster.supervisor import asking_brokers
from factorylab.cluster.undo import UndoRecords
from factorylab.core.errors import EnvironmentUnfit, LabError, UsageError
from factorylab.scenarios.fault_catalog import FAULT_KINDS
from factorylab.scenarios.model import Fault

OWN = Own("team-a-sensor-data", "team-a-processors", {0: (4, 7)})


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    """What is asked of the brokers; nobody is there to answer."""
    found: list[tuple[str, str]] = []

    async def note(home: Path, node: str, deed: str) -> None:
        found.append((node, deed))

    monkeypatch.setattr(asking_brokers, "carry_out", note)
    return found


def nodes(home: Path) -> ExternalNodes:
    known = boot.Known("a:1,b:2", "postgresql://", backend="external", numbers=(4, 7), prefix="team-a-")
    (home / boot.ENDPOINTS).write_bytes(msgspec.json.encode(known))
    return ExternalNodes(UndoRecords(home / "undo"), lambda: None)


def test_demoted_and_reinstated(tmp_path: Path, asked: list[tuple[str, str]]) -> None:
    """A demotion is on the disk before it is asked for, with what it is about, and healing everything takes it back."""
    lab = nodes(tmp_path)
    asyncio.run(lab.inject(Inject(0, "broker-4", "demote", own=OWN)))
    (record,) = lab.undo.find()
    assert (record.node, record.pid, record.own) == ("broker-4", None, OWN)
    assert asyncio.run(lab.heal(None)) == ["gave broker-4 back what it led"]
    assert asked == [("broker-4", "demote"), ("broker-4", "reinstate")] and lab.undo.find() == []


def test_what_the_brokers_refuse_stays_to_be_undone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the request to give back fails, the record stays, so that it is tried again."""

    async def refuse(home: Path, node: str, deed: str) -> None:
        if deed == "reinstate":
            raise LabError("nobody answered")

    monkeypatch.setattr(asking_brokers, "carry_out", refuse)
    lab = nodes(tmp_path)
    asyncio.run(lab.inject(Inject(0, "broker-7", "demote", own=OWN)))
    with pytest.raises(LabError, match="nobody answered"):
        asyncio.run(lab.heal(0))
    assert [record.node for record in lab.undo.find()] == ["broker-7"]


@pytest.mark.parametrize("kind", [name for name, kind in FAULT_KINDS.items() if not kind.by_request])
def test_nothing_is_done_to_its_process(tmp_path: Path, asked: list[tuple[str, str]], kind: str) -> None:
    """Whatever else a fault does is refused of a broker of somebody else, and nothing is asked of it."""
    lab = nodes(tmp_path)
    with pytest.raises(LabError):
        asyncio.run(lab.inject(Inject(0, "broker-4", kind)))
    assert asked == [] and lab.undo.find() == []


def test_a_broker_that_there_is_not(tmp_path: Path) -> None:
    """Of the numbers, only those that the cluster told are brokers."""
    with pytest.raises(UsageError, match="no node 'broker-1'"):
        asyncio.run(nodes(tmp_path).inject(Inject(0, "broker-1", "demote", own=OWN)))


def test_who_can_be_demoted() -> None:
    """Roles that the run's own topic tells can be demoted there, and no role that only the whole cluster tells."""
    own = [Fault(kind="demote", target=one) for one in ("leader:0", "leader:busiest", "follower:1", "broker:4")]
    require_own("external", own, of_run=True)
    for target in ("controller", "coordinator", "leader:0+controller"):
        with pytest.raises(EnvironmentUnfit, match=r"Take target=leader:P"):
            require_own("external", [Fault(kind="demote", target=target)], of_run=True)
        require_own("local", [Fault(kind="demote", target=target)], of_run=True)
