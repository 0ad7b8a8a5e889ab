"""What `factorylab up` says: what starts once is said once."""

from __future__ import annotations

from pathlib import Path

from factorylab.cluster import manage
from factorylab.cluster.local.backend import LocalCluster
from factorylab.cluster.settings import Settings
from factorylab.execution.perform import milestones


def test_a_kept_lab_starts_once(home: Path, session_settings: Settings) -> None:
    """Who attaches to a lab that is up does not say that brokers are starting, and no line comes twice. Over 10 s: a
    lab of its own starts."""
    settings, starting = session_settings.model_copy(update={"home": home}), LocalCluster.starting
    said: list[str] = []
    try:
        for _ in ("the command", "the kernel"):
            LocalCluster.up(settings, keep=True, progress=milestones(said.append)).close(keep=True)
    finally:
        manage.down(home)
    assert [line for line in said if line.startswith(starting)] == [f"{starting}: starting", f"{starting}: done"]
    assert len(said) == len(set(said))
