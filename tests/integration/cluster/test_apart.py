"""What a process of its own carries out for the supervisor, and what is told where it does not."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from factorylab.cluster.supervisor import apart, asking_brokers
from factorylab.core.errors import LabError


def test_why_it_failed_is_told(tmp_path: Path) -> None:
    """Its last words are those of the error, after what was to be done."""
    with pytest.raises(LabError, match=r"the request to demote broker-1 failed: .*endpoints\.json is gone"):
        asyncio.run(asking_brokers.carry_out(tmp_path, "broker-1", "demote"))


def test_what_takes_too_long_is_ended(tmp_path: Path) -> None:
    """It is killed when its time is over, and that is said."""
    words = (str(tmp_path), "broker-1", "demote")
    with pytest.raises(LabError, match="all of it was not done within 0 s"):
        asyncio.run(apart.carry_out("all of it", "factorylab.cluster.requests", *words, limit_s=0))


def test_what_succeeds_says_nothing() -> None:
    """Where it ends well nothing is raised."""
    asyncio.run(apart.carry_out("a look at the time", "calendar", "2026", "12", limit_s=60))
