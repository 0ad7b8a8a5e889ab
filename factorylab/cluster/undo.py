"""How to take a fault back: one small file a fault and node, on the disk before the fault is injected."""

from __future__ import annotations

from pathlib import Path

import msgspec

from factorylab.cluster.base import Cut, Own
from factorylab.core.files import read_json, sync_folder, write_durably
from factorylab.scenarios.fault_catalog import KindName


class Undo(msgspec.Struct, frozen=True):
    """A fault of this kind was injected, or was about to be, into process `pid` of `node`; None: of somebody else."""

    fault: int
    node: str
    kind: KindName
    pid: int | None
    cut: Cut | None = None
    own: Own | None = None


class UndoRecords:
    """The faults that are not healed yet."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def add(self, undo: Undo) -> None:
        """Returns once the record would survive a crash of this process and of the machine."""
        write_durably(self._path(undo), msgspec.json.encode(undo))

    def remove(self, undo: Undo) -> None:
        self._path(undo).unlink(missing_ok=True)
        sync_folder(self.folder)

    def find(self, fault: int | None = None, node: str | None = None) -> list[Undo]:
        """The open records, of one fault or of one node where asked."""
        found = [read_json(path, Undo) for path in sorted(self.folder.glob("*.json"))]
        return [u for u in found if u and fault in {None, u.fault} and node in {None, u.node}]

    def written_s(self, undo: Undo) -> float:
        """When its record was written, on the wall clock. Raises FileNotFoundError where it is healed."""
        return self._path(undo).stat().st_mtime

    def _path(self, undo: Undo) -> Path:
        return self.folder / f"{undo.fault:04d}-{undo.node}.json"
