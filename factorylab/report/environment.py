"""Where the runs of a report were made, and with which settings: what is the same in all of them stands once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from factorylab.history.manifest import Manifest


@dataclass(frozen=True)
class Setting:
    """One row: settings as text, and of which run they are; "" where of all."""

    what: str
    value: str
    run: str


def settings(manifests: Mapping[str, Manifest]) -> list[Setting]:
    """Rows of host, versions and effective settings, for each group first what all runs share; `manifests` by the name
    of the run."""
    groups = {name: _groups(manifest) for name, manifest in manifests.items()}
    return [row for what in next(iter(groups.values()), {}) for row in _rows(what, groups)]


def _rows(what: str, groups: Mapping[str, Mapping[str, Mapping[str, str]]]) -> Iterator[Setting]:
    of_run = {run: dict(found[what]) for run, found in groups.items()}
    first = next(iter(of_run.values()))
    shared = {
        name: value for name, value in first.items() if all(found.get(name) == value for found in of_run.values())
    }
    for run, found in {"": shared, **of_run}.items():
        mine = found if not run else {name: value for name, value in found.items() if name not in shared}
        if mine:
            yield Setting(what, ", ".join(f"{name}={value}" for name, value in sorted(mine.items())), run)


def _groups(manifest: Manifest) -> dict[str, Mapping[str, str]]:
    host = manifest.host
    return {
        "host": {"cores": str(host.cores), "memory": f"{host.memory_bytes / 2**30:.1f} GiB", "system": host.system},
        "software": {"commit": manifest.commit, **manifest.versions},
        "producer": manifest.producer,
        "consumer": manifest.consumer,
        "topic": manifest.topic_config,
        "broker": manifest.broker_config,
    }
