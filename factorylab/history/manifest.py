"""What a run was made of: versions, host, effective configuration, and what the lab itself could not do.

The runner writes `raw/manifest.json` just before the seal; nothing in it is taken from file names.
"""

from __future__ import annotations

from pathlib import Path

import msgspec

from factorylab.core.errors import UsageError
from factorylab.core.sources import Shown
from factorylab.history.provenance import Host
from factorylab.history.run_folders import SCHEMA_VERSION, RunFolder
from factorylab.history.unfinished import not_judged


class OutputRead(msgspec.Struct, frozen=True, kw_only=True):
    """What was read of a program's output: rows, records or lines that name a reading; lines that name none; and how
    many readings were written after a later one of their sensor in the same partition or file (None: a table)."""

    rows: int
    unread: int = 0
    out_of_order: int | None = None


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """`topics` maps the plain name (sensor-data) to the run's own; configurations are the effective ones.
    `recording` is the account of a recorded source: what was read of the file, left out and assumed.

    `problems` are the lab's own failures: each makes the run invalid. `workers_died` names processes that
    ended unasked. `workers` are the settings of each fleet, each processor and the probe, by name. `output` is what a
    program under test left.
    """

    schema_version: int = SCHEMA_VERSION
    run_id: str
    scenario: str
    backend: str
    started_wall_ns: int
    boot_id: str
    commit: str = "unknown"
    versions: dict[str, str] = {}
    host: Host
    seed: int
    topics: dict[str, str] = {}
    group: str = ""
    workers: dict[str, dict[str, Shown]] = {}
    db_schema: str = ""
    producer: dict[str, str] = {}
    consumer: dict[str, str] = {}
    topic_config: dict[str, str] = {}
    broker_config: dict[str, str] = {}
    recording: dict[str, object] | None = None
    problems: list[str] = []
    workers_died: list[str] = []
    output: OutputRead | None = None

    @property
    def own_brokers(self) -> tuple[str, ...]:
        """The brokers whose processes are the lab's, and are seen; none where they are somebody else's."""
        return () if self.backend == "external" else ("broker-1", "broker-2", "broker-3")


def path_of(run: RunFolder) -> Path:
    return run.raw / "manifest.json"


def write(run: RunFolder, manifest: Manifest) -> None:
    """Write it with its secrets masked."""
    shown = run.masked(msgspec.to_builtins(manifest))
    path_of(run).write_bytes(msgspec.json.format(msgspec.json.encode(shown), indent=2) + b"\n")


def read(run: RunFolder) -> Manifest:
    """The manifest of a saved run.

    Raises:
        UsageError: there is none, it is not one, or a newer factorylab wrote it.
    """
    name = f"{run.path.name}/raw/manifest.json"
    try:
        manifest = msgspec.json.decode(path_of(run).read_bytes(), type=Manifest)
    except OSError as error:
        raise UsageError(f"{name} cannot be read ({error.strerror}): {not_judged(run)}") from None
    except msgspec.DecodeError as error:
        raise UsageError(f"{name} is not a manifest: {error}") from None
    if manifest.schema_version > SCHEMA_VERSION:
        newer = f"{name}: schema {manifest.schema_version} is newer than this factorylab ({SCHEMA_VERSION})"
        raise UsageError(f"{newer}: update it")
    return manifest
