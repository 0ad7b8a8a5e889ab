"""Requests are carried out from what the undo records say, and about nothing outside the prefix."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import pytest

from factorylab.cluster import boot
from factorylab.cluster.base import Own
from factorylab.cluster.requests import __main__ as requests
from factorylab.cluster.undo import Undo, UndoRecords
from factorylab.core.errors import LabError
from factorylab.scenarios.fault_catalog import KindName
from factorylab.scenarios.faults.kind import BrokerRequest

TOPIC, GROUP = "team-a-sensor-data", "team-a-processors"


def lab(home: Path, *records: tuple[int, KindName, Own], backend: str = "local") -> Path:
    """A lab's folder with open undo records of broker-4."""
    known = boot.Known("nowhere.invalid:1", "postgresql://", backend=backend, numbers=(4,), prefix="team-a-")
    (home / boot.ENDPOINTS).write_bytes(msgspec.json.encode(known))
    for number, kind, own in records:
        UndoRecords(home / "undo").add(Undo(number, "broker-4", kind, None, own=own))
    return home


@pytest.mark.parametrize(("topic", "group"), [("orders", GROUP), (TOPIC, "billing")])
def test_outside_the_prefix(tmp_path: Path, topic: str, group: str) -> None:
    """A record that names a topic or a group outside the prefix is refused before anybody connects."""
    home = lab(tmp_path, (0, "demote", Own(topic, group, {0: (4, 7)})), backend="external")
    with pytest.raises(LabError, match=r"(orders|billing) does not begin with the prefix 'team-a-'"):
        requests.carry_out(home, "broker-4", "demote")


@pytest.mark.parametrize(
    ("deed", "asked"), [("demote", [(7, 4)]), ("reinstate", [(7, 4), (4, 7)]), ("evict", [()])], ids=str
)
def test_the_records_that_count(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, deed: BrokerRequest, asked: list[tuple[int, ...]]
) -> None:
    """A fault is done by its own record, the latest of its kind; given back is what each of them found, so that the
    first one's order stays."""
    told: list[tuple[int, ...]] = []

    @contextmanager
    def closing(_: object) -> Iterator[None]:
        yield

    monkeypatch.setattr(requests, "closing", closing)
    monkeypatch.setitem(requests.DEEDS, deed, lambda admin, node, own: told.append(own.replicas.get(0, ())))
    orders = [Own(TOPIC, GROUP, {0: order}) for order in ((4, 7), (7, 4))]
    home = lab(tmp_path, *((n, "demote", own) for n, own in enumerate(orders)), (2, "evict", Own(TOPIC, GROUP)))
    requests.carry_out(home, "broker-4", deed)
    assert told == asked
