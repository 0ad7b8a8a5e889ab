"""A fleet that falls behind its schedule: what was due and not offered is evidence, too."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from factorylab.core.clock import NS, now_ns
from factorylab.factory import json_logs
from factorylab.factory.config import FleetConfig
from factorylab.factory.fleet.fleet import BLOCK_MAX, Fleet
from factorylab.factory.fleet.schedule import SendSchedule
from factorylab.factory.process import StopSignal
from factorylab.history.journal import SEND, read_journal, read_rows, sends_path
from factorylab.history.tables import Stage


def test_what_was_due_when_a_fleet_is_stopped_is_offered_or_journalled_as_not_offered(tmp_path: Path) -> None:
    """A fleet that was kept from running for two seconds of its schedule offers one block; the rest of what was due,
    each reading at its intended time, is not offered, and the end of the plan is in the journal."""
    config = FleetConfig(
        bootstrap="127.0.0.1:1", worker="fleet-0", journal_dir=tmp_path, rate="10000:1,20000", sensors=30, fleet="0/1"
    )
    stop = StopSignal()
    stop.signals = 1
    fleet = Fleet(config, json_logs.configure("fleet-0", "error"), stop)
    began = now_ns() - 2 * NS
    fleet.offer_all(SendSchedule(config.stages, 1.0, began))
    fleet.close()
    rows = read_rows(sends_path(tmp_path, "fleet-0"), SEND)
    told = [row for row in read_journal(tmp_path, "fleet-0") if isinstance(row, Stage)]
    assert [row.rate_per_s for row in told] == [10_000, 20_000, 0]
    assert [row.t_ns - began for row in told[:2]] == [0, NS]
    offered, missed = rows[rows["not_offered"] == 0], rows[rows["not_offered"] == 1]
    due = 10_000 + 20_000 * (told[-1].t_ns - began - NS) / NS
    assert len(offered) <= BLOCK_MAX and abs(len(rows) - due) < 0.03 * due  # silent sensors leave some slots empty
    assert np.array_equal(np.unique(rows["seq"] * 30 + rows["sensor"]), rows["seq"] * 30 + rows["sensor"])
    slot = missed["seq"] * 30 + missed["sensor"]
    wanted = np.where(slot < 10_000, slot / 10_000, 1 + (slot - 10_000) / 20_000)
    assert np.abs((missed["t_intended_ns"] - began) / NS - wanted).max() < 1e-6
    assert not missed["hash"].any() and (missed["t_ns"] > told[0].t_ns).all()
