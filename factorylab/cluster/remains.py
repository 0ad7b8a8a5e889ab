"""What a dead supervisor left behind: processes (only where they do not die with it) and containers (always)."""

from __future__ import annotations

from pathlib import Path

from factorylab.cluster import control, engine
from factorylab.cluster.containers import PLAN, Plan
from factorylab.cluster.files import read_json


def clear(home: Path) -> list[str]:
    """End all that is left of the lab of `home`, whose supervisor is dead; the names of what was ended.

    Raises:
        EnvironmentUnfit: containers may be left and the engine does not answer.
    """
    plan = read_json(home / PLAN, Plan)
    ended = []
    if plan:
        ended = engine.remove(engine.connect(), plan.project)
        (home / PLAN).unlink()
    return ended + control.remove_remains(home)
