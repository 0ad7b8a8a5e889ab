"""Whom a network partition cuts its victim off from, in words."""

from __future__ import annotations

from factorylab.scenarios.model import Fault

ONE_WAY = {"both": "", "in": ", inbound only", "out": ", outbound only"}


def sides(fault: Fault) -> str:
    """As in " from brokers, inbound only"; empty for other kinds of fault."""
    return f" from {fault.away_from}{ONE_WAY[fault.direction]}" if fault.kind == "partition" else ""
